"""What the decisions promise between two marketplaces, and what they keep, on generated ones with known truth.

    python benchmarks/two_marketplaces.py OUT WEIGHTS.safetensors [PRODUCTS] [SEEDS] [POOL]

Draws a pool of POOL items (3,000) that both marketplaces list, each photographed anew, describes it once by a
frozen MobileNetV2 with the natural-view head of other generated listings, and resamples SEEDS (20) pairs of
marketplaces of PRODUCTS (1,000) listings from it, half of which both sell. Writes OUT/two_marketplaces.md.
The resamples share the pool, so their spread is somewhat less than that of marketplaces drawn anew. What is drawn
and described is kept; the comparisons start anew. `possible` is the recall that knowing the truth would allow.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog, generate_marketplaces
from natviews.encoders import Architecture, Encoder, embed_catalog
from natviews.encoders.head import Whitening
from natviews.files import whole_file
from natviews.index import read_embeddings
from natviews.matching import Choosing, Comparison, Scoring, Side, compare, gap_items, opportunities, same_items
from natviews.matching.scoring import Found, find
from natviews.progress import progress
from natviews.types import Embeddings

SIZE = 160
TARGETS = (0.95, 0.9, 0.8)
RECALLS = (0.95, 0.9, 0.8)
KEPT = 768
"""Directions of the vectors that are kept, those of most variance: four times less to compare."""
HIGH_DEMAND = 0.15
"""The share of what only they sell that is made to sell very well, as in generated marketplaces."""


def encoder_of(out: Path, weights: Path) -> Encoder:
    """The frozen network with a head fitted on listings of another seed, each marketplace's for itself."""
    if (out / "encoder").is_dir():
        return Encoder.load(out / "encoder")
    half = (0.5, 0.5, 0.5)
    architecture = Architecture(
        name="mobilenetv2_100", size=SIZE, crop=1.0, mean=half, std=half, features="stages+colours",
        options={"pad_type": "same"},
    )  # fmt: skip
    encoder = Encoder.create(architecture, weights=weights)
    learn = described(out / "learn", encoder, products=500, seed=100)
    products = np.concatenate([np.char.add(f"{name} ", e.product_ids) for name, e in learn.items()])
    encoder.head = Whitening.fit(np.concatenate([e.vectors for e in learn.values()]), products, shrinkage=0.3)
    encoder.save(out / "encoder")
    return encoder


def described(folder: Path, encoder: Encoder, *, products: int, seed: int) -> dict[str, Embeddings]:
    """The vectors of two generated marketplaces that list the same items."""
    if not (folder / "truth.csv").exists():
        with progress("drawing photos", 2 * products) as advance:
            generate_marketplaces(
                folder,
                products=products,
                overlap=1.0,
                seed=seed,
                size=SIZE,
                progress=lambda done, total: advance(1),
            )
    for name in ("ours", "theirs"):
        path = folder / f"{name}.parquet"
        if not path.exists():
            embed_catalog(encoder, Catalog.open(folder / name / "catalog.csv"), path)
    return {name: read_embeddings(folder / f"{name}.parquet") for name in ("ours", "theirs")}


def pool_of(folder: Path, encoder: Encoder, products: int) -> tuple[dict[str, Side], dict[str, str]]:
    """Both sides of the pool, and which of theirs is which of ours."""
    vectors = described(folder, encoder, products=products, seed=7)
    some = vectors["ours"].vectors[::5]
    middle = some.mean(axis=0)
    directions = np.linalg.eigh(np.cov(some.T))[1][:, -KEPT:].astype(np.float32)
    sides = {}
    for name, made in vectors.items():
        short = (made.vectors - middle) @ directions
        short /= np.linalg.norm(short, axis=1, keepdims=True)
        catalog = Catalog.open(folder / name / "catalog.csv")
        rows = {photo: row for row, photo in enumerate(catalog.ids.tolist())}
        table = catalog.take(np.array([rows[photo] for photo in made.ids.tolist()])).table
        sides[name] = Side(name, Embeddings(made.ids, made.product_ids, short, made.made_by), table, unseen=True)
    with (folder / "truth.csv").open(encoding="utf-8") as file:
        truth = {row["ours_product_id"]: row["theirs_product_id"] for row in csv.DictReader(file)}
    return sides, truth


