"""Surface patterns: where the second and the third colour of a palette lie on a flat piece of material.

A coverage is a float32 array of shape (2, size, size) in [0, 1]: the share of the second colour over the
first, then that of the third over both. It knows no colours, so every colourway of a design shares it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from natviews.catalog.generated.pixels import Plane
from natviews.catalog.generated.prints import PRINTS

Weave: TypeAlias = Callable[["Pattern", Plane, Plane, float], tuple[Plane, Plane]]


@dataclass(frozen=True)
class Pattern:
    """A pattern with its numbers.

    `period` is the repeat in units of the drawing (0.02..0.2), `angle` in degrees, `duty` (0..1) the share of
    the second colour, `accent` (0..1) how much of the third colour there is, `seed` places printed figures.
    """

    name: str
    period: float
    angle: float
    duty: float
    accent: float
    seed: int

    def coverage(self, size: int) -> Plane:
        """The pattern on a square of `size` pixels, shape (2, size, size)."""
        if self.name in PRINTS:
            rng = np.random.default_rng(self.seed)
            return PRINTS[self.name](rng, size, self.period * size, self.duty, self.accent)
        step = self.period * size
        angle = np.deg2rad(self.angle)
        along = np.arange(size, dtype=np.float32) - size / 2
        u = np.cos(angle) * along[None, :] + np.sin(angle) * along[:, None]
        v = np.cos(angle) * along[:, None] - np.sin(angle) * along[None, :]
        return np.stack(WEAVES[self.name](self, (u / step).astype("f4"), (v / step).astype("f4"), step))


def _band(phase: Plane, share: float, step: float) -> Plane:
    """1 on a centred share of every period, with edges one pixel soft; `step` is the period in pixels."""
    return np.clip((share / 2 - np.abs(phase - np.floor(phase) - 0.5)) * step + 0.5, 0, 1)


def _none(like: Plane) -> Plane:
    return np.zeros_like(like)


def _solid(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    return _none(u), _none(u)


def _stripes(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    thin = _band(v + 0.5, 0.3 * (1 - p.duty), step) if p.accent > 0.6 else _none(v)
    return _band(v, p.duty, step), thin


def _gingham(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    across = _band(u, p.duty, step) + _band(v, p.duty, step)
    return across / 2, _none(u)


def _tartan(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    wide = [_band(w, p.duty, step) + 0.6 * _band(w + 0.5, 0.12, step) for w in (u, v)]
    thin = [_band(w + 0.2 + 0.3 * p.accent, 0.06, step) for w in (u, v)]
    return np.clip((wide[0] + wide[1]) / 2, 0, 1), np.maximum(thin[0], thin[1]) * np.float32(0.85)


def _chevron(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    width = 1 + p.accent
    fold = np.abs(u / width - np.floor(u / width) - 0.5) * width
    thin = _band(v + fold + 0.5, 0.15, step) if p.accent > 0.5 else _none(v)
    return _band(v + fold, p.duty, step), thin


def _herringbone(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    odd = np.floor(u) % 2
    slant = np.where(odd > 0, u, -u) * np.float32(1.2)
    lines = _band((v + slant) * 3, 0.35 + 0.3 * p.duty, step / 3)
    return lines, _none(u)


def _houndstooth(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    x, y = (u - np.floor(u)) * 8, (v - np.floor(v)) * 8
    twill = (x + y) % 4 < 2
    dark = np.where((x < 4) & (y < 4), True, np.where((x >= 4) & (y >= 4), False, twill))
    return cv2.blur(dark.astype(np.float32), (2, 2)), _none(u)


def _argyle(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    tall = v * np.float32(0.65)
    diamond = (np.floor(u + tall) + np.floor(u - tall)) % 2
    lines = np.maximum(_band(u + tall + 0.5, 0.07, step), _band(u - tall + 0.5, 0.07, step))
    return cv2.blur(diamond.astype(np.float32), (3, 3)), lines


def _denim(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    rng = np.random.default_rng(p.seed)
    twill = 0.5 + 0.5 * np.sin((u + v) * np.float32(20))
    slub = rng.random(u.shape, dtype=np.float32)
    faded = cv2.resize(rng.random((5, 5), dtype=np.float32), u.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip((twill * 0.5 + slub * 0.5) * (0.2 + 0.35 * p.duty) + 0.3 * (faded - 0.5), 0, 1), _none(u)


def _knit(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    column = u * 3 - np.floor(u * 3) - 0.5
    stitch = _band(v * 4 - np.abs(column) * 2, 0.62, step / 4)
    rib = _band(v, p.duty, step) if p.accent > 0.4 else _none(v)
    return np.clip(0.28 * (1 - stitch) + rib * (0.55 + 0.45 * stitch), 0, 1), _none(u)


def _colour_block(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    low = (p.duty - 0.5) / (2 * p.period)
    third = low + (0.05 + 0.2 * p.accent) / p.period
    second = np.clip((v - low) * step + 0.5, 0, 1)
    return second, np.clip((v - third) * step + 0.5, 0, 1) if p.accent > 0.4 else _none(v)


def _gradient(p: Pattern, u: Plane, v: Plane, step: float) -> tuple[Plane, Plane]:
    spread = (0.25 + p.accent * 0.5) / p.period
    return np.clip((v - (p.duty - 0.5) / p.period * 0.6) / spread + 0.5, 0, 1), _none(v)


WEAVES: dict[str, Weave] = {
    "solid": _solid,
    "horizontal stripes": _stripes,
    "vertical stripes": _stripes,
    "diagonal stripes": _stripes,
    "gingham": _gingham,
    "tartan": _tartan,
    "chevron": _chevron,
    "herringbone": _herringbone,
    "houndstooth": _houndstooth,
    "argyle": _argyle,
    "denim": _denim,
    "knit": _knit,
    "colour block": _colour_block,
    "gradient": _gradient,
}

PATTERN_NAMES = (*WEAVES, *PRINTS)

# (smallest period, largest period, angles in degrees to choose from) where the common ones do not suit.
_RANGES: dict[str, tuple[float, float, tuple[float, ...]]] = {
    "horizontal stripes": (0.03, 0.13, (0.0,)),
    "vertical stripes": (0.03, 0.12, (90.0,)),
    "diagonal stripes": (0.04, 0.14, (-55.0, -40.0, 35.0, 50.0)),
    "gingham": (0.03, 0.09, (0.0, 0.0, 45.0)),
    "tartan": (0.1, 0.2, (0.0, 0.0, 45.0)),
    "chevron": (0.05, 0.12, (0.0, 0.0, 90.0)),
    "herringbone": (0.05, 0.1, (0.0, 90.0)),
    "houndstooth": (0.05, 0.11, (0.0, 45.0)),
    "argyle": (0.08, 0.16, (0.0,)),
    "denim": (0.04, 0.08, (0.0, 20.0)),
    "knit": (0.06, 0.13, (0.0, 90.0)),
    "colour block": (0.2, 0.2, (0.0, 0.0, 30.0, -35.0, 90.0)),
    "gradient": (0.2, 0.2, (0.0, 180.0, 40.0, -60.0)),
    "motif": (0.12, 0.24, (0.0,)),
    "floral": (0.08, 0.19, (0.0,)),
    "paisley": (0.08, 0.17, (0.0,)),
    "dots": (0.035, 0.11, (0.0,)),
    "leopard": (0.05, 0.11, (0.0,)),
    "zebra": (0.06, 0.14, (0.0,)),
    "camouflage": (0.12, 0.24, (0.0,)),
}


def draw_pattern(rng: np.random.Generator, names: tuple[str, ...] = PATTERN_NAMES) -> Pattern:
    """A pattern of one of the names with numbers of its own; plain cloth is drawn more often, as in shops."""
    weights = np.array([2.5 if name == "solid" else 1.0 for name in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    low, high, angles = _RANGES.get(name, (0.05, 0.15, (0.0,)))
    return Pattern(
        name=name,
        period=float(rng.uniform(low, high)),
        angle=float(rng.choice(angles)),
        duty=float(rng.uniform(0.28, 0.68)),
        accent=float(rng.random()),
        seed=int(rng.integers(2**31)),
    )
