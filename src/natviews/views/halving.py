"""The first halving of a photo, compiled: the one that reads all of its pixels."""

import numpy as np
from numba import types

from natviews.views.compiled import compiled, unaligned

OPAQUE = np.uint32(0xFF000000)
_pixel = unaligned(32, types.uint32)
"""The three bytes of a pixel from byte `index` on, and one byte more."""


def halved_rgba(photo: np.ndarray) -> np.ndarray:
    """A photo (H, W, 3) uint8 of even sides as (H / 2, W / 2, 4) uint8, opaque: means of four pixels."""
    height, width = photo.shape[:2]
    half = np.empty((height // 2, width // 2), np.uint32)
    _halve(photo.reshape(height, 3 * width), half)
    return half[..., None].view(np.uint8)


@compiled
def _halve(photo, out):
    """A photo (2 h, 2 w * 3) uint8 as `out` (h, w) uint32.

    Means are taken from every byte on, though of six only three begin a pixel: without gaps the sums are wide.
    """
    height, width = out.shape
    used = 6 * width - 3
    means = np.empty(used + 1, np.uint8)  # one more: the last pixel's fourth byte is read
    for y in range(height):
        row, upper, lower = out[y], photo[2 * y], photo[2 * y + 1]
        upper_right, lower_right = upper[3:], lower[3:]
        for j in range(used):
            lefts, rights = np.uint16(upper[j]) + lower[j], np.uint16(upper_right[j]) + lower_right[j]
            means[j] = np.uint8(np.uint16(lefts + rights + 2) >> 2)
        for x in range(width):
            row[x] = _pixel(means, 6 * x) | OPAQUE
