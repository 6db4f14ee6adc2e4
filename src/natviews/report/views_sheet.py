"""What views look like, as pictures: a policy's on some products, or one operation from weak to strong.

The renderer is imported where it is used: a search, which needs a report's tables only, starts without it.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from natviews.catalog import PackedPhotos
from natviews.files import whole_file
from natviews.report.sheet import contact_sheet
from natviews.types import NatviewsError
from natviews.views import Policy, Shape, View, Window
from natviews.views.foreground import foreground
from natviews.views.ops import Op
from natviews.views.view import Scene

MOST_LOCALS = 4
STRENGTHS = 7
"""Pictures from weak to strong."""
COMPANIONS = 5
"""Photos of other products that a collage may show."""


def policy_sheet(packed: PackedPhotos, policy: Policy, *, products: int, seed: int, title: str) -> np.ndarray:
    """A contact sheet (H, W, 3) uint8: a row per product with two photos and the views drawn from them.

    Products with two photos come first, and of every type before a second of any; under each view stand the
    operations that took part in it.
    """
    from natviews.views import render

    rng = random.Random(seed)
    rows, labels, row_labels = [], [], []
    for name in _chosen(packed, products, rng):
        photos = _photos(packed, name, rng)
        kind = _kind(packed, name)
        anchors, siblings = min(2, len(photos)), len(photos)
        photos += _others(packed, name, rng)
        shapes = [_shape(photo) for photo in photos]
        drawn = policy.draw(
            shapes[:anchors], kind, rng, siblings=shapes[anchors:siblings], others=shapes[siblings:]
        )
        drawn = drawn[: policy.globals.count + MOST_LOCALS]
        rows.append([*photos[:anchors], *render(photos, drawn)])
        labels.append(["photo"] * anchors + [", ".join(view.names) for view in drawn])
        row_labels.append(f"{name}\n{kind}" if kind else name)
    return contact_sheet(rows, labels, row_labels, title=f"views {title}")


def op_sheet(packed: PackedPhotos, op: Op, *, products: int, size: int, seed: int) -> np.ndarray:
    """A contact sheet (H, W, 3) uint8: a row per product, with one operation from weak to strong."""
    from natviews.views import render

    rng = random.Random(seed)
    rows, labels, row_labels = [], [], []
    low, high = op.weak_to_strong
    for name in _chosen(packed, products, rng):
        photos = _photos(packed, name, rng)
        own = len(photos)
        photos += _others(packed, name, rng)
        shapes = [_shape(photo) for photo in photos]
        scene = Scene(shapes[:1], shapes[1:own], shapes[own:])
        drawn = []
        for share in np.linspace(low, high, STRENGTHS):
            view = View.of(scene, 0)
            height, width = view.size
            scale = size / max(height, width)
            view.crop(Window(0, 0, width, height), (max(8, round(height * scale)), max(8, round(width * scale))))
            replace(op, p=1.0).draw(view, _Steady(float(share)))
            drawn.append(view)
        rows.append([photos[0], *render(photos, drawn)])
        labels.append(["photo", *(_said(view) for view in drawn)])
        row_labels.append(name)
    return contact_sheet(rows, labels, row_labels, title=f"operation {op.name}, from weak to strong")


class _Steady(random.Random):
    """Chance that always falls at the same share of its range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = min(share, 1 - 1e-9)

    def random(self) -> float:
        return self.share

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Among alternatives always the same, for another mark is not a stronger one; of a range, the share."""
        return start // 2 if stop is None else start + int(self.share * (stop - start))

    def sample(self, population: Sequence, k: int, **_: object) -> list:
        return list(population)[:k]

    def shuffle(self, x: object) -> None:
        """Leaves the order."""


def _said(view: View) -> str:
    """The drawn parameters in a few words."""
    steps = [" ".join([str(name), *(f"{amount:.2f}" for amount in amounts)]) for name, *amounts in view.steps]
    return ", ".join(steps)


def _chosen(packed: PackedPhotos, count: int, rng: random.Random) -> list[str]:
    products = packed.catalog.products
    names = list(products)
    rng.shuffle(names)
    seen: dict[str, int] = {}
    turns = {}
    for name in sorted(names, key=lambda name: len(products[name]) < 2):
        kind = _kind(packed, name)
        turns[name] = seen[kind] = seen.get(kind, -1) + 1
    return sorted(turns, key=lambda name: (len(products[name]) < 2, turns[name]))[:count]


def _kind(packed: PackedPhotos, product: str) -> str:
    return str(packed.catalog.product_types[packed.catalog.products[product][0]])


def _photos(packed: PackedPhotos, product: str, rng: random.Random) -> list[np.ndarray]:
    rows = packed.catalog.products[product].tolist()
    return [packed.pixels(row) for row in rng.sample(rows, len(rows))]


def _others(packed: PackedPhotos, product: str, rng: random.Random) -> list[np.ndarray]:
    names = [name for name in packed.catalog.products if name != product]
    chosen = rng.sample(names, min(COMPANIONS, len(names)))
    return [packed.pixels(int(packed.catalog.products[name][0])) for name in chosen]


def _shape(photo: np.ndarray) -> Shape:
    product = foreground(photo, busy="keep")
    return Shape(*product.size, product.box if product.found else None)


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
