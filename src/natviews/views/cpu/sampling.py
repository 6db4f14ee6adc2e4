"""Sampling, compiled: from levels of pictures to a view's pixels, anti-aliased, each photo read once.

A pixel is one uint32 of four bytes (red lowest, then green, blue, alpha). Sums over pixels are taken for two
bytes at once: bytes two apart stand in the 16-bit halves of the integer, and weights of 8 bits that sum to 256
cannot carry from one into the other. Loops are split so that each either fetches or computes: the compiler
then makes the computing ones wide (measured: 2.5 times OpenCV's warp of the same picture).
"""

import numpy as np
from numba import types

from natviews.views.compiled import EVEN, OPAQUE, compiled, odd, unaligned

WIDE = 32
"""Pixels that the compiled loops take at once: a row is sampled in multiples of them."""

F = np.float32
HORIZON = F(1e-6)
"""What is nearer to the horizon is as far away as it: a place that is no number has no pixels."""
HALF = np.uint32(0x00800080)

_pair = unaligned(64, types.uint64)
"""Pixel `index` of an array of uint32 and the one after it."""
_three_bytes = unaligned(32, types.uint32)
"""The three bytes of a pixel from byte `index` of an array of bytes on, and one byte more."""


@compiled
def _taps(start, step, count, limit, first, weights):
    """The weights of a triangle filter as wide as the shrinking: torchvision's anti-aliased bilinear.

    Output i has its centre at start + (i + 0.5) step in a line of `limit` px; it is the sum of the pixels
    from `first[i]` on with `weights[i]` (in 256ths, together 256).
    """
    wide = max(1.0, abs(step))
    shares = np.empty(weights.shape[1])
    for i in range(count):
        centre = min(max(start + (i + 0.5) * step, 0.0), float(limit))
        low = min(max(int(centre - wide + 0.5), 0), limit - 1)
        high = max(min(int(centre + wide + 0.5), limit), low + 1)
        total = 0.0
        for k in range(len(shares)):
            share = max(0.0, 1.0 - abs(low + k + 0.5 - centre) / wide) if low + k < high else 0.0
            shares[k] = share
            total += share
        left, largest = 256, 0
        for k in range(len(shares)):
            weight = int(shares[k] / total * 256 + 0.5) if total > 0 else 256 * (k == 0)
            weights[i, k] = weight
            left -= weight
            if shares[k] > shares[largest]:
                largest = k
        weights[i, largest] += left
        first[i] = low


@compiled
def _blend_rows(source, begin, first, weights, sums, out):
    """out[i, :wide] is the weighted sum of rows from first[i] on, of the bytes of `source` from `begin` on."""
    last, wide = len(source) - 1, len(sums)
    for i in range(len(out)):
        row = out[i]
        for k in range(0, weights.shape[1], 2):
            w, v = weights[i, k], weights[i, k + 1]
            if k > 0 and w == 0 and v == 0:
                continue
            a = source[min(first[i] + k, last)][begin : begin + wide]
            b = source[min(first[i] + k + 1, last)][begin : begin + wide]
            if k == 0:
                for j in range(wide):
                    sums[j] = np.uint16(128 + w * a[j] + v * b[j])
            else:
                for j in range(wide):
                    sums[j] = np.uint16(sums[j] + w * a[j] + v * b[j])
        for j in range(wide):
            row[j] = np.uint8(sums[j] >> 8)


@compiled
def _turn_over(source, out):
    """Rows become columns."""
    for x in range(len(out)):
        column = out[x]
        for y in range(len(column)):  # storing in a row and reading down is five times as fast as the reverse
            column[y] = source[y, x]


@compiled
def _turn_over_bytes(source, length, out):
    """Rows of three bytes a pixel, `length` bytes apart, become columns of whole pixels."""
    for x in range(len(out)):
        column = out[x]
        for y in range(len(column)):
            column[y] = _three_bytes(source, y * length + 3 * x) | OPAQUE


