"""The contact sheet: pictures in a grid with captions, to see at a glance what a policy does to photos."""

import re
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, MARGIN = 8, 14
CAPTION, ROW_LABEL, TITLE = 11, 13, 18
"""Sizes of the letters in px."""
MOST_LINES = 3
"""Lines of a caption; a longer one ends with an ellipsis."""
WIDEST_ROW_LABEL = 160
Colour = tuple[int, int, int]
INK, SOFT, GROUND, FRAME = (29, 28, 26), (96, 92, 85), (247, 246, 243), (219, 215, 207)


@dataclass(frozen=True)
class _Layout:
    """Where things lie, in px: `left` of the first cell, and each row's `tops` and the sheet's `size` (W, H)."""

    left: int
    tops: list[int]
    size: tuple[int, int]


def contact_sheet(
    rows: list[list[np.ndarray]],
    labels: list[list[str]],
    row_labels: list[str],
    *,
    cell: int = 112,
    title: str = "",
) -> np.ndarray:
    """A sheet (H, W, 3) uint8 RGB of `rows` of pictures (h, w, 3) uint8 RGB, each row as long as it likes.

    Every picture is fitted into a white square of `cell` px with its label beneath; the row's label stands at
    the left. Raises ValueError where labels and pictures do not pair off.
    """
    if [len(row) for row in rows] != [len(row) for row in labels] or len(rows) != len(row_labels):
        raise ValueError("every picture needs a label, and every row a row label")
    captions = [[wrapped(text, CAPTION, cell, MOST_LINES) for text in row] for row in labels]
    sides = [wrapped(text, ROW_LABEL, WIDEST_ROW_LABEL, max(1, cell // 16)) for text in row_labels]
    layout = _layout(rows, captions, sides, cell, title)
    sheet = Image.new("RGB", layout.size, GROUND)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (MARGIN, MARGIN), wrapped(title, TITLE, layout.size[0] - 2 * MARGIN, 1), INK, TITLE)
    for row, texts, side, top in zip(rows, captions, sides, layout.tops, strict=True):
        _write(draw, (MARGIN, top), side, INK, ROW_LABEL)
        for i, (picture, lines) in enumerate(zip(row, texts, strict=True)):
            left = layout.left + i * (cell + GAP)
            sheet.paste(Image.fromarray(_letterboxed(picture, cell)), (left, top))
            draw.rectangle((left - 1, top - 1, left + cell, top + cell), outline=FRAME)
            _write(draw, (left, top + cell + 3), lines, SOFT, CAPTION)
    return np.array(sheet)


def wrapped(text: str, size: int, width: float, most: int) -> list[str]:
    """`text` in letters of `size` px, in at most `most` lines no wider than `width` px.

    Lines end where the text has line ends, and after spaces, commas, +, /, - and _ where they must.
    """
    lines = [line for part in text.splitlines() for line in _filled(part, size, width)]
    if len(lines) > most:
        lines = [*lines[: most - 1], _ended(lines[most - 1], size, width)]
    return lines


def _filled(text: str, size: int, width: float) -> list[str]:
    lines = [""]
    for piece in _pieces(text, size, width):
        if lines[-1] and _length(lines[-1] + piece, size) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines if line.strip()]


def _pieces(text: str, size: int, width: float) -> list[str]:
    """Parts that may not be broken further, unless a part by itself is too wide: then its characters."""
    parts = re.findall(r"[^\s,+/_-]*[\s,+/_-]+|[^\s,+/_-]+", " ".join(text.split()))
    fits = [_length(part, size) <= width for part in parts]
    return [piece for part, whole in zip(parts, fits, strict=True) for piece in ([part] if whole else part)]


def _ended(line: str, size: int, width: float) -> str:
    while line and _length(line + "…", size) > width:
        line = line[:-1]
    return line + "…"


def _length(text: str, size: int) -> float:
    """How wide `text` is in px; a space at its end would not be seen."""
    return _font(size).getlength(text.rstrip())


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _layout(
    rows: list[list[np.ndarray]], captions: list[list[list[str]]], sides: list[list[str]], cell: int, title: str
) -> _Layout:
    widest = max((_length(line, ROW_LABEL) for lines in sides for line in lines), default=0)
    left = MARGIN + (round(widest) + MARGIN if widest else 0)
    y = MARGIN + (TITLE + 14 if title else 0)
    tops = []
    for texts in captions:
        tops.append(y)
        y += cell + 6 + max((len(lines) for lines in texts), default=0) * _height(CAPTION) + GAP
    columns = max((len(row) for row in rows), default=0)
    return _Layout(left, tops, (left + columns * (cell + GAP) - GAP * (columns > 0) + MARGIN, y - GAP + MARGIN))


def _height(size: int) -> int:
    """A line's height in px for letters of `size` px."""
    return round(size * 1.25)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], lines: list[str], ink: Colour, size: int) -> None:
    for i, line in enumerate(lines):
        draw.text((place[0], place[1] + i * _height(size)), line, ink, _font(size))


def _letterboxed(picture: np.ndarray, cell: int) -> np.ndarray:
    """The whole picture, centred on a white square (cell, cell, 3)."""
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.full((cell, cell, 3), 255, np.uint8)
    top, left = (cell - size[1]) // 2, (cell - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = fitted
    return square
