"""Light and camera: shadows, white balance, exposure, vignette, noise."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from natviews.catalog.generated.pixels import Pixels, Plane, spread, tinted


@dataclass(frozen=True)
class Light:
    """One photo's light and camera.

    `gains` are the blue, green and red factors, `contrast` a factor about mid-grey, `slant` (x, y) the change
    of lightness across the frame, `vignette` the loss in the corners, `noise` a standard deviation in grey
    levels and `blur` in pixels per 256.
    """

    gains: tuple[float, float, float]
    contrast: float
    slant: tuple[float, float]
    vignette: float
    noise: float
    blur: float

    @classmethod
    def draw(cls, rng: np.random.Generator, care: float) -> "Light":
        """A light; `care` in [0, 1] goes from a phone in a kitchen to a studio."""
        rough = 1.15 - care
        exposure, warmth, tint = np.exp(rng.normal(0, [0.11 * rough, 0.09 * rough, 0.03 * rough]))
        return cls(
            gains=(float(exposure / warmth), float(exposure * tint), float(exposure * warmth)),
            contrast=float(np.exp(rng.normal(0, 0.1 * rough))),
            slant=(float(rng.normal(0, 0.13 * rough)), float(rng.normal(0, 0.13 * rough))),
            vignette=float(rng.uniform(0, 0.3 * rough)),
            noise=float(rng.uniform(0.6, 1.5 + 6 * rough)),
            blur=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.9) * rough])),
        )

    def expose(self, scene: Plane, rng: np.random.Generator) -> Pixels:
        """The photo, uint8 (n, n, 3), that the camera makes of a scene, float32 in 0..255."""
        size = scene.shape[0]
        if self.blur:
            scene = cv2.GaussianBlur(scene, (0, 0), self.blur * size / 256)
        along = np.linspace(-1, 1, size, dtype=np.float32)
        lens = np.float32(1) - np.float32(self.vignette) * along * along / 2
        light: Plane = lens[:, None] * lens[None, :]
        light += np.float32(self.slant[0]) * along[None, :] + np.float32(self.slant[1]) * along[:, None]
        exposed = scene * tinted(light * np.float32(self.contrast), np.array(self.gains, np.float32))
        exposed += np.float32(128 * (1 - self.contrast)) + _grain(size, rng) * np.float32(self.noise)
        return np.clip(exposed, 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _grain_sheet(size: int) -> Plane:
    """A sheet of unit noise larger than a photo: drawing one per photo would take longer than all else."""
    rng = np.random.default_rng(20)
    fine = rng.standard_normal((size + 96, size + 96, 3), dtype=np.float32)
    shared = rng.standard_normal((size + 96, size + 96, 1), dtype=np.float32)
    return (0.6 * fine + 0.8 * shared).astype(np.float32)


def _grain(size: int, rng: np.random.Generator) -> Plane:
    top, left = rng.integers(0, 96, 2)
    piece = _grain_sheet(size)[top : top + size, left : left + size]
    return piece[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]


def cast_shadow(scene: Plane, cover: Plane, rng: np.random.Generator, strength: float) -> None:
    """Darken the scene in place below a product lying on it; `cover` (n, n) in [0, 1] is its silhouette."""
    size = cover.shape[0]
    quarter = cv2.resize(cover, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    dx, dy = rng.uniform(-0.02, 0.035) * size / 4, rng.uniform(0.008, 0.035) * size / 4
    moved = cv2.warpAffine(quarter, np.array([[1, 0, dx], [0, 1, dy]], np.float32), quarter.shape[::-1])
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.008, 0.022) * size / 4 + 0.3)
    scene *= spread(1 - np.float32(strength) * cv2.resize(soft, (size, size)))


def ground_shadow(scene: Plane, cover: Plane, rng: np.random.Generator, strength: float) -> None:
    """Darken the scene in place around the foot of a product standing on it."""
    size = cover.shape[0]
    left, top, width, height = cv2.boundingRect((cover > 0.5).astype(np.uint8))
    low, quarter = top + height, size // 4
    shade = np.zeros((quarter, quarter), np.float32)
    centre = ((left + width / 2 + rng.uniform(-0.05, 0.12) * width) / 4, (low - 0.012 * size) / 4)
    for reach, depth in ((0.56, 0.55), (0.46, 1.0)):
        axes = (max(round(reach * width * 4), 1), max(round(0.022 * size * 4 * (1.5 - depth / 2)), 1))
        cv2.ellipse(
            shade, (round(centre[0] * 16), round(centre[1] * 16)), axes, 0, 0, 360, depth, -1, cv2.LINE_AA, 4
        )
    soft = cv2.GaussianBlur(shade, (0, 0), 0.012 * size / 4 + 0.4)
    scene *= spread(1 - np.float32(strength) * cv2.resize(soft, (size, size)))