@compiled
def resample(photo, start_x, step_x, start_y, step_y, scratch, out):
    """The part of a photo (H, W * 3) uint8 along its axes, as `out` (h, w): anti-aliased; steps below 0 mirror.

    Rows are summed twice, with the picture turned over in between: sums of whole rows are wide.
    """
    height, width = out.shape
    tall, broad = len(photo), photo.shape[1] // 3
    rows = np.empty(height, np.int64)
    columns = np.empty(width, np.int64)
    row_weights = np.zeros((height, 2 * (int(abs(step_y)) + 2)), np.uint16)
    column_weights = np.zeros((width, 2 * (int(abs(step_x)) + 2)), np.uint16)
    _taps(start_y, step_y, height, tall, rows, row_weights)
    _taps(start_x, step_x, width, broad, columns, column_weights)
    left = min(columns[0], columns[-1])
    right = min(max(columns[0], columns[-1]) + column_weights.shape[1], broad)
    columns -= left
    part = right - left
    sums = np.empty(max(3 * part, 4 * height), np.uint16)
    behind = height * max(part, width) + 1  # one more: the last pixel's fourth byte is read
    short = scratch[:behind].view(np.uint8)
    turned = scratch[behind : behind + height * part].reshape(part, height)
    small = scratch[: width * height].reshape(width, height)
    short_rows = short[: height * 3 * part].reshape(height, 3 * part)
    _blend_rows(photo, 3 * left, rows, row_weights, sums[: 3 * part], short_rows)
    _turn_over_bytes(short, 3 * part, turned)
    _blend_rows(turned.view(np.uint8), 0, columns, column_weights, sums[: 4 * height], small.view(np.uint8))
    _turn_over(small, out)


@compiled
def paint(level, scale, through, clip, clipped, opacity, by_alpha, repeat, ground, undermost, out):
    """Paints a level over `out` (h, w) through a homography, where it and its clip reach.

    `through` (9,) maps out's px to the source's, `scale` (2,) those to the level's; `clip` (9,) maps out's px
    to the unit square. `opacity` is 0 to 256. The `undermost` layer lies on the colour `ground`.
    """
    height, width = out.shape
    tall, broad = level.shape
    pixels, canvas = level.ravel(), out.ravel()
    below = pixels[broad:]
    room = (width + WIDE - 1) // WIDE * WIDE
    place, x_share, y_share = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint32)
    upper, lower = np.zeros(room, np.uint64), np.zeros(room, np.uint64)
    upper_pixels, lower_pixels = upper.view(np.uint32), lower.view(np.uint32)
    sampled = np.empty(room, np.uint32)
    whole = opacity == 256 and not by_alpha
    edges = np.empty((10, 3))
    known = _add_edges(through, broad / scale[0], tall / scale[1], repeat, edges, 0)
    if clipped:
        known = _add_edges(clip, 1.0, 1.0, False, edges, known)
    for y in range(height):
        row = out[y]
        first, behind = _span(y, edges, known, width)
        count = behind - first
        if undermost:
            # What will be covered wholly needs no ground.
            for x in range(first if whole and count > 0 else width):
                row[x] = ground
        if count <= 0:
            continue
        wide = (count + WIDE - 1) // WIDE * WIDE  # a few pixels too many are cheaper than an odd number
        _coordinates(y, first, wide, through, scale, tall, broad, repeat, place, x_share, y_share)
        for x in range(count):  # in two loops, which is a quarter faster than in one
            upper[x] = _pair(pixels, np.int64(place[x]))
        for x in range(count):
            lower[x] = _pair(below, np.int64(place[x]))
        begin = y * width + first
        if undermost and whole and begin + wide <= len(canvas):
            # Straight to their place: those too many are painted over, by the ground here or with the next rows.
            _bilinear(upper_pixels, lower_pixels, x_share, y_share, wide, canvas[begin:])
            for x in range(behind, width):
                row[x] = ground
            continue
        _bilinear(upper_pixels, lower_pixels, x_share, y_share, wide, sampled)
        seen = row[first:behind]
        if not whole:
            _over(sampled, opacity, by_alpha, seen)
            continue
        for x in range(count):
            seen[x] = sampled[x]
        if undermost:
            for x in range(behind, width):
                row[x] = ground


@compiled
def _add_edges(h, right, bottom, everywhere, edges, known):
    """Adds to the `known` edges (N, 3) those of what lies before the eye and, unless `everywhere`, of what a
    homography maps to within (0, 0) and (right, bottom). Returns how many are known then."""
    known = _add_edge(h[6], h[7], h[8] - HORIZON, edges, known)
    if everywhere:
        return known
    known = _add_edge(h[0], h[1], h[2], edges, known)
    known = _add_edge(right * h[6] - h[0], right * h[7] - h[1], right * h[8] - h[2], edges, known)
    known = _add_edge(h[3], h[4], h[5], edges, known)
    return _add_edge(bottom * h[6] - h[3], bottom * h[7] - h[4], bottom * h[8] - h[5], edges, known)


