"""Halving of photos, compiled: a photo's first reads all of its pixels."""

import numpy as np

from natviews.views.compiled import EVEN, LINE, OPAQUE, ask_for, compiled, odd


def halved_evenly(photo: np.ndarray, channels: int) -> np.ndarray:
    """A photo (H, W, 3) or picture (H, W, 4) uint8 of even sides as (H / 2, W / 2, channels) uint8: means of four
    pixels. Four channels of a photo are opaque."""
    height, width = photo.shape[0] // 2, photo.shape[1] // 2
    half = np.empty((height, width, channels), np.uint8)
    if photo.shape[2] == 4:
        _halve_pixels(photo.view(np.uint32)[..., 0], half.view(np.uint32)[..., 0])
    elif channels == 4:
        _halve(photo.reshape(2 * height, 6 * width), half.view(np.uint32)[..., 0])
    else:
        _halve(photo.reshape(2 * height, 6 * width), half.reshape(height, 3 * width))
    return half


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
def _higher_mean(a, b):
    """(a + b + 1) // 2 of bytes."""
    return np.uint8(np.uint8(a | b) - np.uint8(np.uint8(a ^ b) >> np.uint8(1)))


@compiled
def _halve(photo, out):
    """A photo (2 h, 2 w * 3) uint8 as `out`: (h, w * 3) uint8, or opaque pixels (h, w) uint32.

    Means are taken from every byte on, though of six only three begin a pixel: without gaps the loop is wide. A
    mean of four is the mean of two means, less one where both steps rounded up: no sum needs more than a byte.
    """
    height, width = len(photo) // 2, photo.shape[1] // 6
    means = np.empty(6 * width - 3, np.uint8)
    pixels, length = photo.ravel(), 2 * photo.shape[1]
    for y in range(height):
        for j in range((y + 1) * length, (y + 2) * length, LINE):  # asking beyond the end does no harm
            ask_for(pixels, j)  # measured: else half of the time is spent waiting for memory
        upper, lower = photo[2 * y], photo[2 * y + 1]
        upper_right, lower_right = upper[3:], lower[3:]
        for j in range(len(means)):
            a, b, c, d = upper[j], lower[j], upper_right[j], lower_right[j]
            left, right = _higher_mean(a, b), _higher_mean(c, d)
            rounded_up = np.uint8(np.uint8(a ^ b) | np.uint8(c ^ d)) & np.uint8(left ^ right) & np.uint8(1)
            means[j] = np.uint8(_higher_mean(left, right) - rounded_up)
        row = out[y]
        if out.itemsize == 4:
            for x in range(width):
                red, green, blue = (
                    np.uint32(means[6 * x]),
                    np.uint32(means[6 * x + 1]),
                    np.uint32(means[6 * x + 2]),
                )
                row[x] = red | np.uint32(green << np.uint32(8)) | np.uint32(blue << np.uint32(16)) | OPAQUE
        else:
            for x in range(width):
                row[3 * x] = means[6 * x]
                row[3 * x + 1] = means[6 * x + 1]
                row[3 * x + 2] = means[6 * x + 2]
