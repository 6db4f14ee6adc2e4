"""Precision promised and kept on real photos: buyers' photos as one side, sellers' as the other.

    python benchmarks/real_matches.py SHOPS.csv WEIGHTS.safetensors OUT [--shop instamart] [--epochs 14]

The photos of SHOP are described by an encoder that has seen the training listings of the *other* shops only, so
that SHOP is wholly unseen: the frozen MobileNetV2 with a natural-view head fitted on them, or with `--epochs` the
recipe `natural` trained on them for so long. Sellers' photos ask (`source_guess` listing), buyers' (`buyer`) are
found; the guess is wrong for one photo in eight or so. A pair is right where it is of one product, or of one group
of near-identical products. Writes OUT/real_matches.md.
"""

import argparse
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog
from natviews.encoders import Encoder, embed_catalog
from natviews.encoders.encoder import Architecture
from natviews.encoders.head import Whitening
from natviews.files import whole_file
from natviews.index import read_embeddings
from natviews.matching import Choosing, Scoring, Side, compare, gap_items, same_items, side_of
from natviews.training import Recipe, train
from natviews.types import Embeddings

TARGETS = (0.95, 0.9, 0.8)


def frozen_vectors(shops: Path, weights: Path, out: Path, shop: str) -> Embeddings:
    """All shops through the pretrained network and a head that knows the other shops."""
    catalog, half = Catalog.open(shops), (0.5, 0.5, 0.5)
    architecture = Architecture(
        name="mobilenetv2_100", size=224, mean=half, std=half, features="stages", options={"pad_type": "same"}
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
    run = train(catalog.take(catalog.column("shop") != shop), recipe, out / "trained")
    if not (out / "shops_trained.parquet").exists():
        embed_catalog(Encoder.load(run.encoder), catalog, out / "shops_trained.parquet")
    return read_embeddings(out / "shops_trained.parquet")


def sides_of(shops: Path, all_of_them: Embeddings, shop: str) -> tuple[Side, Side]:
    """Sellers' and buyers' photos of a shop."""
    catalog = Catalog.open(shops)
    made = all_of_them.take(np.isin(all_of_them.ids, catalog.take(catalog.column("shop") == shop).ids))
    both = side_of(made, catalog, name=shop, unseen=True)
    guess = both.table.column("source_guess").to_numpy(zero_copy_only=False)
    repeated = both.table.column("near_dup_within").to_numpy(zero_copy_only=False) == "1"
    return both.take((guess == "listing") & ~repeated), both.take((guess == "buyer") & ~repeated)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("shops", "weights", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--shop", default="instamart")
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    asked_of = (given.shops, given.weights, given.out, given.shop)
    vectors = trained_vectors(*asked_of, given.epochs) if given.epochs else frozen_vectors(*asked_of)
    sellers, buyers = sides_of(given.shops, vectors, given.shop)
    groups = dict(zip(sellers.products.tolist(), sellers.text("dup_group").tolist(), strict=True))
    groups |= dict(zip(buyers.products.tolist(), buyers.text("dup_group").tolist(), strict=True))
    comparison = compare(sellers, buyers, Scoring(titles="none"))
    both = len(set(sellers.products.tolist()) & set(buyers.products.tolist()))
    top = comparison.pairs.take(comparison.pairs.first)
    names = zip(sellers.products[top.query].tolist(), buyers.products[top.match].tolist(), strict=True)
    right = np.array([groups[one] == groups[other] for one, other in names])
    probability = comparison.probability(top.score)
    lines = [
        f"{len(sellers)} products with sellers' photos, {len(buyers)} with buyers', {both} with both; of the "
        f"likeliest pairs {right.mean():.3f} are right, and their mean probability is {probability.mean():.3f} "
        f"(share of matches read off the mixture: {comparison.mixture.share:.2f}).",
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
    asked = compare(buyers, sellers, Scoring(titles="none"))
    there = set(sellers.text("dup_group").tolist())
    for recall in TARGETS:
        listed = gap_items(asked, recall).table.column("product").to_pylist()
        ours = [product for product in buyers.products.tolist() if groups[product] in there]
        wrong = len(set(listed) & set(ours))
        lines.append(
            f"\nGaps at a recall of {recall}: {len(listed)} listed; recall kept {1 - wrong / len(ours):.3f}."
        )
    text = "\n".join(lines) + "\n"
    with whole_file(given.out / "real_matches.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
