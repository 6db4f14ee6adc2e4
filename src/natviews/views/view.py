"""A view: the drawn parameters of one picture to be made from photos. Numbers, not pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from natviews.views.geometry import IDENTITY, Homography, Window, after, in_pixels, scaling

Step = tuple[str | float, ...]
"""A change of pixels: its name, then its amounts. `STEPS` says which there are."""

STEPS = {
    "brightness": "factor",
    "contrast": "factor about the picture's mean luminance",
    "saturation": "factor about each pixel's luminance",
    "hue": "turns, -0.5 to 0.5, in HSV",
    "grey": "1: luminance only",
    "gains": "factors of red, green and blue",
    "solarise": "levels from this one (0 to 255) upwards are inverted",
    "blur": "sigma of a Gaussian in px",
    "jpeg": "quality, 1 to 100",
}


class Shape(NamedTuple):
    """What a policy may know of a photo: its size in px, and the product's box in it where that is known."""

    height: int
    width: int
    foreground: Window | None = None


class Scene(NamedTuple):
    """The photos that the views of one step may show, numbered in this order.

    `anchors` are x' and x" (or x' alone): what the views are of. A collage may also show `siblings`, other
    photos of the same product, and `others`, photos of other products.
    """

    anchors: Sequence[Shape]
    siblings: Sequence[Shape] = ()
    others: Sequence[Shape] = ()

    @property
    def photos(self) -> list[Shape]:
        return [*self.anchors, *self.siblings, *self.others]


class Drawn(NamedTuple):
    """A picture that is generated rather than given: number `number` of a kind such as 'ground'."""

    kind: str
    number: int


@dataclass(slots=True)
class Layer:
    """One picture within a view, painted over what lies beneath it.

    `source` is the number of a photo of the scene, or a generated picture. `homography` maps the view's px
    to the source's, both with (0, 0) the outer corner of the first pixel. `clip` maps the view's px to a
    square: the layer is painted where that is within (0, 0) to (1, 1) only. `cut_out` paints the photo's
    product without its background; `repeat` tiles the source.
    """

    source: int | Drawn
    homography: Homography = IDENTITY
    clip: Homography | None = None
    opacity: float = 1.0
    cut_out: bool = False
    repeat: bool = False


@dataclass(slots=True)
class View:
    """How one picture is made: layers are painted in their order, then come the steps in theirs.

    `source` says which photo of the scene it is a view of; its layer is `anchor`. `size` is (height, width)
    in px. Where no layer paints, the view has the colour of that photo's border. Operations change a view
    in place while it is drawn.
    """

    source: int
    size: tuple[int, int]
    layers: list[Layer] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list, compare=False)
    """The operations that took part, for contact sheets."""
    scene: Scene = field(default=Scene(()), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.layers:
            self.layers.append(Layer(self.source))

    @classmethod
    def of(cls, scene: Scene, source: int) -> "View":
        """The whole photo number `source`, as it is."""
        height, width = scene.photos[source][:2]
        return cls(source, (height, width), scene=scene)

    @property
    def anchor(self) -> Layer:
        """The layer that shows the photo this is a view of."""
        return next(layer for layer in self.layers if layer.source == self.source)

    @property
    def shape(self) -> Shape:
        """The photo this is a view of."""
        return self.scene.photos[self.source]

    @property
    def shown(self) -> list[int]:
        """The numbers of all photos that take part."""
        return [layer.source for layer in self.layers if isinstance(layer.source, int)]

    def transform(self, transform: Homography) -> None:
        """Moves all that is shown: `transform` maps a place in the new view to one in the old, both in
        units of its height and width."""
        self._through(in_pixels(transform, self.size))

    def crop(self, window: Window, size: tuple[int, int]) -> None:
        """Shows a window (in px of this view) at another size."""
        left, top, right, bottom = window
        self._through(((right - left) / size[1], 0.0, left, 0.0, (bottom - top) / size[0], top, 0.0, 0.0, 1.0))
        self.size = size

    def _through(self, in_view: Homography) -> None:
        for layer in self.layers:
            before = layer.homography
            layer.homography = in_view if before is IDENTITY else after(before, in_view)
            if layer.clip is not None:
                layer.clip = after(layer.clip, in_view)

    def paint(self, source: int | Drawn, place: Homography, source_size: tuple[int, int], **how: float) -> None:
        """Adds a layer on top. `place` maps the view's px to the unit square that the source fills."""
        height, width = source_size
        homography = after(scaling(width, height), place)
        self.layers.append(Layer(source, homography, clip=place, **how))  # type: ignore[arg-type]
