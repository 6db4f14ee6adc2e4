"""Watermarks on photos: finding what a shop's photos share, finding text laid over one photo, taking it away.

A mark that stands at the same place on all photos of a shop tells a network the shop instead of the product.
It also gives itself away: whatever else is on the photos changes from one to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.sparse.csgraph import connected_components

Align = Literal["stretch", "top", "bottom"]
"""How photos of differing sizes are laid over each other: 'stretch' gives all the median height and width;
'top' and 'bottom' the median width, their own aspect, and that edge in common, for a mark that was scaled
with a photo's width and set in a corner."""

FEWEST = 8
"""Fewer photos than this cannot show that something is shared."""

_DETAIL = 1.5
"""Gaussian sigma in px: detail is what differs from its surroundings of this width."""

_WINDOW = 4.0
"""Gaussian sigma in px of the window over which evidence is gathered."""

_SHIFT = 4
"""By how many px, at most, photos are moved to see what they share without being marked alike. Further moved,
faces and necklines that every photo of a shop shows at nearly one place were taken for marks."""

_CERTAIN = 2.5
"""How many times more than moved photos do photos have to agree somewhere, before it is called a mark."""

_PART = 2.0
"""The same for every part of a mark, once there is one."""

_EDGE = 0.3
"""How much detail has to be shared at a mark's edge, as a share of what its strong parts have."""

_AWAY = (12, 24)
"""By how many px photos are moved so that no letter lies on itself any more."""

_TRIALS = 5
_RIM = 3
"""Px along a photo's edge that are not looked at: frames and resizing leave lines there."""

_WORK = 512
"""The longest side in px at which a single photo is searched for letters: they are some 10 px high there."""

_SURE = 0.3
"""The score from which a line counts as laid over the photo; chosen on marks of the pool 'train'."""


@dataclass(frozen=True, eq=False)
class Detection:
    """What looks like text laid over one photo.

    `found` says whether anything does; `score`, from 0, how much the likeliest line does; `mask` (H, W)
    bool is where its letters lie, all False where nothing was found.
    """

    found: bool
    score: float
    mask: np.ndarray


def find_shared_mark(photos: Sequence[np.ndarray], align: Align = "stretch") -> np.ndarray | None:
    """The mark that photos of one shop share: its mask (h, w) bool on a photo of median size, or None.

    `photos` are (H, W, 3) uint8 RGB, best one or two of each of many products and a few hundred at most; a
    third of them bearing the mark is enough. Whatever else stands at the very same place on many of them, a
    frame or the edge of a shop's one shelf, counts as a mark too; one whose letters change (a seller's number)
    does not, and of a plate or band only the edges and letters are found. `align` says how photos of
    differing sizes are laid over each other; `fit_mask` brings the mask to a photo of any size, `photos_with`
    says which bear it. None where there are fewer than 8 photos or nothing is shared.

    Detail that agrees in sign over the photos is added up, as Dekel et al., "On the Effectiveness of Visible
    Watermarks", CVPR 2017, take the median of gradients; clipped means, unlike medians, also find a mark
    that most photos lack. The same photos, each moved by a few px, say what agreement means nothing: products
    stand about at the same place, marks exactly.
    """
    if len(photos) < FEWEST:
        return None
    frame = (
        int(np.median([photo.shape[0] for photo in photos])),
        int(np.median([photo.shape[1] for photo in photos])),
    )
    return _agreed(_details(photos, align, frame))


def photos_with(mask: np.ndarray, photos: Sequence[np.ndarray], align: Align = "stretch") -> np.ndarray:
    """Which of a shop's photos bear the mark that `find_shared_mark` found on them: (N,) bool."""
    return _bearers(_details(photos, align, mask.shape), mask)


