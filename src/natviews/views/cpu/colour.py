"""Colour steps and blur, compiled: in exact sequence, on a stretch of a view that stays in the nearest cache.

A stretch is taken apart into three float32 planes, the steps run over them in their order, and it is put together
again. Levels are 0 to 255 and clamped after every step, as torchvision clamps. They are rounded at the end,
and before a contrast or a blur, which need the whole picture.
"""

import numpy as np

from natviews.views.compiled import compiled

F = np.float32
STRETCH = 1024
"""Pixels that are changed together: three planes fit the nearest cache, and few are left over by wide steps."""
RED, GREEN, BLUE = F(0.299), F(0.587), F(0.114)
"""ITU-R BT.601's luminance, as torchvision and Pillow have it."""

CODES = {name: i for i, name in enumerate(
    ("brightness", "contrast", "saturation", "hue", "grey", "gains", "solarise", "blur")
)}  # fmt: skip
BRIGHTNESS, CONTRAST, SATURATION, HUE, GREY, GAINS, SOLARISE, BLUR = range(8)


@compiled
def develop(picture, steps, scratch):
    """Runs steps (N, 4), each a code and its amounts, over a picture (h, w) uint32, in place."""
    planes = np.empty((3, STRETCH), np.float32)
    begin, end = 0, len(steps)
    for i in range(end + 1):
        contrast, blur = i < end and steps[i, 0] == CONTRAST, i < end and steps[i, 0] == BLUR
        if i < end and not contrast and not blur:
            continue
        mean = F(0)
        if begin < i or contrast:
            mean = _run(picture, steps, begin, i, contrast, planes)
        if contrast:
            steps[i, 2] = mean
            begin = i  # it runs with the steps after it
        elif blur:
            _blur(picture, steps[i, 1], scratch)
            begin = i + 1


@compiled
def normalise(picture, factors, offsets, out):
    """A picture (h, w) uint32 as `out` (3, h, w) float32: levels times a channel's factor, plus its offset."""
    pixels, byte = picture.ravel(), np.uint32(255)
    red, green, blue = out[0].ravel(), out[1].ravel(), out[2].ravel()
    for i in range(len(pixels)):
        pixel = pixels[i]
        red[i] = F(np.int32(pixel & byte)) * factors[0] + offsets[0]
        green[i] = F(np.int32(np.uint32(pixel >> np.uint32(8)) & byte)) * factors[1] + offsets[1]
        blue[i] = F(np.int32(np.uint32(pixel >> np.uint32(16)) & byte)) * factors[2] + offsets[2]


@compiled
def _run(picture, steps, begin, end, measured, planes):
    """Steps begin to end over all pixels; the mean luminance afterwards where it is `measured`."""
    pixels = picture.ravel()
    total = 0.0
    for start in range(0, len(pixels), STRETCH):
        row = pixels[start : start + STRETCH]
        red, green, blue = planes[0, : len(row)], planes[1, : len(row)], planes[2, : len(row)]
        _take_apart(row, red, green, blue)
        for i in range(begin, end):
            _step(steps[i, 0], steps[i, 1:], red, green, blue)
        if measured:
            total += _luminance(red, green, blue)
        if begin < end:
            _put_together(red, green, blue, row)
    return F(total / picture.size)


@compiled
def _take_apart(row, red, green, blue):
    byte = np.uint32(255)
    for x in range(len(row)):
        red[x] = F(np.int32(row[x] & byte))
        green[x] = F(np.int32(np.uint32(row[x] >> np.uint32(8)) & byte))
        blue[x] = F(np.int32(np.uint32(row[x] >> np.uint32(16)) & byte))


@compiled
def _put_together(red, green, blue, row):
    opaque = np.uint32(0xFF000000)
    for x in range(len(row)):
        r = np.uint32(np.int32(red[x] + F(0.5)))
        g = np.uint32(np.int32(green[x] + F(0.5)))
        b = np.uint32(np.int32(blue[x] + F(0.5)))
        row[x] = r | np.uint32(g << np.uint32(8)) | np.uint32(b << np.uint32(16)) | opaque


@compiled
def _luminance(red, green, blue):
    total = F(0)
    for x in range(len(red)):
        total += RED * red[x] + GREEN * green[x] + BLUE * blue[x]
    return float(total)


@compiled
def _step(code, amount, red, green, blue):
    if code == BRIGHTNESS:
        _scale(F(amount[0]), F(0), red)
        _scale(F(amount[0]), F(0), green)
        _scale(F(amount[0]), F(0), blue)
    elif code == CONTRAST:
        offset = F((F(1) - amount[0]) * amount[1])
        _scale(F(amount[0]), offset, red)
        _scale(F(amount[0]), offset, green)
        _scale(F(amount[0]), offset, blue)
    elif code == SATURATION:
        _saturate(F(amount[0]), red, green, blue)
    elif code == HUE:
        _turn_hue(F(amount[0]), red, green, blue)
    elif code == GREY:
        _saturate(F(1) - F(amount[0]), red, green, blue)
    elif code == GAINS:
        _scale(F(amount[0]), F(0), red)
        _scale(F(amount[1]), F(0), green)
        _scale(F(amount[2]), F(0), blue)
    elif code == SOLARISE:
        _solarise(F(amount[0]), red)
        _solarise(F(amount[0]), green)
        _solarise(F(amount[0]), blue)


@compiled
def _scale(factor, offset, plane):
    for x in range(len(plane)):
        plane[x] = min(max(plane[x] * factor + offset, F(0)), F(255))


@compiled
def _solarise(threshold, plane):
    for x in range(len(plane)):
        value = plane[x]
        plane[x] = F(255) - value if value >= threshold else value


