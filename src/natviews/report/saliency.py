"""Saliency by covering: which parts of a photo hold up its similarity to another photo of its product.

A square of the photo's mean colour covers one part after another, and the photo is encoded anew (Zeiler and
Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, arXiv:1311.2901). Nothing is asked of
the network but its vectors, so it says the same of a CNN and of a ViT, with its head, and needs no label.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from natviews.catalog import PackedPhotos
from natviews.progress import progress
from natviews.report.examples import products_of_each_type
from natviews.report.pictures import shown
from natviews.report.report import Saliency

if TYPE_CHECKING:
    from natviews.encoders import Encoder

PAIRS = 4
PARTS = 8
"""Parts along each side; what covers is two parts wide, and moves on by one."""


def saliency_of(encoder: "Encoder", packed: PackedPhotos) -> list[Saliency]:
    """Maps of a photo of each of some products, drawn by chance and not by how they look, towards another photo of
    the product. Photos must be packed as the encoder is shown them."""
    pairs = [rows[:2] for rows in products_of_each_type(packed.catalog, PAIRS, most=2)]
    found = []
    with progress("covering parts of photos", len(pairs)) as advance:
        for row, other in pairs:
            photo = packed.pixels(int(row))
            window = _window(encoder, photo)
            [target] = encoder.encode([packed.pixels(int(other))])
            similarities = encoder.encode(_covered(photo, window)) @ target
            fall = fall_of_parts(similarities[0] - similarities[1:].reshape(PARTS - 1, PARTS - 1))
            height, width = photo.shape[:2]
            seen = (window[0] / width, window[1] / height, window[2] / width, window[3] / height)
            photos = shown(packed, int(row)), shown(packed, int(other))
            found.append(Saliency(*photos, float(similarities[0]), fall, seen))
            advance()
    return found


def _window(encoder: "Encoder", photo: np.ndarray) -> tuple[float, float, float, float]:
    """What the encoder sees of a photo, in px: the centre of its shorter side."""
    height, width = photo.shape[:2]
    side = min(height, width) * encoder.architecture.crop
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _covered(photo: np.ndarray, window: tuple[float, float, float, float]) -> Iterator[np.ndarray]:
    """The photo as it is, then with each square covered, row by row."""
    yield photo
    left, top, right, bottom = window
    seen = photo[round(top) : round(bottom), round(left) : round(right)]
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
