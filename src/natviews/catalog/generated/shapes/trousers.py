"""The shape of trousers."""

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
    flipped,
    mirrored,
    oval,
    path,
)

_LEG_LENGTH = {"shorts": 0.3, "cropped": 0.62, "full": 0.8}


@dataclass(frozen=True)
class Trousers:
    """Trousers from shorts to full length, from skinny to flared."""

    kind: ClassVar[str] = "trousers"
    leg: str
    waist: float
    hip: float
    rise: float
    length: float
    knee: float
    hem: float
    spread: float
    band: float
    cuff: float
    loops: int
    pocket: float
    stripe: bool
    drawstring: bool
    crease: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Trousers":
        """Trousers with numbers of their own."""
        leg = str(rng.choice(list(_LEG_LENGTH), p=[0.3, 0.25, 0.45]))
        scale = 1.35 if leg == "shorts" else 1.0
        hip, knee = scale * rng.uniform(0.145, 0.18), scale * rng.uniform(0.05, 0.095)
        hem = knee + scale * float(rng.choice([-0.02, 0.0, rng.uniform(0.02, 0.06)]))
        return cls(
            leg=leg,
            waist=scale * rng.uniform(0.115, 0.145),
            hip=hip,
            rise=scale * rng.uniform(0.2, 0.26),
            length=_LEG_LENGTH[leg] * scale * rng.uniform(0.94, 1.06),
            knee=hip / 2 if leg == "shorts" else knee,
            hem=hip / 2 + rng.uniform(-0.01, 0.015) if leg == "shorts" else hem,
            spread=rng.uniform(0.015, 0.05),
            band=rng.uniform(0.03, 0.055),
            cuff=float(rng.choice([0.0, 0.0, rng.uniform(0.025, 0.06)])),
            loops=int(rng.choice([0, 4, 6])),
            pocket=rng.uniform(0.06, 0.13),
            stripe=bool(rng.random() < 0.25),
            drawstring=bool(rng.random() < 0.3),
            crease=bool(rng.random() < 0.4),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        top = 0.5 - self.length / 2
        low, crotch = top + self.length, top + self.rise
        centre = 0.5 + self.hip / 2 + self.spread
        outer, inner = centre + self.hem, centre - self.hem * 0.9
        knee = (centre + self.knee * 0.9, (crotch + low) / 2)
        half = path(
            (0.5, top), (0.5 + self.waist, top), ((0.5 + self.hip, top + 0.1), (0.5 + self.hip, crotch)),
            (knee, (max(outer, 0.52), low)), (max(inner, 0.508), low + 0.006),
            ((max(centre - self.knee, 0.51), knee[1]), (0.5, crotch)),
        )  # fmt: skip
        drawing: Drawing = [Part(mirrored(half)), Seam(path((0.5, top), (0.5, crotch)), 0.004, 0.4)]
        if self.stripe:
            band = path(
                (0.5 + self.hip - 0.005, crotch - 0.04),
                ((knee[0] - 0.006, knee[1]), (outer - 0.012, low - 0.01)),
            )
            drawing += [Line(line, 0.016, "second") for line in both(band)]
        if self.crease:
            fold = path((centre - 0.02, top + 0.12), (centre, low))
            drawing += [Seam(line, 0.006, 0.16) for line in both(fold)]
        if self.cuff:
            share = self.cuff / (low - knee[1])
            wide = outer + (knee[0] - outer) * share
            thin = max(inner, 0.508) - 0.004
            ring = path(
                (thin, low - self.cuff + 0.006),
                (wide + 0.006, low - self.cuff),
                (outer + 0.006, low + 0.002),
                (thin, low + 0.008),
            )
            drawing += [layer for leg in both(ring) for layer in (Part(leg, "second"), Seam(leg, 0.003, 0.3))]
        return drawing + self._waistband(top) + (self._back_pockets(top) if back else self._fly(top))

    def _waistband(self, top: float) -> Drawing:
        band = block(0.5 - self.waist - 0.004, top - 0.004, 0.5 + self.waist + 0.004, top + self.band, 0.006)
        drawing: Drawing = [
            Part(band, turn=90),
            Seam(path((0.5 - self.waist, top + self.band), (0.5 + self.waist, top + self.band)), 0.004, 0.4),
        ]
        for x in np.linspace(-0.85, 0.85, self.loops):
            x0 = 0.5 + x * self.waist
            drawing.append(Line(path((x0, top - 0.006), (x0, top + self.band + 0.006)), 0.011, "main"))
        return drawing

    def _back_pockets(self, top: float) -> Drawing:
        y, size = top + self.band + 0.05, min(self.pocket, self.waist * 0.62)
        left = 0.5 + self.waist / 2 - size / 2 + 0.01
        ring = path(
            (left, y),
            (left + size, y),
            (left + size, y + size * 0.9),
            (left + size / 2, y + size * 1.15),
            (left, y + size * 0.9),
        )
        return [layer for one in both(ring) for layer in (Part(one, tone=1.03), Seam(one, 0.003, 0.4))]

    def _fly(self, top: float) -> Drawing:
        y = top + self.band
        mouth = path(
            (0.5 + self.waist * 0.45, y),
            ((0.5 + self.waist * 0.6, y + self.pocket), (0.5 + self.waist + 0.025, y + self.pocket)),
        )
        drawing: Drawing = [Seam(line, 0.004, 0.45) for line in both(mouth)]
        drawing += [Seam(line + np.array([0, 0.007], np.float32), 0.002, -0.4, 0.007) for line in both(mouth)]
        if self.drawstring:
            tail = path((0.506, y - 0.01), ((0.53, y + 0.06), (0.515, y + 0.12)))
            return drawing + [Line(line, 0.009, "light") for line in (tail, flipped(tail))]
        drawing.append(
            Seam(path((0.525, y), (0.525, y + 0.09), ((0.525, y + 0.12), (0.5, y + 0.13))), 0.003, -0.4, 0.007)
        )
        return [*drawing, Part(oval(0.5, top + self.band / 2, 0.009, 0.009), "gold")]
