"""Disturbances: what marketplaces do to photos, at fixed strengths, made with the operations of the views.

A disturbance changes the photo itself, before any preparation, crop or encoder, as a shop or a buyer's phone
would. SEA's four (turned or tilted, marked, recoloured, several items in one photo) are what its policy trains on;
blur, JPEG and occlusion are trained on by none of ours and stand for disturbances that nobody thought of."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from natviews.catalog import PackedPhotos
from natviews.types import NatviewsError
from natviews.views import Shape, View, Window
from natviews.views.geometry import rotation
from natviews.views.ops import JPEG, Blur, Collage, Erase, Grey, Op, Perspective, Watermark
from natviews.views.view import Scene

Draw = Callable[[View, random.Random], None]
COMPANIONS = 5
"""Photos of other products that a collage of six cells shows."""


@dataclass(frozen=True)
class Disturbance:
    """One kind of change at one strength: `name` says both, `kind` the first alone.

    `is_trained` says whether a policy here (SEA's) draws such changes in training; `companions` how many photos
    of other products it shows.
    """

    kind: str
    strength: str
    draw: Draw
    is_trained: bool = True
    companions: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.strength}"


def _always(op: Op) -> Draw:
    return op.apply


def _turn(degrees: float) -> Draw:
    """Exactly so far, either way; by a quarter the canvas turns with the photo, as a phone's does."""

    def draw(view: View, rng: random.Random) -> None:
        height, width = view.size
        view.transform(rotation(math.radians(degrees) * rng.choice((-1, 1)), view.size))
        if degrees == 90:
            left, top = (width - height) / 2, (height - width) / 2
            view.crop(Window(left, top, left + height, top + width), (width, height))

    return draw


def _hue(turns: float) -> Draw:
    def draw(view: View, rng: random.Random) -> None:
        view.steps.append(("hue", turns * rng.choice((-1, 1))))

    return draw


def _saturation(factor: float) -> Draw:
    def draw(view: View, rng: random.Random) -> None:
        view.steps.append(("saturation", rng.choice((factor, 1 / factor))))

    return draw


def _watermark(opacity: float, area: float) -> Draw:
    """Of the pool that no policy trains with."""
    op = Watermark(area=(area, area), opacity=(opacity, opacity), pool="test", places=("corner", "centre"), p=1.0)
    return _always(op)


def _occlusion(area: float) -> Draw:
    return _always(Erase(area=(area, area), aspect=(0.5, 2.0), p=1.0))


DISTURBANCES: tuple[Disturbance, ...] = (
    *(Disturbance("rotation", f"{degrees}°", _turn(degrees)) for degrees in (15, 30, 90)),
    *(Disturbance("perspective", f"{d}", _always(Perspective(distortion=d, p=1.0))) for d in (0.2, 0.4, 0.6)),
    *(
        Disturbance("watermark", f"{area:.0%} at {opacity}", _watermark(opacity, area))
        for area, opacity in ((0.05, 0.5), (0.05, 0.8), (0.15, 0.5), (0.15, 0.8))
    ),
    *(Disturbance("hue", f"{turns}", _hue(turns)) for turns in (0.1, 0.25, 0.5)),
    *(Disturbance("saturation", f"{factor}x", _saturation(factor)) for factor in (1.5, 3.0)),
    Disturbance("grey", "whole", _always(Grey(p=1.0))),
    *(
        Disturbance("collage", f"{k} cells", _always(Collage(cells=(k, k), p=1.0)), companions=k - 1)
        for k in (2, 4, 6)
    ),
    *(
        Disturbance("blur", f"{sigma} px", _always(Blur(sigma=(sigma, sigma), p=1.0)), False)
        for sigma in (1.0, 2.0, 4.0)
    ),
    *(Disturbance("jpeg", f"quality {q}", _always(JPEG(quality=(q, q), p=1.0)), False) for q in (30, 10, 5)),
    *(Disturbance("occlusion", f"{area:.0%}", _occlusion(area), False) for area in (0.1, 0.25, 0.4)),
)
"""The strengths are the project's choice after its science notes, section 4.8; each kind's from weak to strong.
A blur's sigma is that of a photo whose shorter side is 224 px."""
CLEAN = "clean"
"""What figures of undisturbed photos are called."""
KINDS = tuple(dict.fromkeys(disturbance.kind for disturbance in DISTURBANCES))


def chosen_disturbances(kinds: Sequence[str]) -> tuple[Disturbance, ...]:
    """Those of some kinds, all for none. Raises NatviewsError for a kind that there is not."""
    for kind in kinds:
        if kind not in KINDS:
            raise NatviewsError(f"There is no disturbance {kind!r}; there are {', '.join(KINDS)}.")
    return tuple(d for d in DISTURBANCES if not kinds or d.kind in kinds)


def disturbed_photos(
    packed: PackedPhotos, rows: np.ndarray, disturbance: Disturbance, *, seed: int = 0
) -> Iterator[np.ndarray]:
    """The photos of `rows` (Q,) disturbed, (H, W, 3) uint8 RGB each; the same seed gives the same bytes.

    Chance comes from the seed, the disturbance and the photo's id, so a photo is disturbed in the same way
    whichever others there are. What a collage shows beside it are photos of other products (and of none that is
    near-identical), so that it never shows what is to be found."""
    from natviews.views import render

    groups, count = packed.catalog.column("dup_group"), len(packed)
    for row in rows.tolist():
        rng = random.Random(f"{seed}\x1f{disturbance.name}\x1f{packed.catalog.ids[row]}")
        photos = [packed.pixels(row)]
        if disturbance.companions:
            strangers = np.flatnonzero(groups != groups[row])
            if len(strangers) < disturbance.companions:
                raise NatviewsError(f"A collage needs photos of other products; there are {count} photos in all.")
            chosen = rng.sample(range(len(strangers)), disturbance.companions)
            photos += [packed.pixels(int(strangers[number])) for number in chosen]
        shapes = [Shape(*photo.shape[:2]) for photo in photos]
        view = View.of(Scene(shapes[:1], (), shapes[1:]), 0)
        disturbance.draw(view, rng)
        yield render(photos, [view])[0]
