"""Backgrounds: what is behind and below a product, drawn independently of it.

A scene is float32, shape (size, size, 3), blue-green-red, 0..255.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.palette import COLOUR_NAMES, SHADES, Ink, ink
from natviews.catalog.generated.pixels import Plane, tinted


@dataclass(frozen=True)
class Scene:
    """A background; `ground` is the height (0 top, 1 bottom) where things stand, None if things lie on it."""

    pixels: Plane
    ground: float | None


def _noise(rng: np.random.Generator, rows: int, columns: int, size: int) -> Plane:
    """Smooth noise of about unit variance from a coarse grid, shape (size, size)."""
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _soft_colour(rng: np.random.Generator, paleness: float) -> Ink:
    """A wall, paper or cloth colour: a named colour mixed with white."""
    colour = ink(SHADES[str(rng.choice(COLOUR_NAMES))][0])
    return colour * np.float32(1 - paleness) + np.float32(240 * paleness)


def _ramp(size: int, top: float, bottom: float) -> Plane:
    return np.linspace(top, bottom, size, dtype=np.float32)[:, None] * np.ones((1, size), np.float32)


def _white(rng: np.random.Generator, size: int) -> Scene:
    return Scene(np.full((size, size, 3), rng.uniform(244, 255), np.float32), rng.uniform(0.84, 0.94))


def _sweep(rng: np.random.Generator, size: int, colour: Ink) -> Scene:
    """A paper that bends from the table up the wall, a little darker where it bends."""
    bend, y = rng.uniform(0.55, 0.8), np.linspace(0, 1, size, dtype=np.float32)
    light = rng.uniform(0.86, 1.0) - 0.1 * np.exp(-(((y - bend) / 0.13) ** 2)) + 0.06 * (y - 0.5)
    return Scene(tinted(light[:, None] * np.ones((1, size), np.float32), colour), rng.uniform(0.84, 0.94))


def _grey(rng: np.random.Generator, size: int) -> Scene:
    return _sweep(rng, size, np.full(3, rng.uniform(150, 235), np.float32))


def _paper(rng: np.random.Generator, size: int) -> Scene:
    return _sweep(rng, size, _soft_colour(rng, rng.uniform(0.2, 0.75)))


def _boards(rng: np.random.Generator, size: int) -> Plane:
    tone = ink(pick(rng, ("c89f6b", "8a5c3b", "d9cbb3", "a87b4f", "6a5646")))
    grain = 0.05 * _noise(rng, 90, 4, size) + 0.05 * _noise(rng, 24, 3, size)
    planks = int(rng.integers(3, 7))
    row = np.arange(size) * planks // size
    light = 0.95 + grain + rng.uniform(-0.09, 0.09, planks).astype(np.float32)[row][:, None]
    light[np.flatnonzero(np.diff(row))] *= np.float32(0.55)
    return tinted(light.astype(np.float32), tone)


def _wood(rng: np.random.Generator, size: int) -> Scene:
    boards = _boards(rng, size)
    return Scene(boards if rng.random() < 0.5 else np.ascontiguousarray(boards.transpose(1, 0, 2)), None)


def _fabric(rng: np.random.Generator, size: int) -> Scene:
    x = np.arange(size, dtype=np.float32) * np.float32(rng.uniform(1.2, 2.6))
    weave = 0.03 * np.sin(x)[None, :] + 0.03 * np.sin(x)[:, None]
    light = 0.9 + weave + 0.05 * _noise(rng, 5, 7, size) + 0.03 * _noise(rng, 12, 9, size)
    return Scene(tinted(light.astype(np.float32), _soft_colour(rng, rng.uniform(0.1, 0.8))), None)


def _wall(rng: np.random.Generator, size: int) -> Scene:
    edge = rng.uniform(0.6, 0.8)
    light = _ramp(size, 1.0, 0.93) + 0.012 * _noise(rng, 40, 40, size)
    pixels = tinted(light, _soft_colour(rng, rng.uniform(0.45, 0.9)))
    row = int(edge * size)
    floor = _boards(rng, size)[: size - row] if rng.random() < 0.6 else tinted(light, _soft_colour(rng, 0.4))[row:]
    pixels[row:] = floor * _ramp(size - row, 0.75, 1.0)[:, :1, None]
    pixels[row - max(size // 40, 1) : row] = rng.uniform(200, 245)
    return Scene(pixels, rng.uniform(edge + 0.1, 0.95))


def _shelf(rng: np.random.Generator, size: int) -> Scene:
    board = rng.uniform(0.78, 0.88)
    pixels = tinted(_ramp(size, 0.82, 1.0), _soft_colour(rng, rng.uniform(0.5, 0.9)))
    row, thick = int(board * size), max(size // 18, 2)
    wood = _boards(rng, size)
    pixels[row : row + thick] = wood[: min(thick, size - row)]
    pixels[row + thick :] *= np.float32(0.72)
    pixels[row + thick : row + 2 * thick] *= np.float32(0.8)
    if rng.random() < 0.5:
        pixels[: max(size // 30, 1)] = wood[: max(size // 30, 1)] * np.float32(0.6)
    return Scene(pixels, board + 0.01)


def _outdoor(rng: np.random.Generator, size: int) -> Scene:
    """Out-of-focus greenery, sky and street with a few discs of light."""
    coarse = np.empty((7, 7, 3), np.float32)
    coarse[:3], coarse[3:5], coarse[5:] = ink("b9d3e6"), ink("7f9c6a"), ink("a89f8e")
    coarse *= rng.uniform(0.6, 1.25, (7, 7, 1)).astype(np.float32)
    pixels = np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255)
    discs = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(3, 14))):
        centre = (int(rng.integers(size)), int(rng.integers(size * 2 // 3)))
        cv2.circle(
            discs,
            centre,
            int(rng.integers(size // 40 + 1, size // 12 + 2)),
            int(rng.integers(30, 90)),
            -1,
            cv2.LINE_AA,
        )
    pixels = pixels + cv2.blur(discs, (3, 3))[:, :, None]
    row = int(size * rng.uniform(0.74, 0.84))
    pixels[row:] = _boards(rng, size)[row:] * np.float32(0.9)
    return Scene(np.minimum(pixels, 255), rng.uniform(row / size + 0.05, 0.95))


_BUILDERS: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "white": _white,
    "grey": _grey,
    "paper": _paper,
    "wood": _wood,
    "fabric": _fabric,
    "wall": _wall,
    "shelf": _shelf,
    "outdoor": _outdoor,
}
BACKGROUNDS = tuple(_BUILDERS)
LYING_BACKGROUNDS = ("wood", "fabric", "paper", "white")


def build_scene(name: str, rng: np.random.Generator, size: int) -> Scene:
    """The named background drawn anew, `size` pixels square."""
    return _BUILDERS[name](rng, size)


def draw_rail(scene: Scene, height: float) -> None:
    """Draw a metal clothes rail across the scene at a height (0..1), in place."""
    size = scene.pixels.shape[0]
    row, thick = round(height * size), max(size // 50, 2)
    tones = np.linspace(225, 90, thick, dtype=np.float32)[:, None, None]
    scene.pixels[row : row + thick] = tones[: max(size - row, 0)]
    scene.pixels[row + thick : row + 2 * thick] *= np.float32(0.9)
