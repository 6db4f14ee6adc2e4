"""Text cards: size charts, tables and banners of text among the photos of a product.

Found by their looks, without labels or weights: one plain page, and on it little besides letters in rows
and ruled lines. What shows a picture of any size beside its text (a book cover, a box, a printed shirt, an
annotated product) is kept: to drop a product is worse than to keep a card.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 384
"""Photos are measured at this longest side, px: letters of a 256 px photo's table are then 5 px tall."""
PAGE, FAINT, INK = 12, 24, 48
"""Differences from the page's colour, in levels of the channel that differs most: still the page, surely
not the page, and as dark as letters are printed."""
SURROUND = 40
"""A page may lie on a surround whose colour differs by at most this from its own, levels."""
FADED = 96
"""Letters that are read differ more than this from the page; an artwork's pale lettering does not."""
RULE = 40
"""A straight run of ink at least this long, px, is a ruled line and no letter."""
STROKE = 7
"""What is thicker than this, px, is no ruled line."""

TALLEST = 0.13
"""The tallest letter, in heights of the photo."""

CARD = 0.4
"""The least score of a text card. Chosen on real photos of eight shops so that hardly any product is lost."""
LETTERS, ROWS, SPAN = 48, 5, 0.4
"""What a whole card has at least: letters, rows of them, and the share of the photo that the rows span."""
VARIETY = 0.25
"""Letters differ in width by at least this, standard deviation over mean; dots and squares of a fabric do not."""
PLAINEST = 0.4
"""The least share of the photo that is page."""
PICTURE = 0.04
"""A card's largest picture covers less than this share of the photo."""


@dataclass(frozen=True)
class _Text:
    """What was read as text.

    `mask` (H, W) uint8 of its lines; the numbers of letters and of rows; `span`, the share of the photo about
    them; `variety` of the letters' widths, standard deviation over mean.
    """

    mask: np.ndarray
    letters: float
    rows: int
    span: float
    variety: float


def is_text_card(photo: np.ndarray) -> bool:
    """Whether a photo (H, W, 3) uint8 RGB is a table, a size chart or a page of text, not a product."""
    return text_card_score(photo) >= CARD


def text_card_score(photo: np.ndarray) -> float:
    """How much a photo (H, W, 3) uint8 RGB looks like a page of text, 0 to 1.

    The share of what is printed on the page that is letters in rows, ruled lines and flat bars; less where
    letters or rows are few, and 0 where there is no page, or a picture on it.
    """
    picture = _at_side(photo)
    off_page = _difference_from_page(picture)
    if (off_page <= PAGE).mean() < PLAINEST:
        return 0.0
    rules = _rules(off_page)
    text = _text(((off_page > INK) & (rules == 0)).astype(np.uint8))
    if text.variety < VARIETY or np.percentile(off_page[(text.mask > 0) & (off_page > INK)], 90) <= FADED:
        return 0.0
    printed = off_page > FAINT
    known = (text.mask > 0) | (rules > 0)
    bars = _bars(off_page)
    if _largest((off_page > PAGE) & ~known & ~bars) >= PICTURE:
        return 0.0
    explained = (printed & (known | bars)).sum() / max(1, printed.sum())
    enough = min(1.0, text.letters / LETTERS) * min(1.0, text.rows / ROWS) * min(1.0, text.span / SPAN)
    return float(explained * enough)


def _at_side(photo: np.ndarray) -> np.ndarray:
    scale = SIDE / max(photo.shape[:2])
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _difference_from_page(picture: np.ndarray) -> np.ndarray:
    """(H, W) levels 0..255 by which each pixel differs from the page: the commonest colour, and its surround."""
    red, green, blue = cv2.split(picture >> 4)
    code = 256 * red.astype(np.int32) + 16 * green.astype(np.int32) + blue
    page = np.median(picture[code == np.bincount(code.ravel()).argmax()], axis=0)
    surround = np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]), axis=0)
    difference = _difference(picture, page)
    if PAGE < np.abs(surround - page).max() <= SURROUND:
        difference = np.minimum(difference, _difference(picture, surround))
    return difference