def fit_mask(mask: np.ndarray, shape: tuple[int, ...], align: Align = "stretch") -> np.ndarray:
    """A shared mark's mask on a photo of `shape` (H, W, ...): (H, W) bool. `align` as it was found with."""
    height, width = shape[:2]
    full = mask.astype(np.uint8)
    if align == "stretch":
        return cv2.resize(full, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    tall = max(1, round(mask.shape[0] * width / mask.shape[1]))
    scaled = cv2.resize(full, (width, tall), interpolation=cv2.INTER_NEAREST).astype(bool)
    return _on_edge(scaled, height, align)


def detect_mark(photo: np.ndarray) -> Detection:
    """Looks for a line of text laid over one photo (H, W, 3) uint8 RGB, with nothing to compare it with.

    Small pieces that are lighter or darker than their surroundings count as letters where three or more of
    like height, stroke and contrast stand side by side on one level line; the line is believed the more, the
    fewer such pieces there are elsewhere on the photo, since a pattern is full of them. This is a weak
    guess: it cannot tell a shop's name from a print on a shirt, and sees neither logos without letters nor
    sloping text. `benchmarks/watermarks.py` says how weak. Where a shop's photos are at hand, use
    `find_shared_mark`.
    """
    height, width = photo.shape[:2]
    scale = _WORK / max(height, width)
    grey = cv2.cvtColor(
        cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY
    )
    best = 0.0
    mask = np.zeros(grey.shape, bool)
    for side in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):  # light letters, dark letters
        pieces, labels = _pieces(grey, side)
        for line in _lines(pieces):
            score = _line_score(pieces[line], len(pieces))
            best = max(best, score)
            if score > _SURE:
                mask |= np.isin(labels, pieces[line, _LABEL])
    small = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA)
    return Detection(best > _SURE, best, small > 64)


def remove(photo: np.ndarray, mask: np.ndarray, grow: int = 1) -> np.ndarray:
    """The photo (H, W, 3) uint8 with what lies under `mask` (H, W) painted over from around it; a new array.

    The mask is first grown by `grow` px, since letters have soft edges. Telea, "An Image Inpainting Technique
    Based on the Fast Marching Method", 2004. Raises ValueError where photo and mask differ in size.
    """
    if photo.shape[:2] != mask.shape:
        raise ValueError(f"the mask {mask.shape} must be as large as the photo {photo.shape[:2]}")
    covered = cv2.dilate((mask > 0).astype(np.uint8), np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    return cv2.inpaint(np.ascontiguousarray(photo), covered, 3, cv2.INPAINT_TELEA)


def _details(photos: Sequence[np.ndarray], align: Align, frame: tuple[int, ...]) -> np.ndarray:
    """Every photo's detail, from -1 to 1, on a frame (h, w): (N, h, w) float32; 0 where a photo does not reach."""
    height, width = frame
    found = []
    for photo in photos:
        tall = height if align == "stretch" else max(1, round(photo.shape[0] * width / photo.shape[1]))
        grey = cv2.cvtColor(cv2.resize(photo, (width, tall), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        detail = grey - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _DETAIL)
        # A photo full of contrast must not outvote a plain one; 2 grey levels are noise.
        detail = np.clip(detail / (2 + np.abs(detail).mean()), -1, 1)
        detail[:_RIM] = detail[-_RIM:] = detail[:, :_RIM] = detail[:, -_RIM:] = 0
        found.append(_on_edge(detail, height, align))
    return np.stack(found)


def _on_edge(plane: np.ndarray, height: int, align: Align) -> np.ndarray:
    """The plane cut or filled with 0 to `height`; 'bottom' keeps its lower edge, the others the upper."""
    missing = max(0, height - len(plane))
    if align == "bottom":
        return np.pad(plane, ((missing, 0), (0, 0)))[len(plane) + missing - height :]
    return np.pad(plane, ((0, missing), (0, 0)))[:height]


def _agreement(details: np.ndarray) -> np.ndarray:
    """How surely the photos agree in sign at each pixel: Student's t, (h, w)."""
    spread = np.sqrt(details.var(axis=0) + 0.02)  # plain paper has next to none, and must not look certain
    return details.mean(axis=0) * np.sqrt(len(details)) / spread


def _agreed(details: np.ndarray) -> np.ndarray | None:
    """The mask (h, w) bool of what agrees more than anything does once the photos are moved, or None."""
    agreement = _agreement(details)
    gathered = _gathered(agreement)
    nearly = [_agreement(_moved(details, (0, _SHIFT), trial)) for trial in range(_TRIALS)]
    if gathered.max() < _CERTAIN * max(_gathered(trial).max() for trial in nearly):
        return None
    # Moved a little, a bold mark still agrees with itself in part: how far it reaches takes a wider move.
    moved = [_agreement(_moved(details, _AWAY, trial)) for trial in range(_TRIALS)]
    region = gathered > _PART * max(_gathered(trial).max() for trial in moved)
    # Around a bold mark agreement is sure as well, but there is little to agree on.
    amount = np.abs(details.mean(axis=0))
    strong = np.abs(agreement) > np.quantile(np.abs(moved), 0.99)
    strong &= amount > _EDGE * np.quantile(amount[region], 0.9)
    mask = (region & strong).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))  # thick letters are hollow
    whole = _without_specks(mask, 12)
    return whole if whole.any() else None


