"""Logos of marks: a shape with a letter or two in it."""

import cv2
import numpy as np

from natviews.views.marks.lettering import written
from natviews.views.marks.plans import Plan

LOGO = 192
"""Side in px of the square on which logos are drawn."""


def logo_of(drawn: Plan) -> np.ndarray:
    """The logo as a (192, 192) uint8 mask."""
    outer = filled(drawn.logo, 1.0)
    inner = filled(drawn.logo, 0.84)
    if not drawn.solid:
        return cv2.add(cv2.subtract(outer, inner), _initial(drawn))
    rim = cv2.subtract(outer, filled(drawn.logo, 0.92))
    return cv2.add(rim, cv2.subtract(inner, _initial(drawn)))


def _initial(drawn: Plan) -> np.ndarray:
    """What stands in a logo: a letter or two, or the logo's own shape once more, small. (192, 192) uint8."""
    if not drawn.initial:
        return filled(drawn.logo, 0.35)
    mask = written(drawn.initial, drawn.face)
    scale = min(0.36 * LOGO / mask.shape[0], 0.44 * LOGO / mask.shape[1])
    mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height, width = mask.shape
    page = np.zeros((LOGO, LOGO), np.uint8)
    top, left = (LOGO - height) // 2, (LOGO - width) // 2
    page[top : top + height, left : left + width] = mask
    return page


def filled(logo: str, scale: float) -> np.ndarray:
    """A logo's outline, filled, shrunk about the centre: (192, 192) uint8."""
    page = np.zeros((LOGO, LOGO), np.uint8)
    points = LOGO / 2 + (LOGO / 2 - 3) * scale * _outline(logo)
    cv2.fillPoly(page, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    if logo == "bag" and scale == 1:
        cv2.ellipse(page, (LOGO // 2, round(0.26 * LOGO)), (32, 40), 0, 180, 360, (255,), 9, cv2.LINE_AA)
    return page


def _outline(logo: str) -> np.ndarray:
    """A logo's outline: (N, 2) points x, y from -1 to 1, y downwards."""
    turn = np.linspace(0, 2 * np.pi, 144, endpoint=False)
    ring = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    if logo == "ring":
        return ring
    if logo == "badge":
        return ring * (0.93 + 0.07 * np.cos(12 * turn))[:, None]
    if logo == "star":
        return ring[:: 144 // 10][:10] * np.where(np.arange(10) % 2, 0.45, 1.0)[:, None]
    if logo == "burst":
        return ring[::4] * np.where(np.arange(36) % 2, 0.8, 1.0)[:, None]
    if logo == "hexagon":
        return ring[::24]
    if logo == "diamond":
        return ring[::36] * (0.75, 1.0)
    if logo == "monogram":  # a square with round corners: a superellipse
        return 0.95 * np.sign(ring) * np.abs(ring) ** 0.35
    if logo == "shield":
        sides = np.linspace(0, np.pi, 24)
        bottom = np.stack([0.85 * np.cos(sides), 0.1 + 0.9 * np.sin(sides) ** 0.8], axis=1)
        return np.vstack([[(-0.85, -0.8), (0, -1), (0.85, -0.8)], bottom])
    if logo == "leaf":
        half = np.linspace(0, np.pi, 40)
        right = np.stack([0.62 * np.sin(half) ** 2, -np.cos(half)], axis=1)
        return np.vstack([right, right[::-1] * (-1, 1)]) @ np.array([[0.87, 0.5], [-0.5, 0.87]])
    if logo == "bag":
        return np.array([(-0.7, -0.5), (0.7, -0.5), (0.88, 1), (-0.88, 1)])
    raise ValueError(f"there is no logo {logo!r}")
