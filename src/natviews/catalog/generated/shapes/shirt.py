"""The shape of a shirt."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.drawing import (
    Drawing,
    Part,
    Points,
    Seam,
    block,
    mirrored,
    path,
)
from natviews.catalog.generated.shapes.bodice import SLEEVES, Bodice
from natviews.catalog.generated.shapes.trimmings import buttons, pocket


@dataclass(frozen=True)
class Shirt:
    """A T-shirt, blouse or shirt; `buttons` > 0 gives it a placket."""

    kind: ClassVar[str] = "shirt"
    bodice: Bodice
    length: float
    waist: float
    hem: float
    curve: float
    band: float
    buttons: int
    pockets: int
    flap: bool
    pocket: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Shirt":
        """A shirt with numbers of its own."""
        bodice = Bodice.draw(rng, SLEEVES, ("round", "round", "v", "boat", "collar", "collar", "roll"), 1.0)
        buttons = int(rng.integers(3, 9)) if bodice.neckline == "collar" else 0
        return cls(
            bodice=bodice,
            length=rng.uniform(0.5, 0.68),
            waist=rng.uniform(-0.02, 0.03),
            hem=rng.uniform(-0.015, 0.05),
            curve=float(rng.choice([0.0, rng.uniform(0.02, 0.06)])),
            band=float(rng.choice([0.0, 0.0, rng.uniform(0.02, 0.05)])),
            buttons=buttons,
            pockets=int(rng.choice([0, 0, 1, 2])),
            flap=bool(rng.random() < 0.5),
            pocket=rng.uniform(0.065, 0.095),
        )

    def outline(self, back: bool) -> Points:
        """The body without sleeves."""
        b = self.bodice
        low, right = b.top + self.length, 0.5 + b.chest + self.hem
        waist = (0.5 + b.chest - self.waist, (b.armpit[1] + low) / 2)
        half = path(
            *b.opening(back),
            *b.shoulder_line(),
            (waist, (right, low - self.curve)),
            ((0.56, low), (0.5, low)),
        )
        return mirrored(half)

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b, outline, low = self.bodice, self.outline(back), self.bodice.top + self.length
        drawing = [*b.sleeves(), *([] if back else b.inside()), Part(outline)]
        drawing += b.armholes()
        if self.band and not self.curve:
            right = 0.5 + b.chest + self.hem
            drawing.append(Part(block(1 - right, low - self.band, right, low + 0.004, 0.01), "second"))
        if back:
            yoke = path((0.5 - b.shoulder, b.top + 0.09), ((0.5, b.top + 0.11), (0.5 + b.shoulder, b.top + 0.09)))
            return [*drawing, *b.finish(True), *([Seam(yoke)] if self.buttons else [])]
        if self.buttons:
            placket = block(0.482, b.top + b.depth, 0.518, low - 0.004)
            drawing += [Part(placket, form="flat", turn=90), Seam(placket, 0.003, 0.3)]
            drawing += buttons(self.buttons, b.top + b.depth + 0.05, low - 0.05)
        for place in (0.53, 0.47 - self.pocket)[: self.pockets]:
            drawing += pocket(place, b.top + 0.17, self.pocket, self.pocket * 1.15, self.flap)
        return [*drawing, *b.finish(False)]
