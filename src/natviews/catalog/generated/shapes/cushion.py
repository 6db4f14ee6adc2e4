"""The shape of a cushion."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Seam,
    mirrored,
    oval,
    path,
)


@dataclass(frozen=True)
class Cushion:
    """A cushion: square, long or round, with piping, fringe, tassels or buttons."""

    kind: ClassVar[str] = "cushion"
    make: str
    width: float
    height: float
    pinch: float
    edge: str
    button: int
    panel: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Cushion":
        """A cushion with numbers of its own."""
        make = str(rng.choice(["square", "long", "round"], p=[0.5, 0.3, 0.2]))
        width = rng.uniform(0.28, 0.36) if make != "long" else rng.uniform(0.34, 0.4)
        return cls(
            make=make,
            width=width,
            height=width * (rng.uniform(0.5, 0.65) if make == "long" else rng.uniform(0.92, 1.05)),
            pinch=rng.uniform(0.01, 0.045),
            edge=pick(rng, ("piping", "fringe", "tassels", "plain", "bobbles")),
            button=int(rng.choice([0, 0, 0, 1, 4])),
            panel=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.7)])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing; from behind there is a zip and the plain colour."""
        w, h, p = self.width, self.height, self.pinch
        if self.make == "round":
            ring = oval(0.5, 0.5, w, h)
        else:
            half = path(
                (0.5, 0.5 - h + p),
                ((0.5 + 0.6 * w, 0.5 - h + p), (0.5 + w, 0.5 - h)),
                ((0.5 + w - p * 1.6, 0.5), (0.5 + w, 0.5 + h)),
                ((0.5 + 0.6 * w, 0.5 + h - p), (0.5, 0.5 + h - p)),
            )
            ring = mirrored(half)
        drawing = [*self._edge(ring), Part(ring, "main" if back and self.button else "pattern")]
        if self.edge == "piping":
            drawing.append(Line(np.concatenate([ring, ring[:1]]), 0.018, "second"))
        if back:
            y = 0.5 + h * 0.7
            return [*drawing, Line(path((0.5 - w * 0.6, y), (0.5 + w * 0.6, y)), 0.012, "silver")]
        if self.panel and self.make != "round":
            drawing += [
                Seam(
                    path((0.5 + x * w * self.panel, 0.5 - h + p), (0.5 + x * w * self.panel, 0.5 + h - p)),
                    0.008,
                    0.3,
                )
                for x in (-1, 1)
            ]
        spots = (
            [(0.5, 0.5)]
            if self.button == 1
            else [(0.5 + x * w * 0.4, 0.5 + y * h * 0.4) for x in (-1, 1) for y in (-1, 1)]
        )
        for x, y in spots if self.button else []:
            drawing += [
                Seam(oval(x, y, 0.035, 0.035), 0.03, 0.2),
                Part(oval(x, y, 0.022, 0.022), "second"),
            ]
        return drawing

    def _edge(self, ring: np.ndarray) -> Drawing:
        centre = np.array([0.5, 0.5], np.float32)
        if self.edge == "tassels" and self.make != "round":
            corners = [(x, y) for x in (-1, 1) for y in (-1, 1)]
            return [
                Line(
                    path(
                        (0.5 + x * self.width, 0.5 + y * self.height),
                        (0.5 + x * (self.width + 0.05), 0.5 + y * (self.height + 0.06)),
                    ),
                    0.03,
                    "second",
                )
                for x, y in corners
            ]
        if self.edge == "bobbles":
            spots = _evenly(ring, 26)
            return [Part(oval(float(x), float(y), 0.022, 0.022), "second") for x, y in spots]
        if self.edge == "fringe":
            spots = _evenly(ring, 90)
            return [
                Line(np.stack([spot, spot + (spot - centre) * np.float32(0.11)]), 0.01, "second") for spot in spots
            ]
        return []


def _evenly(ring: np.ndarray, count: int) -> np.ndarray:
    """`count` points at equal distances along a closed ring."""
    closed = np.concatenate([ring, ring[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], 1).astype(np.float32)
