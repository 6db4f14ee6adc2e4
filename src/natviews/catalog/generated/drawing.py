"""Vector drawings: what a product looks like before it has colour, as a stack of layers.

All coordinates are in the unit square, x to the right and y downwards; widths are in the same unit.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float32]
"""A run of points, shape (n, 2), in the unit square."""

Spot: TypeAlias = tuple[float, float]

Paint = Literal[
    "pattern", "main", "second", "third", "inner", "dark", "light", "silver", "gold", "oak", "walnut"
]
Form = Literal["flat", "soft", "round"]

CURVE_STEPS = 14


@dataclass(frozen=True)
class Part:
    """A filled area; with several rings the inner ones are holes.

    `turn` rotates the pattern in degrees; `form` chooses the shading: flat, soft like a filled bag,
    round like something from a lathe; `gloss` in [0, 1] is the strength of the highlight;
    `tone` scales the lightness.
    """

    rings: tuple[Points, ...]
    paint: Paint = "pattern"
    turn: float = 0.0
    form: Form = "soft"
    gloss: float = 0.0
    tone: float = 1.0


@dataclass(frozen=True)
class Line:
    """A stroked run of points: a cord, strap or tube, `width` thick."""

    points: Points
    width: float
    paint: Paint = "second"
    gloss: float = 0.0


@dataclass(frozen=True)
class Seam:
    """A line that only changes the lightness below it; `strength` < 0 lightens, `dash` > 0 is a stitch length."""

    points: Points
    width: float = 0.004
    strength: float = 0.35
    dash: float = 0.0


Layer: TypeAlias = Part | Line | Seam
Drawing: TypeAlias = list[Layer]


def path(start: Spot, *segments: Spot | tuple[Spot, ...]) -> Points:
    """Points along straight runs (a spot) and Bézier curves (controls, then the end spot)."""
    points = [np.array([start], np.float64)]
    here: Spot = start
    steps = np.linspace(0, 1, CURVE_STEPS + 1)[1:, None]
    for segment in segments:
        if isinstance(segment[0], tuple):
            knots = np.array([here, *segment], np.float64)[:, None, :]
            for _ in segment:  # de Casteljau: blend neighbours until one point per step is left
                knots = knots[:-1] * (1 - steps) + knots[1:] * steps
            points.append(knots[0])
            here = segment[-1]
        else:
            points.append(np.array([segment], np.float64))
            here = segment
    return np.concatenate(points).astype(np.float32)


def mirrored(half: Points, axis: float = 0.5) -> Points:
    """A closed outline from its right half, which runs from the top of the axis to its bottom."""
    left = half[::-1] * np.float32([-1, 1]) + np.float32([2 * axis, 0])
    return np.concatenate([half, left])


def flipped(points: Points, axis: float = 0.5) -> Points:
    """The same points seen in a mirror standing on x = axis."""
    return points * np.float32([-1, 1]) + np.float32([2 * axis, 0])


def both(points: Points) -> tuple[Points, Points]:
    """The points and their mirror image: a pair of sleeves, legs or collar wings."""
    return points, flipped(points)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360) -> Points:
    """Points of an ellipse or, between two angles in degrees (clockwise from the right), of its arc."""
    angles = np.deg2rad(np.linspace(start, stop, 33))
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], 1).astype(np.float32)


def block(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> Points:
    """A rectangle with rounded corners."""
    c = min(corner, (right - left) / 2, (bottom - top) / 2)
    if c <= 0:
        return path((left, top), (right, top), (right, bottom), (left, bottom))
    return path(
        (left + c, top),
        (right - c, top),
        ((right, top), (right, top + c)),
        (right, bottom - c),
        ((right, bottom), (right - c, bottom)),
        (left + c, bottom),
        ((left, bottom), (left, bottom - c)),
        (left, top + c),
        ((left, top), (left + c, top)),
    )


def spline(points: list[Spot]) -> Points:
    """A Catmull-Rom curve through the points, ends included."""
    knots = np.array([points[0], *points, points[-1]], np.float64)
    t = np.linspace(0, 1, CURVE_STEPS, endpoint=False)[:, None]
    runs = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
    ]
    return np.concatenate([*runs, knots[-1:]]).astype(np.float32)
