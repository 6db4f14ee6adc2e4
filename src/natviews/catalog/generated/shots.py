"""Which photos a product gets: the habits of a marketplace, and the plan of each photo."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from natviews.catalog.generated.chance import pick_weighted
from natviews.catalog.generated.scenes import LYING_BACKGROUNDS
from natviews.catalog.generated.shapes import GARMENTS

VIEW_KINDS = ("front", "angle", "back", "lying", "shelf", "detail", "box", "size_chart")

_FIRST = frozenset({"front", "angle", "lying", "shelf"})
_UNMARKED = frozenset({"box", "size_chart"})


@dataclass(frozen=True)
class Habits:
    """How a marketplace photographs: relative weights of views and backgrounds, and chances.

    `counts` are weights of 1, 2, ... photos per product, `care` (0..1) the quality of light and camera,
    `watermark` the chance that a shop marks a product's photos.
    """

    counts: tuple[float, ...]
    views: Mapping[str, float]
    backgrounds: Mapping[str, float]
    care: float
    watermark: float


MIXED = Habits(
    counts=(0.12, 0.14, 0.22, 0.26, 0.16, 0.1),
    views={
        "front": 3,
        "angle": 2.6,
        "back": 1.3,
        "lying": 1.6,
        "shelf": 1.6,
        "detail": 1.0,
        "box": 0.15,
        "size_chart": 0.12,
    },
    backgrounds={"white": 3, "grey": 2, "paper": 2, "wood": 1, "fabric": 1, "wall": 2, "outdoor": 1.2},
    care=0.55,
    watermark=0.3,
)
STUDIO = replace(
    MIXED,
    counts=(0.0, 0.0, 0.35, 0.4, 0.25),
    views={"front": 3, "angle": 3, "back": 2, "lying": 0.8, "shelf": 0.4, "detail": 1.2, "size_chart": 0.1},
    backgrounds={"white": 8, "grey": 2, "paper": 1},
    care=0.95,
    watermark=0.1,
)
PHONE = replace(
    MIXED,
    counts=(0.2, 0.3, 0.3, 0.2),
    views={
        "front": 2,
        "angle": 2.5,
        "back": 0.8,
        "lying": 2.5,
        "shelf": 2.5,
        "detail": 0.8,
        "box": 0.3,
        "size_chart": 0.1,
    },
    backgrounds={"white": 0.5, "grey": 0.7, "paper": 0.7, "wood": 2, "fabric": 2, "wall": 3, "outdoor": 2},
    care=0.15,
    watermark=0.55,
)


@dataclass(frozen=True)
class Shot:
    """The plan of one photo.

    `care` is as in `Habits`, `quality` that of the JPEG (1..100); `seed` draws all that is left open.
    """

    view_kind: str
    background: str
    watermarked: bool
    care: float
    quality: int
    seed: int


def plan_shots(habits: Habits, product_type: str, rng: np.random.Generator) -> list[Shot]:
    """The photos of one product; the first one always shows it."""
    count = 1 + int(rng.choice(len(habits.counts), p=np.array(habits.counts) / sum(habits.counts)))
    marked = rng.random() < habits.watermark
    shots: list[Shot] = []
    for number in range(count):
        views = {
            view: weight / (1 + 2 * sum(shot.view_kind == view for shot in shots))
            for view, weight in habits.views.items()
            if number or view in _FIRST
        }
        if product_type not in GARMENTS and product_type != "shoe":
            views.pop("size_chart", None)
        view = pick_weighted(rng, views)
        shot = Shot(
            view_kind=view,
            background=_background(view, habits, rng),
            watermarked=bool(marked and view not in _UNMARKED and rng.random() < 0.9),
            care=habits.care,
            quality=int(rng.integers(58 + round(20 * habits.care), 93)),
            seed=int(rng.integers(2**62)),
        )
        shots.append(shot)
    return shots


def _background(view: str, habits: Habits, rng: np.random.Generator) -> str:
    if view == "shelf":
        return "shelf"
    if view == "size_chart":
        return "white"
    lying = view == "lying"
    return pick_weighted(
        rng, {name: w for name, w in habits.backgrounds.items() if not lying or name in LYING_BACKGROUNDS}
    )
