"""The shape of a jacket."""

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
    both,
    mirrored,
    oval,
    path,
)
from natviews.catalog.generated.shapes.bodice import Bodice
from natviews.catalog.generated.shapes.trimmings import buttons

_LININGS: tuple[Paint, ...] = ("second", "third")


@dataclass(frozen=True)
class Jacket:
    """A jacket or coat with a zip or buttons, lapels or a stand-up collar."""

    kind: ClassVar[str] = "jacket"
    bodice: Bodice
    length: float
    flare: float
    lapel: float
    double: bool
    buttons: int
    pocket_height: float
    pocket_slant: float
    hood: bool
    lining: Paint

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Jacket":
        """A jacket with numbers of its own."""
        return cls(
            bodice=Bodice.draw(rng, ("long",), ("v",), 0.97),
            length=rng.uniform(0.45, 0.78),
            flare=rng.uniform(0.0, 0.06),
            lapel=float(rng.choice([0.0, rng.uniform(0.05, 0.1)])),
            double=bool(rng.random() < 0.4),
            buttons=int(rng.choice([0, 2, 3, 4, 5])),
            pocket_height=rng.uniform(0.6, 0.75),
            pocket_slant=rng.uniform(-0.03, 0.04),
            hood=bool(rng.random() < 0.4),
            lining=pick(rng, _LININGS),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b = self.bodice
        low, right, neck = b.top + self.length, 0.5 + b.chest + 0.01 + self.flare, b.neck + 0.015
        collar = path(
            (0.5, b.top - 0.035),
            (0.5 + neck, b.top - 0.025),
            (0.5 + neck + 0.015, b.top + 0.03),
            (0.5, b.top + 0.05),
        )
        half = path(
            (0.5, b.top + 0.012),
            (0.5 + neck, b.top),
            *b.shoulder_line(),
            ((0.5 + b.chest - 0.005, (b.armpit[1] + low) / 2), (right, low)),
            (0.5, low + 0.008),
        )
        drawing: Drawing = []
        if self.hood:
            drawing.append(Part(oval(0.5, b.top - 0.005, neck * 1.45, neck * 1.1), "pattern", tone=0.85))
        drawing += [*b.sleeves(), Part(mirrored(half))]
        drawing += b.armholes()
        drawing += [Seam(path((1 - right, low - 0.03), (right, low - 0.03)), 0.003, 0.3)]
        if back:
            return [
                *drawing,
                Seam(path((0.5, b.top + 0.05), (0.5, low))),
                Part(mirrored(collar), "main", tone=0.94),
            ]
        return drawing + self._front(low, neck)

    def _front(self, low: float, neck: float) -> Drawing:
        b = self.bodice
        gap = b.top + 0.09 + 2.2 * self.lapel
        inside = path((0.5 - neck, b.top), ((0.5, b.top + 0.02), (0.5 + neck, b.top)), (0.503, gap), (0.497, gap))
        side = 0.035 if self.double else 0.0
        drawing: Drawing = [Part(inside, self.lining, tone=0.7)]
        drawing += [Seam(path((0.5 + side, gap), (0.5 + side, low)), 0.005, 0.6)]
        drawing += self._collar(neck, gap)
        if self.buttons:
            columns = (0.5 - side, 0.5 + side) if self.double else (0.515,)
            for x in columns:
                drawing += buttons(self.buttons, gap + 0.04, low - 0.12, x, 0.012, "dark")
        else:
            drawing += [
                Line(path((0.5, gap), (0.5, low)), 0.012, "silver"),
                Seam(path((0.5, gap), (0.5, low)), 0.006, 0.5, 0.006),
            ]
        y = b.top + self.length * self.pocket_height
        slit = path((0.5 + 0.4 * b.chest, y + self.pocket_slant), (0.5 + 0.9 * b.chest, y))
        return drawing + [Line(line, 0.016, "main") for line in both(slit)]

    def _collar(self, neck: float, gap: float) -> Drawing:
        """Lapels, or a plain collar in the colour of the lining."""
        b = self.bodice
        if self.lapel:
            ring = path(
                (0.502, gap + 0.005),
                (0.5 + neck - 0.005, b.top - 0.015),
                (0.5 + neck + 0.03, b.top + 0.03),
                (0.5 + neck + self.lapel, b.top + 0.09),
                (0.5 + neck * 0.9 + self.lapel, b.top + 0.11),
            )
            return [
                layer for wing in both(ring) for layer in (Part(wing, "main", tone=1.05), Seam(wing, 0.003, 0.4))
            ]
        ring = path(
            (0.5, gap),
            (0.5 + neck - 0.012, b.top - 0.03),
            (0.5 + neck + 0.02, b.top + 0.03),
            (0.52, gap + 0.01),
        )
        return [Part(wing, self.lining) for wing in both(ring)]
