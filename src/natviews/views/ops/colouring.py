"""Operations of colour, and of the picture's fineness: what is done to pixels where they are."""

import random
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from natviews.views.ops.op import Op, Range
from natviews.views.view import Step, View

REFERENCE_SIZE = 224
"""Blur widths are given for views of this size and scaled with the view, so that policies carry over."""


@dataclass(frozen=True)
class Jitter(Op):
    """Brightness, contrast, saturation and hue, in a drawn order.

    The first three are factors from [max(0, 1 - s), 1 + s] of their strength s; hue is a shift within
    [-h, h] of a full turn (h at most 0.5). As torchvision's ColorJitter.
    """

    weak_to_strong: ClassVar[Range] = (0.5, 1.0)
    _: KW_ONLY
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    p: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("hue", 0, 0.5)
        for name in ("brightness", "contrast", "saturation"):
            self._within(name, 0, 100)

    def draw(self, view: View, rng: random.Random) -> None:
        steps: list[Step] = []
        if self.brightness:
            steps.append(("brightness", rng.uniform(max(0.0, 1 - self.brightness), 1 + self.brightness)))
        if self.contrast:
            steps.append(("contrast", rng.uniform(max(0.0, 1 - self.contrast), 1 + self.contrast)))
        if self.saturation:
            steps.append(("saturation", rng.uniform(max(0.0, 1 - self.saturation), 1 + self.saturation)))
        if self.hue:
            steps.append(("hue", rng.uniform(-self.hue, self.hue)))
        view.steps += sorted(steps, key=lambda step: rng.random())  # shuffled, in half the time


@dataclass(frozen=True)
class Planckian(Op):
    """Another lamp: the colours of a black body at a temperature drawn from `kelvin`, against daylight.

    Zini et al., "Planckian Jitter", ICLR 2023: colour changes as light changes it, and no other way.
    """

    _: KW_ONLY
    kelvin: Range = (3000.0, 15000.0)
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("kelvin", 1667, 25000)

    def draw(self, view: View, rng: random.Random) -> None:
        # Even steps of the reciprocal temperature (mired) look even.
        low, high = self.kelvin
        view.steps.append(("gains", *lamp_gains(1 / rng.uniform(1 / high, 1 / low))))


def lamp_gains(kelvin: float) -> tuple[float, float, float]:
    """Factors of red, green and blue under a black body, 1 at daylight's 6500 K and always 1 for green.

    The chromaticity by Kim et al.'s cubic splines (US patent 7,024,034; 1667 to 25000 K).
    """
    here, daylight = _lamp_rgb(kelvin), _lamp_rgb(6500.0)
    red, green, blue = (a / b for a, b in zip(here, daylight, strict=True))
    return red / green, 1.0, blue / green


def _lamp_rgb(kelvin: float) -> tuple[float, float, float]:
    t = 1000 / kelvin
    if kelvin <= 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    big_x, big_z = x / y, (1 - x - y) / y
    linear = (
        3.2404542 * big_x - 1.5371385 - 0.4985314 * big_z,  # sRGB's primaries, D65
        -0.9692660 * big_x + 1.8760108 + 0.0415560 * big_z,
        0.0556434 * big_x - 0.2040259 + 1.0572252 * big_z,
    )
    red, green, blue = (max(channel, 1e-3) ** (1 / 2.2) for channel in linear)
    return red, green, blue


@dataclass(frozen=True)
class Grey(Op):
    """Luminance only."""

    _: KW_ONLY
    p: float = 0.2

    def draw(self, view: View, rng: random.Random) -> None:
        view.steps.append(("grey", 1.0))


@dataclass(frozen=True)
class Solarise(Op):
    """Inverts the levels from a threshold (drawn from the range, of 256) upwards."""

    weak_to_strong: ClassVar[Range] = (1.0, 0.0)
    _: KW_ONLY
    threshold: Range = (128.0, 128.0)
    p: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("threshold", 0, 256)

    def draw(self, view: View, rng: random.Random) -> None:
        view.steps.append(("solarise", rng.uniform(*self.threshold)))


@dataclass(frozen=True)
class Blur(Op):
    """Gaussian blur; `sigma` is a range in px of a 224 px view."""

    _: KW_ONLY
    sigma: Range = (0.1, 2.0)
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("sigma", 0, 50)

    def draw(self, view: View, rng: random.Random) -> None:
        view.steps.append(("blur", rng.uniform(*self.sigma) * min(view.size) / REFERENCE_SIZE))


@dataclass(frozen=True)
class JPEG(Op):
    """Saves and opens again, at a quality drawn from the range."""

    weak_to_strong: ClassVar[Range] = (1.0, 0.0)
    _: KW_ONLY
    quality: Range = (30.0, 90.0)
    p: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("quality", 1, 100)

    def draw(self, view: View, rng: random.Random) -> None:
        view.steps.append(("jpeg", float(round(rng.uniform(*self.quality)))))
