"""Halving of photos, compiled: a photo's first reads all of its pixels."""

import numpy as np

from natviews.views.compiled import OPAQUE, compiled, store_pixel, three_bytes


def halved_evenly(photo: np.ndarray, channels: int) -> np.ndarray:
    """A photo (H, W, 3) uint8 of even sides as (H / 2, W / 2, channels) uint8, with four channels opaque: means of
    four pixels."""
    height, width = photo.shape[:2]
    half = np.empty(height // 2 * (width // 2) * channels + 1, np.uint8)  # one more: whole pixels are stored
    _halve(photo.reshape(height, 3 * width), channels, half)
    return half[:-1].reshape(height // 2, width // 2, channels)


@compiled
def _halve(photo, channels, out):
    """A photo (2 h, 2 w * 3) uint8 as `out`, flat: (h, w, channels) uint8 and one byte more.

    Means are taken from every byte on, though of six only three begin a pixel: without gaps the sums are wide.
    """
    height, width = len(photo) // 2, photo.shape[1] // 6
    used = 6 * width - 3
    means = np.empty(used + 1, np.uint8)  # one more: the last pixel's fourth byte is read
    for y in range(height):
        upper, lower = photo[2 * y], photo[2 * y + 1]
        upper_right, lower_right = upper[3:], lower[3:]
        for j in range(used):
            lefts, rights = np.uint16(upper[j]) + lower[j], np.uint16(upper_right[j]) + lower_right[j]
            means[j] = np.uint8(np.uint16(lefts + rights + 2) >> 2)
        row = out[y * width * channels :]
        for x in range(width):
            store_pixel(row, channels * x, three_bytes(means, 6 * x) | OPAQUE)  # a byte too many is stored over
