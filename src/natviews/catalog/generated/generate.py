"""Catalogues on disk: image files and CSV, made in parallel and the same for any number of workers."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2

from natviews.catalog.generated.marks import OUR_SHOPS
from natviews.catalog.generated.orders import Marketplace, Order, draw_items, draw_splits, list_product
from natviews.catalog.generated.photo import render_photo
from natviews.catalog.generated.product import (
    DesignPictures,
    ProductPictures,
)
from natviews.catalog.generated.shots import MIXED, Shot

COLUMNS = (
    "image", "product_id", "product_type", "split", "title", "price", "sales", "sellers", "marketplace",
    "shop", "design_id", "colour", "pattern", "sleeve", "neckline", "watermark", "view_kind", "background",
)  # fmt: skip

Progress = Callable[[int, int], None]


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
