"""The shape of a skirt."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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


@dataclass(frozen=True)
class Skirt:
    """A skirt, straight or full, pleated, tiered, wrapped or buttoned."""

    kind: ClassVar[str] = "skirt"
    waist: float
    hip: float
    hem: float
    length: float
    band: float
    pleats: int
    tiers: int
    wrap: bool
    buttons: int
    pockets: bool
    border: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Skirt":
        """A skirt with numbers of its own."""
        make = rng.choice(["plain", "pleats", "tiers", "wrap", "buttons"])
        waist = rng.uniform(0.13, 0.17)
        return cls(
            waist=waist,
            hip=waist + rng.uniform(0.03, 0.06),
            hem=waist + rng.uniform(0.01, 0.22),
            length=rng.uniform(0.42, 0.78),
            band=rng.uniform(0.025, 0.06),
            pleats=int(rng.integers(6, 16)) if make == "pleats" else 0,
            tiers=int(rng.integers(1, 4)) if make == "tiers" else 0,
            wrap=bool(make == "wrap"),
            buttons=int(rng.integers(4, 9)) if make == "buttons" else 0,
            pockets=bool(rng.random() < 0.35),
            border=float(rng.choice([0.0, 0.0, rng.uniform(0.03, 0.07)])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        top, low = 0.5 - self.length / 2, 0.5 + self.length / 2
        half = path(
            (0.5, top),
            (0.5 + self.waist, top),
            ((0.5 + self.hip, top + 0.12), (0.5 + self.hem, low - 0.02)),
            ((0.5 + 0.5 * self.hem, low + 0.015), (0.5, low + 0.012)),
        )
        drawing: Drawing = [Part(mirrored(half))]
        drawing += self._folds(top, low)
        if self.border:
            ring = path(
                (0.5 - self.hem, low - self.border - 0.018),
                ((0.5, low - self.border + 0.016), (0.5 + self.hem, low - self.border - 0.018)),
                (0.5 + self.hem + 0.004, low - 0.018),
                ((0.5, low + 0.032), (0.5 - self.hem - 0.004, low - 0.018)),
            )
            drawing.append(Part(ring, "second"))
        if not back:
            drawing += self._front(top, low)
        band = block(0.5 - self.waist - 0.003, top - 0.005, 0.5 + self.waist + 0.003, top + self.band, 0.006)
        drawing += [
            Part(band, "main"),
            Seam(path((0.5 - self.waist, top + self.band), (0.5 + self.waist, top + self.band))),
        ]
        if back:
            drawing.append(Seam(path((0.5, top), (0.5, top + 0.2)), 0.005, 0.5))
        return drawing

    def _folds(self, top: float, low: float) -> Drawing:
        drawing: Drawing = []
        strength = 0.4 if self.pleats else 0.12
        for share in np.linspace(-0.9, 0.9, self.pleats or 6):
            line = path(
                (0.5 + share * self.waist, top + self.band),
                ((0.5 + share * self.hip, top + 0.12), (0.5 + share * self.hem, low)),
            )
            drawing.append(Seam(line, 0.005 if self.pleats else 0.013, strength))
            if self.pleats:
                drawing.append(Seam(line + np.array([0.008, 0], np.float32), 0.007, -0.12))
        for share in np.linspace(0, 1, self.tiers + 2)[1:-1]:
            half, y = self.waist + (self.hem - self.waist) * share + 0.02, top + self.length * share
            line = path((0.5 - half, y), ((0.5, y + 0.03), (0.5 + half, y)))
            drawing += [Seam(line, 0.016, 0.22), Seam(line - np.array([0, 0.007], np.float32), 0.005, 0.35)]
        return drawing

    def _front(self, top: float, low: float) -> Drawing:
        drawing: Drawing = []
        if self.wrap:
            edge = path(
                (0.5 - self.waist * 0.5, top + self.band),
                ((0.5 + 0.1 * self.hem, 0.5), (0.5 + 0.45 * self.hem, low + 0.008)),
            )
            drawing += [Seam(edge, 0.01, 0.3), Seam(edge, 0.004, 0.5)]
            drawing += [
                Line(
                    path(
                        (0.5 - self.waist * 0.5, top + 0.02),
                        ((0.44, top + 0.1), (0.5 - self.waist * 0.7, top + 0.16)),
                    ),
                    0.013,
                    "second",
                )
            ]
        if self.buttons:
            drawing.append(Seam(path((0.5, top), (0.5, low + 0.01)), 0.004, 0.45))
            for y in np.linspace(top + self.band + 0.03, low - 0.05, self.buttons):
                drawing.append(Part(oval(0.5, y, 0.011, 0.011), "light"))
        if self.pockets:
            y = top + self.band + 0.05
            ring = block(0.5 + self.waist * 0.35, y, 0.5 + self.waist * 0.35 + 0.085, y + 0.1, 0.015)
            drawing += [layer for one in both(ring) for layer in (Part(one), Seam(one, 0.003, 0.4))]
        return drawing
