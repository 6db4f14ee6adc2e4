"""Operations: each declares what may be drawn and how likely it is, and turns a view into another.

An operation is a frozen dataclass with a probability `p` and `draw(view, rng) -> View`. All chance comes
from `rng`. A new operation is one class here; the contract suite and the contact sheets find it.
"""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass

import numpy as np

from natviews.types import NatviewsError
from natviews.views.view import ColourStep, View

REFERENCE_SIZE = 224
"""Blur widths are given for views of this size and scaled with the view, so that policies carry over."""


@dataclass(frozen=True)
class Op(ABC):
    """An operation that is applied with probability `p`."""

    _: KW_ONLY
    p: float

    def __post_init__(self) -> None:
        _check_range(type(self).__name__, "p", (self.p, self.p), 0, 1)

    @abstractmethod
    def draw(self, view: View, rng: np.random.Generator) -> View:
        """The view with the operation's drawn parameters applied."""


@dataclass(frozen=True)
class Crops:
    """Random resized crops: `count` views of `size` px, each of a share of the photo's area.

    `area` and `aspect` (width / height) are ranges, the aspect's drawn on a logarithmic scale, as in
    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015. `area=(1, 1)` with `aspect=(1, 1)` is the
    largest centred square.
    """

    _: KW_ONLY
    count: int
    size: int
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        _check_range("Crops", "area", self.area, 1e-4, 1)
        _check_range("Crops", "aspect", self.aspect, 0.01, 100)
        if self.count < 1 or self.size < 8:
            raise NatviewsError(f"Crops: count {self.count} and size {self.size} must be at least 1 and 8.")

    def draw(self, source: int, photo_size: tuple[int, int], rng: np.random.Generator) -> View:
        """A view of photo number `source`, which has `photo_size` (H, W) px."""
        height, width = photo_size
        box_height, box_width = self._box(height, width, rng)
        top = rng.uniform(0, height - box_height)
        left = rng.uniform(0, width - box_width)
        if self.area == (1, 1):
            top, left = (height - box_height) / 2, (width - box_width) / 2
        homography = np.array([[box_width / self.size, 0, left], [0, box_height / self.size, top], [0, 0, 1.0]])
        return View(source, self.size, homography, names=("crop",))

    def _box(self, height: int, width: int, rng: np.random.Generator) -> tuple[float, float]:
        for _ in range(10):
            area = height * width * rng.uniform(*self.area)
            aspect = np.exp(rng.uniform(*np.log(self.aspect)))
            box_height, box_width = np.sqrt(area / aspect), np.sqrt(area * aspect)
            if box_height <= height and box_width <= width:
                return box_height, box_width
        side = min(height, width)  # the photo is too long and thin for such a crop: a square of its width
        return side, side


@dataclass(frozen=True)
class Flip(Op):
    """Mirror left and right."""

    _: KW_ONLY
    p: float = 0.5

    def draw(self, view: View, rng: np.random.Generator) -> View:
        return view.after(np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]]), "flip")


@dataclass(frozen=True)
class Rotate(Op):
    """Turn by up to `degrees` either way about the centre of the view."""

    _: KW_ONLY
    degrees: float = 20.0
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range("Rotate", "degrees", (self.degrees, self.degrees), 0, 180)

    def draw(self, view: View, rng: np.random.Generator) -> View:
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
        to_centre = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
        return view.after(np.linalg.inv(to_centre) @ turn @ to_centre, "rotate")


@dataclass(frozen=True)
class Jitter(Op):
    """Brightness, contrast, saturation and hue, in a drawn order.

    The first three are factors from [max(0, 1 - s), 1 + s] of their strength s; hue is a shift within
    [-h, h] of a full turn (h at most 0.5). As torchvision's ColorJitter.
    """

    _: KW_ONLY
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    p: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range("Jitter", "hue", (self.hue, self.hue), 0, 0.5)
        for name in ("brightness", "contrast", "saturation"):
            strength = getattr(self, name)
            _check_range("Jitter", name, (strength, strength), 0, 100)

    def draw(self, view: View, rng: np.random.Generator) -> View:
        strengths = {"brightness": self.brightness, "contrast": self.contrast, "saturation": self.saturation}
        steps: list[ColourStep] = [
            (name, float(rng.uniform(max(0.0, 1 - strength), 1 + strength)))
            for name, strength in strengths.items()
            if strength
        ]
        if self.hue:
            steps.append(("hue", float(rng.uniform(-self.hue, self.hue))))
        return view.with_colour(tuple(steps[i] for i in rng.permutation(len(steps))), "jitter")


@dataclass(frozen=True)
class Grey(Op):
    """Luminance only."""

    _: KW_ONLY
    p: float = 0.2

    def draw(self, view: View, rng: np.random.Generator) -> View:
        return view.with_colour((("grey", 1.0),), "grey")


@dataclass(frozen=True)
class Blur(Op):
    """Gaussian blur; `sigma` is a range in px of a 224 px view."""

    _: KW_ONLY
    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range("Blur", "sigma", self.sigma, 0, 100)

    def draw(self, view: View, rng: np.random.Generator) -> View:
        return view.with_blur(float(rng.uniform(*self.sigma)) * view.size / REFERENCE_SIZE, "blur")


def _check_range(kind: str, name: str, bounds: tuple[float, float], lowest: float, highest: float) -> None:
    low, high = bounds
    if not lowest <= low <= high <= highest:  # written so that NaN is refused
        given = f"{low} must be" if low == high or low != low else f"{bounds} must be a range"
        raise NatviewsError(f"{kind}: {name} = {given} within {lowest} to {highest}.")


OPS: dict[str, type] = {op.__name__.lower(): op for op in (Crops, Flip, Rotate, Jitter, Grey, Blur)}
