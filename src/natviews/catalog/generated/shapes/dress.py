"""The shape of a dress."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Seam,
    block,
    both,
    mirrored,
    oval,
    path,
)
from natviews.catalog.generated.shapes.bodice import SLEEVES, Bodice
from natviews.catalog.generated.shapes.trimmings import buttons


@dataclass(frozen=True)
class Dress:
    """A dress: a bodice and a skirt that flares from the waist, in tiers perhaps."""

    kind: ClassVar[str] = "dress"
    bodice: Bodice
    waist: float
    waist_height: float
    length: float
    hem: float
    fullness: float
    tiers: int
    belt: str
    buttons: int
    border: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Dress":
        """A dress with numbers of its own."""
        return cls(
            bodice=Bodice.draw(rng, SLEEVES, ("round", "v", "v", "boat", "square", "collar"), 0.72),
            waist=rng.uniform(0.085, 0.115),
            waist_height=rng.uniform(0.24, 0.36),
            length=rng.uniform(0.56, 0.8),
            hem=rng.uniform(0.12, 0.3),
            fullness=rng.uniform(-0.03, 0.06),
            tiers=int(rng.choice([0, 0, 1, 2, 3])),
            belt=pick(rng, ("", "", "sash", "belt")),
            buttons=int(rng.choice([0, 0, 3, 5, 7])),
            border=float(rng.choice([0.0, 0.0, rng.uniform(0.025, 0.06)])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b, middle, low = self.bodice, self.bodice.top + self.waist_height, self.bodice.top + self.length
        waist, hem = (0.5 + self.waist, middle), (0.5 + self.hem, low - 0.015)
        bow = (0.5 + self.waist + (self.hem - self.waist) * 0.45 + self.fullness, (middle + low) / 2)
        half = path(
            *b.opening(back),
            *b.shoulder_line(),
            ((0.5 + b.chest - 0.005, b.armpit[1] + 0.05), waist),
            (bow, hem),
            ((0.5 + 0.5 * self.hem, low + 0.012), (0.5, low + 0.01)),
        )
        drawing = [*b.sleeves(), *([] if back else b.inside()), Part(mirrored(half))]
        drawing += b.armholes()
        drawing += self._skirt(middle, low) + b.finish(back)
        if self.buttons and not back:
            drawing += [Seam(path((0.5, b.top + b.depth), (0.5, middle)), 0.003, 0.3)]
            drawing += buttons(self.buttons, b.top + b.depth + 0.025, middle - 0.03, 0.5, 0.007)
        return drawing + self._waistband(middle, back)

    def _width(self, share: float) -> float:
        """Half the width of the skirt at a share of its length."""
        straight = self.waist + (self.hem - self.waist) * (0.9 * share + 0.1 * share**2)
        return straight + 2 * self.fullness * share * (1 - share)

    def _skirt(self, middle: float, low: float) -> Drawing:
        drawing: Drawing = []
        for share in np.linspace(0, 1, self.tiers + 2)[1:-1]:
            half, y = self._width(share), middle + (low - middle) * share
            line = path((0.5 - half, y), ((0.5, y + 0.025), (0.5 + half, y)))
            drawing += [Seam(line, 0.012, 0.22), Seam(line - np.array([0, 0.006], np.float32), 0.005, 0.3)]
        for share in np.linspace(-0.8, 0.8, 7):
            start = (0.5 + share * self.waist, middle + 0.01)
            end = (0.5 + share * self.hem, low - 0.02)
            drawing.append(Seam(path(start, end), 0.012, 0.1))
        if self.border:
            half, top = self._width(1 - self.border), low - self.border
            ring = path(
                (0.5 - half, top - 0.012),
                ((0.5, top + 0.016), (0.5 + half, top - 0.012)),
                (0.5 + self.hem, low - 0.012),
                ((0.5, low + 0.028), (0.5 - self.hem, low - 0.012)),
            )
            drawing.append(Part(ring, "second", form="flat"))
        return drawing

    def _waistband(self, middle: float, back: bool) -> Drawing:
        if not self.belt:
            return [
                Seam(
                    path((0.5 - self.waist, middle), ((0.5, middle + 0.01), (0.5 + self.waist, middle))),
                    0.004,
                    0.3,
                )
            ]
        half = self.waist + 0.003
        drawing: Drawing = [Part(block(0.5 - half, middle - 0.014, 0.5 + half, middle + 0.014, 0.005), "second")]
        if self.belt == "belt" and not back:
            drawing += [Line(block(0.48, middle - 0.018, 0.52, middle + 0.018, 0.005), 0.006, "gold")]
        if self.belt == "sash":
            loops = [oval(0.5 + dx, middle, 0.03, 0.016) for dx in (-0.028, 0.028)]
            tails = both(path((0.503, middle), ((0.52, middle + 0.06), (0.525, middle + 0.13))))
            drawing += [Line(tail, 0.014, "second") for tail in tails] + [Part(loop, "second") for loop in loops]
        return drawing
