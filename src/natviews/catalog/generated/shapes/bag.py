"""The shape of a bag."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Points,
    Seam,
    Spot,
    block,
    both,
    mirrored,
    oval,
    path,
)


@dataclass(frozen=True)
class Bag:
    """A tote, handbag, satchel or rucksack."""

    kind: ClassVar[str] = "bag"
    make: str
    width: float
    height: float
    taper: float
    corner: float
    handle: float
    thick: float
    grip: float
    flap: float
    clasp: str
    pocket: float
    tassel: bool
    base: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Bag":
        """A bag with numbers of its own."""
        make = pick(rng, ("tote", "handbag", "satchel", "rucksack"))
        return cls(
            make=make,
            width=rng.uniform(0.22, 0.29) if make == "rucksack" else rng.uniform(0.25, 0.36),
            height=rng.uniform(0.5, 0.6) if make == "rucksack" else rng.uniform(0.34, 0.52),
            taper=rng.uniform(-0.05, 0.07),
            corner=rng.uniform(0.02, 0.12),
            handle=rng.uniform(0.1, 0.3),
            thick=rng.uniform(0.016, 0.034),
            grip=rng.uniform(0.3, 0.65),
            flap=rng.uniform(0.35, 0.7) if make in ("satchel", "rucksack") else 0.0,
            clasp=pick(rng, ("disc", "buckle", "buckles", "bar")),
            pocket=float(rng.choice([0.0, rng.uniform(0.5, 0.8)])),
            tassel=bool(rng.random() < 0.3),
            base=bool(rng.random() < 0.35),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front, or from behind without clasps and pockets."""
        low, top = 0.9, 0.9 - self.height
        body = self._lower((0.5, top), (0.5 + self.width - self.taper, top))
        drawing = self._handles(top, 0.85)
        drawing += [
            Part(body, gloss=0.08),
            Seam(path((0.5 - self.width, top + 0.03), (0.5 + self.width, top + 0.03)), 0.003, 0.25, 0.01),
        ]
        if self.base:
            boot = self._lower((0.5, low - 0.09), (0.5 + self.width - 0.002, low - 0.09))
            drawing.append(Part(boot, "second"))
        if self.make in ("tote", "handbag"):
            drawing += self._handles(top + 0.05, 1.0)
        if back:
            return [
                *drawing,
                Seam(block(0.5 - self.width * 0.7, top + 0.12, 0.5 + self.width * 0.7, top + 0.13), 0.005, 0.5),
            ]
        if self.pocket:
            ring = block(
                0.5 - self.width * self.pocket,
                low - self.height * 0.5,
                0.5 + self.width * self.pocket,
                low - 0.04,
                0.03,
            )
            drawing += [Part(ring, tone=1.04), Seam(ring, 0.004, 0.4)]
        return drawing + (self._flap(top) if self.flap else self._mouth(top))

    def _lower(self, *top: Spot) -> Points:
        """The bag's outline below a top edge, which runs from the middle to the right."""
        right = 0.5 + self.width
        return mirrored(
            path(*top, (right, 0.9 - self.corner), ((right, 0.9), (right - self.corner, 0.9)), (0.5, 0.9))
        )

    def _handles(self, top: float, tone: float) -> Drawing:
        half = self.width * self.grip
        if self.make == "rucksack":
            strap = path(
                (0.5 + self.width * 0.8, top + 0.1),
                ((0.5 + self.width + 0.09, 0.6), (0.5 + self.width * 0.9, 0.86)),
            )
            loop = path((0.46, top), ((0.46, top - 0.07), (0.54, top - 0.07), (0.54, top)))
            straps = [Line(line, self.thick * 1.4, "second") for line in both(strap)]
            return [*straps, Line(loop, self.thick, "second")]
        rise = min(self.handle * 1.35, (top - 0.05) * 1.3) * (tone if tone < 1 else 1.08)
        arch = path((0.5 - half, top), ((0.5 - half, top - rise), (0.5 + half, top - rise), (0.5 + half, top)))
        drawing: Drawing = [Line(arch, self.thick, "second")]
        if tone == 1.0:
            drawing += [
                Part(oval(0.5 + x, top, self.thick * 0.75, self.thick * 0.75), "gold") for x in (-half, half)
            ]
        return drawing

    def _flap(self, top: float) -> Drawing:
        right, drop = 0.5 + self.width - self.taper + 0.006, self.height * self.flap
        half = path(
            (0.5, top - 0.012),
            (right - 0.02, top - 0.012),
            ((right, top - 0.01), (right, top + 0.02)),
            (right + 0.3 * self.taper, top + drop * 0.7),
            ((0.5 + self.width * 0.7, top + drop), (0.5, top + drop)),
        )
        ring = mirrored(half)
        drawing: Drawing = [Part(ring, tone=1.03), Seam(ring, 0.005, 0.45)]
        places = (0.5 - 0.5 * self.width, 0.5 + 0.5 * self.width) if self.clasp == "buckles" else (0.5,)
        for x in places:
            if self.clasp.startswith("buckle"):
                drawing += [Line(path((x, top + 0.3 * drop), (x, top + drop + 0.05)), 0.03, "second")]
                drawing += [
                    Line(
                        block(x - 0.024, top + drop - 0.03, x + 0.024, top + drop + 0.02, 0.006),
                        0.009,
                        "gold",
                        0.6,
                    )
                ]
        return drawing + self._clasp(top + drop - 0.02)

    def _mouth(self, top: float) -> Drawing:
        if self.make == "tote":
            return self._clasp(top + 0.05)[:1]
        zip_line = path((0.5 - self.width + 0.06, top + 0.012), (0.5 + self.width - 0.06, top + 0.012))
        drawing: Drawing = [
            Line(zip_line, 0.016, "silver"),
            Seam(zip_line, 0.008, 0.5, 0.005),
            *self._clasp(top + 0.1),
        ]
        if self.tassel:
            x = 0.5 + self.width * self.grip
            drawing += [
                Line(path((x, top + 0.05), (x + 0.012, top + 0.13)), 0.009, "gold"),
                Part(
                    path(
                        (x, top + 0.12),
                        (x + 0.025, top + 0.12),
                        (x + 0.035, top + 0.23),
                        (x - 0.008, top + 0.23),
                    ),
                    "third",
                ),
            ]
        return drawing

    def _clasp(self, y: float) -> Drawing:
        if self.clasp == "disc":
            return [Part(oval(0.5, y, 0.028, 0.028), "gold", gloss=0.6)]
        if self.clasp == "bar":
            return [Part(block(0.455, y - 0.013, 0.545, y + 0.013, 0.008), "gold", gloss=0.6)]
        return []
