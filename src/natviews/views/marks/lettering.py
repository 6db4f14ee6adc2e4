"""Letters of marks, in typefaces that every installation has: Pillow's own and OpenCV's."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = 48
"""Height in px at which letters are drawn, before the mark is brought to its size."""

OPENCV_FACES = {
    "opencv": cv2.FONT_HERSHEY_SIMPLEX,
    "opencv heavy": cv2.FONT_HERSHEY_TRIPLEX,
    "opencv slanted": cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    "opencv wide": cv2.FONT_HERSHEY_SIMPLEX,
}


def written(text: str, face: str) -> np.ndarray:
    """A line of text as an (h, w) uint8 mask that ends where its ink ends."""
    mask = _opencv_letters(text, face) if face in OPENCV_FACES else _aileron_letters(text, face)
    left, top, width, height = cv2.boundingRect(mask)
    mask = mask[top : top + height, left : left + width]
    stretch = {"aileron condensed": 0.62, "opencv wide": 1.4}.get(face, 1.0)
    return cv2.resize(mask, (max(1, round(width * stretch)), height), interpolation=cv2.INTER_AREA)


def stacked(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Lines of text below each other, centred; all but the first at half their size."""
    if not lines:
        return np.zeros((1, 1), np.uint8)
    first, *rest = lines
    smaller = [cv2.resize(line, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for line in rest]
    gap = LETTERS // 4
    width = max(line.shape[1] for line in (first, *smaller))
    rows = []
    for line in (first, *smaller):
        left = (width - line.shape[1]) // 2
        rows.append(np.pad(line, ((0, gap), (left, width - line.shape[1] - left))))
    return np.vstack(rows)[:-gap]


def _aileron_letters(text: str, face: str) -> np.ndarray:
    font = ImageFont.load_default(LETTERS)
    spacing = 0.3 * LETTERS if face == "aileron spaced" else 0.0
    steps = [font.getlength(letter) + spacing for letter in text]
    bold = 2 if face == "aileron bold" else 0
    page = Image.new("L", (round(sum(steps)) + LETTERS, 2 * LETTERS))
    draw = ImageDraw.Draw(page)
    if spacing:
        for i, letter in enumerate(text):
            draw.text((LETTERS // 2 + round(sum(steps[:i])), LETTERS // 4), letter, 255, font)
    else:
        draw.text((LETTERS // 2, LETTERS // 4), text, 255, font, stroke_width=bold)
    return np.asarray(page)


def _opencv_letters(text: str, face: str) -> np.ndarray:
    font, thickness = OPENCV_FACES[face], 5 if face == "opencv heavy" else 3
    scale = cv2.getFontScaleFromHeight(font, round(0.75 * LETTERS), thickness)
    (width, height), below = cv2.getTextSize(text, font, scale, thickness)
    page = np.zeros((height + below + LETTERS, width + 2 * LETTERS), np.uint8)
    cv2.putText(page, text, (LETTERS, height + LETTERS // 2), font, scale, 255, thickness, cv2.LINE_AA)
    return page