@compiled
def _saturate(factor, red, green, blue):
    for x in range(len(red)):
        grey = (F(1) - factor) * (RED * red[x] + GREEN * green[x] + BLUE * blue[x])
        red[x] = min(max(factor * red[x] + grey, F(0)), F(255))
        green[x] = min(max(factor * green[x] + grey, F(0)), F(255))
        blue[x] = min(max(factor * blue[x] + grey, F(0)), F(255))


@compiled
def _turn_hue(turns, red, green, blue):
    """To HSV, the hue turned, and back. Hues are in sixths of a turn from red times the chroma, so that nothing is
    divided by it.

    Back, a channel is the value less as much of the chroma as the hue is away from the channel's own.
    """
    further = F(6) * F(turns - np.round(turns))
    for x in range(len(red)):
        r, g, b = red[x], green[x], blue[x]
        value, least = max(r, max(g, b)), min(r, min(g, b))
        chroma = value - least
        hue = g - b
        hue = F(2) * chroma + (b - r) if value == g and value != r else hue
        hue = F(4) * chroma + (r - g) if value == b and value != r and value != g else hue
        hue += further * chroma
        turn = F(6) * chroma
        hue = hue + turn if hue < F(0) else hue
        hue = hue - turn if hue >= turn else hue
        red[x] = value - min(max(F(2) * chroma - abs(hue - F(3) * chroma), F(0)), chroma)
        green[x] = value - min(max(abs(hue - F(2) * chroma) - chroma, F(0)), chroma)
        blue[x] = value - min(max(abs(hue - F(4) * chroma) - chroma, F(0)), chroma)


@compiled
def _blur(picture, sigma, scratch):
    """A Gaussian of three sigma either way, the picture continued by reflection about its border pixels."""
    radius = int(np.ceil(1.5 * sigma)) * 2  # even: two neighbours on each side are summed at a time
    weights = _gaussian(sigma, radius)
    if weights[0] == 256:
        return
    height, width = picture.shape
    between = scratch[: height * width].reshape(height, width)
    sums = np.empty(4 * width, np.uint16)
    _blur_columns(picture.view(np.uint8), weights, sums, between.view(np.uint8))
    _blur_rows(between, weights, sums, picture.view(np.uint8))


@compiled
def _blur_columns(source, weights, sums, out):
    height = len(source)
    for y in range(height):
        middle, row = source[y], out[y]
        for j in range(len(sums)):
            sums[j] = np.uint16(128 + weights[0] * middle[j])
        for k in range(1, len(weights), 2):
            w, v = weights[k], weights[k + 1]
            a, b = source[_reflected(y - k, height)], source[_reflected(y + k, height)]
            c, d = source[_reflected(y - k - 1, height)], source[_reflected(y + k + 1, height)]
            # Written out here and in _blur_rows: as a function of its own it is half as fast.
            for j in range(len(sums)):
                near, far = np.uint16(a[j]) + np.uint16(b[j]), np.uint16(c[j]) + np.uint16(d[j])
                sums[j] = np.uint16(sums[j] + w * near + v * far)
        for j in range(len(sums)):
            row[j] = np.uint8(sums[j] >> 8)


@compiled
def _blur_rows(source, weights, sums, out):
    height, width = source.shape
    radius, size = len(weights) - 1, len(sums)
    padded = np.empty(width + 2 * radius, np.uint32)
    line, inner = padded.view(np.uint8), padded[radius : radius + width]
    begin = 4 * radius
    for y in range(height):
        row, line_of = out[y], source[y]
        for x in range(1, radius + 1):
            padded[radius - x] = line_of[_reflected(-x, width)]
            padded[radius + width - 1 + x] = line_of[_reflected(width - 1 + x, width)]
        for x in range(width):  # several times as fast as assigning the slice
            inner[x] = line_of[x]
        middle = line[begin : begin + size]
        for j in range(len(sums)):
            sums[j] = np.uint16(128 + weights[0] * middle[j])
        for k in range(1, len(weights), 2):
            w, v = weights[k], weights[k + 1]
            before, behind = begin - 4 * k, begin + 4 * k
            a, b = line[before : before + size], line[behind : behind + size]
            c, d = line[before - 4 : before - 4 + size], line[behind + 4 : behind + 4 + size]
            for j in range(len(sums)):
                near, far = np.uint16(a[j]) + np.uint16(b[j]), np.uint16(c[j]) + np.uint16(d[j])
                sums[j] = np.uint16(sums[j] + w * near + v * far)
        for j in range(len(sums)):
            row[j] = np.uint8(sums[j] >> 8)


@compiled
def _gaussian(sigma, radius):
    """Weights of the middle and its neighbours to one side in 256ths, in pairs and only while there are any; the
    whole sums to 256."""
    shares = np.exp(-0.5 * (np.arange(radius + 1) / max(sigma, 1e-3)) ** 2)
    total = 2 * shares.sum() - shares[0]
    weights = np.empty(radius + 1, np.uint16)
    left = 256
    for k in range(radius, 0, -1):
        weights[k] = int(shares[k] / total * 256 + 0.5)
        left -= 2 * weights[k]
    weights[0] = left
    reach = radius
    while reach > 0 and weights[reach] == 0 and weights[reach - 1] == 0:
        reach -= 2
    return weights[: reach + 1]


@compiled
def _reflected(i, size):
    """About the first and the last, which are not repeated."""
    while i < 0 or i >= size:
        if size == 1:
            return 0
        i = -i if i < 0 else 2 * (size - 1) - i
    return i