def _difference(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(H, W) levels in the channel that differs most."""
    away = cv2.split(cv2.absdiff(picture, np.broadcast_to(colour.astype(np.uint8), picture.shape).copy()))
    return np.maximum(np.maximum(away[0], away[1]), away[2])


def _rules(off_page: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 1 on and beside ruled lines."""
    ink = (off_page > FAINT).astype(np.uint8)
    across, down, thick = (
        np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(size, np.uint8))) > 0
        for size in ((1, RULE), (RULE, 1), (STROKE, STROKE))
    )
    rules = ((across | down) & ~thick).astype(np.uint8)
    return np.asarray(cv2.dilate(rules, np.ones((3, 3), np.uint8)))


def _text(ink: np.ndarray) -> _Text:
    """Letters are pieces of ink of like height that stand beside each other."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    widths, heights, areas = stats[:, 2], stats[:, 3], stats[:, 4]
    letter = (heights >= 4) & (heights <= TALLEST * ink.shape[0]) & (widths <= 6 * heights)
    letter &= (areas >= 5) & (areas >= 0.15 * widths * heights)
    letter[0] = False
    mask = np.zeros_like(ink)
    if not letter.any():
        return _Text(mask, 0.0, 0, 0.0, 0.0)
    usual = float(np.median(heights[letter]))
    reach = 2 * max(3, round(1.2 * usual)) + 1
    joined = cv2.morphologyEx(letter[labels].astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8))
    _, lines, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    line_of = np.zeros(count, np.int32)
    line_of[labels.ravel()] = lines.ravel()
    letters, accepted = 0.0, []
    tall = np.zeros(len(boxes))
    for line in range(1, len(boxes)):
        tall[line] = np.median(heights[letter & (line_of == line)])
    for line in _in_rows(boxes, tall):
        left, top, width, height = boxes[line, :4]
        # At a small scale the letters of a word grow together: a word has about as many as its length says.
        letters += max(int((letter & (line_of == line)).sum()), 0.8 * width / tall[line])
        accepted.append(line)
        mask[top : top + height, left : left + width] = 1
    wide = widths[letter & np.isin(line_of, accepted)]
    if not len(wide):
        return _Text(mask, 0.0, 0, 0.0, 0.0)
    box = boxes[accepted]
    right_bottom, left_top = (box[:, :2] + box[:, 2:4]).max(axis=0), box[:, :2].min(axis=0)
    rows = len(np.unique(np.round((box[:, 1] + box[:, 3] / 2) / usual)))
    span = float(np.prod(right_bottom - left_top) / ink.size)
    return _Text(cv2.dilate(mask, np.ones((5, 5), np.uint8)), letters, rows, span, float(wide.std() / wide.mean()))


def _in_rows(boxes: np.ndarray, tall: np.ndarray) -> list[int]:
    """The lines (numbers into `boxes`) that are words; of a table also the short ones beside each other."""
    centre = boxes[:, 1] + boxes[:, 3] / 2
    even = (boxes[:, 3] <= 2.2 * tall) & (tall > 0)
    long = even & (boxes[:, 2] >= 2 * tall)
    short = np.flatnonzero(even & ~long & (boxes[:, 2] >= 0.4 * tall))
    beside = [
        line
        for line in short
        if ((np.abs(centre[short] - centre[line]) <= 0.35 * tall[line])
            & (np.abs(tall[short] - tall[line]) <= 0.35 * tall[line])).sum() >= 3
    ]  # fmt: skip
    return sorted([*np.flatnonzero(long), *beside])


def _bars(off_page: np.ndarray) -> np.ndarray:
    """(H, W) bool, the flat wide bars behind a table's rows, with whatever is printed on them."""
    thick = cv2.morphologyEx(
        (off_page > PAGE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((STROKE, STROKE), np.uint8)
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(thick, connectivity=8)
    width, height, area = stats[:, 2], stats[:, 3], stats[:, 4]
    bar = (height <= 0.2 * len(thick)) & (width >= 3 * height) & (area >= 0.6 * width * height)
    bar[0] = False
    return np.asarray(cv2.dilate(bar[labels].astype(np.uint8), np.ones((3, 3), np.uint8))) > 0


def _largest(rest: np.ndarray) -> float:
    """The share of the photo that the largest piece takes of what is neither text nor rule nor bar."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest.astype(np.uint8), connectivity=8)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    # The space that a piece takes, not its ink: an outline drawing is a picture too.
    return float(np.maximum(area, 0.5 * width * height).max(initial=0)) / rest.size
