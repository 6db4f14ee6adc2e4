"""Arrays of pixels by their role, and drawing into them to a fraction of a pixel.

OpenCV's annotations do not keep the element type, so the aliases name it in words only.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[Any]
"""float32, (n, n) or (n, n, channels); colours are blue-green-red in 0..255, shares are in [0, 1]."""

Picture: TypeAlias = npt.NDArray[Any]
"""uint8, (n, n, 4): a cut-out product, blue-green-red premultiplied by the opacity, then the opacity."""

Pixels: TypeAlias = npt.NDArray[Any]
"""uint8, (n, n, 3), blue-green-red."""

Mask: TypeAlias = npt.NDArray[Any]
"""uint8, (n, n), 255 where something is."""

SUBPIXELS = 4
"""Binary places that OpenCV keeps of a coordinate."""


def fixed(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Points (n, 2) in pixels as the fixed-point numbers that OpenCV wants."""
    return np.round(points * 2**SUBPIXELS).astype(np.int32)


def fill(image: npt.NDArray[Any], points: npt.NDArray[Any], colour: float | tuple[float, ...] = 255) -> None:
    """Fill a polygon given in pixels, with soft edges; `image` must be uint8."""
    value = colour if isinstance(colour, tuple) else (colour,)
    cv2.fillPoly(image, [fixed(points)], value, cv2.LINE_AA, SUBPIXELS)


def fill_disc(image: npt.NDArray[Any], x: float, y: float, radius: float, value: int = 255) -> None:
    """Fill a circle given in pixels, with soft edges; `image` must be uint8."""
    scale = 2**SUBPIXELS
    centre = (round(x * scale), round(y * scale))
    cv2.circle(image, centre, round(radius * scale), (value,), -1, cv2.LINE_AA, SUBPIXELS)


def spread(plane: Plane, channels: int = 3) -> Plane:
    """The plane once per channel: several times faster than broadcasting over a last axis of three."""
    return cv2.merge([plane] * channels)


def tinted(light: Plane, colour: Plane) -> Plane:
    """Light (n, n) on one colour (3,): (n, n, 3)."""
    return cv2.merge([light * level for level in colour])
