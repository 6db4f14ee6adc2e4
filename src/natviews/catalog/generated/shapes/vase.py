"""The shape of a vase."""

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
    flipped,
    oval,
    path,
)
from natviews.catalog.generated.shapes.lathe import lathe

_LIPS: tuple[Paint, ...] = ("main", "second", "third")


@dataclass(frozen=True)
class Vase:
    """A vase or jug turned from a profile of five radii."""

    kind: ClassVar[str] = "vase"
    mouth: float
    neck: float
    shoulder: float
    belly: float
    foot: float
    height: float
    neck_height: float
    belly_height: float
    handles: int
    rings: int
    lip: Paint

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Vase":
        """A vase with numbers of its own."""
        return cls(
            mouth=rng.uniform(0.06, 0.16),
            neck=rng.uniform(0.035, 0.12),
            shoulder=rng.uniform(0.1, 0.22),
            belly=rng.uniform(0.13, 0.26),
            foot=rng.uniform(0.07, 0.14),
            height=rng.uniform(0.55, 0.8),
            neck_height=rng.uniform(0.12, 0.3),
            belly_height=rng.uniform(0.5, 0.75),
            handles=int(rng.choice([0, 0, 1, 2])),
            rings=int(rng.integers(0, 4)),
            lip=pick(rng, _LIPS),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front; from behind a single handle is on the other side."""
        top, h = 0.5 - self.height / 2, self.height
        middle = (self.neck_height + self.belly_height) / 2
        body = lathe(
            [
                (self.mouth, top),
                (self.neck, top + h * self.neck_height * 0.6),
                (self.shoulder, top + h * middle),
                (self.belly, top + h * self.belly_height),
                (self.foot, top + h),
            ],
            0.02,
        )
        drawing: Drawing = []
        start, end = (0.5 + self.neck + 0.005, top + 0.1 * h), (0.5 + self.shoulder, top + h * middle)
        ear = path(
            start,
            ((0.5 + self.shoulder + 0.14, start[1] - 0.02), (0.5 + self.shoulder + 0.13, end[1] - 0.06), end),
        )
        ears = [flipped(ear), ear] if self.handles == 2 else [flipped(ear) if back else ear]
        drawing += [Line(line, 0.032, "main", 0.6) for line in ears[: self.handles]]
        drawing.append(body)
        for number in range(self.rings):
            y = top + h * (self.neck_height * 0.6 + 0.05 * number)
            half = self.neck + 0.012 * number
            drawing.append(Seam(path((0.5 - half, y), ((0.5, y + 0.025), (0.5 + half, y))), 0.006, 0.35))
        drawing.append(Part(oval(0.5, top, self.mouth, 0.22 * self.mouth), self.lip, form="flat"))
        return [
            *drawing,
            Part(
                oval(0.5, top + 0.002, self.mouth * 0.86, 0.17 * self.mouth),
                "inner",
                form="flat",
                tone=0.7,
            ),
        ]
