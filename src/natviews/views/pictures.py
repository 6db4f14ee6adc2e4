"""Pictures as both renderers sample them: levels, each half as large as the one before, and which to take."""

import math
from functools import cached_property, lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from natviews.views.compiled import OPAQUE, compiled
from natviews.views.foreground import Foreground, foreground
from natviews.views.generated import drawn
from natviews.views.geometry import Homography
from natviews.views.halving import halved_evenly
from natviews.views.view import Drawn, Layer

MOST_SHRUNK = 2.0
"""How much a level is shrunk at most by the exact filter of crops; what is beyond, the levels take."""
WARP_SHRUNK = math.sqrt(2)
"""The same where a photo is turned or tilted, and sampled at four pixels."""


class Picture:
    """Levels of a photo (H, W, 3) or picture (H, W, 4), uint8. The array is neither copied whole nor changed.

    The fourth channel says how much of each pixel is painted where a layer is cut out; for a photo it is the
    matte of its `product`, which is found when first asked for unless it is given.
    """

    def __init__(self, pixels: np.ndarray, product: Foreground | None = None) -> None:
        self.pixels = pixels
        self.product = product
        self._levels: dict[int, np.ndarray] = {}
        self._rgba: dict[tuple[int, bool], np.ndarray] = {}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.pixels.shape[:2]

    def level(self, number: int) -> np.ndarray:
        """(h, w, 3) uint8 of a photo, contiguous; level 0 is the photo itself."""
        if number not in self._levels:
            self._levels[number] = _halved(self.level(number - 1)) if number else np.ascontiguousarray(self.pixels)
        return self._levels[number]

    def rgba(self, number: int, cut_out: bool = False) -> np.ndarray:
        """(h, w) uint32 RGBA, at least 2 x 2, of a level."""
        if (number, cut_out) not in self._rgba:
            self._rgba[number, cut_out] = self._as_rgba(number, cut_out)
        return self._rgba[number, cut_out]

    def _as_rgba(self, number: int, cut_out: bool) -> np.ndarray:
        opaque = not cut_out and self.pixels.shape[2] == 3
        if number == 1 and opaque and _is_even(self.pixels):
            rgba = halved_evenly(self.level(0), 4)  # as below, in half the time
        elif number:
            rgba = _halved(self.rgba(number - 1, cut_out)[..., None].view(np.uint8))
        elif opaque:
            rgba = cv2.cvtColor(self.level(0), cv2.COLOR_RGB2RGBA)
        else:
            rgba = np.dstack([self.pixels[..., :3], self.alpha])
        height, width = rgba.shape[:2]
        if min(height, width) < 2:  # sampling reads four pixels at a time
            rgba = cv2.copyMakeBorder(rgba, 0, int(height < 2), 0, int(width < 2), cv2.BORDER_REPLICATE)
        return rgba.view(np.uint32)[..., 0]

    @property
    def alpha(self) -> np.ndarray:
        """(H, W) uint8, how much of each pixel is painted where the picture is cut out."""
        if self.pixels.shape[2] == 4:
            return self.pixels[..., 3]
        return (self.product or foreground(self.pixels, busy="keep")).matte

    @cached_property
    def deepest(self) -> int:
        """The number of the last level of more than a few pixels."""
        return max(0, min(self.size).bit_length() - 3)

    @cached_property
    def border(self) -> int:
        """The mean colour of every fourth outermost pixel, as a uint32."""
        return int(_mean_of_border(self.pixels, 4))  # each of a column has to be fetched from memory by itself


def picture_of(photo: np.ndarray | Picture) -> Picture:
    """A photo as a picture. Raises ValueError where it is not (H, W, 3) uint8: compiled code would read what lies
    beside it in memory, or take shares of white for levels."""
    if isinstance(photo, Picture):
        return photo
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or not photo.size:
        raise ValueError(f"a photo must be (H, W, 3) uint8 RGB, not {photo.dtype} {photo.shape}")
    return Picture(photo)


@compiled
def _mean_of_border(pixels, step):
    """The mean colour of every so many-th pixel of the first and last rows and columns, as a uint32."""
    height, width = pixels.shape[:2]
    sums, count = np.zeros(3, np.int64), 0
    for y in (0, height - 1):
        for x in range(0, width, step):
            count += 1
            for c in range(3):
                sums[c] += pixels[y, x, c]
    for x in (0, width - 1):
        for y in range(0, height, step):
            count += 1
            for c in range(3):
                sums[c] += pixels[y, x, c]
    red, green, blue = (sums + count // 2) // count
    return np.uint32(red | green << 8 | blue << 16) | OPAQUE


def _halved(level: np.ndarray) -> np.ndarray:
    height, width, channels = level.shape
    if _is_even(level):
        return halved_evenly(level, channels)  # the same pixels in less time
    return cv2.resize(level, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)


def _is_even(level: np.ndarray) -> bool:
    """Whether a half of it is made of whole pixels."""
    return level.shape[0] % 2 == level.shape[1] % 2 == 0


@lru_cache(maxsize=256)
def drawn_picture(source: Drawn) -> Picture:
    """A generated picture, ready to be sampled."""
    return Picture(drawn(source))


class Sampled(NamedTuple):
    """Which level of a picture a layer is sampled from, and whether by the exact filter of upright crops."""

    level: int
    is_crop: bool


def sampled(layer: Layer, picture: Picture, size: tuple[int, int], *, undermost: bool) -> Sampled:
    """How a layer of a view of `size` (height, width) px is sampled; a crop only where nothing lies beneath."""
    is_crop = undermost and _is_plain_crop(layer, picture, size)
    most = MOST_SHRUNK if is_crop else WARP_SHRUNK
    shrunk = _shrunk(layer.homography, size)
    if shrunk <= most:
        return Sampled(0, is_crop)
    return Sampled(min(math.ceil(math.log2(shrunk / most)), picture.deepest), is_crop)


def _is_plain_crop(layer: Layer, picture: Picture, size: tuple[int, int]) -> bool:
    """Whether a layer shows a part of its picture along its axes and nothing from outside."""
    a, b, c, d, e, f, g, h, i = layer.homography
    if b or d or g or h or layer.clip or layer.opacity != 1 or layer.cut_out or layer.repeat:
        return False
    if picture.pixels.shape[2] == 4:  # translucent: something is to be seen beneath
        return False
    height, width = picture.size
    return (
        -0.01 <= c / i <= width + 0.01
        and -0.01 <= (c + a * size[1]) / i <= width + 0.01
        and -0.01 <= f / i <= height + 0.01
        and -0.01 <= (f + e * size[0]) / i <= height + 0.01
    )


def _shrunk(homography: Homography, size: tuple[int, int]) -> float:
    """How many px of the source a px of the view's middle covers along a side: the root of the area."""
    a, b, c, d, e, f, g, h, i = homography
    x, y = size[1] / 2, size[0] / 2
    w = g * x + h * y + i
    u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    return math.sqrt(abs((a - g * u) * (e - h * v) - (b - h * u) * (d - g * v))) / abs(w)