@compiled
def _add_edge(a, b, c, edges, known):
    """The straight edge of where a x + b y + c is not below 0, as: the side of it in a row (1 right, -1 left), and
    the column where it crosses row y, slope * y + start. Where no row crosses it, 0, b and c."""
    edges[known] = (0.0, b, c) if a == 0 else (1.0 if a > 0 else -1.0, -b / a, -c / a)
    return known + 1


@compiled
def _span(y, edges, known, width):
    """The columns of row y, the first and the one behind the last, whose middles no edge cuts off."""
    first, behind = 0, width
    for i in range(known):
        side = edges[i, 0]
        crossing = edges[i, 1] * (y + 0.5) + edges[i, 2]
        column = min(max(crossing - 0.5, -1.0), width + 1.0)
        if side > 0:
            first = max(first, int(np.ceil(column)))
        elif side < 0:
            behind = min(behind, int(np.floor(column)) + 1)
        elif crossing < 0:
            behind = 0
    return min(first, width), max(behind, 0)


@compiled
def _coordinates(y, first, count, h, scale, tall, broad, repeat, place, x_share, y_share):
    """Where `count` pixels of row y from column `first` on lie: the upper left of four, the others' shares."""
    middle, begin = y + 0.5, F(first) + F(0.5)
    across, down = 256 * scale[0], 256 * scale[1]  # in 256ths of a level's px
    a, u0 = F(h[0] * across), F((h[1] * middle + h[2]) * across)
    b, v0 = F(h[3] * down), F((h[4] * middle + h[5]) * down)
    c, w0 = F(h[6]), F(h[7] * middle + h[8])
    period_x, period_y = F(256 * broad), F(256 * tall)
    farthest_x, farthest_y = F(256 * (broad - 1)), F(256 * (tall - 1))
    last_x, last_y = np.int32(broad - 2), np.int32(tall - 2)
    for x in range(count):
        xx = F(np.int32(x)) + begin
        over = F(1) / max(c * xx + w0, HORIZON)
        u, v = (a * xx + u0) * over, (b * xx + v0) * over
        if repeat:
            u -= period_x * np.floor(u / period_x)
            v -= period_y * np.floor(v / period_y)
        right = np.int32(min(max(u - F(128), F(0)), farthest_x))
        below = np.int32(min(max(v - F(128), F(0)), farthest_y))
        left, top = min(np.int32(right >> 8), last_x), min(np.int32(below >> 8), last_y)
        place[x] = np.uint32(top * np.int32(broad) + left)
        x_share[x] = np.uint32(right - np.int32(left << 8))
        y_share[x] = np.uint32(below - np.int32(top << 8))


@compiled
def _bilinear(upper, lower, x_share, y_share, count, row):
    """Four pixels into one, `count` times; `upper` and `lower` hold a pixel and then its right neighbour."""
    for x in range(count):
        right, down = x_share[x], y_share[x]
        a, b, c, d = upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]
        even_a, even_b = _mixed(a & EVEN, c & EVEN, down), _mixed(b & EVEN, d & EVEN, down)
        odd_a, odd_b = _mixed(odd(a), odd(c), down), _mixed(odd(b), odd(d), down)
        evens, odds = _mixed(odd(even_a), odd(even_b), right), _mixed(odd(odd_a), odd(odd_b), right)
        row[x] = odd(evens) | np.uint32(odds & ~EVEN)


@compiled
def _mixed(one, other, share):
    """one + (other - one) share of the even bytes, rounded, in the places of the odd ones.

    What one half of the integer borrows from the other in the difference, the sum pays back.
    """
    difference = np.uint32(np.uint32(other - one) * share)
    return np.uint32(np.uint32(np.uint32(one << np.uint32(8)) + difference) + HALF)


@compiled
def _over(sampled, opacity, by_alpha, row):
    """Paints a row over another, by `opacity` and, where asked, by its own alpha."""
    for x in range(len(row)):
        new, old = sampled[x], row[x]
        share = np.uint32(opacity)
        if by_alpha:
            alpha = np.uint32(new >> np.uint32(24))
            share = np.uint32((share * np.uint32(alpha + (alpha >> np.uint32(7)))) >> np.uint32(8))
        evens, odds = _mixed(old & EVEN, new & EVEN, share), _mixed(odd(old), odd(new), share)
        row[x] = odd(evens) | np.uint32(odds & ~EVEN)
