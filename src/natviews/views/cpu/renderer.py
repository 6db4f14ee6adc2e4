"""Renders views: layers through their homographies, then steps, then the pixels where they are wanted.

All geometry of a layer is one homography, so a photo is sampled once, however many operations a policy names.
"""

import math
import threading
from collections.abc import Sequence

import cv2
import numpy as np

from natviews.views.cpu.colour import CODES, develop
from natviews.views.cpu.pictures import Picture, drawn_picture
from natviews.views.cpu.sampling import paint, resample
from natviews.views.geometry import IDENTITY, Homography, applied
from natviews.views.view import STEPS, Drawn, Layer, Step, View

MOST_SHRUNK = 2.0
"""How much a level is shrunk at most by the exact filter of crops; what is beyond, the levels take."""
WARP_SHRUNK = math.sqrt(2)
"""The same where a photo is turned or tilted, and sampled at four pixels."""


class _Workshop(threading.local):
    """Memory that a thread uses again for every view."""

    def __init__(self) -> None:
        self.scratch = np.empty(0, np.uint32)
        self.picture = np.empty(0, np.uint32)

    def of(self, size: tuple[int, int], scratch: int) -> tuple[np.ndarray, np.ndarray]:
        """A picture (h, w) uint32 and `scratch` px more."""
        height, width = size
        if self.picture.size < height * width:
            self.picture = np.empty(height * width, np.uint32)
        if self.scratch.size < scratch:
            self.scratch = np.empty(scratch, np.uint32)
        return self.picture[: height * width].reshape(height, width), self.scratch


_workshop = _Workshop()


def render(photos: Sequence[np.ndarray | Picture], views: Sequence[View]) -> list[np.ndarray]:
    """The views of a scene's photos: each photo (H, W, 3) uint8 RGB, each view (h, w, 3) uint8 RGB.

    No photo is modified. The same views of the same photos give the same bytes, whatever the number of threads.
    """
    outs = [np.empty((*view.size, 3), np.uint8) for view in views]
    render_into(photos, views, outs)
    return outs


def render_into(photos: Sequence[np.ndarray | Picture], views: Sequence[View], outs: Sequence[np.ndarray]) -> None:
    """Renders each view into its `out`, (h, w, 3) uint8."""
    pictures = [photo if isinstance(photo, Picture) else Picture(photo) for photo in photos]
    for view, out in zip(views, outs, strict=True):
        canvas = _canvas(pictures, view)
        height, width = view.size
        cv2.cvtColor(canvas.view(np.uint8).reshape(height, width, 4), cv2.COLOR_RGBA2RGB, dst=out)


def _canvas(pictures: Sequence[Picture], view: View) -> np.ndarray:
    """The view as (h, w) uint32, in memory that the thread's next view will use."""
    height, width = view.size
    canvas, _ = _workshop.of(view.size, 0)
    for i, layer in enumerate(view.layers):
        picture = drawn_picture(layer.source) if isinstance(layer.source, Drawn) else pictures[layer.source]
        if i == 0 and _is_plain_crop(layer, picture, view.size):
            canvas = _crop(layer.homography, picture, view.size)
            continue
        if i == 0:
            canvas[:] = pictures[view.source].border
        _paint(layer, picture, canvas)
    for steps in _between_encodings(view.steps):
        if steps[0][0] == "jpeg":
            _encode(canvas, int(steps[0][1]))
        else:
            codes, amounts = _as_arrays(steps)
            develop(canvas, codes, amounts, _workshop.of(view.size, height * width)[1])
    return canvas


def _is_plain_crop(layer: Layer, picture: Picture, size: tuple[int, int]) -> bool:
    """Whether a layer shows a part of its picture along its axes and nothing from outside."""
    _, b, _, d, _, _, g, h, _ = layer.homography
    if (b, d, g, h) != (0, 0, 0, 0) or layer.clip or layer.opacity != 1 or layer.cut_out or layer.repeat:
        return False
    height, width = picture.size
    corners = (applied(layer.homography, 0, 0), applied(layer.homography, size[1], size[0]))
    return all(-0.01 <= x <= width + 0.01 and -0.01 <= y <= height + 0.01 for x, y in corners)


def _crop(homography: Homography, picture: Picture, size: tuple[int, int]) -> np.ndarray:
    a, _, c, _, e, f, _, _, i = homography
    step_x, step_y = a / i, e / i
    number = _level(math.sqrt(abs(step_x * step_y)), MOST_SHRUNK, picture)
    level = picture.level(number)
    scale_x, scale_y = level.shape[1] / picture.size[1], level.shape[0] / picture.size[0]
    part = abs(step_x * scale_x) * size[1] + 4 * (abs(step_x * scale_x) + 2)
    canvas, scratch = _workshop.of(size, 2 * size[0] * int(part + size[1] + 1))
    resample(level, c / i * scale_x, step_x * scale_x, f / i * scale_y, step_y * scale_y, scratch, canvas)
    return canvas


def _paint(layer: Layer, picture: Picture, canvas: np.ndarray) -> None:
    number = _level(_shrunk(layer.homography, canvas.shape), WARP_SHRUNK, picture)
    by_alpha = layer.cut_out or picture.pixels.shape[2] == 4
    level = picture.level(number, layer.cut_out)
    scale = (level.shape[1] / picture.size[1], level.shape[0] / picture.size[0])
    opacity = round(256 * layer.opacity)
    clip = layer.clip or IDENTITY
    clipped = layer.clip is not None
    paint(level, scale, layer.homography, clip, clipped, opacity, by_alpha, layer.repeat, canvas)


def _shrunk(homography: Homography, size: tuple[int, int]) -> float:
    """How many px of the source a px of the view's middle covers along a side: the root of the area."""
    a, b, c, d, e, f, g, h, i = homography
    x, y = size[1] / 2, size[0] / 2
    w = g * x + h * y + i
    u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    return math.sqrt(abs((a - g * u) * (e - h * v) - (b - h * u) * (d - g * v))) / abs(w)


def _level(shrunk: float, most: float, picture: Picture) -> int:
    """The first level that is shrunk by `most` at most."""
    if shrunk <= most:
        return 0
    return min(math.ceil(math.log2(shrunk / most)), picture.deepest())


def _between_encodings(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps in runs; a JPEG step is a run of its own, for it leaves the compiled code."""
    runs: list[list[Step]] = []
    for step in steps:
        if runs and step[0] != "jpeg" and runs[-1][0][0] != "jpeg":
            runs[-1].append(step)
        else:
            runs.append([step])
    return runs


def _as_arrays(steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    amounts = np.zeros((len(steps), 3), np.float32)
    codes = np.empty(len(steps), np.int64)
    for i, (name, *values) in enumerate(steps):
        if name not in CODES:
            raise ValueError(f"there is no step {name!r}; there are {', '.join(STEPS)}")
        codes[i] = CODES[name]
        amounts[i, : len(values)] = values
    return codes, amounts


def _encode(canvas: np.ndarray, quality: int) -> None:
    """JPEG there and back, in place."""
    height, width = canvas.shape
    rgba = canvas.view(np.uint8).reshape(height, width, 4)
    bgr = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    cv2.cvtColor(decoded, cv2.COLOR_BGR2RGBA, dst=rgba)
