"""Plane geometry as tuples of nine floats: drawing a view must take microseconds, and numpy's calls take more.

A homography (a b c, d e f, g h i) maps a point (x, y) to ((ax + by + c) / w, (dx + ey + f) / w) with
w = gx + hy + i.
"""

import math
from typing import NamedTuple, TypeAlias

Homography: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]
IDENTITY: Homography = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
MIRROR: Homography = (-1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""Left and right of the unit square exchanged."""


class Window(NamedTuple):
    """A box in px; `right` and `bottom` lie outside."""

    left: float
    top: float
    right: float
    bottom: float


def after(second: Homography, first: Homography) -> Homography:
    """The product: first one, then the other."""
    a, b, c, d, e, f, g, h, i = second
    j, k, l, m, n, o, p, q, r = first  # noqa: E741 (a matrix's letters)
    return (
        a * j + b * m + c * p, a * k + b * n + c * q, a * l + b * o + c * r,
        d * j + e * m + f * p, d * k + e * n + f * q, d * l + e * o + f * r,
        g * j + h * m + i * p, g * k + h * n + i * q, g * l + h * o + i * r,
    )  # fmt: skip


def inverse(homography: Homography) -> Homography:
    """Scaled so that its last number is 1; the adjugate over its last cofactor."""
    a, b, c, d, e, f, g, h, i = homography
    last = a * e - b * d
    return (
        (e * i - f * h) / last, (c * h - b * i) / last, (b * f - c * e) / last,
        (f * g - d * i) / last, (a * i - c * g) / last, (c * d - a * f) / last,
        (d * h - e * g) / last, (b * g - a * h) / last, 1.0,
    )  # fmt: skip


def applied(homography: Homography, x: float, y: float) -> tuple[float, float]:
    """Where a point goes."""
    a, b, c, d, e, f, g, h, i = homography
    w = g * x + h * y + i
    return (a * x + b * y + c) / w, (d * x + e * y + f) / w


def scaling(x: float, y: float) -> Homography:
    return (x, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 1.0)


def in_pixels(transform: Homography, size: tuple[int, int]) -> Homography:
    """A transform of the unit square as one of a picture of `size` (height, width) px."""
    a, b, c, d, e, f, g, h, i = transform
    height, width = size
    return (
        a, b * width / height, c * width,
        d * height / width, e, f * height,
        g / width, h / height, i,
    )  # fmt: skip


def onto(window: Window) -> Homography:
    """From the unit square to a window."""
    left, top, right, bottom = window
    return (right - left, 0.0, left, 0.0, bottom - top, top, 0.0, 0.0, 1.0)


def rotation(angle: float, size: tuple[int, int]) -> Homography:
    """A turn by `angle` radians about the middle of a picture of `size` (height, width), in its unit square."""
    height, width = size
    cos, sin = math.cos(angle), math.sin(angle)
    b, d = -sin * height / width, sin * width / height
    return (cos, b, 0.5 - 0.5 * (cos + b), d, cos, 0.5 - 0.5 * (d + cos), 0.0, 0.0, 1.0)


def quad(corners: tuple[tuple[float, float], ...]) -> Homography:
    """From the unit square to a quadrilateral: its corners top left, top right, bottom right, bottom left.

    Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    scale = dx1 * dy2 - dx2 * dy1
    g, h = (dx3 * dy2 - dx2 * dy3) / scale, (dx1 * dy3 - dx3 * dy1) / scale
    return (x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, 1.0)
