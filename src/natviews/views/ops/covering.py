"""Operations that put something over the photo, behind the product, or beside it."""

import math
import random
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from natviews.types import NatviewsError
from natviews.views.generated import drawn
from natviews.views.geometry import Homography, Window, after, inverse, onto, rotation, scaling
from natviews.views.ops.op import Op, Range
from natviews.views.view import Drawn, Layer, View

COLOURS = 4096
"""Plain colours there are to draw from: 16 levels of each channel."""
MARKS, GROUNDS = 500, 200
"""How many generated watermarks and grounds there are to draw from."""


@dataclass(frozen=True)
class Erase(Op):
    """Covers a box of a drawn share of the view's area, aspect and place with a drawn plain colour.

    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
    """

    _: KW_ONLY
    area: Range = (0.02, 0.2)
    aspect: Range = (0.3, 3.3)
    p: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("area", 0, 1)
        self._within("aspect", 0.01, 100)

    def draw(self, view: View, rng: random.Random) -> None:
        area = rng.uniform(*self.area)
        aspect = math.exp(rng.uniform(math.log(self.aspect[0]), math.log(self.aspect[1])))
        width, height = min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))
        left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        place = _from_pixels(view, Window(left, top, left + width, top + height))
        view.paint(Drawn("colour", rng.randrange(COLOURS)), place, (1, 1))


@dataclass(frozen=True)
class Background(Op):
    """Puts a generated ground behind the product, whose matte is found in the photo.

    Where the product's box is not known, its matte would not be right either: the photo stays as it is.
    """

    _: KW_ONLY
    p: float = 0.3

    def draw(self, view: View, rng: random.Random) -> None:
        if view.shape.foreground is None:
            return
        source = Drawn("ground", rng.randrange(GROUNDS))
        height, width = drawn(source).shape[:2]
        whole = _from_pixels(view, Window(0.0, 0.0, 1.0, 1.0))
        # Mirrored at random: twice as many grounds.
        x = width if rng.random() < 0.5 else -width
        ground = Layer(source, after(scaling(x, height), whole), repeat=True)
        anchor = view.anchor
        anchor.cut_out = True
        view.layers.insert(view.layers.index(anchor), ground)


@dataclass(frozen=True)
class Watermark(Op):
    """A shop's mark over the photo: at a corner, in the middle or tiled.

    `scale` is the mark's longer side as a share of the view's, `opacity` how much it covers; both ranges. With
    `area`, a range too, the mark's box has that share of the view's area, as far as the view has room for it.
    Marks come from one of two pools that share neither words nor forms: train with one, measure with the
    other. Probability as in SEA (30 %).
    """

    _: KW_ONLY
    scale: Range = (0.1, 0.4)
    opacity: Range = (0.3, 0.8)
    places: tuple[Literal["corner", "centre", "tiled"], ...] = ("corner", "centre", "tiled")
    pool: Literal["train", "test"] = "train"
    area: Range | None = None
    p: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("scale", 0.01, 1)
        if self.area is not None:
            self._within("area", 0.0001, 1)
        self._within("opacity", 0, 1)
        if not self.places or not set(self.places) <= {"corner", "centre", "tiled"}:
            raise NatviewsError(f"Watermark: places = {self.places} must be of corner, centre and tiled.")

    def draw(self, view: View, rng: random.Random) -> None:
        source = Drawn(f"{self.pool} mark", rng.randrange(MARKS))
        height, width = drawn(source).shape[:2]
        if self.area is None:
            side = rng.uniform(*self.scale) * max(view.size) / max(height, width)
        else:
            side = math.sqrt(rng.uniform(*self.area) * view.size[0] * view.size[1] / (height * width))
            side = min(side, view.size[0] / height, view.size[1] / width)
        opacity = rng.uniform(*self.opacity)
        share_x, share_y = width * side / view.size[1], height * side / view.size[0]
        where = self.places[rng.randrange(len(self.places))]
        if where == "tiled":
            gap = rng.uniform(1.3, 2.0)
            self._tile(view, source, share_x * gap, share_y * gap, rng.uniform(-0.6, 0.6), opacity)
            return
        left, top = 0.5 - share_x / 2, 0.5 - share_y / 2
        if where == "corner":
            inset_x, inset_y = (rng.uniform(0.0, 0.06) for _ in range(2))
            left = inset_x if rng.random() < 0.5 else 1 - share_x - inset_x
            top = inset_y if rng.random() < 0.5 else 1 - share_y - inset_y
        place = _from_pixels(view, Window(left, top, left + share_x, top + share_y))
        view.paint(source, place, (height, width), opacity=opacity)

    def _tile(
        self, view: View, source: Drawn, share_x: float, share_y: float, angle: float, opacity: float
    ) -> None:
        height, width = drawn(source).shape[:2]
        turned = after(rotation(angle, view.size), scaling(1 / view.size[1], 1 / view.size[0]))
        in_tiles = after(scaling(width / share_x, height / share_y), turned)
        view.layers.append(Layer(source, in_tiles, opacity=opacity, repeat=True))