def drawn(pool: dict[str, Side], truth: dict[str, str], products: int, seed: int) -> tuple[Side, Side, set[str]]:
    """Two marketplaces of a seed, and those of theirs that were made to sell very well."""
    rng = np.random.default_rng(seed)
    items = rng.permutation(pool["ours"].products)[: 2 * products - products // 2]
    only_theirs = [truth[item] for item in items[products:].tolist()]
    listed = [*(truth[item] for item in items[: products // 2].tolist()), *only_theirs]
    wanted = set(only_theirs[: round(HIGH_DEMAND * len(only_theirs))])
    ours, theirs = (
        pool[name].take(np.isin(pool[name].embeddings.product_ids, chosen))
        for name, chosen in (("ours", items[:products]), ("theirs", listed))
    )
    for column, low, high in (("sales", 1200, 6000), ("sellers", 25, 90)):
        more = np.array([rng.integers(low, high) if name in wanted else 0 for name in theirs.products.tolist()])
        text = (theirs.numbers(column) + more).astype(int).astype(str)[theirs.product]
        place = theirs.table.column_names.index(column)
        theirs = replace(theirs, table=theirs.table.set_column(place, column, [text.tolist()]))
    return ours, theirs, wanted


def judged(ours: Side, theirs: Side, truth: dict[str, str], comparison: Comparison, row: str) -> dict[str, float]:
    """Recall@1, and what `match` keeps of each promise."""
    both = {name for name in ours.products.tolist() if truth[name] in set(theirs.products.tolist())}
    top = comparison.pairs.take(comparison.pairs.first)
    names = zip(ours.products[top.query].tolist(), theirs.products[top.match].tolist(), strict=True)
    right = np.array([truth[one] == other for one, other in names])
    order = np.argsort(-top.score)
    precision = right[order].cumsum() / np.arange(1, len(order) + 1)
    figures = {f"{row} recall@1": right.sum() / len(both)}
    for target in TARGETS:
        reach = np.flatnonzero(precision >= target)
        figures[f"{row} possible {target}"] = (
            right[order][: reach[-1] + 1].sum() / len(both) if len(reach) else 0.0
        )
        table = same_items(comparison, Choosing(target)).table.select(["query_product", "match_product"])
        hits = [truth[one] == other for one, other in zip(*(c.to_pylist() for c in table.columns), strict=True)]
        figures[f"{row} precision {target}"] = float(np.mean(hits)) if hits else np.nan
        figures[f"{row} recall {target}"] = sum(hits) / len(both)
    return figures


def of_titles(found: Found) -> Found:
    """The same pairs scored by titles alone."""

    def scored(pairs):
        return pairs.scored(np.nan_to_num(pairs.title))

    return found._replace(
        across=scored(found.across),
        within_ours=scored(found.within_ours),
        within_theirs=scored(found.within_theirs),
        titles=None,
    )


def of_gaps(ours: Side, theirs: Side, truth: dict[str, str], wanted: set[str]) -> dict[str, float]:
    """What `gaps` keeps of each promise, how much it lists, and how many of the first opportunities are planted
    ones."""
    comparison = compare(theirs, ours)
    sold = {truth[name] for name in ours.products.tolist()} & set(theirs.products.tolist())
    figures: dict[str, float] = {}
    for recall in RECALLS:
        listed = set(gap_items(comparison, recall).table.column("product").to_pylist())
        figures[f"gaps recall {recall}"] = 1 - len(listed & sold) / len(sold)
        figures[f"gaps listed {recall}"] = len(listed - sold) / (len(theirs) - len(sold))
    ranked = opportunities(comparison, RECALLS[-1]).table.column("product").to_pylist()
    there = [name in wanted for name in ranked]
    figures["planted among the first"] = float(np.mean(there[: sum(there)])) if any(there) else np.nan
    return figures


def main(out: Path, weights: Path, products: int = 1000, seeds: int = 20, items: int = 3000) -> None:
    pool, truth = pool_of(out / "pool", encoder_of(out, weights), items)
    rows: list[dict[str, float]] = []
    for seed in range(seeds):
        ours, theirs, wanted = drawn(pool, truth, products, seed)
        found = find(ours, theirs, Scoring())
        ways = {
            "photos": compare(ours, theirs, Scoring(titles="none"), found=found),
            "titles": compare(ours, theirs, Scoring(titles="none"), found=of_titles(found)),
            "both": compare(ours, theirs, Scoring(), found=found),
        }
        figures = of_gaps(ours, theirs, truth, wanted)
        for row, comparison in ways.items():
            figures |= judged(ours, theirs, truth, comparison, row)
        rows.append(figures)
        report(out / "two_marketplaces.md", rows, products)


def report(path: Path, rows: list[dict[str, float]], products: int) -> None:
    """The means over the seeds, with the lowest and highest, and in how many a promise was kept."""
    lines = [
        f"{len(rows)} pairs of marketplaces of {products:,} products, half of which both sell.",
        "",
        "| figure | mean | lowest | highest | promise kept |",
        "|---|---|---|---|---|",
    ]
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        there = values[np.isfinite(values)]
        kept = ""
        words = name.split()
        if " precision " in name or name.startswith("gaps recall"):
            kept = f"{int((np.nan_to_num(values, nan=1.0) >= float(words[-1])).sum())} of {len(values)}"
            kept += f" ({len(values) - len(there)} claimed nothing)" if len(there) < len(values) else ""
        shown = [f"{value:.3f}" for value in (there.mean(), there.min(), there.max())] if len(there) else ["-"] * 3
        lines.append(f"| {name} | {' | '.join(shown)} | {kept} |")
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
