"""Two marketplaces that partly sell the same things, with the truth of what is the same."""

from pathlib import Path

import numpy as np

from natviews.catalog.generated.generate import Progress, write_catalog, write_csv
from natviews.catalog.generated.marks import OUR_SHOPS, THEIR_SHOPS
from natviews.catalog.generated.orders import Marketplace, Order, draw_items, draw_splits, list_product
from natviews.catalog.generated.shots import PHONE, STUDIO
from natviews.types import NatviewsError

OURS = Marketplace("ours", OUR_SHOPS, STUDIO, loud=False, price_noise=0.03)
THEIRS = Marketplace("theirs", THEIR_SHOPS, PHONE, loud=True, price_noise=0.18)

TRUTH_COLUMNS = ("ours_product_id", "theirs_product_id")

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
    if not 0 <= overlap <= 1:
        raise NatviewsError(f"overlap is a share between 0 and 1, not {overlap}")
    ours, theirs = _share_out(products, overlap, seed)
    total = len(ours) + len(theirs)
    ours_path = write_catalog(
        folder / "ours", list(ours.values()), size=size, workers=workers, progress=_part(progress, 0, total)
    )
    theirs_path = write_catalog(
        folder / "theirs",
        list(theirs.values()),
        size=size,
        workers=workers,
        progress=_part(progress, len(ours), total),
    )
    pairs = sorted(
        (ours[item].product.product_id, theirs[item].product.product_id) for item in ours.keys() & theirs
    )
    rows = [dict(zip(TRUTH_COLUMNS, pair, strict=True)) for pair in pairs]
    return ours_path, theirs_path, write_csv(folder / "truth.csv", TRUTH_COLUMNS, rows)


def _share_out(products: int, overlap: float, seed: int) -> tuple[dict[int, Order], dict[int, Order]]:
    """What either marketplace lists, by the number of the item."""
    shared = round(overlap * products)
    items = draw_items(2 * products - shared, seed)
    splits = draw_splits(items, seed)
    rng = np.random.default_rng([_MEMBERSHIP_KEY, seed])
    order = rng.permutation(len(items))
    their_own = order[products:]
    wanted = set(rng.permutation(their_own)[: round(_HIGH_DEMAND * len(their_own))].tolist())
    # Shuffled, so that the numbers in the product ids do not tell which products are the same.
    our_members = rng.permutation(order[:products]).tolist()
    their_members = rng.permutation(np.concatenate([order[:shared], their_own])).tolist()
    ours = {
        item: list_product(items[item], f"p{number:05d}", splits, OURS, (seed, item, 1))
        for number, item in enumerate(our_members)
    }
    theirs = {
        item: list_product(items[item], f"q{number:05d}", splits, THEIRS, (seed, item, 2), item in wanted)
        for number, item in enumerate(their_members)
    }
    return ours, theirs


def _part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """The same callback for one of several catalogues, counting on from those before."""
    return progress and (lambda done, _: progress(before + done, total))
