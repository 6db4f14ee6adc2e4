"""Random resized crops: which part of a photo a view shows, and at what size."""

import math
import random
from dataclasses import KW_ONLY, dataclass

from natviews.types import NatviewsError
from natviews.views.geometry import Window
from natviews.views.ops.op import Range, check_range
from natviews.views.view import View


@dataclass(frozen=True)
class Crops:
    """`count` views of `size` px, each of a share of the photo's area.

    `area` and `aspect` (width / height) are ranges, the aspect's drawn on a logarithmic scale, as in
    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015. `area=(1, 1)` with `aspect=(1, 1)` is the
    largest centred square.
    """

    _: KW_ONLY
    count: int
    size: int
    area: Range = (0.08, 1.0)
    aspect: Range = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        check_range("Crops", "area", self.area, 1e-4, 1)
        check_range("Crops", "aspect", self.aspect, 0.01, 100)
        if not (1 <= self.count <= 100 and 8 <= self.size <= 4096):
            raise NatviewsError(
                f"Crops: count {self.count} must be within 1 to 100 and size {self.size} within 8 to 4096."
            )

    def draw(self, view: View, rng: random.Random) -> None:
        """Narrows a view to a part of what it shows."""
        height, width = view.size
        box_height, box_width = self._box(height, width, rng)
        top, left = rng.random() * (height - box_height), rng.random() * (width - box_width)
        if self.area == (1, 1):
            top, left = (height - box_height) / 2, (width - box_width) / 2
        view.crop(Window(left, top, left + box_width, top + box_height), (self.size, self.size))

    def _box(self, height: int, width: int, rng: random.Random) -> tuple[float, float]:
        low, high = math.log(self.aspect[0]), math.log(self.aspect[1])
        for _ in range(10):
            area = height * width * rng.uniform(*self.area)
            aspect = math.exp(rng.uniform(low, high))
            box_height, box_width = math.sqrt(area / aspect), math.sqrt(area * aspect)
            if box_height <= height and box_width <= width:
                return box_height, box_width
        side = min(height, width)  # the photo is too long and thin for such a crop: a square of its width
        return side, side
