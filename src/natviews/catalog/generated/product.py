"""Designs and products: what the shop sells, with full ground truth.

A design is a shape with a pattern; a product is a design in one palette, its colourway, sold by one shop.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from natviews.catalog.generated.marks import Shop
from natviews.catalog.generated.palette import Palette, draw_palette
from natviews.catalog.generated.patterns import PATTERN_NAMES, Pattern, draw_pattern
from natviews.catalog.generated.pixels import Picture, Plane
from natviews.catalog.generated.raster import rasterise, texture
from natviews.catalog.generated.shapes import PRODUCT_TYPES, SHAPES, Shape
from natviews.catalog.generated.shapes.dress import Dress
from natviews.catalog.generated.shapes.jacket import Jacket
from natviews.catalog.generated.shapes.shirt import Shirt

CANVAS = 1.5
"""Side of a product's picture in sides of a photo: detail shots zoom in, so it is larger."""

# Cloth patterns that nobody bakes on a mug or a vase.
_WOVEN = frozenset({"denim", "knit", "herringbone"})
_HARD = frozenset({"mug", "vase"})
_COLOURWAYS = (0.3, 0.3, 0.25, 0.15)


@dataclass(frozen=True)
class Design:
    """A shape and a pattern with all their numbers, but no colour."""

    design_id: str
    shape: Shape
    pattern: Pattern

    @property
    def product_type(self) -> str:
        """The name of the shape's type."""
        return self.shape.kind

    @property
    def sleeve(self) -> str:
        """The sleeve length, "" where there are no sleeves."""
        return self.shape.bodice.sleeve if isinstance(self.shape, Shirt | Dress | Jacket) else ""

    @property
    def neckline(self) -> str:
        """The neckline, "" where it is no feature of the type."""
        return self.shape.bodice.neckline if isinstance(self.shape, Shirt | Dress) else ""


@dataclass(frozen=True)
class Product:
    """One design in one palette as one shop sells it; sales are pieces per month."""

    product_id: str
    design: Design
    palette: Palette
    shop: Shop
    title: str
    price: float
    sales: int
    sellers: int


def draw_design(design_id: str, rng: np.random.Generator) -> Design:
    """A design of any type."""
    kind = str(rng.choice(PRODUCT_TYPES))
    names = tuple(name for name in PATTERN_NAMES if kind not in _HARD or name not in _WOVEN)
    return Design(design_id, SHAPES[kind].draw(rng), draw_pattern(rng, names))


def draw_colourways(rng: np.random.Generator) -> list[Palette]:
    """One to four palettes with different main colours."""
    palettes: list[Palette] = []
    for _ in range(1 + int(rng.choice(len(_COLOURWAYS), p=_COLOURWAYS))):
        palettes.append(draw_palette(rng, frozenset(palette.main for palette in palettes)))
    return palettes


class DesignPictures:
    """The pictures of a design in any palette; the pattern is computed once for all of them."""

    def __init__(self, design: Design, photo_size: int) -> None:
        self._design = design
        self._canvas = round(CANVAS * photo_size)

    @cached_property
    def _coverage(self) -> Plane:
        return self._design.pattern.coverage(self._canvas)

    def picture(self, palette: Palette, back: bool) -> Picture:
        """The front or the back, uint8 (n, n, 4), n = CANVAS times the photo's size."""
        coverage = self._coverage
        if back and self._design.pattern.name == "motif":
            coverage = np.zeros_like(coverage)
        return rasterise(self._design.shape.layers(back), texture(coverage, palette), palette)


class ProductPictures:
    """The front and the back of one product, each drawn when first asked for."""

    def __init__(self, design_pictures: DesignPictures, product: Product) -> None:
        self._design_pictures = design_pictures
        self.product = product

    @cached_property
    def front(self) -> Picture:
        """The picture from in front."""
        return self._design_pictures.picture(self.product.palette, back=False)

    @cached_property
    def back(self) -> Picture:
        """The picture from behind."""
        return self._design_pictures.picture(self.product.palette, back=True)
