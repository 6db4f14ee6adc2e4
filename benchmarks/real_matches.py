"""Precision promised and kept on real photos: one part of a shop's photos as one side, another as the other.

    python benchmarks/real_matches.py SHOPS.csv WEIGHTS.safetensors OUT [--only SHOP...] [--epochs 14]

instamart's sellers' photos ask for buyers', luma's main photos for the others, starwars' fronts for backs,
unicom's first photos for the second. A shop's photos are described by an encoder that has seen the training
listings of the *other* shops only, so that all of the shop is unseen: the frozen MobileNetV2 with a natural-view
head fitted on them, or with `--epochs` the recipe `natural` trained on them for so long. A pair is right where it
is of one product, or of one group of near-identical products. Where the shop says which products share a design,
colourways are judged as well. Writes OUT/real_matches.md.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from natviews.catalog import Catalog
from natviews.encoders import Architecture, Encoder, embed_catalog
from natviews.encoders.head import Whitening
from natviews.files import whole_file
from natviews.index import read_embeddings
from natviews.matching import (
    Choosing,
    Scoring,
    Side,
    colourway_pairs,
    compare,
    gap_items,
    same_items,
    side_of,
)
from natviews.training import Recipe, train
from natviews.types import Embeddings

TARGETS = (0.95, 0.9, 0.8)


class Parting(NamedTuple):
    """How a shop's photos are parted into two sides: by the values of a column."""

    said: str
    column: str
    asking: tuple[str, ...]
    asked: tuple[str, ...]


PARTINGS = {
    "instamart": Parting("sellers' photos ask, buyers' are found", "source_guess", ("listing",), ("buyer",)),
    "luma": Parting("main photos ask, the others are found", "view", ("main", "0"), ("back", "alt1", "0_alt1")),
    "starwars": Parting("fronts ask, backs are found", "view", ("1",), ("2",)),
    "unicom": Parting("first photos ask, second are found", "view", ("1",), ("2",)),
}
"""instamart's guess who took a photo is wrong for one in eight or so."""


def frozen_vectors(shops: Path, weights: Path, out: Path, shop: str) -> Embeddings:
    """All shops through the pretrained network and a head that knows the other shops."""
    catalog, half = Catalog.open(shops), (0.5, 0.5, 0.5)
    architecture = Architecture(
        name="mobilenetv2_100",
        size=224,
        mean=half,
        std=half,
        features="stages+colours",
        options={"pad_type": "same"},
    )
    if not (out / "shops_frozen.parquet").exists():
        embed_catalog(Encoder.create(architecture, weights=weights), catalog, out / "shops_frozen.parquet")
    frozen = read_embeddings(out / "shops_frozen.parquet")
    others = catalog.take((catalog.column("shop") != shop) & (catalog.splits == "train"))
    learn = np.isin(frozen.ids, others.ids)
    head = Whitening.fit(frozen.vectors[learn], frozen.product_ids[learn], shrinkage=0.3)
    return Embeddings(frozen.ids, frozen.product_ids, head.vectors(frozen.vectors), frozen.made_by)


def trained_vectors(shops: Path, weights: Path, out: Path, shop: str, epochs: int) -> Embeddings:
    """All shops through the recipe `natural`, trained on the other shops."""
    catalog = Catalog.open(shops)
    recipe = Recipe.load("natural", [f"training.epochs={epochs}"], weights=str(weights))
    run = train(catalog.take(catalog.column("shop") != shop), recipe, out / f"without_{shop}")
    made = out / f"shops_without_{shop}.parquet"
    if not made.exists():
        embed_catalog(Encoder.load(run.encoder), catalog, made)
    return read_embeddings(made)


def side_of_shop(shops: Path, all_of_them: Embeddings, shop: str) -> Side:
    """A shop's photos, without repeated ones."""
    catalog = Catalog.open(shops)
    kept = (catalog.column("shop") == shop) & (catalog.column("near_dup_within") != "1")
    made = all_of_them.take(np.isin(all_of_them.ids, catalog.take(kept).ids))
    return side_of(made, catalog, name=shop, unseen=True)


def parted(side: Side, by: Parting) -> tuple[Side, Side]:
    """The photos that ask, and those that are to be found."""
    values = side.table.column(by.column).to_numpy(zero_copy_only=False)
    return side.take(np.isin(values, by.asking)), side.take(np.isin(values, by.asked))


