"""Photos as a report shows them: small."""

import cv2

from natviews.catalog import PackedPhotos
from natviews.report.report import Shown

THUMBNAIL = 112
"""Longest side in px."""


def shown(packed: PackedPhotos, row: int, side: int = THUMBNAIL) -> Shown:
    """The photo of a row, shrunk to at most `side` px."""
    photo = packed.pixels(row)
    scale = side / max(photo.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return Shown(str(packed.catalog.ids[row]), str(packed.catalog.product_ids[row]), photo)
