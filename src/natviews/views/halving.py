"""Halving of photos, compiled: a photo's first reads all of its pixels."""

import numpy as np

from natviews.views.compiled import EVEN, LINE, OPAQUE, ask_for, compiled, odd, store_pixel, three_bytes


def halved_evenly(photo: np.ndarray, channels: int) -> np.ndarray:
    """A photo (H, W, 3) or picture (H, W, 4) uint8 of even sides as (H / 2, W / 2, channels) uint8: means of four
    pixels. Four channels of a photo are opaque."""
    height, width = photo.shape[0] // 2, photo.shape[1] // 2
    if photo.shape[2] == 4:
        whole = np.empty((height, width), np.uint32)
        _halve_pixels(photo.view(np.uint32)[..., 0], whole)
        return whole[..., None].view(np.uint8)
    half = np.empty(height * width * channels + 1, np.uint8)  # one more: whole pixels are stored
    _halve(photo.reshape(2 * height, 6 * width), channels, half)
    return half[:-1].reshape(height, width, channels)


@compiled
def _halve_pixels(picture, out):
    """A picture (2 h, 2 w) uint32 as `out` (h, w)."""
    for y in range(len(out)):
        upper, lower, row = picture[2 * y], picture[2 * y + 1], out[y]
        for x in range(len(row)):
            a, b, c, d = upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]
            evens = _mean(a & EVEN, b & EVEN, c & EVEN, d & EVEN)
            row[x] = evens | np.uint32(_mean(odd(a), odd(b), odd(c), odd(d)) << np.uint32(8))


@compiled
def _mean(a, b, c, d):
    """Of the even bytes of four."""
    total = np.uint32(np.uint32(a + b) + np.uint32(c + d))
    return np.uint32(np.uint32(total + np.uint32(0x00020002)) >> np.uint32(2)) & EVEN


@compiled
def _halve(photo, channels, out):
    """A photo (2 h, 2 w * 3) uint8 as `out`, flat: (h, w, channels) uint8 and one byte more.

    Means are taken from every byte on, though of six only three begin a pixel: without gaps the sums are wide.
    """
    height, width = len(photo) // 2, photo.shape[1] // 6
    used = 6 * width - 3
    means = np.empty(used + 1, np.uint8)  # one more: the last pixel's fourth byte is read
    pixels, length = photo.ravel(), 2 * photo.shape[1]
    for y in range(height):
        for j in range((y + 1) * length, (y + 2) * length, LINE):  # asking beyond the end does no harm
            ask_for(pixels, j)  # measured: else half of the time is spent waiting for memory
        upper, lower = photo[2 * y], photo[2 * y + 1]
        upper_right, lower_right = upper[3:], lower[3:]
        for j in range(used):
            lefts, rights = np.uint16(upper[j]) + lower[j], np.uint16(upper_right[j]) + lower_right[j]
            means[j] = np.uint8(np.uint16(lefts + rights + 2) >> 2)
        row = out[y * width * channels :]
        for x in range(width):
            store_pixel(row, channels * x, three_bytes(means, 6 * x) | OPAQUE)  # a byte too many is stored over
