"""Renders views: layers through their homographies, then steps, then the pixels where they are wanted.

All geometry of a layer is one homography, so a photo is sampled once, however many operations a policy names.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from natviews.views.cpu.colour import CODES, develop, normalise
from natviews.views.cpu.sampling import paint, resample
from natviews.views.geometry import IDENTITY
from natviews.views.jpeg import recompressed
from natviews.views.pictures import Picture, drawn_picture, picture_of, sampled
from natviews.views.view import STEPS, Drawn, Layer, Step, View


class Normal(NamedTuple):
    """Means and standard deviations of red, green and blue, of levels 0 to 1: what a network expects."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def render(
    photos: Sequence[np.ndarray | Picture], views: Sequence[View], normal: Normal | None = None
) -> list[np.ndarray]:
    """The views of a scene's photos: each photo (H, W, 3) uint8 RGB, each view (h, w, 3) uint8 RGB, or with
    `normal` (3, h, w) float32, normalised.

    No photo is modified. The same views of the same photos give the same bytes, whatever the number of threads.
    """
    outs = [
        np.empty((*view.size, 3), np.uint8) if normal is None else np.empty((3, *view.size), np.float32)
        for view in views
    ]
    render_into(photos, views, outs, normal)
    return outs


def render_into(
    photos: Sequence[np.ndarray | Picture],
    views: Sequence[View],
    outs: Sequence[np.ndarray],
    normal: Normal | None = None,
) -> None:
    """Renders each view into its `out`, (h, w, 3) uint8, or with `normal` (3, h, w) float32; contiguous."""
    pictures = [picture_of(photo) for photo in photos]
    for view, out in zip(views, outs, strict=True):
        canvas = _canvas(pictures, view)
        if normal is None:
            cv2.cvtColor(_as_bytes(canvas), cv2.COLOR_RGBA2RGB, dst=out)
        else:
            normalise(canvas, *_scale(normal), out)


@lru_cache(maxsize=8)
def _scale(normal: Normal) -> tuple[np.ndarray, np.ndarray]:
    """What a level of each channel is multiplied by, and what is added then: (3,) each."""
    mean, std = (np.array(values, np.float32) for values in normal)
    return 1 / (255 * std), -mean / std


class _Memory(threading.local):
    """What a thread uses again for every view."""

    def __init__(self) -> None:
        self._canvas = np.empty(0, np.uint32)
        self._scratch = np.empty(0, np.uint32)

    def canvas(self, size: tuple[int, int]) -> np.ndarray:
        """(h, w) uint32, of any content."""
        height, width = size
        if self._canvas.size < height * width:
            self._canvas = np.empty(height * width, np.uint32)
        return self._canvas[: height * width].reshape(height, width)

    def scratch(self, pixels: int) -> np.ndarray:
        """At least so many uint32."""
        if self._scratch.size < pixels:
            self._scratch = np.empty(pixels, np.uint32)
        return self._scratch


_memory = _Memory()


def _canvas(pictures: Sequence[Picture], view: View) -> np.ndarray:
    """The view as (h, w) uint32, in memory that the thread's next view will use."""
    canvas = _memory.canvas(view.size)
    for i, layer in enumerate(view.layers):
        picture = drawn_picture(layer.source) if isinstance(layer.source, Drawn) else pictures[layer.source]
        number, is_crop = sampled(layer, picture, view.size, undermost=i == 0)
        if is_crop:
            _crop(layer, picture, picture.level(number), canvas)
        else:
            ground = pictures[view.source].border if i == 0 else None
            _paint(layer, picture, picture.rgba(number, layer.cut_out), ground, canvas)
    for steps in _between_encodings(view.steps):
        if steps[0][0] == "jpeg":
            _as_bytes(canvas)[..., :3] = recompressed(_as_bytes(canvas)[..., :3], int(steps[0][1]))
        else:
            develop(canvas, _as_array(steps), _memory.scratch(canvas.size))
    return canvas


def _crop(layer: Layer, picture: Picture, level: np.ndarray, canvas: np.ndarray) -> None:
    a, _, c, _, e, f, _, _, i = layer.homography
    scale_x, scale_y = level.shape[1] / picture.size[1] / i, level.shape[0] / picture.size[0] / i
    step_x, step_y = a * scale_x, e * scale_y
    height, width = canvas.shape
    # Two pictures lie there at a time, as wide as what is read of the level or as what is made of it.
    scratch = _memory.scratch(2 * height * int(abs(step_x) * (width + 4) + width + 9))
    rows = level.reshape(len(level), -1)
    resample(rows, c * scale_x, step_x, f * scale_y, step_y, scratch, canvas)


def _paint(layer: Layer, picture: Picture, level: np.ndarray, ground: int | None, canvas: np.ndarray) -> None:
    """Paints over what is there, or over a `ground` of one colour."""
    scale = (level.shape[1] / picture.size[1], level.shape[0] / picture.size[0])
    by_alpha = layer.cut_out or picture.pixels.shape[2] == 4
    clip, clipped = layer.clip or IDENTITY, layer.clip is not None
    opacity = round(256 * layer.opacity)
    beneath = np.uint32(ground or 0), ground is not None
    paint(level, scale, layer.homography, clip, clipped, opacity, by_alpha, layer.repeat, *beneath, canvas)


def _between_encodings(steps: Sequence[Step]) -> Sequence[Sequence[Step]]:
    """The steps in runs; a JPEG step is a run of its own, for it leaves the compiled code."""
    if "jpeg" not in [step[0] for step in steps]:
        return [steps] if steps else []
    runs: list[list[Step]] = []
    for step in steps:
        if runs and step[0] != "jpeg" and runs[-1][0][0] != "jpeg":
            runs[-1].append(step)
        else:
            runs.append([step])
    return runs


def _as_array(steps: Sequence[Step]) -> np.ndarray:
    """Steps as (N, 4) float32: a code, then up to three amounts."""
    numbers: list[float] = []  # in one list, of which numpy makes an array faster than of rows
    try:
        for step in steps:
            numbers += (CODES[step[0]], *step[1:], 0.0, 0.0)[:4]  # type: ignore[index, arg-type]
    except KeyError as unknown:
        raise ValueError(f"there is no step {unknown}; there are {', '.join(STEPS)}") from None
    return np.array(numbers, np.float32).reshape(-1, 4)


def _as_bytes(canvas: np.ndarray) -> np.ndarray:
    """(h, w) uint32 as (h, w, 4) uint8, in the same memory."""
    return canvas[..., None].view(np.uint8)
