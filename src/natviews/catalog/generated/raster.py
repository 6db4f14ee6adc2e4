"""From a drawing and a palette to pixels: filling, shading, seams.

Pictures are uint8, shape (size, size, 4): blue, green, red premultiplied by the opacity, then the opacity.
The light comes from the upper left.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from natviews.catalog.generated.drawing import Drawing, Line, Part, Points, Seam
from natviews.catalog.generated.palette import Ink, Palette
from natviews.catalog.generated.pixels import SUBPIXELS, Mask, Picture, Plane, fill, fixed, spread, tinted

_RELIEF = 0.035  # how far, in the unit of the drawing, the rounding of a soft edge reaches


def texture(coverage: Plane, palette: Palette) -> Plane:
    """The material of one colourway: a pattern's coverage (2, n, n) in a palette's colours, (n, n, 3)."""
    inks = palette.inks()
    material = inks["main"] + tinted(coverage[0], inks["second"] - inks["main"])
    if coverage[1].any():
        material += (inks["third"] - material) * spread(coverage[1])
    return material


def rasterise(drawing: Drawing, material: Plane, palette: Palette) -> Picture:
    """Draw the layers one over the other at the size of the material."""
    size = material.shape[0]
    canvas = np.zeros((size, size, 4), np.float32)
    inks = palette.inks()
    for layer in drawing:
        if isinstance(layer, Part):
            _paint_part(canvas, layer, material, inks)
        elif isinstance(layer, Line):
            _paint_line(canvas, layer, inks)
        else:
            _press_seam(canvas, layer)
    return np.clip(canvas, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class _Box:
    """A window of the canvas in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, points: Points, margin: int, size: int) -> "_Box":
        low = np.floor(points.min(0) * size).astype(int) - margin
        high = np.ceil(points.max(0) * size).astype(int) + margin
        left, top = np.clip(low, 0, size - 1)
        right, bottom = np.clip(high, 1, size)
        return cls(int(left), int(top), max(int(right), int(left) + 1), max(int(bottom), int(top) + 1))

    def of(self, plane: Plane) -> Plane:
        return plane[self.top : self.bottom, self.left : self.right]

    def blank(self) -> Mask:
        return np.zeros((self.bottom - self.top, self.right - self.left), np.uint8)

    def inside(self, points: Points, size: int) -> Points:
        """Points of the unit square in the window's pixels."""
        return points * size - np.array([self.left, self.top])


def _paint_part(canvas: Plane, part: Part, material: Plane, inks: dict[str, Ink]) -> None:
    size = canvas.shape[0]
    box = _Box.around(part.outline, int(_RELIEF * size) + 2, size)
    mask = box.blank()
    fill(mask, box.inside(part.outline, size))
    light, shine = _round(mask) if part.form == "round" else _relief(mask, part.form, size)
    light = light * np.float32(part.tone)
    if part.paint == "pattern":
        shaded = _cut(material, part.turn, box) * spread(light)
    else:
        shaded = tinted(light, inks[part.paint])
    if part.gloss:
        shaded += spread(shine * np.float32(part.gloss * 255))
    _lay(box.of(canvas), shaded, mask)


def _lay(window: Plane, colour: Plane, mask: Mask) -> None:
    cover = mask.astype(np.float32) / np.float32(255)
    opaque = cv2.merge([*cv2.split(np.clip(colour, 0, 255)), np.full_like(cover, 255)])
    window += (opaque - window) * spread(cover, 4)


