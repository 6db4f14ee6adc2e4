"""Preparing photos before any view is made of them: cards dropped, the product cut out of its surroundings.

The product localisation of the SkiLL paper's ablation: drop what shows no product, find the foreground, crop
with a margin of 10 %, pad to a square. Every step can be left out. Photos are never changed in place.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

import cv2
import numpy as np

from natviews.config import check
from natviews.types import NatviewsError
from natviews.views import watermarks as marks
from natviews.views.foreground import foreground
from natviews.views.geometry import Window
from natviews.views.text_cards import is_text_card

RULES = "1"
"""Raised when the rules below, or those for cards and foregrounds, change what comes out: caches go by it."""


class NotAProduct(ValueError):
    """A photo that shows no product; its text is the reason, for `quarantine.csv`."""


@dataclass(frozen=True)
class Preparation:
    """What is done to a photo, in this order.

    `text_cards` drops tables, size charts and pages of text; `watermarks` removes text laid over the photo;
    `crop` cuts out the foreground's box with `margin`, a share (0 to 1) of the box's longer side, on every
    side as far as the photo goes; `pad` fills up to a square with the border's colour.
    """

    _: KW_ONLY
    text_cards: Literal["keep", "drop"] = "drop"
    crop: Literal["keep", "foreground"] = "foreground"
    margin: float = 0.10
    pad: Literal["keep", "square"] = "square"
    watermarks: Literal["keep", "remove"] = "keep"

    def __post_init__(self) -> None:
        for name, value in check(Preparation, vars(self), "Preparation").items():
            object.__setattr__(self, name, value)  # "0.1" as 0.1, as a recipe's values are taken
        if not 0 <= self.margin <= 1:  # written so that NaN is refused
            raise NatviewsError(f"Preparation: margin = {self.margin} must be within 0 to 1.")

    @property
    def key(self) -> str:
        """A name for these settings, fit for a file's name: other settings or rules, another name."""
        values = (self.text_cards, self.crop, repr(float(self.margin)), self.pad, self.watermarks)
        return "-".join((f"prepared{RULES}", *values))

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        """The prepared photo, a new array (H', W', 3) uint8 RGB, of `photo` (H, W, 3), which stays as it is.

        Raises NotAProduct for a text card.
        """
        if self.text_cards == "drop" and is_text_card(photo):
            raise NotAProduct("a text card (a table, a size chart or a page of text), not a product")
        if self.watermarks == "remove":
            mark = marks.detect_mark(photo)
            photo = marks.remove(photo, mark.mask) if mark.found else photo
        if self.crop == "foreground":
            left, top, right, bottom = _with_margin(foreground(photo).box, self.margin, photo.shape)
            photo = photo[top:bottom, left:right]
        return _squared(photo) if self.pad == "square" else photo.copy()


def _with_margin(box: Window, margin: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The box, larger on every side by a share of its longer side, within the photo; in whole px."""
    by = round(margin * max(box.right - box.left, box.bottom - box.top))
    left, top, right, bottom = (round(edge) for edge in box)
    return max(0, left - by), max(0, top - by), min(shape[1], right + by), min(shape[0], bottom + by)


def _squared(photo: np.ndarray) -> np.ndarray:
    """The photo centred on a square of its border's median colour."""
    height, width = photo.shape[:2]
    side = max(height, width)
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]])
    colour = [float(level) for level in np.median(border, axis=0)]
    top, left = (side - height) // 2, (side - width) // 2
    return cv2.copyMakeBorder(
        photo, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=colour
    )
