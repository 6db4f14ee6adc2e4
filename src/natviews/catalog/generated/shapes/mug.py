"""The shape of a mug."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Paint,
    Part,
    Seam,
    flipped,
    oval,
    path,
)
from natviews.catalog.generated.shapes.lathe import lathe

_RIMS: tuple[Paint, ...] = ("pattern", "second", "third")


@dataclass(frozen=True)
class Mug:
    """A mug or cup, seen a little from above; from behind its handle is on the left."""

    kind: ClassVar[str] = "mug"
    radius: float
    height: float
    foot: float
    belly: float
    handle: str
    reach: float
    drop: float
    thick: float
    bands: int
    rim: Paint
    saucer: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Mug":
        """A mug with numbers of its own."""
        return cls(
            radius=rng.uniform(0.2, 0.28),
            height=rng.uniform(0.3, 0.58),
            foot=rng.uniform(0.55, 1.02),
            belly=rng.uniform(-0.035, 0.06),
            handle=pick(rng, ("round", "square", "ear")),
            reach=rng.uniform(0.11, 0.19),
            drop=rng.uniform(0.5, 0.85),
            thick=rng.uniform(0.028, 0.05),
            bands=int(rng.integers(0, 3)),
            rim=pick(rng, _RIMS),
            saucer=bool(rng.random() < 0.25),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing with the handle on the right (front) or on the left (back)."""
        top, low, r = 0.5 - self.height / 2, 0.5 + self.height / 2, self.radius
        body = lathe([(r, top), (r + self.belly * 0.9, top + 0.5 * self.height), (r * self.foot, low)], 0.035)
        drawing: Drawing = []
        if self.saucer:
            drawing += [
                Part(oval(0.5, low + 0.015, r * 1.5, 0.06), "main", gloss=0.3),
                Part(oval(0.5, low + 0.008, r * 0.95, 0.035), "main", tone=0.85),
            ]
        handle = self._handle(top)
        drawing += [
            Line(
                flipped(handle) if back else handle,
                self.thick,
                "main" if self.rim == "pattern" else "second",
                0.6,
            ),
            body,
        ]
        for number in range(self.bands):
            y = top + 0.055 + 0.045 * number
            drawing.append(
                Seam(
                    path((0.5 - r - self.belly * 0.3, y), ((0.5, y + 0.07), (0.5 + r + self.belly * 0.3, y))),
                    0.012,
                    0.3,
                )
            )
        lip: Drawing = [Part(oval(0.5, top, r, 0.045), self.rim, form="flat", tone=1.08)]
        return [
            *drawing,
            *lip,
            Part(oval(0.5, top + 0.005, r - 0.018, 0.034), "light", form="flat", tone=0.72),
        ]

    def _handle(self, top: float) -> np.ndarray:
        start, end = (0.5 + self.radius * 0.96, top + 0.14 * self.height), self.radius * (1 + self.foot) / 2
        low = (0.5 + end * 0.96, top + self.drop * self.height)
        out = 0.5 + self.radius + self.reach
        if self.handle == "square":
            return path(
                start,
                (out - 0.03, start[1]),
                ((out, start[1]), (out, start[1] + 0.03)),
                (out, low[1] - 0.03),
                ((out, low[1]), (out - 0.03, low[1])),
                low,
            )
        if self.handle == "ear":
            return path(start, ((out + 0.06, start[1] - 0.08), (out, (start[1] + low[1]) / 2 + 0.01), low))
        return path(start, ((out + 0.05, start[1] - 0.01), (out + 0.05, low[1] + 0.01), low))