def _cut(material: Plane, turn: float, box: _Box) -> Plane:
    """The window's piece of the material, turned about the middle of the window."""
    if turn == 0:
        return box.of(material)
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    matrix = cv2.getRotationMatrix2D(middle, turn, 1.0)
    matrix[:, 2] -= (box.left, box.top)
    shape = (box.right - box.left, box.bottom - box.top)
    return cv2.warpAffine(material, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _relief(mask: Mask, form: str, size: int) -> tuple[Plane, Plane]:
    """Lightness and highlight of something that curves away at its edges."""
    height, width = mask.shape
    small = (max(width // 4, 1), max(height // 4, 1))
    coarse: Plane = cv2.resize(mask, small, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    coarse = cv2.GaussianBlur(coarse, (0, 0), _RELIEF * size / 8, borderType=cv2.BORDER_CONSTANT)
    slope = coarse - cv2.warpAffine(coarse, np.array([[1, 0, 1.4], [0, 1, 1.7]], np.float32), small)
    strength = 0.75 if form == "soft" else 0.25
    light = 1 + strength * (0.8 * slope - 0.22 * np.clip(1.15 - coarse, 0, 1)) - 0.02
    shine = np.clip(slope * 1.6 - 0.12, 0, 0.6)
    full = (width, height)
    return cv2.resize(light, full), cv2.resize(shine, full)


def _round(mask: Mask) -> tuple[Plane, Plane]:
    """Lightness and highlight of a turned body: across each row a half-circle of surface directions."""
    solid = mask > 127
    width = mask.shape[1]
    left = solid.argmax(1).astype(np.float32)[:, None]
    right = (width - solid[:, ::-1].argmax(1)).astype(np.float32)[:, None]
    across = 2 * (np.arange(width, dtype=np.float32)[None, :] - left) / np.maximum(right - left, 1) - 1
    away = np.clip((across + np.float32(0.35)) / np.float32(1.36), -1, 1)
    light = np.float32(0.5) + np.float32(0.58) * np.sqrt(1 - away * away)
    shine = np.exp(-(((across + np.float32(0.5)) / np.float32(0.13)) ** 2)) * np.float32(0.7)
    shine += np.exp(-(((across - np.float32(0.72)) / np.float32(0.08)) ** 2)) * np.float32(0.18)
    return light, shine


def _stroke(box: _Box, points: Points, width: float, size: int) -> Mask:
    mask = box.blank()
    thick = max(1, round(width * size))
    cv2.polylines(mask, [fixed(box.inside(points, size))], False, (255,), thick, cv2.LINE_AA, SUBPIXELS)
    return mask


def _paint_line(canvas: Plane, line: Line, inks: dict[str, Ink]) -> None:
    """A cord: dark rim, body, and a light streak on the lit side when it is thick enough to show one."""
    size = canvas.shape[0]
    box = _Box.around(line.points, int(line.width * size) + 2, size)
    paint = "main" if line.paint == "pattern" else line.paint
    window, ink = box.of(canvas), inks[paint]
    body = np.empty((*window.shape[:2], 3), np.float32)
    body[:] = ink * np.float32(0.66)
    _lay(window, body, _stroke(box, line.points, line.width, size))
    if line.width * size < 2.5:
        return
    body[:] = ink
    shift = np.float32(line.width * 0.1)
    _lay(window, body, _stroke(box, line.points - shift, line.width * 0.68, size))
    body[:] = ink + (255 - ink) * np.float32(0.15 + 0.5 * line.gloss)
    _lay(window, body, _stroke(box, line.points - 2 * shift, line.width * 0.2, size) // 2)


def _press_seam(canvas: Plane, seam: Seam) -> None:
    size = canvas.shape[0]
    box = _Box.around(seam.points, int(seam.width * size) + 2, size)
    if seam.dash:
        mask = box.blank()
        for stitch in _stitches(seam.points, seam.dash):
            mask = np.maximum(mask, _stroke(box, stitch, seam.width, size))
    else:
        mask = _stroke(box, seam.points, seam.width, size)
    window = box.of(canvas)
    amount = (mask.astype(np.float32) * np.float32(abs(seam.strength) / 255))[:, :, None]
    if seam.strength > 0:
        window[:, :, :3] *= 1 - amount
    else:
        window[:, :, :3] += (window[:, :, 3:] - window[:, :, :3]) * amount


def _stitches(points: Points, dash: float) -> list[Points]:
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    starts = np.arange(0, along[-1], 2 * dash)
    ends = np.stack([starts, np.minimum(starts + dash, along[-1])], 1)
    spots = np.stack([np.interp(ends, along, points[:, axis]) for axis in (0, 1)], 2)
    return list(spots.astype(np.float32))
