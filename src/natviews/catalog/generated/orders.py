"""Orders: what is sold where and under which words, drawn before any pixel is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from natviews.catalog.generated import listing
from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.marks import Shop
from natviews.catalog.generated.palette import Palette
from natviews.catalog.generated.product import Design, Product, draw_colourways, draw_design
from natviews.catalog.generated.shots import Habits, Shot, plan_shots
from natviews.types import NatviewsError

# First numbers of a generator's key: what it draws. The seed and an index follow.
_DESIGN_KEY, _PRODUCT_KEY, _SHOT_KEY, _SPLIT_KEY = 1, 2, 3, 4

_SPLIT_SHARES = (("train", 0.6), ("val", 0.15), ("test", 0.25))


@dataclass(frozen=True)
class Item:
    """A design in one palette, before any shop lists it."""

    design: Design
    palette: Palette
    usual_price: float


def draw_items(count: int, seed: int) -> list[Item]:
    """The first `count` items of a seed's endless row of designs, colourway by colourway."""
    if count < 1:
        raise NatviewsError(f"a catalogue needs at least one product, not {count}")
    items: list[Item] = []
    number = 0
    while len(items) < count:
        rng = np.random.default_rng([_DESIGN_KEY, seed, number])
        design = draw_design(f"d{number:05d}", rng)
        price = listing.draw_design_price(design, rng)
        items += [Item(design, palette, price) for palette in draw_colourways(rng)]
        number += 1
    return items[:count]


def draw_splits(items: Sequence[Item], seed: int) -> dict[str, str]:
    """A split for every design, so that about 60, 15 and 25 % of the items are train, val and test."""
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.design.design_id] = sizes.get(item.design.design_id, 0) + 1
    order = np.random.default_rng([_SPLIT_KEY, seed]).permutation(sorted(sizes))
    filled = dict.fromkeys((name for name, _ in _SPLIT_SHARES), 0)
    splits: dict[str, str] = {}
    for design_id in order.tolist():
        # Always to the split that lacks most of its share, so that even small catalogues have all three.
        name = min(_SPLIT_SHARES, key=lambda split: filled[split[0]] / split[1])[0]
        splits[design_id] = name
        filled[name] += sizes[design_id]
    return splits


@dataclass(frozen=True)
class Order:
    """Everything needed to photograph one product and write its rows."""

    product: Product
    shots: tuple[Shot, ...]
    split: str
    marketplace: str


@dataclass(frozen=True)
class Marketplace:
    """A place of sale: its shops, how they photograph, and how they write titles and prices."""

    name: str
    shops: tuple[Shop, ...]
    habits: Habits
    loud: bool
    price_noise: float


def list_product(
    item: Item,
    product_id: str,
    splits: Mapping[str, str],
    marketplace: Marketplace,
    key: Sequence[int],
    high_demand: bool = False,
) -> Order:
    """One item as one shop of a marketplace lists and photographs it.

    `splits` maps design ids to splits; `key` seeds all that is drawn.
    """
    rng = np.random.default_rng([_PRODUCT_KEY, *key])
    shop = pick(rng, marketplace.shops)
    sales, sellers = listing.draw_demand(rng, high_demand)
    product = Product(
        product_id=product_id,
        design=item.design,
        palette=item.palette,
        shop=shop,
        title=listing.write_title(item.design, item.palette, shop.name, marketplace.loud, rng),
        price=listing.shop_price(item.usual_price, marketplace.price_noise, rng),
        sales=sales,
        sellers=sellers,
    )
    shots = plan_shots(marketplace.habits, item.design.product_type, np.random.default_rng([_SHOT_KEY, *key]))
    return Order(product, tuple(shots), splits[item.design.design_id], marketplace.name)
