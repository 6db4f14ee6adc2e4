"""Where the product is in its photo: a matte, and the box about it, without labels or weights.

A plain background is found by its colour: a smooth surface is fitted to the border's colours, so that
gradients and vignettes are followed, and all that agrees with it and hangs together with the border is
background; soft shadows are let through. Elsewhere GrabCut (Rother et al., SIGGRAPH 2004) parts the colours
of the border from those of the middle. Where neither finds anything the answer is the whole photo.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from natviews.views.geometry import Window

SIDE = 160
"""Longest side, px, at which the background is judged."""
GRABCUT_SIDE = 80
"""The same for GrabCut, whose time grows with the pixels."""
SMALLEST_SIDE = 8
"""A photo thinner than this, px at SIDE, has no border to judge by."""

LEAST, NOISES = 3.0, 5.0
"""What differs from the background by more than LEAST (CIELAB units) and by more than NOISES times the
border's own spread is not background. White products on white often differ by 5."""
SHADOW, SHADOW_TINT, SHADOW_STEP = 45.0, 10.0, 6.0
"""A soft shadow is darker by at most SHADOW, tinted by at most SHADOW_TINT, and changes by at most
SHADOW_STEP from one pixel to the next (CIELAB units)."""
SHADOWLESS = 0.6
"""Shadows are let go only where at least this share of what differs from the background is left."""
PLAIN = 0.7
"""The least share of the border that has to agree with a plain background."""
ROUGHEST = 4.0
"""The border's largest spread about a plain background's colour, CIELAB units."""
SPECK = 0.04
"""Pieces smaller than this share of the largest are specks: a stamped number, dust."""
SMALLEST, SMALLEST_CUT, LARGEST = 0.005, 0.05, 0.92
"""A product's share of its photo; outside this range nothing was told apart."""
CLEAR = 20.0
"""A step of this many CIELAB units across the outline is as clear as any."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """The product in a photo of `size` (height, width) px.

    `box` is about it, in px; `mask` (h, w) uint8 is 1 on it, at most SIDE px long, None where nothing was told
    apart and the answer is the whole photo. `clearness` 0 to 1 says how clearly the colours step along the
    outline, not how likely it is the product's.
    """

    size: tuple[int, int]
    box: Window
    mask: np.ndarray | None = None
    clearness: float = 0.0

    @property
    def found(self) -> bool:
        return self.mask is not None

    @property
    def matte(self) -> np.ndarray:
        """(H, W) uint8, 0 background to 255 product."""
        height, width = self.size
        if self.mask is None:
            return np.full((height, width), 255, np.uint8)
        # Sampled from soft edges: a matte that is a staircase of the small one's pixels fits no outline.
        soft = cv2.GaussianBlur(self.mask * np.uint8(255), (3, 3), 0)
        return cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)


def foreground(photo: np.ndarray, *, busy: Literal["cut", "keep"] = "cut") -> Foreground:
    """The product in `photo` (H, W, 3) uint8 RGB, which may be of any size and is not modified.

    Plain backgrounds take about 2 ms and are found reliably; others ten times as long and less so: with
    `busy="keep"` these photos are left whole.
    """
    height, width = photo.shape[:2]
    small = _shrunk(photo, SIDE)
    mask = None
    if min(small.shape[:2]) >= SMALLEST_SIDE:
        lab = _lab(small)
        mask = _on_plain(lab)
        if mask is None and busy == "cut":
            mask = _on_busy(small, lab)
    if mask is None:
        return Foreground((height, width), Window(0, 0, width, height))
    return Foreground((height, width), _box(mask, height, width), mask, _clearness(lab, mask))


def _shrunk(photo: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def _lab(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 CIELAB, L 0..100."""
    return cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _on_plain(lab: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8, 1 on what a plain background leaves over; None where the background is not plain."""
    height, width = lab.shape[:2]
    rim = _rim(height, width)
    terms = _surface_terms(height, width)
    surface, share, spread = _fitted(lab[rim], terms[rim])
    if share < PLAIN or spread > ROUGHEST:
        return None
    background = (terms.reshape(-1, terms.shape[2]) @ surface).reshape(lab.shape)
    away = lab - background
    tint = np.hypot(away[..., 1], away[..., 2])
    distance = np.hypot(away[..., 0], tint)
    plain = distance <= max(LEAST, NOISES * spread)
    shadow = (away[..., 0] < 0) & (away[..., 0] > -SHADOW) & (tint < SHADOW_TINT) & (_steps(lab) < SHADOW_STEP)
    with_shadows = 1 - _from_border(plain)
    without = 1 - _from_border(plain | shadow)
    # A white product on white is as pale and smooth as a shadow: better a shadow kept than a product lost.
    return _kept(without if without.sum() >= SHADOWLESS * with_shadows.sum() else with_shadows, SMALLEST)


def _rim(height: int, width: int) -> np.ndarray:
    """(H, W) bool, the outermost pixels: two in a hundred of the longest side, at least one."""
    depth = max(1, round(0.02 * max(height, width)))
    rim = np.ones((height, width), bool)
    rim[depth:-depth, depth:-depth] = False
    return rim


@lru_cache(maxsize=32)  # the photos of a shop have few shapes
def _surface_terms(height: int, width: int) -> np.ndarray:
    """(H, W, 6) float32: the terms of a quadratic surface over the photo."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)


def _fitted(colours: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The surface (6, 3) through most of the border's colours (N, 3), the share that agrees, and its spread.

    The fit starts from the border's median colour and takes in what agrees, step by step, so that a product
    that reaches over the border does not bend it.
    """
    surface = np.zeros((terms.shape[1], 3))
    surface[0] = np.median(colours, axis=0)
    reach = 12.0
    for _ in range(4):
        away = np.linalg.norm(colours - terms @ surface, axis=1)
        near = away <= reach
        if near.sum() < 4 * terms.shape[1]:
            break
        known = terms[near]
        # Normal equations: ten times faster than lstsq, and six terms in -1..1 are not ill-conditioned;
        # the ridge is for photos so thin that two terms are the same.
        surface = np.linalg.solve(known.T @ known + 1e-3 * np.eye(terms.shape[1]), known.T @ colours[near])
        reach = max(8.0, 0.8 * reach)
    surface = surface.astype(np.float32)
    away = np.linalg.norm(colours - terms @ surface, axis=1)
    near = away <= reach
    spread = float(np.sqrt(np.mean(away[near] ** 2))) if near.any() else np.inf
    return surface, float(near.mean()), spread


def _steps(lab: np.ndarray) -> np.ndarray:
    """(H, W) how much the lightness changes about each pixel, CIELAB units a pixel."""
    light = cv2.GaussianBlur(lab[..., 0], (3, 3), 0)
    return cv2.morphologyEx(light, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) / 2


def _from_border(passable: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 1 on what is passable and hangs together with the border."""
    framed = cv2.copyMakeBorder(passable.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return (framed[1:-1, 1:-1] == 2).astype(np.uint8)


def _kept(mask: np.ndarray, smallest: float) -> np.ndarray | None:
    """The mask without specks and holes; None where what is left cannot be a product by its size."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    if count < 2:
        return None
    kept = (areas >= SPECK * areas.max())[labels].astype(np.uint8)
    return kept if smallest <= kept.mean() <= LARGEST else None


def _on_busy(photo: np.ndarray, lab: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8, 1 where GrabCut sees the product; None where it sees all or nothing."""
    small = _shrunk(photo, GRABCUT_SIDE)
    height, width = small.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return None
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    seeds = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    seeds[x * x + y * y < 0.6] = cv2.GC_PR_FGD  # products are photographed in the middle
    seeds[_rim(height, width)] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut starts its mixtures at random
    no_box = (0, 0, 1, 1)
    cv2.grabCut(
        np.ascontiguousarray(small), seeds, no_box, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK
    )
    mask = ((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.resize(mask, (lab.shape[1], lab.shape[0]), interpolation=cv2.INTER_NEAREST)
    return _kept(1 - _from_border(mask == 0), SMALLEST_CUT)


def _box(mask: np.ndarray, height: int, width: int) -> Window:
    """The box about the mask in px of a photo (height, width), rounded outwards."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    across, down = width / mask.shape[1], height / mask.shape[0]
    return Window(
        int(columns[0] * across),
        int(rows[0] * down),
        min(width, int(np.ceil((columns[-1] + 1) * across))),
        min(height, int(np.ceil((rows[-1] + 1) * down))),
    )


def _clearness(lab: np.ndarray, mask: np.ndarray) -> float:
    """Mean step of colour across the outline, as a share of CLEAR."""
    kernel = np.ones((3, 3), np.uint8)
    inside = mask - cv2.erode(mask, kernel)
    beside = cv2.blur(lab * (1 - mask)[..., None].astype(np.float32), (5, 5))
    weight = cv2.blur((1 - mask).astype(np.float32), (5, 5))
    outline = (inside > 0) & (weight > 0)
    if not outline.any():
        return 0.0
    step = np.linalg.norm(lab[outline] - beside[outline] / weight[outline][:, None], axis=1)
    return float(np.minimum(step / CLEAR, 1).mean())
