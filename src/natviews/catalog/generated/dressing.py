"""How garments are shown: on a hanger or folded."""

from functools import lru_cache

import cv2
import numpy as np

from natviews.catalog.generated.drawing import Drawing, Line, block, path
from natviews.catalog.generated.palette import Palette
from natviews.catalog.generated.pixels import Mask, Picture
from natviews.catalog.generated.raster import rasterise

_ANY = Palette(("grey", "black", "white"), (0, 0, 0))


@lru_cache(maxsize=64)
def _hanger(top: int, clips: bool, size: int) -> Picture:
    """A hook whose stem starts at row `top`; with clips it ends in a bar that holds a waistband."""
    y = top / size
    hook = path((0.5, y + 0.04), (0.5, y - 0.03), ((0.5, y - 0.045), (0.525, y - 0.05)))
    curl = path((0.525, y - 0.05), ((0.545, y - 0.075), (0.5, y - 0.1), (0.478, y - 0.07)))
    drawing: Drawing = [Line(hook, 0.009, "silver", 0.6), Line(curl, 0.009, "silver", 0.6)]
    if clips:
        drawing.append(Line(path((0.39, y - 0.012), (0.61, y - 0.012)), 0.012, "silver", 0.6))
        drawing += [
            Line(block(x - 0.012, y - 0.015, x + 0.012, y + 0.03, 0.004), 0.012, "silver") for x in (0.41, 0.59)
        ]
    return rasterise(drawing, np.zeros((size, size, 3), np.float32), _ANY)


def hang(picture: Picture, clips: bool) -> Picture:
    """The garment on a hanger: behind the neck of a top, above the waist (`clips`) of trousers and skirts."""
    size = picture.shape[0]
    column = picture[:, size // 2, 3]
    hanger = _hanger(int((column > 127).argmax()), clips, size)
    if clips:
        return _over(hanger, picture)
    return _over(picture, hanger)


def _over(upper: Picture, lower: Picture) -> Picture:
    gap = (255 - upper[:, :, 3:]).astype(np.uint16)
    return (upper + (lower * gap // 255).astype(np.uint8)).astype(np.uint8)


def fold(picture: Picture) -> Picture:
    """A garment folded flat: a rectangle of its upper middle with rounded, shaded edges."""
    left, top, width, height = cv2.boundingRect(picture[:, :, 3])
    size = picture.shape[0]
    tall, wide = round(0.52 * height), round(min(0.62 * width, 0.42 * height))
    x, corner = left + (width - wide) // 2, round(0.025 * size)
    mask: Mask = np.zeros((size, size), np.uint8)
    cv2.rectangle(mask, (x + corner, top), (x + wide - corner, top + tall - corner), 255, -1)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * corner + 1, 2 * corner + 1)))
    thick = cv2.GaussianBlur(mask, (0, 0), corner * 0.6).astype(np.float32) / np.float32(255)
    folded = picture * (mask > 0).astype(np.float32)[:, :, None]
    folded[:, :, :3] *= np.clip(0.35 + 1.43 * (thick - 0.5), 0.4, 1)[:, :, None]
    return folded.astype(np.uint8)
