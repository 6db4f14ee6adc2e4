"""All product types: from a name to the class that draws and renders its shape."""

from typing import ClassVar, Protocol

import numpy as np

from natviews.catalog.generated.drawing import Drawing
from natviews.catalog.generated.shapes.bag import Bag
from natviews.catalog.generated.shapes.chair import Chair
from natviews.catalog.generated.shapes.cushion import Cushion
from natviews.catalog.generated.shapes.dress import Dress
from natviews.catalog.generated.shapes.hat import Hat
from natviews.catalog.generated.shapes.jacket import Jacket
from natviews.catalog.generated.shapes.lamp import Lamp
from natviews.catalog.generated.shapes.mug import Mug
from natviews.catalog.generated.shapes.shirt import Shirt
from natviews.catalog.generated.shapes.shoe import Shoe
from natviews.catalog.generated.shapes.skirt import Skirt
from natviews.catalog.generated.shapes.trousers import Trousers
from natviews.catalog.generated.shapes.vase import Vase


class Shape(Protocol):
    """The outline and details of one design, without colour."""

    kind: ClassVar[str]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Shape":
        """A shape with numbers of its own."""
        ...

    def layers(self, back: bool) -> Drawing:
        """Its drawing from in front or from behind."""
        ...


_CLASSES: tuple[type[Shape], ...] = (
    Shirt, Dress, Jacket, Skirt, Trousers, Shoe, Bag, Hat, Mug, Vase, Lamp, Cushion, Chair,
)  # fmt: skip
SHAPES: dict[str, type[Shape]] = {cls.kind: cls for cls in _CLASSES}
PRODUCT_TYPES = tuple(SHAPES)

GARMENTS = frozenset({"shirt", "dress", "jacket", "skirt", "trousers"})
"""Types of cloth that hang, fold and crease; all others stand, except the cushion."""

BOTTOMS = frozenset({"skirt", "trousers"})
"""Garments that hang by the waist."""

SOFT = GARMENTS | {"cushion", "bag", "hat"}
"""Types whose outline gives a little from photo to photo."""
