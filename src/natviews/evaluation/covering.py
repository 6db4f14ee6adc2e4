"""Which parts of a photo hold up its similarity to another, by covering them.

A square of the photo's mean colour covers one part after another, and the photo is encoded anew (Zeiler and
Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, arXiv:1311.2901). Nothing is asked of
the network but its vectors, so it says the same of a CNN and of a ViT, with its head, and needs no label.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

PARTS = 8
"""Parts along each side; what covers is two parts wide, and moves on by one."""

Window = tuple[float, float, float, float]
"""Left, top, right and bottom."""


class Covering(NamedTuple):
    """The `similarity` of a photo to a vector; `fall` (G, G) is by how much it falls when a part is covered (below
    0: it rises); `window` is what the encoder sees of the photo, as shares of its sides."""

    similarity: float
    fall: np.ndarray
    window: Window


def covering(
    photo: np.ndarray, target: np.ndarray, encode: Callable[[Iterable[np.ndarray]], np.ndarray], crop: float
) -> Covering:
    """What the similarity of a photo (H, W, 3) uint8 to a unit vector `target` (D,) hangs on.

    `encode` gives unit vectors (N, D) of photos; the encoder sees a square in the middle, the share `crop` of the
    shorter side.
    """
    height, width = photo.shape[:2]
    side = min(height, width) * crop
    left, top = (width - side) / 2, (height - side) / 2
    window = left, top, left + side, top + side
    similarities = encode(_covered(photo, window)) @ target
    fall = fall_of_parts(similarities[0] - similarities[1:].reshape(PARTS - 1, PARTS - 1))
    seen = left / width, top / height, (left + side) / width, (top + side) / height
    return Covering(float(similarities[0]), fall, seen)


def _covered(photo: np.ndarray, window: Window) -> Iterator[np.ndarray]:
    """The photo as it is, then with each square covered, row by row."""
    yield photo
    left, top, right, bottom = window
    seen = photo[math.floor(top) : math.ceil(bottom), math.floor(left) : math.ceil(right)]  # of one pixel at least
    paint = seen.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    across, down = np.linspace(left, right, PARTS + 1), np.linspace(top, bottom, PARTS + 1)
    for i in range(PARTS - 1):
        for j in range(PARTS - 1):
            covered = photo.copy()
            covered[round(down[i]) : round(down[i + 2]), round(across[j]) : round(across[j + 2])] = paint
            yield covered


def fall_of_parts(falls: np.ndarray) -> np.ndarray:
    """(G - 1, G - 1) what each square's cover costs -> (G, G) the mean over the squares that cover each part."""
    sums, counts = (np.zeros((len(falls) + 1, len(falls) + 1)) for _ in range(2))
    for down in (0, 1):
        for across in (0, 1):
            place = np.s_[down : down + len(falls), across : across + len(falls)]
            sums[place] += falls
            counts[place] += 1
    return sums / counts
