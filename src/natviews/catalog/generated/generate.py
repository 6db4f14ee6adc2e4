"""Catalogues on disk: image files and CSV, made in parallel and the same for any number of workers."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from natviews.catalog.generated import listing
from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.marks import OUR_SHOPS, Shop
from natviews.catalog.generated.palette import Palette
from natviews.catalog.generated.photo import render_photo
from natviews.catalog.generated.product import (
    Design,
    DesignPictures,
    Product,
    ProductPictures,
    draw_colourways,
    draw_design,
)
from natviews.catalog.generated.shots import MIXED, Habits, Shot, plan_shots
from natviews.types import NatviewsError

COLUMNS = (
    "image", "product_id", "product_type", "split", "title", "price", "sales", "sellers", "marketplace",
    "shop", "design_id", "colour", "pattern", "sleeve", "neckline", "watermark", "view_kind", "background",
)  # fmt: skip

Progress = Callable[[int, int], None]

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


def generate_catalog(
    folder: Path,
    *,
    products: int = 600,
    seed: int = 0,
    size: int = 256,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Write `products` products with 1 to 6 photos of `size` pixels each to a folder; return the CSV's path.

    The folder gets `images/*.jpg` and `catalog.csv` with the columns `COLUMNS`. The same seed and size give
    the same bytes whatever the number of workers. `progress(done, total)` counts products.
    """
    market = Marketplace("ours", OUR_SHOPS, MIXED, loud=False, price_noise=0.05)
    items = draw_items(products, seed)
    splits = draw_splits(items, seed)
    orders = [
        list_product(item, f"p{number:05d}", splits, market, (seed, number)) for number, item in enumerate(items)
    ]
    return write_catalog(folder, orders, size=size, workers=workers, progress=progress)


def write_catalog(
    folder: Path, orders: Sequence[Order], *, size: int, workers: int, progress: Progress | None = None
) -> Path:
    """Photograph all orders into `folder/images`; write `folder/catalog.csv` last and whole."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    # An old CSV would describe photos that are being replaced.
    (folder / "catalog.csv").unlink(missing_ok=True)
    rows: list[dict[str, str]] = []
    done = 0
    with _one_thread_per_call(), ThreadPoolExecutor(max(workers, 1)) as pool:
        groups = _by_design(orders)
        tasks = [pool.submit(_photograph, folder, size, group) for group in groups]
        try:
            for group, task in zip(groups, tasks, strict=True):
                rows += task.result()
                for _ in group:
                    done += 1
                    if progress:
                        progress(done, len(orders))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the whole catalogue
            raise
    rows.sort(key=lambda row: row["image"])
    return write_csv(folder / "catalog.csv", COLUMNS, rows)


@contextmanager
def _one_thread_per_call() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own: the pool already has one per worker."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _by_design(orders: Sequence[Order]) -> list[list[Order]]:
    groups: dict[str, list[Order]] = {}
    for order in orders:
        groups.setdefault(order.product.design.design_id, []).append(order)
    return list(groups.values())


def _photograph(folder: Path, size: int, orders: Sequence[Order]) -> list[dict[str, str]]:
    """Write the photos of one design's products and return their rows."""
    rows: list[dict[str, str]] = []
    design_pictures = DesignPictures(orders[0].product.design, size)
    for order in orders:
        pictures = ProductPictures(design_pictures, order.product)
        for number, shot in enumerate(order.shots):
            name = f"images/{order.product.product_id}_{number}.jpg"
            photo = render_photo(pictures, shot, size)
            encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, shot.quality])[1]
            (folder / name).write_bytes(encoded.tobytes())
            rows.append(_row(order, shot, name))
    return rows


def _row(order: Order, shot: Shot, image: str) -> dict[str, str]:
    product, design = order.product, order.product.design
    return {
        "image": image,
        "product_id": product.product_id,
        "product_type": design.product_type,
        "split": order.split,
        "title": product.title,
        "price": f"{product.price:.2f}",
        "sales": str(product.sales),
        "sellers": str(product.sellers),
        "marketplace": order.marketplace,
        "shop": product.shop.name,
        "design_id": design.design_id,
        "colour": product.palette.main,
        "pattern": design.pattern.name,
        "sleeve": design.sleeve,
        "neckline": design.neckline,
        "watermark": product.shop.name if shot.watermarked else "",
        "view_kind": shot.view_kind,
        "background": shot.background,
    }


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    """Write rows to a CSV file by way of a temporary name, so that a reader never sees half of it."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return temporary.replace(path)
