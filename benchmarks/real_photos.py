"""The recipe `natural` on real photos: several seeds, every shop, beside what it must beat.

    python benchmarks/real_photos.py SHOPS.csv WEIGHTS.safetensors OUT [SEEDS]

Trains, embeds and evaluates (about 10 minutes a seed on two cores; run again, it continues) and writes
OUT/real_photos.md. The catalogue needs the columns `shop` and `source_guess`.
"""

import json
import sys
from pathlib import Path

import numpy as np

from natviews import verbs

BASELINES = ("histogram", "untrained", "frozen", "frozen+whitening")
SHOWN = {"recall@1": "Recall@1", "recall@5": "Recall@5", "map@r": "MAP@R", "auc": "AUC"}
HARDEST = "frozen+whitening"


def run_seed(shops: Path, weights: Path, folder: Path, seed: int) -> dict[tuple[str, str, str], dict]:
    """The metrics of one seed: (slice, name, row) -> entry of metrics.json."""
    verbs.train(shops, folder, recipe="natural", settings=[f"training.seed={seed}"], weights=str(weights))
    verbs.embed(folder, shops, folder / "embeddings.parquet")
    verbs.evaluate(
        folder / "embeddings.parquet",
        shops,
        folder / "test",
        query="source_guess=buyer",
        gallery="source_guess=listing",
        within="shop",
        by="shop",
    )
    entries = json.loads((folder / "test" / "metrics.json").read_text(encoding="utf-8"))
    return {(e["slice"], e["name"], e["row"]): e for e in entries}


def table(seeds: list[dict[tuple[str, str, str], dict]], name: str) -> str:
    """One figure, a line for every slice: the baselines, the seeds, and their paired differences."""
    lines = [
        f"| {SHOWN[name]} | queries | {' | '.join(BASELINES)} | trained, mean of seeds (lowest to highest) "
        f"| trained - {HARDEST}, each seed |",
        "|" + "---|" * (len(BASELINES) + 4),
    ]
    for part in dict.fromkeys(slice for slice, _, _ in seeds[0]):
        values = [found[part, name, "trained"]["value"] for found in seeds]
        baselines = [seeds[0][part, name, row] for row in BASELINES]
        best = max(entry["value"] for entry in baselines)
        cells = [f"**{e['value']:.3f}**" if e["value"] == best else f"{e['value']:.3f}" for e in baselines]
        gains = [found[part, name, f"trained-{HARDEST}"] for found in seeds]
        gained = "; ".join(f"{g['value']:+.3f} [{g['low']:+.3f}, {g['high']:+.3f}]" for g in gains)
        trained = f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
        lines.append(f"| {part} | {baselines[0]['n']} | {' | '.join(cells)} | {trained} | {gained} |")
    return "\n".join(lines)


def main(shops: Path, weights: Path, out: Path, seeds: int = 3) -> None:
    found = [run_seed(shops, weights, out / f"s{seed}", seed) for seed in range(seeds)]
    text = "\n\n".join(table(found, name) for name in SHOWN) + "\n"
    (out / "real_photos.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:5]))
