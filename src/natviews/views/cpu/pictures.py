"""A picture ready to be sampled: RGBA levels, each half as large as the one before, made as they are needed."""

import math
from functools import cached_property, lru_cache

import cv2
import numpy as np

from natviews.views.foreground import matte
from natviews.views.generated import drawn
from natviews.views.view import Drawn


class Picture:
    """Levels of a photo (H, W, 3) or picture (H, W, 4), uint8. The array is neither copied whole nor changed.

    The fourth channel says how much of each pixel is painted where a layer is cut out; for a photo it is the
    product's matte, found when it is first asked for.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self._levels: dict[tuple[int, bool], np.ndarray] = {}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.pixels.shape[:2]

    def level(self, number: int, cut_out: bool = False) -> np.ndarray:
        """(h, w) uint32 RGBA, at least 2 x 2; level 0 is the picture itself."""
        key = (number, cut_out and self.pixels.shape[2] == 3)
        if key not in self._levels:
            self._levels[key] = self._halved(number, cut_out) if number else self._whole(cut_out)
        return self._levels[key]

    def _whole(self, cut_out: bool) -> np.ndarray:
        if self.pixels.shape[2] == 4:
            rgba = np.ascontiguousarray(self.pixels)
        else:
            rgba = cv2.cvtColor(self.pixels, cv2.COLOR_RGB2RGBA)
            if cut_out:
                rgba[..., 3] = matte(self.pixels)
        height, width = self.size
        if min(height, width) < 2:  # sampling reads four pixels at a time
            rgba = cv2.copyMakeBorder(rgba, 0, int(height < 2), 0, int(width < 2), cv2.BORDER_REPLICATE)
        return rgba.view(np.uint32)[..., 0]

    def _halved(self, number: int, cut_out: bool) -> np.ndarray:
        above = self.level(number - 1, cut_out)
        height, width = above.shape
        size = (max(2, width // 2), max(2, height // 2))
        rgba = above.view(np.uint8).reshape(height, width, 4)
        return cv2.resize(rgba, size, interpolation=cv2.INTER_AREA).view(np.uint32)[..., 0]

    def deepest(self) -> int:
        """The number of the last level of more than a few pixels."""
        return max(0, int(math.log2(max(1, min(self.size)))) - 2)

    @cached_property
    def border(self) -> int:
        """The mean colour of the outermost pixels, as a uint32."""
        pixels = self.pixels[..., :3]
        edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        red, green, blue = (round(float(level)) for level in edges.mean(axis=0))
        return red | green << 8 | blue << 16 | 255 << 24


@lru_cache(maxsize=512)
def drawn_picture(source: Drawn) -> Picture:
    """A generated picture, ready to be sampled."""
    return Picture(drawn(source))
