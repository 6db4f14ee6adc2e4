"""The shape of a lamp."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Paint,
    Part,
    mirrored,
    oval,
    path,
)
from natviews.catalog.generated.shapes.lathe import lathe

_METALS: tuple[Paint, ...] = ("gold", "silver", "dark", "oak", "walnut")


@dataclass(frozen=True)
class Lamp:
    """A table or floor lamp: a shade on a turned, straight or three-legged stand."""

    kind: ClassVar[str] = "lamp"
    stand: str
    metal: Paint
    shade_top: float
    shade_bottom: float
    shade_height: float
    bow: float
    base: float
    radii: tuple[float, float, float]
    trim: bool
    chain: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Lamp":
        """A lamp with numbers of its own."""
        bottom = rng.uniform(0.17, 0.28)
        stand = pick(rng, ("turned", "pole", "tripod", "globe"))
        return cls(
            stand=stand,
            metal=pick(rng, _METALS),
            shade_top=bottom * rng.uniform(0.35, 1.0),
            shade_bottom=bottom,
            shade_height=rng.uniform(0.2, 0.38),
            bow=rng.uniform(-0.05, 0.06),
            base=rng.uniform(0.1, 0.19),
            radii=(rng.uniform(0.02, 0.05), rng.uniform(0.05, 0.15), rng.uniform(0.02, 0.09)),
            trim=bool(rng.random() < 0.5),
            chain=bool(rng.random() < 0.4),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing; from behind the pull chain is not seen."""
        top, low = 0.07, 0.07 + self.shade_height
        upper, lower = (0.5 + self.shade_top, top), (0.5 + self.shade_bottom, low)
        middle = ((upper[0] + lower[0]) / 2 + self.bow, (top + low) / 2)
        half = path(
            (0.5, top),
            upper,
            (middle, lower),
            ((0.5 + 0.6 * self.shade_bottom, low + 0.03), (0.5, low + 0.03)),
        )
        drawing = self._stand(low)
        drawing += [
            Part(mirrored(half), form="round", tone=1.1),
            Part(oval(0.5, top, self.shade_top, 0.12 * self.shade_top), "inner", form="flat", tone=1.3),
        ]
        if self.trim:
            for (x, y), sag in ((lower, 0.06), (upper, 0.02)):
                drawing.append(Line(path((1 - x, y), ((0.5, y + sag), (x, y))), 0.016, "second"))
        if self.chain and not back:
            x = 0.5 + self.shade_bottom * 0.55
            drawing += [
                Line(path((x, low + 0.01), (x, low + 0.12)), 0.006, "gold"),
                Part(oval(x, low + 0.13, 0.012, 0.012), "gold"),
            ]
        return drawing

    def _stand(self, top: float) -> Drawing:
        low = 0.92
        if self.stand == "tripod":
            feet = [
                (0.5 - self.base * 1.3, low),
                (0.5 + self.base * 0.25, low - 0.02),
                (0.5 + self.base * 1.3, low),
            ]
            return [Line(path((0.5, top), foot), 0.026, self.metal, 0.3) for foot in feet]
        foot = mirrored(
            path(
                (0.5, low - 0.05),
                (0.52, low - 0.05),
                ((0.5 + self.base, low - 0.035), (0.5 + self.base, low)),
                ((0.5, low + 0.03), (0.5, low + 0.022)),
            )
        )
        pole = Line(path((0.5, top - 0.02), (0.5, low - 0.02)), 0.022, self.metal, 0.6)
        drawing: Drawing = [Part(foot, self.metal, form="round", gloss=0.4), pole]
        if self.stand == "pole":
            return drawing
        start = top + 0.1
        if self.stand == "globe":
            radius = min(self.radii[1] + 0.05, (low - start) / 2 - 0.01)
            return [
                *drawing,
                Part(oval(0.5, low - 0.03 - radius, radius, radius), "second", form="round", gloss=0.7),
            ]
        a, b, c = self.radii
        body = lathe(
            [
                (a, start),
                (b, start + 0.4 * (low - start)),
                (c, start + 0.75 * (low - start)),
                (self.base * 0.8, low - 0.02),
            ],
            0.02,
        )
        return [*drawing, Part(body.outline, "second", form="round", gloss=0.6)]
