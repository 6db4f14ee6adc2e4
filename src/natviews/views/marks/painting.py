"""From a mark's plan to its picture: the parts laid out, then painted in layers."""

from functools import lru_cache

import cv2
import numpy as np

from natviews.views.marks.lettering import LETTERS, stacked, written
from natviews.views.marks.logos import LOGO, logo_of
from natviews.views.marks.plans import Plan, PoolName, Rgb, contrast, plan

Layer = tuple[np.ndarray, Rgb]
"""How much of each pixel is covered, (h, w) float32 from 0 to 1, and with which colour."""

LONGEST = 256
"""The longest side of a mark in px."""

_MARGIN = 10
"""Room around the ink, in px, for shadows, glows and plates."""


@lru_cache(maxsize=256)
def mark(number: int, pool: PoolName) -> np.ndarray:
    """Mark `number` (0 or more) of the pool: (h, w, 4) uint8 RGBA, longest side 256 px, read-only.

    Alpha is the mark's shape at full strength; how opaque, how large and where it stands on a photo is for
    the caller to choose. The same number and pool give the same picture wherever Pillow and OpenCV have the
    same versions (OpenCV 5 draws other letters than OpenCV 4). Raises KeyError for an unknown pool.
    """
    drawn = plan(number, pool)
    text, logo = _lay_out(drawn)
    scale = (LONGEST - 2 * _MARGIN) / max(text.shape)
    height, width = (max(1, round(side * scale)) for side in text.shape)
    text, logo = (
        np.pad(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), _MARGIN) for part in (text, logo)
    )
    picture = _paint(drawn, text.astype(np.float32) / 255, logo.astype(np.float32) / 255)
    picture.setflags(write=False)
    return picture


def _lay_out(drawn: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The letters and the logo, each by itself on one canvas: two (h, w) uint8 masks."""
    text = stacked([written(line, drawn.face) for line in drawn.lines])
    if not drawn.logo:
        return text, np.zeros_like(text)
    logo = logo_of(drawn)
    if not drawn.lines:
        return np.zeros_like(logo), logo
    if drawn.beside:
        side = round(1.5 * text.shape[0])
        logo = cv2.resize(logo, (side, side), interpolation=cv2.INTER_AREA)
        canvas = np.zeros((side, side + LETTERS // 3 + text.shape[1]), np.uint8)
        top, left, logo_left = (side - text.shape[0]) // 2, side + LETTERS // 3, 0
    else:
        gap = LETTERS // 4
        canvas = np.zeros((LOGO + gap + text.shape[0], max(LOGO, text.shape[1])), np.uint8)
        top, left, logo_left = LOGO + gap, (canvas.shape[1] - text.shape[1]) // 2, (canvas.shape[1] - LOGO) // 2
    letters, shape = canvas, canvas.copy()
    letters[top : top + text.shape[0], left : left + text.shape[1]] = text
    shape[: logo.shape[0], logo_left : logo_left + logo.shape[1]] = logo
    return letters, shape


def _paint(drawn: Plan, text: np.ndarray, logo: np.ndarray) -> np.ndarray:
    """The mark's (h, w, 4) uint8 RGBA from its letters and its logo, (h, w) float32 from 0 to 1."""
    layers: list[Layer] = []
    if drawn.plate and drawn.finish != "cutout":
        layers.append((drawn.strength * _plate(drawn.plate, text.shape), contrast(drawn.ink)))
    layers += _finish(drawn, text, logo)
    covered = np.zeros(text.shape, np.float32)
    colour = np.zeros((*text.shape, 3), np.float32)
    for cover, paint in layers:
        colour = colour * (1 - cover[..., None]) + cover[..., None] * np.array(paint, np.float32)
        covered = covered * (1 - cover) + cover
    # Where nothing is, the ink's colour stands: shrinking the mark must not draw black into its edges.
    bare = covered[..., None] < 1 / 255
    colour = np.where(bare, np.array(drawn.ink, np.float32), colour / np.maximum(covered[..., None], 1 / 255))
    return np.dstack([np.round(colour), np.round(255 * covered)]).clip(0, 255).astype(np.uint8)


def _finish(drawn: Plan, text: np.ndarray, logo: np.ndarray) -> list[Layer]:
    """The layers of the mark's letters and logo, from below."""
    both = np.maximum(text, logo)
    inks: list[Layer] = [(text, drawn.ink), (logo, drawn.accent)]
    rim = contrast(drawn.ink)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    if drawn.finish == "flat":
        return inks
    if drawn.finish == "shadow":
        return [(0.75 * cv2.GaussianBlur(_moved(both, 3), (0, 0), 1.6), rim), *inks]
    if drawn.finish == "outline":
        return [(cv2.dilate(both, disc), rim), *inks]
    if drawn.finish == "emboss":
        return [(0.8 * _moved(both, -1), rim), (0.8 * _moved(both, 1), rim), *inks]
    if drawn.finish == "hollow":
        edge = cv2.dilate(both, disc[1:4, 1:4]) - cv2.erode(both, disc[1:4, 1:4])
        return [(_moved(edge, 1) * 0.5, rim), (edge, drawn.ink)]
    if drawn.finish == "glow":
        return [(0.7 * cv2.GaussianBlur(cv2.dilate(both, disc), (0, 0), 3), rim), *inks]
    if drawn.finish == "cutout":
        return [(_plate(drawn.plate, text.shape) * (1 - both), drawn.ink)]
    raise ValueError(f"there is no finish {drawn.finish!r}")


def _moved(cover: np.ndarray, by: int) -> np.ndarray:
    """The cover `by` px to the right and down. The margin is wider than any move, so nothing comes round."""
    return np.roll(cover, (by, by), (0, 1))


def _plate(plate: str, shape: tuple[int, ...]) -> np.ndarray:
    """The ground behind a mark that fills (h, w) `shape`: float32 from 0 to 1."""
    height, width = shape
    lean = float(_MARGIN) if plate == "bar" else 0.0
    # On a tall mark, rounder corners would cut off the ends of its lowest line.
    radius = {"rounded": min(9.0, 0.2 * height), "pill": min(26.0, 0.5 * height - 1)}.get(plate, 0.0)
    page = np.zeros((height, width), np.uint8)
    if radius:
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        centres = np.array([(width - 1 - radius, height - 1 - radius), (radius + 1, height - 1 - radius),
                            (radius + 1, radius + 1), (width - 1 - radius, radius + 1)])  # fmt: skip
        corner = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        points = np.repeat(centres, 16, axis=0) + corner
    else:
        points = np.array([(lean, 1), (width - 1, 1), (width - 1 - lean, height - 1), (1, height - 1)], float)
        points = points if lean else np.array([(1, 1), (width - 1, 1), (width - 1, height - 1), (1, height - 1)])
    cv2.fillPoly(page, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    return page.astype(np.float32) / 255
