"""The shape of a hat."""

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
    block,
    mirrored,
    oval,
    path,
)


@dataclass(frozen=True)
class Hat:
    """A cap, a brimmed hat, a bucket hat or a beanie."""

    kind: ClassVar[str] = "hat"
    make: str
    width: float
    height: float
    brim: float
    droop: float
    band: float
    dent: float
    trim: str

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Hat":
        """A hat with numbers of its own."""
        return cls(
            make=pick(rng, ("cap", "fedora", "bucket", "beanie")),
            width=rng.uniform(0.22, 0.28),
            height=rng.uniform(0.26, 0.38),
            brim=rng.uniform(0.08, 0.18),
            droop=rng.uniform(-0.02, 0.07),
            band=rng.uniform(0.04, 0.1),
            dent=rng.uniform(0.0, 0.06),
            trim=pick(rng, ("bobble", "badge", "feather", "none")),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        low = 0.64
        make = {"cap": self._cap, "fedora": self._fedora, "bucket": self._bucket, "beanie": self._beanie}[
            self.make
        ]
        return make(low, low - self.height, back)

    def _crown(self, low: float, top: float, square: float) -> Points:
        w = self.width
        return mirrored(
            path(
                (0.5, top),
                ((0.5 + w * square, top), (0.5 + w, top + 0.1), (0.5 + w, low)),
                ((0.5, low + 0.05), (0.5, low + 0.03)),
            )
        )

    def _cap(self, low: float, top: float, back: bool) -> Drawing:
        drawing: Drawing = [Part(self._crown(low, top, 0.9))]
        drawing += [
            Seam(path((0.5, top), ((0.5 + x * 1.5, top + 0.05), (0.5 + x, low + 0.02))), 0.004, 0.3)
            for x in (-0.12, 0.0, 0.12)
        ]
        drawing.append(Part(oval(0.5, top, 0.022, 0.014), "second"))
        if back:
            hole = oval(0.5, low + 0.03, 0.09, 0.08, 180, 360)
            return [
                *drawing,
                Part(hole, "inner"),
                Line(path((0.41, low + 0.02), ((0.5, low + 0.045), (0.59, low + 0.02))), 0.025, "second"),
            ]
        w, reach = self.width + 0.02, self.brim * 1.1
        peak = mirrored(
            path(
                (0.5, low - 0.03),
                ((0.5 + w * 0.9, low - 0.02), (0.5 + w, low + 0.03)),
                ((0.5 + w * 0.95, low + reach), (0.5, low + reach)),
            )
        )
        drawing += [
            Part(peak, "second", gloss=0.1),
            Seam(
                path(
                    (0.5 - w * 0.8, low + reach * 0.6),
                    ((0.5, low + reach * 0.95), (0.5 + w * 0.8, low + reach * 0.6)),
                ),
                0.003,
                0.3,
            ),
        ]
        if self.trim != "none":
            drawing.append(Part(oval(0.5, (low + top) / 2 + 0.02, 0.06, 0.05), "third"))
        return drawing

    def _fedora(self, low: float, top: float, back: bool) -> Drawing:
        w, reach = self.width * 0.9, self.width + self.brim * 1.2
        rim = oval(0.5, low + 0.01, reach, 0.07 + self.droop * 0.5)
        crown = mirrored(
            path(
                (0.5, top + self.dent),
                ((0.5 + 0.5 * w, top - 0.03), (0.5 + 0.8 * w, top + 0.03)),
                ((0.5 + w, top + 0.15), (0.5 + w, low)),
                ((0.5, low + 0.055), (0.5, low + 0.045)),
            )
        )
        ring = mirrored(
            path(
                (0.5, low - self.band + 0.03),
                ((0.5 + 0.7 * w, low - self.band + 0.03), (0.5 + w, low - self.band)),
                (0.5 + w + 0.003, low),
                ((0.5 + 0.7 * w, low + 0.042), (0.5, low + 0.045)),
            )
        )
        drawing: Drawing = [
            Part(rim, tone=0.95),
            Seam(rim, 0.004, 0.25),
            Part(crown),
            Part(ring, "second"),
        ]
        return drawing if back else drawing + self._side_trim(0.5 + w, low)

    def _side_trim(self, right: float, low: float) -> Drawing:
        """A feather or a badge stuck behind the ribbon."""
        x, y = right - 0.06, low - self.band
        if self.trim == "feather":
            feather = path(
                (x, low + 0.01),
                ((x - 0.03, y - 0.08), (x + 0.05, y - 0.16)),
                ((x + 0.07, y - 0.05), (x, low + 0.01)),
            )
            return [Part(feather, "third")]
        if self.trim == "badge":
            return [Part(block(x - 0.05, y + 0.02, x + 0.01, low + 0.03, 0.01), "third")]
        return []

    def _bucket(self, low: float, top: float, back: bool) -> Drawing:
        w, reach = self.width * 0.85, self.width + self.brim * 0.55
        crown = mirrored(
            path(
                (0.5, top),
                ((0.5 + w * 0.8, top), (0.5 + w * 0.85, top + 0.03)),
                (0.5 + w, low),
                (0.5, low + 0.03),
            )
        )
        rim = mirrored(
            path(
                (0.5, low - 0.012),
                ((0.5 + w * 0.8, low - 0.012), (0.5 + w, low - 0.035)),
                (0.5 + reach, low + self.brim * 0.7 + self.droop),
                ((0.5, low + self.brim + self.droop + 0.07), (0.5, low + self.brim + self.droop)),
            )
        )
        drawing: Drawing = [Part(crown), Part(rim, tone=0.97)]
        for share in (0.3, 0.55, 0.8):
            y, half = low + share * (self.brim * 0.7 + self.droop), w + (reach - w) * share
            drawing.append(
                Seam(path((0.5 - half, y - 0.01), ((0.5, y + 0.05), (0.5 + half, y - 0.01))), 0.003, 0.25)
            )
        if self.trim != "none" and not back:
            drawing.append(Part(block(0.46, low - 0.13, 0.54, low - 0.07, 0.008), "third"))
        return drawing

    def _beanie(self, low: float, top: float, back: bool) -> Drawing:
        cuff = self.band * 1.3
        half = path(
            (0.5, low - cuff),
            (0.5 + self.width + 0.006, low - cuff - 0.01),
            (0.5 + self.width, low + 0.03),
            ((0.5, low + 0.06), (0.5, low + 0.055)),
        )
        drawing: Drawing = []
        if self.trim == "bobble":
            drawing.append(Part(oval(0.5, top - 0.03, 0.085, 0.08), "second"))
        drawing += [
            Part(self._crown(low, top, 0.75)),
            Part(mirrored(half), "second" if self.dent > 0.03 else "pattern"),
        ]
        edges = np.linspace(0.5 - self.width, 0.5 + self.width, 18)[1:-1]
        drawing += [Seam(path((x, low - cuff), (x, low + 0.04)), 0.004, 0.2) for x in edges]
        if self.trim == "badge" and not back:
            drawing.append(Part(block(0.45, low - cuff * 0.75, 0.55, low + 0.015, 0.006), "third"))
        return drawing
