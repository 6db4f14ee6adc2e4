"""Things beside a product: smaller or cut off by the frame, drawn with the same shapes."""

from functools import lru_cache

import numpy as np

from natviews.catalog.generated.dressing import hang
from natviews.catalog.generated.light import cast_shadow
from natviews.catalog.generated.palette import draw_palette
from natviews.catalog.generated.patterns import draw_pattern
from natviews.catalog.generated.pixels import Picture
from natviews.catalog.generated.pose import Pose, cover_over, place
from natviews.catalog.generated.raster import rasterise, texture
from natviews.catalog.generated.scenes import Scene
from natviews.catalog.generated.shapes import BOTTOMS, GARMENTS, SHAPES

_PROPS = 18


@lru_cache(maxsize=128)
def _prop(number: int, hung: bool, size: int) -> Picture:
    """One of a few things that stand or hang beside products: the same everywhere, so they say nothing."""
    rng = np.random.default_rng([81, number])
    kinds = [kind for kind in SHAPES if (kind in GARMENTS) == hung]
    kind = kinds[number % len(kinds)]
    shape = SHAPES[kind].draw(rng)
    pattern, palette = draw_pattern(rng), draw_palette(rng)
    picture = rasterise(shape.layers(False), texture(pattern.coverage(size), palette), palette)
    return hang(picture, kind in BOTTOMS) if hung else picture


def add_neighbours(scene: Scene, rail: float | None, rng: np.random.Generator) -> None:
    """Draw one or two things into the sides of a scene; with a rail (0..1) garments hang from it."""
    size = scene.pixels.shape[0]
    for side in rng.permutation([0.0, 1.0])[: int(rng.integers(1, 3))]:
        picture = _prop(int(rng.integers(_PROPS)), rail is not None, round(0.75 * size))
        fill = rng.uniform(0.2, 0.4) if rail is None else rng.uniform(0.5, 0.66)
        x = side + (1 - 2 * side) * rng.uniform(-0.02, 0.14)
        angle = rng.uniform(-180, 180) if scene.ground is None else 0
        pose = Pose(fill, x, rng.uniform(0.35, 0.75), angle, rng.uniform(0.7, 1))
        ground = scene.ground - rng.uniform(0.0, 0.02) if scene.ground and rail is None else None
        layer = place(picture, pose.matrix(picture, size, ground=ground, rail=rail), size)
        cast_shadow(scene.pixels, layer[:, :, 3] / np.float32(255), rng, 0.25)
        cover_over(scene.pixels, layer)
