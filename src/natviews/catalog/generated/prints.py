"""Printed patterns: figures scattered over material, drawn rather than computed from coordinates."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from natviews.catalog.generated.pixels import SUBPIXELS, Mask, Plane, fill, fill_disc

Print: TypeAlias = Callable[[np.random.Generator, int, float, float, float], Plane]


def _stacked(second: Mask, third: Mask) -> Plane:
    return np.stack([second, third]).astype(np.float32) / np.float32(255)


def _blank(size: int) -> tuple[Mask, Mask]:
    return np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)


def _places(rng: np.random.Generator, size: int, step: float, jitter: float) -> Iterator[tuple[float, float]]:
    """Places of a staggered grid, each moved by up to `jitter` steps."""
    for row in range(-1, int(size / step) + 2):
        for column in range(-1, int(size / step) + 2):
            dx, dy = rng.uniform(-jitter, jitter, 2)
            yield (column + 0.5 * (row % 2) + dx) * step, (row + dy) * step


def _dots(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    second, third = _blank(size)
    radius, jitter = step * (0.12 + 0.36 * duty), 0.28 * max(0.0, accent - 0.5)
    for number, (x, y) in enumerate(_places(rng, size, step, jitter)):
        plane = third if accent > 0.75 and number % 3 == 0 else second
        fill_disc(plane, x, y, radius * (1 + (rng.uniform(-0.5, 0.3) if accent < 0.25 else 0)))
    return _stacked(second, third)


def _floral(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    second, third = _blank(size)
    petals, width = int(rng.integers(4, 8)), rng.uniform(0.35, 0.7)
    reach = step * (0.22 + 0.22 * duty)
    for x, y in _places(rng, size, step, 0.2):
        scale, angle = reach * rng.uniform(0.65, 1.15), rng.uniform(0, 360)
        if accent > 0.4:
            leaf = np.deg2rad(angle + 30)
            end = np.array([x + 1.7 * scale * np.cos(leaf), y + 1.7 * scale * np.sin(leaf)])
            side = np.array([-np.sin(leaf), np.cos(leaf)]) * scale * 0.25
            start = np.array([x, y])
            middle = (start + end) / 2
            fill(third, np.stack([start, middle + side, end, middle - side]))
        for turn in range(petals):
            a = np.deg2rad(angle + turn * 360 / petals)
            centre = (round((x + 0.55 * scale * np.cos(a)) * 16), round((y + 0.55 * scale * np.sin(a)) * 16))
            axes = (round(scale * 0.5 * 16), round(scale * 0.5 * width * 16))
            cv2.ellipse(second, centre, axes, float(np.rad2deg(a)), 0, 360, (255,), -1, cv2.LINE_AA, SUBPIXELS)
        fill_disc(third, x, y, scale * 0.62, 0)
        fill_disc(third, x, y, scale * 0.24)
    return _stacked(second, third)


def _teardrop(x: float, y: float, length: float, angle: float) -> npt.NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 28)
    curl = 0.35 * np.cos(t / 2) ** 4
    drop = np.stack([np.sin(t) * np.sin(t / 2) ** 1.4 * 0.55 + curl, -np.cos(t) * 0.8], 1) * length / 2
    cos, sin = np.cos(angle), np.sin(angle)
    return drop @ np.array([[cos, sin], [-sin, cos]]) + [x, y]


def _paisley(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    second, third = _blank(size)
    for x, y in _places(rng, size, step, 0.12):
        angle, length = rng.uniform(0, 2 * np.pi), step * (0.6 + 0.5 * duty)
        fill(second, _teardrop(x, y, length, angle))
        fill(third, _teardrop(x, y, length * 0.68, angle))
        fill(third, _teardrop(x, y, length * 0.46, angle), 0)
        fill_disc(third, x - np.sin(angle) * length * 0.15, y + np.cos(angle) * length * 0.15, length * 0.07)
        if accent > 0.5:
            fill_disc(second, x + step * 0.5, y, step * 0.06)
    return _stacked(second, third)


def _noise(rng: np.random.Generator, size: int, step: float) -> Plane:
    """Smooth noise of mean 0 whose blobs are about `step` pixels wide."""
    cells = max(3, int(np.ceil(size / step)) + 2)
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    side = int(cells * step)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)[:size, :size]


def _leopard(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    second, third = _blank(size)
    for x, y in _places(rng, size, step, 0.25):
        t = np.linspace(0, 2 * np.pi, 15)[:-1]
        radius = step * (0.24 + 0.16 * duty) * rng.uniform(0.75, 1.15, t.size)
        ring = np.stack([x + radius * np.cos(t), y + radius * np.sin(t) * 0.85], 1)
        fill(second, ring)
        inner = (ring - [x, y]) * rng.uniform(0.45, 0.6) + [x, y]
        fill(second, inner + rng.uniform(-0.06, 0.06, 2) * step, 0)
        fill(third, inner)
        gap = rng.uniform(0, 2 * np.pi)
        fill_disc(second, x + np.cos(gap) * step * 0.33, y + np.sin(gap) * step * 0.3, step * 0.09, 0)
    third = cv2.subtract(third, second)
    return _stacked(second, third if accent > 0.4 else np.zeros_like(third))


def _zebra(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    bend = _noise(rng, size, step * 2.2) * np.float32(1.3 + accent)
    rows = np.arange(size, dtype=np.float32)[:, None] / np.float32(step) * np.float32(2 * np.pi)
    wave = np.sin(rows + bend) - np.float32(1 - 2 * duty)
    second = np.clip(wave * np.float32(step / 6) + 0.5, 0, 1)
    return np.stack([second, np.zeros_like(second)])


def _camouflage(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    layers = [_noise(rng, size, step) + 0.4 * _noise(rng, size, step / 2.5) for _ in range(2)]
    limits = (0.35 - 0.5 * duty, 0.75 - 0.3 * accent)
    planes = [np.clip((a - b) * step / 4, 0, 1) for a, b in zip(layers, limits, strict=True)]
    return np.stack(planes).astype(np.float32)


def _star(points: int, inner: float) -> npt.NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 2 * points + 1)[:-1] - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2, inner, 1.0)
    return np.stack([radius * np.cos(t), radius * np.sin(t)], 1)


def _heart() -> npt.NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 40)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], 1) / 16


_FIGURES = (
    _star(5, 0.45),
    _heart(),
    _star(4, 0.35),
    np.array([[-1.0, 0.8], [-0.35, -0.5], [0.05, 0.15], [0.4, -0.25], [1, 0.8]]),
    np.array([[-0.15, -1.0], [0.6, -1], [0.1, -0.2], [0.6, -0.2], [-0.45, 1], [-0.1, 0.1], [-0.6, 0.1]]),
    _star(12, 0.72),
    np.array([[0.0, -1], [0.9, 0.7], [-0.9, 0.7]]),
    _star(3, 0.3),
)


def _motif(rng: np.random.Generator, size: int, step: float, duty: float, accent: float) -> Plane:
    """One graphic in the middle of the front: a badge, a figure in it and perhaps lines below."""
    second, third = _blank(size)
    x, y, radius = size / 2, size * rng.uniform(0.42, 0.5), step * 0.62
    figure, turn = _FIGURES[rng.integers(len(_FIGURES))], rng.uniform(-0.2, 0.2)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    if accent < 0.55:
        fill_disc(second, x, y, radius)
        fill(third, figure @ spin * radius * (0.5 + 0.3 * duty) + [x, y])
        fill(second, figure @ spin * radius * 0.3 + [x, y], 0)
    else:
        fill(second, figure @ spin * radius + [x, y])
        fill(third, figure @ spin * radius * (0.3 + 0.4 * duty) + [x, y])
    for row in range(int(rng.integers(0, 4))):
        half, top = radius * rng.uniform(0.4, 1.0), y + radius * (1.2 + 0.28 * row)
        fill(
            second,
            np.array(
                [
                    [x - half, top],
                    [x + half, top],
                    [x + half, top + 0.12 * radius],
                    [x - half, top + 0.12 * radius],
                ]
            ),
        )
    return _stacked(second, third)


PRINTS: dict[str, Print] = {
    "dots": _dots,
    "floral": _floral,
    "paisley": _paisley,
    "leopard": _leopard,
    "zebra": _zebra,
    "camouflage": _camouflage,
    "motif": _motif,
}
