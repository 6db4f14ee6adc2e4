"""Two marketplaces that partly sell the same things, with the truth of what is the same."""

from pathlib import Path

import numpy as np

from natviews.catalog.generated.generate import (
    Marketplace,
    Order,
    Progress,
    draw_items,
    draw_splits,
    list_product,
    write_catalog,
    write_csv,
)
from natviews.catalog.generated.marks import OUR_SHOPS, THEIR_SHOPS
from natviews.catalog.generated.photo import PHONE, STUDIO

OURS = Marketplace("ours", OUR_SHOPS, STUDIO, loud=False, price_noise=0.03)
THEIRS = Marketplace("theirs", THEIR_SHOPS, PHONE, loud=True, price_noise=0.18)

_HIGH_DEMAND = 0.15
"""Share of what only they sell that sells very well: the gap an assortment manager looks for."""

_MEMBERSHIP_KEY = 5


def generate_marketplaces(
    folder: Path,
    *,
    products: int = 400,
    overlap: float = 0.5,
    seed: int = 0,
    size: int = 256,
    workers: int = 2,
    progress: Progress | None = None,
) -> tuple[Path, Path, Path]:
    """Write `ours` and `theirs`, each of `products` products, and `truth.csv`; return the three CSVs' paths.

    `overlap` is the share of products that both sell: the same design in the same colours, photographed anew.
    Other colourways of one design fall to either side, so most designs have near-misses.
    """
    shared = round(overlap * products)
    items = draw_items(2 * products - shared, seed)
    splits = draw_splits(items, seed)
    rng = np.random.default_rng([_MEMBERSHIP_KEY, seed])
    order = rng.permutation(len(items))
    both, our_own, their_own = order[:shared], order[shared:products], order[products:]
    wanted = set(rng.permutation(their_own)[: round(_HIGH_DEMAND * len(their_own))].tolist())

    def listed(market: Marketplace, members: np.ndarray, letter: str, stream: int) -> dict[int, Order]:
        # Shuffled, so that the numbers in the product ids do not tell which products are the same.
        return {
            int(index): list_product(
                items[index],
                f"{letter}{number:05d}",
                splits[items[index].design.design_id],
                market,
                (seed, int(index), stream),
                high_demand=int(index) in wanted,
            )
            for number, index in enumerate(rng.permutation(members))
        }

    ours = listed(OURS, np.concatenate([both, our_own]), "p", 1)
    theirs = listed(THEIRS, np.concatenate([both, their_own]), "q", 2)
    total = len(ours) + len(theirs)
    paths: list[Path] = []
    for market, orders, before in ((OURS, ours, 0), (THEIRS, theirs, len(ours))):
        shift = None if progress is None else _shifted(progress, before, total)
        target = folder / market.name
        paths.append(write_catalog(target, list(orders.values()), size=size, workers=workers, progress=shift))
    pairs = sorted(
        (ours[int(index)].product.product_id, theirs[int(index)].product.product_id) for index in both
    )
    rows = [{"ours_product_id": one, "theirs_product_id": other} for one, other in pairs]
    truth = write_csv(folder / "truth.csv", ("ours_product_id", "theirs_product_id"), rows)
    return paths[0], paths[1], truth


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    """The same callback for the second of two catalogues, counting on from the first."""
    return lambda done, _: progress(before + done, total)
