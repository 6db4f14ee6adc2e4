"""Precision promised and kept on real photos: buyers' photos as one side, sellers' as the other.

    python benchmarks/real_matches.py SHOPS.csv WEIGHTS.safetensors OUT [SHOP]

A frozen MobileNetV2 with a natural-view head fitted on the training listings of the *other* shops, so that
SHOP (instamart) is wholly unseen. Sellers' photos ask (`source_guess` listing), buyers' (`buyer`) are found; the
guess is wrong for one photo in eight or so. A pair is right where it is of one product, or of one group of
near-identical products. Writes OUT/real_matches.md.
"""

import sys
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog
from natviews.encoders import Encoder, embed_catalog
from natviews.encoders.encoder import Architecture
from natviews.encoders.head import Whitening
from natviews.files import whole_file
from natviews.index import read_embeddings
from natviews.matching import Choosing, Scoring, Side, compare, gap_items, same_items, side_of
from natviews.types import Embeddings

TARGETS = (0.95, 0.9, 0.8)


def sides_of(shops: Path, weights: Path, out: Path, shop: str) -> tuple[Side, Side]:
    """Sellers' and buyers' photos of a shop."""
    catalog, half = Catalog.open(shops), (0.5, 0.5, 0.5)
    architecture = Architecture(
        name="mobilenetv2_100", size=224, mean=half, std=half, features="stages", options={"pad_type": "same"}
    )
    if not (out / "shops_frozen.parquet").exists():
        embed_catalog(Encoder.create(architecture, weights=weights), catalog, out / "shops_frozen.parquet")
    frozen = read_embeddings(out / "shops_frozen.parquet")
    own = np.isin(frozen.ids, catalog.take(catalog.column("shop") == shop).ids)
    learn = np.isin(frozen.ids, catalog.part("train").ids) & ~own
    head = Whitening.fit(frozen.vectors[learn], frozen.product_ids[learn], shrinkage=0.3)
    some = frozen.take(own)
    made = Embeddings(some.ids, some.product_ids, head.vectors(some.vectors), some.made_by)
    both = side_of(made, catalog, name=shop, unseen=True)
    guess = both.table.column("source_guess").to_numpy(zero_copy_only=False)
    repeated = both.table.column("near_dup_within").to_numpy(zero_copy_only=False) == "1"
    return both.take((guess == "listing") & ~repeated), both.take((guess == "buyer") & ~repeated)


def main(shops: Path, weights: Path, out: Path, shop: str = "instamart") -> None:
    sellers, buyers = sides_of(shops, weights, out, shop)
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
    with whole_file(out / "real_matches.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *sys.argv[4:5])
