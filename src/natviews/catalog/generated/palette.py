"""Colours: a short list of names that all designs share, and the palettes drawn from it."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from natviews.catalog.generated.chance import pick

Ink: TypeAlias = npt.NDArray[Any]
"""One colour, float32 (3,), blue-green-red, 0..255."""

# Two shades each, as hexadecimal RGB: enough to look like a shop, few enough to say little of a product.
SHADES: dict[str, tuple[str, str]] = {
    "black": ("26262a", "1d1f24"),
    "white": ("f2f0ea", "f7f7f5"),
    "grey": ("8d9096", "b3b5b8"),
    "red": ("c0282f", "93222f"),
    "orange": ("e07b2c", "cf6132"),
    "yellow": ("ecc03f", "dfae2e"),
    "green": ("3f7d4e", "6b8152"),
    "teal": ("23807f", "4ba3a0"),
    "blue": ("2b5fa6", "6f9ecb"),
    "navy": ("243253", "1f2a44"),
    "purple": ("6d4690", "9574ad"),
    "pink": ("e394a8", "cd5b86"),
    "brown": ("6f4a32", "8f6238"),
    "beige": ("d6c3a3", "c9b08b"),
}

COLOUR_NAMES = tuple(SHADES)

_NEUTRALS = ("white", "black", "grey", "beige", "navy")
_FIXED: dict[str, str] = {
    "dark": "2a2726",
    "light": "efece4",
    "silver": "b9bcc2",
    "gold": "c9a24a",
    "oak": "c49a63",
    "walnut": "6b4630",
}


def ink(code: str) -> Ink:
    """The colour of a hexadecimal RGB code."""
    red, green, blue = bytes.fromhex(code)
    return np.array([blue, green, red], np.float32)


@dataclass(frozen=True)
class Palette:
    """Three named colours with the shade (0 or 1) of each; the first is the one a title names."""

    names: tuple[str, str, str]
    shades: tuple[int, int, int]

    @property
    def main(self) -> str:
        """The name of the main colour."""
        return self.names[0]

    def inks(self) -> dict[str, Ink]:
        """Every paint that is one plain colour."""
        codes = [SHADES[name][shade] for name, shade in zip(self.names, self.shades, strict=True)]
        inks = dict(zip(("main", "second", "third"), map(ink, codes), strict=True))
        inks["inner"] = inks["main"] * np.float32(0.5)
        return inks | {name: ink(code) for name, code in _FIXED.items()}


def draw_palette(rng: np.random.Generator, avoid: frozenset[str] = frozenset()) -> Palette:
    """A palette whose main colour is none of `avoid` and whose colours can be told from each other."""
    main = pick(rng, [name for name in COLOUR_NAMES if name not in avoid])
    pool: tuple[str, ...] = _NEUTRALS if main not in _NEUTRALS or rng.random() < 0.35 else COLOUR_NAMES
    second = pick(rng, [name for name in pool if _apart(name, main)])
    third = pick(rng, [name for name in COLOUR_NAMES if _apart(name, main) and _apart(name, second)])
    shades = rng.integers(0, 2, 3)
    return Palette((main, second, third), (int(shades[0]), int(shades[1]), int(shades[2])))


def _apart(one: str, other: str) -> bool:
    difference = ink(SHADES[one][0]) - ink(SHADES[other][0])
    return float(np.abs(difference).max()) > 70
