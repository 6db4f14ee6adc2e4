"""Vector drawings: what a product looks like before it has colour, as a stack of layers.

All coordinates are in the unit square, x to the right and y downwards; widths are in the same unit.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[Any]
"""A run of points, float32 (n, 2), in the unit square."""

Spot: TypeAlias = tuple[float, float]

Segment: TypeAlias = Spot | tuple[Spot, ...]
"""Where a path goes next: straight to a spot, or by a curve's controls to its end."""

Paint = Literal["pattern", "main", "second", "third", "inner", "dark", "light", "silver", "gold", "oak", "walnut"]
Form = Literal["flat", "soft", "round"]

CURVE_STEPS = 14


@dataclass(frozen=True)
class Part:
    """A filled area.

    `turn` rotates the pattern in degrees; `form` chooses the shading: flat, soft like a filled bag,
    round like something from a lathe; `gloss` in [0, 1] is the strength of the highlight;
    `tone` scales the lightness.
    """

    outline: Points
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
    """A line that only changes the lightness of what is below it.

    A `strength` above 0 darkens, one below 0 lightens; a `dash` above 0 is the length of a stitch.
    """

    points: Points
    width: float = 0.004
    strength: float = 0.35
    dash: float = 0.0


Layer: TypeAlias = Part | Line | Seam

Drawing: TypeAlias = list[Layer]


def path(*segments: Segment) -> Points:
    """Points from a first spot along straight runs (a spot) and Bézier curves (controls and end spot)."""
    runs: list[npt.NDArray[Any]] = []
    steps = np.linspace(0, 1, CURVE_STEPS + 1)[1:, None]
    for segment in segments:
        knots = np.array(segment, np.float64).reshape(-1, 2)
        if len(knots) > 1:
            knots = np.concatenate([runs[-1][-1:], knots])[:, None, :]
            for _ in segment:  # de Casteljau: blend neighbours until one point per step is left
                knots = knots[:-1] * (1 - steps) + knots[1:] * steps
            knots = knots[0]
        runs.append(knots)
    return np.concatenate(runs).astype(np.float32)


def mirrored(half: Points, axis: float = 0.5) -> Points:
    """A closed outline from its right half, which runs from the top of the axis to its bottom."""
    left = half[::-1] * np.array([-1, 1], np.float32) + np.array([2 * axis, 0], np.float32)
    return np.concatenate([half, left])


def flipped(points: Points, axis: float = 0.5) -> Points:
    """The same points seen in a mirror standing on x = axis."""
    return points * np.array([-1, 1], np.float32) + np.array([2 * axis, 0], np.float32)


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
