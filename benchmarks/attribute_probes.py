"""Attributes of real photos read off frozen features, beside a colour histogram and an untrained network.

    python benchmarks/attribute_probes.py CATALOG WEIGHTS.safetensors OUT [--encoder RUN] [--attribute COLUMN...]

Describes the photos once (features are kept in OUT), then fits linear, non-linear and nearest-neighbour probes on
`train`, chooses them and their thresholds on `val` and judges them on `test`; the linear one also with 1 and 10 %
of the labels, five draws each. The first attribute is also suggested listing by listing from labels that are ever
worse. Writes OUT/attributes.md, OUT/metrics.json and OUT/classes.csv. With `--encoder` a trained encoder has its
row and the paired differences are its own; without one they are the frozen network's.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog, PackedPhotos, with_split
from natviews.encoders import Architecture, Encoder, described_by
from natviews.evaluation import Spoilt, suggestion_study
from natviews.evaluation.labels import PROBES
from natviews.report.attributes import AttributeReport, as_text
from natviews.report.probing import parts_of, probe_vectors
from natviews.report.rows import histograms, packed_for
from natviews.training import features_of

ATTRIBUTES = ("product_type", "baseColour", "pattern_text")
SHARES = (0.01, 0.10)


def kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is made once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    return np.load(path)


def vectors_of(packed: PackedPhotos, arguments: argparse.Namespace) -> dict[str, np.ndarray]:
    """Row -> vectors of all photos."""
    out, digest = arguments.out, packed.catalog.digest[:8]
    architecture = Architecture(size=224, **described_by(arguments.weights))

    def described(encoder: Encoder, row: str) -> np.ndarray:
        return features_of(encoder, packed, f"features, {row}")

    vectors = {
        "histogram": kept(out / f"histogram-{digest}.npy", lambda: histograms(packed)),
        "untrained": kept(
            out / f"untrained-{digest}.npy", lambda: described(Encoder.create(architecture), "untrained")
        ),
        "frozen": kept(
            out / f"frozen-{digest}.npy",
            lambda: described(Encoder.create(architecture, weights=arguments.weights), "frozen"),
        ),
    }
    if arguments.encoder:
        encoder = Encoder.load(arguments.encoder)
        features = kept(out / f"{encoder.digest()[:8]}-{digest}.npy", lambda: described(encoder, "trained"))
        vectors |= {"trained, no head": features, "trained": encoder.through_head(features)}
    return vectors


def few_labels(report: AttributeReport, rows: Sequence[str]) -> str:
    """Accuracy of the linear probe with ever more labels."""
    names = [*(f"linear_accuracy@{100 * share:g}%" for share in SHARES), "linear_accuracy"]
    lines = ["| linear probe, labels | 1 % | 10 % | 100 % |", "|---|---|---|---|"]
    lines += [
        f"| {attribute}, {row} | {' | '.join(as_text(report.metric(row, name, attribute)) for name in names)} |"
        for attribute in report.attributes
        for row in rows
    ]
    return "\n".join(lines)


def worse_labels(found: Sequence[Spoilt], attribute: str) -> str:
    """Suggestions listing by listing, from noisy and uneven labels."""
    lines = [f"| {attribute}, knn, frozen | top 1 | top 3 | top 5 | top 1, balanced |", "|---|---|---|---|---|"]
    for each in found:
        cells = " | ".join(as_text(metric) for metric in each.metrics)
        lines.append(f"| {each.noise:.0%} of labels wrong, imbalance {each.ratio:g} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--attribute", nargs="*", default=ATTRIBUTES)
    arguments = parser.parse_args()
    begun = time.monotonic()
    catalog = Catalog.open(arguments.catalog)
    packed = with_split(packed_for(catalog, Architecture(size=224, **described_by(arguments.weights))))
    vectors = vectors_of(packed, arguments)
    compared = "trained" if arguments.encoder else "frozen"
    metrics, classes = probe_vectors(
        vectors, packed.catalog, arguments.attribute, shares=SHARES, compared=compared
    )
    report = AttributeReport(metrics, classes, tuple(PROBES))
    report.write(arguments.out)
    first = arguments.attribute[0]
    spoilt = suggestion_study(*parts_of(vectors["frozen"], packed.catalog, first), probe="knn", row="frozen")
    parts = [report.markdown(), few_labels(report, list(vectors)), worse_labels(spoilt, first)]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    (arguments.out / "attributes.md").write_text(text, encoding="utf-8")
    print(f"{text}\n{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
