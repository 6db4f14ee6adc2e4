"""Operations of geometry: where the photo is seen from."""

import math
import random
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from natviews.views.geometry import MIRROR, Window, applied, inverse, onto, quad, rotation
from natviews.views.ops.op import Op, Range
from natviews.views.view import View


@dataclass(frozen=True)
class Flip(Op):
    """Mirrors left and right."""

    _: KW_ONLY
    p: float = 0.5

    def draw(self, view: View, rng: random.Random) -> None:
        view.transform(MIRROR)


@dataclass(frozen=True)
class Rotate(Op):
    """Turns by up to `degrees` either way about the middle."""

    weak_to_strong: ClassVar[Range] = (0.5, 1.0)
    _: KW_ONLY
    degrees: float = 20.0
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("degrees", 0, 180)

    def draw(self, view: View, rng: random.Random) -> None:
        view.transform(rotation(math.radians(rng.uniform(-self.degrees, self.degrees)), view.size))


@dataclass(frozen=True)
class Perspective(Op):
    """Tilts: each corner moves inwards by up to half of `distortion` of the sides, as torchvision's."""

    _: KW_ONLY
    distortion: float = 0.4
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("distortion", 0, 0.95)  # at 1 all corners may meet

    def draw(self, view: View, rng: random.Random) -> None:
        most = self.distortion / 2
        x = [rng.random() * most for _ in range(4)]
        y = [rng.random() * most for _ in range(4)]
        corners = ((x[0], y[0]), (1 - x[1], y[1]), (1 - x[2], 1 - y[2]), (x[3], 1 - y[3]))
        view.transform(inverse(quad(corners)))


@dataclass(frozen=True)
class ZoomOut(Op):
    """Steps back: what was seen is smaller by a factor drawn from `factor`, at a drawn place, with the
    photo's border colour around where the photo ends."""

    _: KW_ONLY
    factor: Range = (1.0, 2.0)
    p: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("factor", 1, 20)

    def draw(self, view: View, rng: random.Random) -> None:
        side = rng.uniform(*self.factor)
        left, top = rng.uniform(0, side - 1), rng.uniform(0, side - 1)
        view.transform(onto(Window(-left, -top, side - left, side - top)))


@dataclass(frozen=True)
class CentralCrop(Op):
    """Narrows to the central `share` (of each side) of the product's box, or of the photo where no box is known.

    For clothes that is the torso: the head, the legs and the street go.
    """

    _: KW_ONLY
    share: float = 0.6
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("share", 0.05, 1)

    def draw(self, view: View, rng: random.Random) -> None:
        _narrow(view, _product(view), self.share)


@dataclass(frozen=True)
class PatchZoom(Op):
    """Zooms in on a patch of the material: a window with a drawn `share` of the sides of the product's box (of the
    photo where no box is known), in the middle half of it. What was narrowed before does not matter."""

    _: KW_ONLY
    share: Range = (0.4, 0.7)
    p: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("share", 0.02, 1)

    def draw(self, view: View, rng: random.Random) -> None:
        left, top, right, bottom = _product(view)
        share = rng.uniform(*self.share)
        x = (right - left) * rng.uniform(-0.25, 0.25)
        y = (bottom - top) * rng.uniform(-0.25, 0.25)
        _narrow(view, Window(left + x, top + y, right + x, bottom + y), share)


def _narrow(view: View, window: Window, share: float) -> None:
    """Shows the central share of the sides of a window of the unit square."""
    left, top, right, bottom = window
    trim_x, trim_y = (right - left) * (1 - share) / 2, (bottom - top) * (1 - share) / 2
    view.transform(onto(Window(left + trim_x, top + trim_y, right - trim_x, bottom - trim_y)))


def _product(view: View) -> Window:
    """The product's box (the photo, where none is known) as it lies in the view, in the view's unit square."""
    box = view.shape.foreground or Window(0, 0, view.shape.width, view.shape.height)
    back = inverse(view.anchor.homography)
    places = [applied(back, x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    xs, ys = [x / view.size[1] for x, _ in places], [y / view.size[0] for _, y in places]
    return Window(min(xs), min(ys), max(xs), max(ys))