@dataclass(frozen=True)
class Collage(Op):
    """Several items in one photo: 1 to 6 cells, the view itself in one of them.

    The number of cells is drawn from `cells`. Every other cell shows, at even odds where there are both,
    another photo of the same product or one of another. One cell is the item shrunk on a plain canvas.
    Probability and number as in SEA (10 %, 1 to 6).
    """

    _: KW_ONLY
    cells: tuple[int, int] = (1, 6)
    p: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within("cells", 1, 16)

    def draw(self, view: View, rng: random.Random) -> None:
        count = rng.randint(*self.cells)
        if count == 1:
            side = rng.uniform(0.4, 0.8)
            left, top = rng.uniform(0, 1 - side), rng.uniform(0, 1 - side)
            windows = [Window(left, top, left + side, top + side)]
        else:
            windows = rng.sample(_grid(view.size, count), count)
        place = _from_pixels(view, _fitted(windows[0], view.size, view.size))
        into_cell = after(scaling(view.size[1], view.size[0]), place)
        for layer in view.layers:
            layer.homography = after(layer.homography, into_cell)
            layer.clip = place if layer.clip is None else after(layer.clip, into_cell)
        for window, number in zip(windows[1:], self._companions(view, count - 1, rng), strict=False):
            size = view.scene.photos[number][:2]
            view.paint(number, _from_pixels(view, _fitted(window, view.size, size)), size)

    def _companions(self, view: View, count: int, rng: random.Random) -> list[int]:
        first = len(view.scene.anchors)
        siblings = [*range(first, first + len(view.scene.siblings))]
        siblings += [number for number in range(first) if number != view.source]
        begin = first + len(view.scene.siblings)
        others = [*range(begin, begin + len(view.scene.others))]
        rng.shuffle(siblings)
        rng.shuffle(others)
        chosen = []
        for _ in range(count):
            of_same = siblings and (not others or rng.random() < 0.5)
            if of_same or others:
                chosen.append((siblings if of_same else others).pop())
        return chosen


def _from_pixels(view: View, window: Window) -> Homography:
    """From the view's px to the unit square that a window of the view's unit square becomes."""
    return after(inverse(onto(window)), scaling(1 / view.size[1], 1 / view.size[0]))


def _grid(size: tuple[int, int], count: int) -> list[Window]:
    """At least `count` equal cells in rows and columns, near square."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    return [
        Window(x / columns, y / rows, (x + 1) / columns, (y + 1) / rows)
        for y in range(rows)
        for x in range(columns)
    ]


def _fitted(window: Window, view_size: tuple[int, int], size: tuple[int, int]) -> Window:
    """The largest window within another that has a picture's proportions; both in the view's unit square."""
    left, top, right, bottom = window
    wide, tall = (right - left) * view_size[1], (bottom - top) * view_size[0]
    scale = min(wide / size[1], tall / size[0])
    trim_x, trim_y = (wide - scale * size[1]) / 2 / view_size[1], (tall - scale * size[0]) / 2 / view_size[0]
    return Window(left + trim_x, top + trim_y, right - trim_x, bottom - trim_y)