def _gathered(agreement: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(agreement.astype(np.float32) ** 2, (0, 0), _WINDOW)


def _moved(details: np.ndarray, by: tuple[int, int], trial: int) -> np.ndarray:
    """Each photo's detail moved along both axes, either way, by its own number of px from `by` (both included)."""
    rng = np.random.default_rng([29, trial])
    shifts = rng.integers(by[0], by[1] + 1, (len(details), 2)) * rng.choice((-1, 1), (len(details), 2))
    return np.stack([np.roll(detail, shift, (0, 1)) for detail, shift in zip(details, shifts, strict=True)])


def _bearers(details: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which photos follow the pattern that the others show under the mask: (N,) bool."""
    under = details[:, mask]
    others = under.sum(axis=0) - under  # a photo must not be found to be like itself
    likeness = _correlation(under, others)
    moved = [_correlation(_moved(details, _AWAY, trial)[:, mask], others) for trial in range(_TRIALS)]
    likely = likeness > np.quantile(moved, 0.99)
    # Photos that only share a shelf's edge with the marked ones are less than half as like them.
    return likely & (likeness > 0.5 * np.median(likeness[likely])) if likely.any() else likely


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The cosine of each row with the same row of the other: (N,), both (N, P)."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.einsum("np,np->n", first, second) / np.maximum(lengths, 1e-6)


def _without_specks(mask: np.ndarray, smallest: int) -> np.ndarray:
    """The mask (h, w) bool without pieces of fewer than `smallest` px."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    return keep[labels]


_LEFT, _TOP, _WIDE, _HIGH, _AREA, _STROKE, _CONTRAST, _LABEL = range(8)
"""The columns of a table of pieces, in px; stroke is the mean distance to the piece's edge, contrast in grey
levels."""


def _pieces(grey: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Letter-like pieces of a grey picture: a table (N, 8) and the labels (h, w) that its last column names."""
    contrast = cv2.morphologyEx(grey, side, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    level = max(14.0, 0.8 * cv2.threshold(contrast, 0, 255, cv2.THRESH_OTSU)[0])
    ink = (contrast > level).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    area = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    means = [np.bincount(labels.ravel(), plane.ravel(), count) / area for plane in (depth, contrast)]
    table = np.column_stack([stats, *means, np.arange(count)]).astype(float)
    wide, high, area = table[:, _WIDE], table[:, _HIGH], table[:, _AREA]
    like = (high >= 9) & (high <= 90) & (wide <= 2.5 * high) & (wide >= 0.1 * high)
    like &= (area >= 20) & (area >= 0.12 * wide * high)
    like[0] = False  # what is not ink
    return table[like], labels


def _lines(pieces: np.ndarray) -> list[np.ndarray]:
    """Row numbers of the pieces of each line of three or more."""
    if len(pieces) < 3:
        return []
    left, top, wide, high, _, stroke, contrast, _ = pieces.T
    middle, foot = left + wide / 2, top + high
    low, tall = np.minimum.outer(high, high), np.maximum.outer(high, high)
    gap = np.abs(np.subtract.outer(middle, middle)) - np.add.outer(wide, wide) / 2
    beside = (gap < 0.8 * low) & (gap > -0.35 * low) & (np.abs(np.subtract.outer(foot, foot)) < 0.3 * tall)
    alike = tall < 1.7 * low
    for trait, most in ((stroke, 1.7), (contrast, 1.9)):
        alike &= np.maximum.outer(trait, trait) < most * np.minimum.outer(trait, trait)
    count, line = connected_components(beside & alike, directed=False)
    sizes = np.bincount(line, minlength=count)
    return [np.flatnonzero(line == number) for number in np.flatnonzero(sizes >= 3)]


def _line_score(line: np.ndarray, pieces: int) -> float:
    """How much a line looks laid over a photo that has so many letter-like pieces altogether."""
    feet = line[:, _TOP] + line[:, _HIGH]
    unevenness = feet.std() / line[:, _HIGH].mean()
    return float(len(line) / pieces * np.sqrt(len(line)) * np.exp(-4 * unevenness))
