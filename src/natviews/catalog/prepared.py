"""Photos as an encoder wants them: read, and prepared in its way. What the ways are is not the catalogue's."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from natviews.catalog.decode import BadPhoto
from natviews.catalog.reading import read_photo

ROOM = 2
"""A photo that is to be prepared is read this much larger than it is wanted: cropping takes pixels away."""


class Preparation(Protocol):
    """What may be done to every photo before it is shown."""

    @property
    def key(self) -> str:
        """A name fit for a file's name, another for every way of preparing."""

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        """A new photo (H', W', 3) uint8 RGB of `photo` (H, W, 3), which may be read-only.

        Raises a ValueError whose text is the reason where the photo cannot be used: it is quarantined.
        """


def read_prepared(path: Path | str, longest: int, preparation: Preparation | None) -> np.ndarray:
    """The photo in a file or at a URL, (H, W, 3) uint8 RGB, prepared; longest side at most `longest` px.

    Raises BadPhoto with the reason, the preparation's included.
    """
    if preparation is None:
        return read_photo(path, longest)
    return prepared(read_photo(path, ROOM * longest), longest, preparation)


def prepared(photo: np.ndarray, longest: int, preparation: Preparation) -> np.ndarray:
    """The same of a photo that was read already."""
    try:
        return limited(preparation.prepare(photo), longest)
    except ValueError as unfit:
        raise BadPhoto(str(unfit)) from None


def limited(photo: np.ndarray, longest: int) -> np.ndarray:
    """The photo with its longest side at most `longest` px."""
    scale = longest / max(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
