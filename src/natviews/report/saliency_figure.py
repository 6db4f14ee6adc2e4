"""Saliency by covering, drawn: a photo with its parts shaded by what covering them costs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from natviews.evaluation.covering import Covering, Window
from natviews.report.drawing import JPEG_QUALITY, data_uri, jpeg_uri, svg
from natviews.report.report import Saliency

SIDE, GAP = 150, 14
HIGHEST, FAINTEST = 0.72, 0.02
"""Opacity of the part that matters most, and what is left out."""


def saliency_figure(found: Saliency, strongest: float) -> Markup:
    """A photo, the same in grey with its parts shaded, and the photo it is compared with. `strongest` is the
    greatest change among all that are shown, which is shaded fully: a pair that hangs on no part looks so."""
    photo, other = found.photo, found.other
    grey = _grey(photo.picture)
    pictures = [(photo, photo.picture), (photo, grey), (other, other.picture)]
    frames: list[Markup] = []
    tallest = 0.0
    for place, (shown, picture) in enumerate(pictures):
        tall, wide = picture.shape[:2]
        scale = SIDE / max(tall, wide)
        frame = Frame(place * (SIDE + GAP) + (SIDE - wide * scale) / 2, 0.0, wide * scale, tall * scale)
        drawn = Markup('<g><title>{}</title><image {} href="{}"/></g>')
        frames.append(drawn.format(shown.id, _box(frame), data_uri(picture)))
        if picture is grey:
            frames += _parts(found.fall, found.window, frame, strongest)
        tallest = max(tallest, frame.height)
    most = found.fall.flat[np.abs(found.fall).argmax()]
    title = (
        f"{photo.product_id}: similarity {found.similarity:.2f}; covering the part that matters most: {-most:+.2f}"
    )
    return svg(title, 3 * SIDE + 2 * GAP, tallest, frames)


class Frame(NamedTuple):
    """A box in the drawing."""

    left: float
    top: float
    width: float
    height: float


def shaded_photo(picture: np.ndarray, parts: Covering, strongest: float, title: str) -> Markup:
    """A photo (H, W, 3) uint8 RGB in grey, its parts shaded as above."""
    tall, wide = picture.shape[:2]
    frame = Frame(0, 0, wide, tall)
    drawn = [Markup('<image {} href="{}"/>').format(_box(frame), jpeg_uri(_grey(picture), JPEG_QUALITY))]
    return svg(title, wide, tall, [*drawn, *_parts(parts.fall, parts.window, frame, strongest)])


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)


def _parts(fall_of: np.ndarray, window: Window, frame: Frame, strongest: float) -> Iterator[Markup]:
    left, top, right, bottom = window
    parts = len(fall_of)
    wide, tall = frame.width * (right - left) / parts, frame.height * (bottom - top) / parts
    for i in range(parts):
        for j in range(parts):
            fall = float(fall_of[i, j])
            opacity = HIGHEST * min(1.0, abs(fall) / strongest) if strongest > 0 else 0.0
            if opacity < FAINTEST:
                continue
            place = Frame(frame.left + frame.width * left + j * wide, frame.height * top + i * tall, wide, tall)
            yield Markup('<rect class="{}" {} opacity="{:.2f}"><title>{:+.3f}</title></rect>').format(
                "holds" if fall > 0 else "hinders", _box(place), opacity, -fall
            )


def _box(frame: Frame) -> Markup:
    return Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"').format(*frame)
