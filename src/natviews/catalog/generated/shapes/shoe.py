"""The shape of a shoe."""

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
    Spot,
    block,
    oval,
    path,
)


@dataclass(frozen=True)
class Shoe:
    """A sneaker, boot, heeled shoe or loafer from its side; the back is its inner side."""

    kind: ClassVar[str] = "shoe"
    make: str
    shaft: float
    heel: float
    sole: float
    toe: float
    instep: float
    eyelets: int
    mark: str
    slant: float
    strap: int
    cap: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Shoe":
        """A shoe with numbers of its own."""
        make = str(rng.choice(["sneaker", "boot", "heel", "loafer"], p=[0.35, 0.25, 0.25, 0.15]))
        return cls(
            make=make,
            shaft=rng.uniform(0.1, 0.34) if make == "boot" else rng.uniform(0.0, 0.06),
            heel={"heel": rng.uniform(0.1, 0.27), "boot": rng.uniform(0.03, 0.13)}.get(make, 0.0),
            sole=rng.uniform(0.035, 0.09) if make == "sneaker" else rng.uniform(0.015, 0.04),
            toe=rng.uniform(0.0, 1.0),
            instep=rng.uniform(0.0, 1.0),
            eyelets=int(rng.integers(3, 7)),
            mark=pick(rng, ("stripes", "swoop", "disc", "none")),
            slant=rng.uniform(-0.03, 0.05),
            strap=int(rng.integers(0, 2 if make == "heel" else 3)),
            cap=bool(rng.random() < 0.5),
        )

    def layers(self, back: bool) -> Drawing:
        """The outer side, or the inner side without the mark."""
        if self.make in ("sneaker", "loafer"):
            return self._low(back)
        return self._boot(back) if self.make == "boot" else self._heel(back)

    def _low(self, back: bool) -> Drawing:
        base = 0.7 - self.sole
        collar, tongue = 0.42 - self.shaft, 0.39 - self.shaft
        nose = 0.09 + 0.05 * self.toe
        throat = (0.46 + 0.08 * self.instep, collar + 0.035)
        upper = path(
            (0.1, base + 0.01),
            ((0.075, collar + 0.12), (0.11, collar - 0.01)),
            ((0.2, collar + 0.08), (0.34, collar + 0.02)),
            throat,
            ((0.66, base - 0.12), (0.76, base - nose)),
            ((0.93, base - nose + 0.01), (0.92, base + 0.01)),
        )
        flap = path(
            (0.33, collar + 0.04),
            (0.37, tongue - 0.03),
            ((0.43, tongue - 0.045), (0.47, tongue)),
            (0.56, base - 0.15),
        )
        drawing: Drawing = [
            Part(oval(0.24, collar + 0.025, 0.12, 0.035), "inner", form="flat"),
            Part(flap, "second"),
            Part(upper, gloss=0.15),
        ]
        side = path((0.34, collar + 0.02), ((0.4, base - 0.1), (0.36, base)))
        drawing += [*self._toe(base, nose), Seam(side, 0.004, 0.35), *self._heel_patch(base)]
        if self.make == "loafer":
            drawing += self._band(base)
        else:
            drawing += self._mark(base, back) + self._laces(throat, (0.72, base - nose - 0.015))
        return drawing + self._sole(base)

    def _heel_patch(self, base: float) -> Drawing:
        patch = path(
            (0.1, base + 0.01),
            ((0.08, base - 0.06), (0.092, base - 0.13)),
            ((0.2, base - 0.1), (0.21, base + 0.01)),
        )
        return [Part(patch, "second"), Seam(patch, 0.003, 0.35)]

    def _band(self, base: float) -> Drawing:
        """The band with a metal bit across a loafer's instep."""
        band = path(
            (0.5, base - 0.19),
            ((0.47, base - 0.08), (0.5, base)),
            (0.6, base),
            ((0.58, base - 0.1), (0.6, base - 0.125)),
        )
        bit = path((0.515, base - 0.12), (0.59, base - 0.095))
        return [Part(band, "second"), Seam(band, 0.003, 0.4), Line(bit, 0.018, "gold", 0.5)]

    def _toe(self, base: float, nose: float) -> Drawing:
        if not self.cap:
            return [Seam(path((0.72, base - nose - 0.02), ((0.7, base - 0.05), (0.76, base))), 0.004, 0.4)]
        cap = path(
            (0.8, base + 0.01),
            ((0.77, base - 0.06), (0.81, base - nose + 0.001)),
            ((0.92, base - nose + 0.01), (0.918, base + 0.01)),
        )
        return [Part(cap, "light"), Seam(cap, 0.003, 0.3)]

    def _mark(self, base: float, back: bool) -> Drawing:
        if back or self.mark == "none":
            return []
        if self.mark == "disc":
            return [Part(oval(0.3, base - 0.11, 0.04, 0.04), "third")]
        if self.mark == "swoop":
            return [
                Part(
                    path(
                        (0.3, base - 0.12),
                        ((0.36, base - 0.01), (0.62, base - 0.12)),
                        ((0.42, base - 0.03), (0.34, base - 0.03)),
                        ((0.27, base - 0.05), (0.3, base - 0.12)),
                    ),
                    "third",
                )
            ]
        lines = [path((0.38 + dx + self.slant, base - 0.13), (0.42 + dx, base - 0.005)) for dx in (0.0, 0.05, 0.1)]
        return [Line(line, 0.02, "third") for line in lines]

    def _laces(self, top: Spot, bottom: Spot) -> Drawing:
        drawing: Drawing = []
        for share in np.linspace(0.02, 0.8, self.eyelets):
            x = top[0] + (bottom[0] - top[0]) * share
            y = top[1] + (bottom[1] - top[1]) * share + 0.02
            drawing += [Line(path((x - 0.045, y + 0.045), (x + 0.015, y - 0.012)), 0.014, "light")]
        return drawing

    def _sole(self, base: float) -> Drawing:
        low = base + self.sole
        sole = path(
            (0.085, base),
            ((0.5, base + 0.018), (0.925, base - 0.012)),
            ((0.945, low), (0.88, low)),
            (0.12, low),
            ((0.075, low), (0.085, base)),
        )
        paint: Paint = "dark" if self.make == "loafer" else "light"
        drawing: Drawing = [Part(sole, paint)]
        if self.sole > 0.055 and self.make == "sneaker":
            drawing.append(
                Line(path((0.09, base + 0.55 * self.sole), (0.92, base + 0.5 * self.sole)), 0.01, "third")
            )
        return drawing

    def _boot(self, back: bool) -> Drawing:
        low, top = 0.86, 0.5 - self.shaft
        base = low - self.sole - self.heel * 0.4
        front, nose = 0.47 + 0.05 * self.instep, 0.1 + 0.05 * self.toe
        upper = path(
            (0.2, base - self.heel * 0.5),
            ((0.16, 0.62), (0.18, top)),
            ((0.3, top + 0.03 + self.slant), (front, top + self.slant)),
            (front - 0.01, 0.58),
            ((front + 0.04, base - nose - 0.06), (0.7, base - nose)),
            ((0.89, base - nose + 0.02), (0.88, low - self.sole + 0.005)),
            (0.6, low - self.sole),
            ((0.45, base), (0.38, base - self.heel * 0.45)),
        )
        heel = path(
            (0.2, base - self.heel * 0.5),
            (0.39, base - self.heel * 0.45),
            (0.37 - 0.04 * self.instep, low),
            (0.22, low),
        )
        tread = path(
            (0.36, base - 0.45 * self.heel - 0.01),
            ((0.45, base - 0.01), (0.6, low - self.sole)),
            (0.89, low - self.sole - 0.005),
            ((0.9, low), (0.86, low)),
            (0.6, low),
            ((0.44, base + 0.03), (0.37, base - 0.4 * self.heel + 0.03)),
        )
        drawing: Drawing = [
            Part(oval((0.18 + front) / 2, top + 0.012, (front - 0.18) / 2, 0.03), "inner"),
            Part(upper, gloss=0.25),
        ]
        drawing += [Part(heel, "dark"), Part(tread, "dark")]
        drawing += [Seam(path((0.19, 0.7), ((0.35, 0.68), (front, 0.62))), 0.004, 0.4)]
        if self.cap:
            drawing.append(
                Seam(path((0.72, base - nose), ((0.7, base - 0.04), (0.74, low - self.sole))), 0.004, 0.4)
            )
        return drawing + self._boot_straps(front, top, base - nose, back)

    def _boot_straps(self, front: float, top: float, instep: float, back: bool) -> Drawing:
        """Straps with buckles or else laces; the inner side has only the straps."""
        drawing: Drawing = []
        for number in range(self.strap):
            y = 0.58 - number * min(0.12, self.shaft)
            strap = path((0.175, y + 0.015), ((0.3, y + 0.03), (front + 0.005, y)))
            drawing.append(Line(strap, 0.024, "second"))
            if not back:
                drawing.append(Line(block(0.27, y, 0.31, y + 0.045, 0.006), 0.009, "gold", 0.6))
        if self.strap == 0 and not back:
            for y in np.linspace(top + 0.04, instep - 0.07, self.eyelets):
                drawing.append(Line(path((front - 0.055, y + 0.02), (front + 0.01, y)), 0.012, "light"))
        return drawing

    def _heel(self, back: bool) -> Drawing:
        low, lift = 0.76, self.heel
        ankle = low - lift - 0.04
        point = 0.9 + 0.04 * self.toe
        upper = path(
            (0.14, ankle),
            ((0.115, ankle - 0.1), (0.15, ankle - 0.15)),
            ((0.27, ankle - 0.03), (0.5, ankle + 0.02 + 0.4 * lift)),
            ((0.62, low - 0.1), (0.66 + 0.06 * self.instep, low - 0.1)),
            ((0.82, low - 0.085), (point, low - 0.012)),
            (0.66, low),
            ((0.45, low - 0.01), (0.26, ankle + 0.03)),
        )
        wide = 0.02 + 0.07 * (1 - self.instep)
        stem = path(
            (0.135, ankle - 0.02),
            ((0.2, ankle + 0.04), (0.3, ankle + 0.06)),
            ((0.2 + wide, (ankle + low) / 2), (0.165 + wide, low)),
            (0.16, low),
            ((0.17, (ankle + low) / 2), (0.135, ankle - 0.02)),
        )
        tread = path((0.26, ankle + 0.03), ((0.45, low - 0.005), (0.66, low - 0.004)), (point, low - 0.012))
        inside = path(
            (0.15, ankle - 0.14),
            ((0.3, ankle - 0.06), (0.52, ankle + 0.02 + 0.4 * lift)),
            ((0.35, ankle + 0.02), (0.16, ankle - 0.08)),
        )
        drawing: Drawing = [
            Part(stem, "second" if self.cap else "main", gloss=0.4),
            Part(inside, "inner"),
            Part(upper, gloss=0.45),
        ]
        drawing.append(Line(tread, 0.014, "dark"))
        for number in range(self.strap):
            y = ankle - 0.13 - 0.07 * number
            drawing.append(Line(path((0.145, y + 0.02), ((0.26, y - 0.05), (0.38, y + 0.02))), 0.018, "main"))
            drawing.append(Line(path((0.145, y + 0.02), ((0.27, y + 0.06), (0.38, y + 0.02))), 0.018, "main"))
            if not back:
                drawing.append(Part(oval(0.26, y + 0.042, 0.014, 0.014), "gold"))
        return drawing
