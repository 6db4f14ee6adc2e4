"""What a view policy does, as a picture: products and the views drawn from two of their photos."""

from pathlib import Path

import cv2
import numpy as np

from natviews.catalog import PackedPhotos
from natviews.files import whole_file
from natviews.report.sheet import contact_sheet
from natviews.types import NatviewsError
from natviews.views import Policy, render

MOST_LOCALS = 4


def views_sheet(packed: PackedPhotos, policy: Policy, *, products: int, seed: int, title: str) -> np.ndarray:
    """A contact sheet (H, W, 3) uint8: a row per product with two photos and the views drawn from them.

    Products with two photos come first; under each view stand the operations that took part in it.
    """
    rng = np.random.default_rng(seed)
    names = list(packed.catalog.products)
    rng.shuffle(names)
    names = sorted(names, key=lambda name: len(packed.catalog.products[name]) < 2)[:products]
    rows, labels, row_labels = [], [], []
    for name in names:
        photo_rows = packed.catalog.products[name]
        photos = [packed.pixels(row) for row in rng.permutation(photo_rows)[:2]]
        kind = str(packed.catalog.product_types[photo_rows[0]])
        drawn = policy.draw([photo.shape[:2] for photo in photos], kind, rng)
        drawn = drawn[: policy.globals.count + MOST_LOCALS]
        rows.append([*photos, *(render(photos[view.source], [view])[0] for view in drawn)])
        labels.append(["photo"] * len(photos) + [", ".join(view.names) for view in drawn])
        row_labels.append(f"{name}\n{kind}" if kind else name)
    return contact_sheet(rows, labels, row_labels, title=f"views {title}")


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Writes (H, W, 3) uint8 RGB as the kind of file its name says (.png, .jpg, .webp)."""
    try:
        done, data = cv2.imencode(path.suffix or ".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise NatviewsError(f"{path} cannot be written: name it .png, .jpg or .webp.")
    with whole_file(path) as temporary:
        temporary.write_bytes(data.tobytes())
