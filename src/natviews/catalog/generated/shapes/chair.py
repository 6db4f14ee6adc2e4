"""The shape of a chair."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Paint,
    Part,
    Points,
    Seam,
    block,
    both,
    mirrored,
    oval,
    path,
)

_WOODS: tuple[Paint, ...] = ("oak", "walnut", "dark", "second", "light")


@dataclass(frozen=True)
class Chair:
    """A chair seen from in front and a little above: back, seat, four legs, perhaps arms."""

    kind: ClassVar[str] = "chair"
    wood: Paint
    rest: str
    rest_width: float
    rest_height: float
    rest_top: float
    bars: int
    seat_width: float
    seat_depth: float
    pad: float
    splay: float
    leg: float
    legs: str
    arms: bool
    rungs: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Chair":
        """A chair with numbers of its own."""
        seat = rng.uniform(0.2, 0.27)
        return cls(
            wood=pick(rng, _WOODS),
            rest=pick(rng, ("padded", "spindles", "ladder", "shell", "oval")),
            rest_width=seat * rng.uniform(0.78, 1.0),
            rest_height=rng.uniform(0.26, 0.4),
            rest_top=rng.uniform(-0.03, 0.05),
            bars=int(rng.integers(3, 8)),
            seat_width=seat,
            seat_depth=rng.uniform(0.08, 0.14),
            pad=rng.uniform(0.025, 0.08),
            splay=rng.uniform(0.0, 0.07),
            leg=rng.uniform(0.022, 0.042),
            legs=str(rng.choice(["posts", "tapered", "pedestal"], p=[0.4, 0.4, 0.2])),
            arms=bool(rng.random() < 0.35),
            rungs=bool(rng.random() < 0.4),
        )

    def layers(self, back: bool) -> Drawing:
        """From in front, or from behind, where the back hides part of the seat."""
        seat_y = 0.1 + self.rest_height + 0.09
        if back:
            return [
                *self._legs(seat_y),
                *self._seat(seat_y),
                *self._arms(seat_y),
                *self._rest(seat_y + self.seat_depth * 0.6),
            ]
        return [*self._legs(seat_y), *self._rest(seat_y), *self._seat(seat_y), *self._arms(seat_y)]

    def _legs(self, seat_y: float) -> Drawing:
        front, rear = seat_y + self.seat_depth + 0.5 * self.pad, seat_y + 0.02
        if self.legs == "pedestal":
            feet = [
                Line(path((0.5, 0.86), (0.5 + dx, 0.92)), 0.026, self.wood, 0.3) for dx in (-0.2, -0.08, 0.08, 0.2)
            ]
            return [*feet, Line(path((0.5, front - 0.02), (0.5, 0.87)), 0.05, self.wood, 0.4)]
        drawing: Drawing = []
        for x, top, low in (
            (self.seat_width * 0.8, rear, 0.85),
            (self.seat_width * 0.93, front - 0.02, 0.93),
        ):
            tip = self.leg * (0.45 if self.legs == "tapered" else 1.0)
            foot = 0.5 + x + self.splay
            ring = path(
                (0.5 + x - self.leg, top),
                (0.5 + x + self.leg * 0.2, top),
                (foot + tip * 0.2, low),
                (foot - tip, low),
            )
            drawing += [
                Part(leg, self.wood, form="round", tone=0.8 if top == rear else 1.0, gloss=0.1)
                for leg in both(ring)
            ]
        if self.rungs:
            half, y = self.seat_width * 0.85 + self.splay * 0.5, (front + 0.93) / 2
            drawing.append(Line(path((0.5 - half, y), (0.5 + half, y)), 0.018, self.wood))
        return drawing

    def _rest(self, seat_y: float) -> Drawing:
        w, top, low = self.rest_width, seat_y - 0.07 - self.rest_height, seat_y - 0.04
        if self.rest == "shell":
            half = path(
                (0.5, top),
                ((0.5 + w, top), (0.5 + w, top + 0.15)),
                ((0.5 + w, low), (0.5 + self.seat_width * 0.97, seat_y + 0.05)),
                (0.5, seat_y + 0.05),
            )
            shell = mirrored(half)
            return [Part(shell), Seam(shell, 0.004, 0.3)]
        if self.rest == "oval":
            y, ry = (top + low) / 2, (low - top) / 2
            posts = both(path((0.5 + w * 0.6, low - 0.05), (0.5 + w * 0.8, seat_y + 0.04)))
            frame, pad = oval(0.5, y, w, ry), oval(0.5, y, w - 0.035, ry - 0.035)
            return [*self._posts(posts), Part(frame, self.wood), Part(pad)]
        posts = both(path((0.5 + w * 0.93, seat_y + 0.04), (0.5 + w, top + 0.02)))
        if self.rest == "padded":
            half = path(
                (0.5, top - self.rest_top),
                ((0.5 + 0.8 * w, top - self.rest_top), (0.5 + w, top + 0.02)),
                (0.5 + w * 0.95, low),
                (0.5, low),
            )
            pad = mirrored(half)
            return [*self._posts(posts), Part(pad), Seam(pad, 0.005, 0.3)]
        return [*self._posts(posts), *self._bars(seat_y, top, low)]

    def _posts(self, posts: tuple[Points, Points]) -> Drawing:
        return [Line(post, 0.03, self.wood, 0.3) for post in posts]

    def _bars(self, seat_y: float, top: float, low: float) -> Drawing:
        """Slats across or spindles upright, below a top rail."""
        w, under = self.rest_width, top + 0.05 - self.rest_top * 0.5
        if self.rest == "ladder":
            heights = np.linspace(top + 0.1, low - 0.02, max(self.bars // 2, 1)).tolist()
            bars: Drawing = [Part(block(0.5 - w, y, 0.5 + w, y + 0.035, 0.01), self.wood) for y in heights]
        else:
            places = np.linspace(-0.8 * w, 0.8 * w, self.bars).tolist()
            lines = [path((0.5 + x, top + 0.02), (0.5 + 0.93 * x, seat_y + 0.02)) for x in places]
            bars = [Line(line, 0.017, self.wood, 0.3) for line in lines]
        rail = path(
            (0.5, top - self.rest_top),
            ((0.5 + 0.7 * w, top - self.rest_top), (0.5 + w + 0.012, top)),
            (0.5 + w + 0.008, top + 0.06),
            ((0.5 + 0.6 * w, under), (0.5, under)),
        )
        return [*bars, Part(mirrored(rail), self.wood, gloss=0.1)]

    def _seat(self, seat_y: float) -> Drawing:
        w, front = self.seat_width, seat_y + self.seat_depth
        top = mirrored(
            path(
                (0.5, seat_y),
                (0.5 + w * 0.82, seat_y),
                ((0.5 + w * 0.9, seat_y), (0.5 + w, front - 0.02)),
                ((0.5 + w, front), (0.5 + w - 0.03, front)),
                (0.5, front + 0.004),
            )
        )
        apron = mirrored(
            path(
                (0.5, front - 0.02),
                (0.5 + w, front - 0.025),
                ((0.5 + w + 0.004, front + self.pad), (0.5 + w - 0.03, front + self.pad)),
                (0.5, front + self.pad),
            )
        )
        return [Part(apron, tone=0.78), Part(top, tone=1.06), Seam(top, 0.004, 0.22)]

    def _arms(self, seat_y: float) -> Drawing:
        if not self.arms:
            return []
        x, y = 0.5 + self.seat_width + 0.012, seat_y - 0.1
        arm = path(
            (0.5 + self.rest_width, y - 0.02),
            ((x + 0.015, y - 0.01), (x + 0.01, y + 0.05)),
            (x - 0.012, seat_y + self.seat_depth),
        )
        return [Line(line, 0.03, self.wood, 0.3) for line in both(arm)]
