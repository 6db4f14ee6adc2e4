"""Saliency by covering, drawn: a photo with its parts shaded by what covering them costs."""

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup

from natviews.report.drawing import data_uri, svg
from natviews.report.report import Saliency

SIDE, GAP = 150, 14
HIGHEST = 0.72
"""Opacity of the part that matters most."""


def saliency_figure(found: Saliency, strongest: float) -> Markup:
    """The photo with its parts shaded, and the photo it is compared with. `strongest` is the greatest change among
    all that are shown, which is shaded fully: a pair that hangs on no part looks so."""
    frames, height = [], 0.0
    for place, photo in enumerate((found.photo, found.other)):
        tall, wide = photo.picture.shape[:2]
        scale = SIDE / max(tall, wide)
        frame = place * (SIDE + GAP) + (SIDE - wide * scale) / 2, 0.0, wide * scale, tall * scale
        frames.append(Markup('<g><title>{}</title><image {} href="{}"/></g>').format(
            f"{'Covered' if place == 0 else 'Compared with'}: {photo.id}", _box(*frame), data_uri(photo.picture)
        ))  # fmt: skip
        height = max(height, tall * scale)
        if place == 0:
            frames += _parts(found, frame, strongest)
    title = (
        f"{found.photo.product_id}: similarity {found.similarity:.2f}; covering the part that matters most "
        f"changes it by {-_strongest(found.fall):+.2f}"
    )
    return svg(title, 2 * SIDE + GAP, height, frames)


def _parts(found: Saliency, frame: tuple[float, float, float, float], strongest: float) -> Iterator[Markup]:
    left, top, right, bottom = found.window
    parts = len(found.fall)
    wide, tall = frame[2] * (right - left) / parts, frame[3] * (bottom - top) / parts
    for i in range(parts):
        for j in range(parts):
            fall = float(found.fall[i, j])
            opacity = HIGHEST * min(1.0, abs(fall) / strongest) if strongest > 0 else 0.0
            if opacity < 0.02:
                continue
            place = frame[0] + frame[2] * left + j * wide, frame[1] + frame[3] * top + i * tall
            yield Markup('<rect class="{}" {} opacity="{:.2f}"><title>{:+.3f}</title></rect>').format(
                "holds" if fall > 0 else "hinders", _box(*place, wide, tall), opacity, -fall
            )


def _strongest(fall: np.ndarray) -> float:
    return float(fall.flat[np.abs(fall).argmax()])


def _box(x: float, y: float, width: float, height: float) -> Markup:
    return Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"').format(x, y, width, height)
