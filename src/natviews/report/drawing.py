"""What drawings of a page are made of: SVG elements coloured by the page's CSS classes, and photos as addresses.

Every text passes through `Markup.format`, which escapes it: ids and names come from users' files.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup

JPEG_QUALITY = 82
LONGEST_SHOWN = 192
"""Longest side in px of an embedded photo: sharp at twice the size at which the page shows it."""
Point = tuple[float, float]


def data_uri(picture: np.ndarray) -> str:
    """A photo (H, W, 3) uint8 RGB as a JPEG inside an address, shrunk to at most LONGEST_SHOWN px."""
    height, width = picture.shape[:2]
    scale = LONGEST_SHOWN / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return jpeg_uri(picture, JPEG_QUALITY)


def jpeg_uri(picture: np.ndarray, quality: int) -> str:
    """A picture (H, W, 3) uint8 RGB as a JPEG inside an address, as large as it is."""
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` + 1 round numbers that enclose [low, high], evenly spaced by 1, 2 or 5 times 10^k."""
    span = high - low if high > low else max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (1, 2, 5, 10, 20):
        first, last = math.floor(low / (step * power) + 1e-9), math.ceil(high / (step * power) - 1e-9)
        if last - first <= most:
            break
    last = max(last, first + 1)
    return [round(i * step * power, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Axis:
    """Maps [low, high] onto the drawing's [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def stroke(kind: str, start: Point, end: Point, more: Markup | str = "") -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"{}/>').format(
        kind, *start, *end, more
    )


def written(kind: str, x: float, y: float, text: str, *, anchor: str = "middle") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def svg(title: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {:g} {:g}" role="img"><title>{}</title>{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