def judged(ours: Side, theirs: Side) -> list[str]:
    """What is promised and what is kept between two sides, as lines of a table."""
    groups = dict(zip(ours.products.tolist(), ours.text("dup_group").tolist(), strict=True))
    groups |= dict(zip(theirs.products.tolist(), theirs.text("dup_group").tolist(), strict=True))
    comparison = compare(ours, theirs, Scoring(titles="none"))
    both = len(set(ours.products.tolist()) & set(theirs.products.tolist()))
    top = comparison.pairs.take(comparison.pairs.first)
    names = zip(ours.products[top.query].tolist(), theirs.products[top.match].tolist(), strict=True)
    right = np.array([groups[one] == groups[other] for one, other in names])
    probability = comparison.probability(top.score)
    lines = [
        f"{len(ours)} products ask, {len(theirs)} are asked, {both} are on both sides. Of the likeliest pairs "
        f"{right.mean():.3f} are right; their mean probability is {probability.mean():.3f} (share of matches read "
        f"off the mixture: {comparison.mixture.share:.2f}).",
        "",
        "| promised | way | claimed | right | recall | possible |",
        "|---|---|---|---|---|---|",
    ]
    order = np.argsort(-top.score)
    precision = right[order].cumsum() / np.arange(1, len(order) + 1)
    for target in TARGETS:
        reach = np.flatnonzero(precision >= target)
        possible = right[order][: reach[-1] + 1].sum() / both if len(reach) else 0
        for conformal in (False, True):
            table = same_items(comparison, Choosing(target, conformal=conformal)).table
            pairs = zip(*(table.column(f"{end}_product").to_pylist() for end in ("query", "match")), strict=True)
            hits = [groups[one] == groups[other] for one, other in pairs]
            kept = f"{np.mean(hits):.3f}" if hits else "-"
            way = "conformal, on average" if conformal else "in 9 of 10 uses"
            lines.append(f"| {target} | {way} | {len(hits)} | {kept} | {sum(hits) / both:.3f} | {possible:.3f} |")
    lines.append("")
    asked, there = compare(theirs, ours, Scoring(titles="none")), set(ours.text("dup_group").tolist())
    for recall in TARGETS:
        listed = gap_items(asked, recall).table.column("product").to_pylist()
        known = [product for product in theirs.products.tolist() if groups[product] in there]
        wrong = len(set(listed) & set(known))
        lines.append(
            f"Gaps at a recall of {recall}: {len(listed)} listed; recall kept {1 - wrong / len(known):.3f}.\n"
        )
    return lines


def judged_colourways(side: Side) -> list[str]:
    """How many pairs of one design in two colours are found, and how many of the found ones are."""
    said = zip(side.products.tolist(), side.text("design_group").tolist(), strict=True)
    design = {product: group or product for product, group in said}
    sizes = np.unique(list(design.values()), return_counts=True)[1]
    true = int((sizes * (sizes - 1) // 2).sum())
    lines = [f"{len(side)} products of {len(sizes)} designs, {true} pairs of one design.", ""]
    for share in (0.5, 0.25, 0.1):
        table = colourway_pairs(side, share=share).table
        pairs = zip(table.column("product").to_pylist(), table.column("colourway").to_pylist(), strict=True)
        hits = [design[one] == design[other] for one, other in pairs]
        right = f"{np.mean(hits):.3f}" if hits else "-"
        recall = sum(hits) / true
        lines.append(f"As alike as {share:.0%} of halves: {len(hits)} pairs, right {right}, recall {recall:.3f}.")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("shops", "weights", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", nargs="+", choices=list(PARTINGS), default=list(PARTINGS))
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    lines: list[str] = []
    for shop in given.only:
        asked_of = (given.shops, given.weights, given.out, shop)
        vectors = trained_vectors(*asked_of, given.epochs) if given.epochs else frozen_vectors(*asked_of)
        side, by = side_of_shop(given.shops, vectors, shop), PARTINGS[shop]
        lines += [f"## {shop}: {by.said}", "", *judged(*parted(side, by))]
        if side.has("design_group") and len(np.unique(side.text("design_group"))) > 1:
            lines += [f"## {shop}: colours of a design", "", *judged_colourways(side)]
    text = "\n".join(lines) + "\n"
    with whole_file(given.out / "real_matches.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
