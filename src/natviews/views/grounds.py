"""Grounds: generated backgrounds to stand a product on where its own background is replaced.

They are made of noise and lines, not of photos: what matters is that a network meets many unlike backgrounds,
from a studio's plain paper to a cluttered room out of focus.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

SIZE = 256
"""The side of a ground in px."""

Rgb = tuple[float, float, float]


@lru_cache(maxsize=128)
def ground(number: int) -> np.ndarray:
    """Ground `number` (0 or more): (256, 256, 3) uint8 RGB, read-only.

    Kinds take turns, KINDS[number % len(KINDS)]; everything else is drawn from the number. The same number
    gives the same picture wherever numpy and OpenCV have the same versions.
    """
    kind = KINDS[number % len(KINDS)]
    rng = np.random.default_rng([67, number])
    # Rounding is left to cv2: numpy's astype would cut off, and lie half a level too dark.
    picture = cv2.convertScaleAbs(np.clip(kind(rng), 0, 255))
    picture.setflags(write=False)
    return picture


def studio(rng: np.random.Generator) -> np.ndarray:
    """Plain white, light grey or pastel, with a little grain."""
    tone = _shades(_tone(rng, saturation=(0, 0.18), value=(0.78, 1.0)), np.zeros((SIZE, SIZE)))
    return tone + rng.normal(0, rng.uniform(0, 2), (SIZE, SIZE, 1))


def gradient(rng: np.random.Generator) -> np.ndarray:
    """From one tone to another: across, or from a light spot to darker corners."""
    x, y = _grid()
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        way = 0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle))
    else:
        way = np.hypot(x - rng.uniform(-0.4, 0.4), y - rng.uniform(-0.4, 0.4)) / rng.uniform(1, 1.8)
    light, dark = _tone(rng, (0, 0.35), (0.7, 1)), _tone(rng, (0, 0.5), (0.2, 0.85))
    return _mix(light, dark, np.clip(way, 0, 1)) + rng.normal(0, 1.5, (SIZE, SIZE, 1))


def floor(rng: np.random.Generator) -> np.ndarray:
    """A wall and a floor that meet at a soft horizon, with a vignette."""
    x, y = _grid()
    wall, boards = _tone(rng, (0, 0.3), (0.55, 1)), _tone(rng, (0, 0.45), (0.35, 0.95))
    horizon, softness = rng.uniform(-0.1, 0.6), rng.uniform(0.01, 0.25)
    picture = _mix(wall, boards, 1 / (1 + np.exp(-(y - horizon) / softness)))
    vignette = 1 - rng.uniform(0, 0.4) * (x**2 + y**2) / 2
    return picture * vignette[..., None] + 3 * _noise(rng, 64)[..., None]


def wood(rng: np.random.Generator) -> np.ndarray:
    """Planks of differing tones with long grain, lying or standing."""
    base = np.array(_pick(rng, ((170, 120, 75), (120, 80, 50), (205, 170, 125), (95, 65, 45), (190, 180, 165))))
    planks = int(rng.integers(3, 9))
    edges = np.linspace(0, SIZE, planks + 1).round().astype(int) + int(rng.integers(0, SIZE // planks))
    row = (np.arange(SIZE) + edges[0]) % SIZE
    plank = np.minimum(row * planks // SIZE, planks - 1)
    # Grain: noise stretched along the plank, bent a little, each plank from another place of it.
    grain = cv2.resize(
        rng.standard_normal((SIZE // 2, 6)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.resize(
        rng.standard_normal((SIZE, 12)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC
    )
    bend = _noise(rng, 4)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    shift = rng.integers(0, SIZE, planks)[plank][:, None]
    grain = cv2.remap(
        grain + 0.6 * fine,
        ((x + shift) % SIZE).astype(np.float32),
        np.clip(y + 6 * bend, 0, SIZE - 1).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    tone = 1 + 0.12 * rng.standard_normal(planks)[plank][:, None] + rng.uniform(0.04, 0.1) * grain
    gap = np.where(np.diff(plank, prepend=plank[-1])[:, None] != 0, rng.uniform(0.3, 0.7), 1.0)
    picture = base * (tone * gap)[..., None]
    return picture if rng.random() < 0.5 else picture.transpose(1, 0, 2)


def cloth(rng: np.random.Generator) -> np.ndarray:
    """A weave of two threads, seen near to, with soft folds."""
    first, second = _tone(rng, (0, 0.6), (0.25, 0.95)), _tone(rng, (0, 0.6), (0.25, 0.95))
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    period, lean = int(rng.integers(3, 7)), int(rng.integers(0, 3))
    over = ((x // period + y // period * (1 + lean)) % 2).astype(np.float32)
    thread = np.abs(np.sin(np.pi * np.where(over > 0, x, y) / period)) * 0.25 + 0.75
    near = rng.uniform(0.15, 0.5)  # threads mostly share a tone: a checkerboard is rare
    picture = _mix(first, _mix(first, second, np.full((SIZE, SIZE), near))[0, 0], over)
    folds = 1 + rng.uniform(0.05, 0.25) * _noise(rng, 4)
    return picture * (thread * folds)[..., None] + 4 * rng.standard_normal((SIZE, SIZE, 1))


def marble(rng: np.random.Generator) -> np.ndarray:
    """Clouds with veins where a bent noise passes through nought."""
    light, vein = _tone(rng, (0, 0.12), (0.75, 1)), _tone(rng, (0, 0.4), (0.2, 0.7))
    clouds = _fractal(rng, 4)
    bent = _fractal(rng, 3)
    veins = np.exp(-np.abs(bent) * rng.uniform(8, 25)) * np.clip(0.6 + 0.6 * clouds, 0, 1)
    return _mix(light, vein, np.clip(veins * rng.uniform(0.5, 1) + 0.12 * clouds, 0, 1))


def plaster(rng: np.random.Generator) -> np.ndarray:
    """A rough wall under light from one side: stains, bumps and their shadows."""
    tone = _tone(rng, (0, 0.35), (0.45, 0.95))
    bumps = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), rng.uniform(0.8, 2.5))
    relief = bumps - np.roll(bumps, (1, 1), (0, 1))
    relief *= rng.uniform(4, 12) / relief.std()
    return _shades(tone, 0.12 * _fractal(rng, 3)) + relief[..., None]


def carpet(rng: np.random.Generator) -> np.ndarray:
    """Short tufts of a few near tones."""
    tufts = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), rng.uniform(0.7, 1.8))
    tufts *= rng.uniform(0.05, 0.13) / tufts.std()
    picture = _shades(_tone(rng, (0.05, 0.6), (0.25, 0.85)), tufts + 0.05 * _fractal(rng, 3))
    speckles = rng.standard_normal((SIZE, SIZE, 3)) * rng.uniform(2, 10)
    return picture + speckles


def room(rng: np.random.Generator) -> np.ndarray:
    """A room out of focus: patches of furniture, a window or lamp, all blurred."""
    _, y = _grid()
    picture = np.ascontiguousarray(
        _mix(
            _tone(rng, (0, 0.4), (0.4, 0.95)),
            _tone(rng, (0.1, 0.5), (0.2, 0.7)),
            (y > rng.uniform(0, 0.7)).astype(float),
        )
    )
    for _ in range(int(rng.integers(4, 12))):
        left, top = rng.integers(-40, SIZE - 20, 2)
        width, height = rng.integers(20, 150, 2)
        colour = _tone(rng, (0.05, 0.7), (0.1, 0.95))
        cv2.rectangle(picture, (int(left), int(top)), (int(left + width), int(top + height)), colour, -1)
    for _ in range(int(rng.integers(0, 6))):
        centre = (int(rng.integers(0, SIZE)), int(rng.integers(0, SIZE)))
        cv2.circle(picture, centre, int(rng.integers(6, 40)), _tone(rng, (0, 0.3), (0.85, 1)), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(5, 14))
    return picture + rng.normal(0, 2.5, (SIZE, SIZE, 1))


KINDS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (
    studio, gradient, floor, wood, cloth, marble, plaster, carpet, room,
)  # fmt: skip
"""Each draws a ground: (256, 256, 3) float, about 0 to 255."""


def _pick(rng: np.random.Generator, choices: tuple[Rgb, ...]) -> Rgb:
    return choices[int(rng.integers(len(choices)))]


def _tone(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Rgb:
    """A colour of any hue, 0 to 255; saturation and value (0 to 1) from these ranges."""
    hue = rng.uniform(0, 6)
    strength, bright = rng.uniform(*saturation), 255 * rng.uniform(*value)
    wheel = [min(1.0, max(0.0, abs((hue + turn) % 6 - 3) - 1)) for turn in (0, 4, 2)]
    red, green, blue = (bright * (1 - strength * (1 - part)) for part in wheel)
    return red, green, blue


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel, from -1 to 1: two (256, 256) arrays."""
    steps = np.linspace(-1, 1, SIZE)
    x, y = np.meshgrid(steps, steps)
    return x, y


def _mix(first: Rgb | np.ndarray, second: Rgb | np.ndarray, way: np.ndarray) -> np.ndarray:
    """The first colour where `way` (H, W) is 0, the second where it is 1: (H, W, 3)."""
    return np.asarray(first) + (np.asarray(second) - np.asarray(first)) * way[..., None]


def _shades(tone: Rgb, by: np.ndarray) -> np.ndarray:
    """The tone made lighter and darker by the share `by` (H, W)."""
    return np.asarray(tone) * (1 + by)[..., None]


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise of `cells` x `cells` bumps, standard deviation about 0.7: (256, 256) float32."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _fractal(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Five octaves of noise, each twice as fine and half as strong: (256, 256) float32."""
    octaves = [0.5**octave * _noise(rng, cells * 2**octave) for octave in range(5)]
    return np.float32(0.6) * np.sum(octaves, axis=0)
