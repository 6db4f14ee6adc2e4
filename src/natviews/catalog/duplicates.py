"""Near-identical photos: the same picture re-encoded, resized or slightly cropped.

They must not be parted between splits, nor judged as errors when one product's photo finds another's.
"""

from typing import TypeAlias

import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Hashes: TypeAlias = tuple[int, int]

# Chosen on 5,439 photos of eight shops whose near-copies had been marked: of the pairs of different
# products found at these distances, 292 were marked and 14 not. Shape alone finds 367 and 39: the rest
# are recoloured packshots, which are other products.
SHAPE_BITS = 2
COLOUR_BITS = 4
BANDS = (0, 22, 43, 64)
"""Two 64-bit hashes that differ in at most 2 bits agree wholly in at least one of these three bands."""


def perceptual_hashes(pixels: np.ndarray) -> Hashes:
    """The pHash (64 bits) and the colour hash (42 bits) of a photo (H, W, 3) uint8."""
    image = Image.fromarray(pixels)
    return _as_number(imagehash.phash(image).hash), _as_number(imagehash.colorhash(image).hash)


def _as_number(bits: np.ndarray) -> int:
    return int("".join("1" if bit else "0" for bit in bits.ravel()), 2)


def near_duplicate_pairs(hashes: np.ndarray) -> np.ndarray:
    """Pairs (P, 2) of rows, first below second, whose photos are near-identical. `hashes` (N, 2) uint64."""
    shape, colour = hashes[:, 0], hashes[:, 1]
    found = [np.empty((0, 2), np.int64)]
    for low, high in zip(BANDS, BANDS[1:], strict=False):
        band = (shape >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)
        order = np.argsort(band, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(band[order])) + 1):
            if len(bucket) > 1:
                found.append(_close_pairs(bucket, shape, colour))
    return np.unique(np.concatenate(found), axis=0)


def _close_pairs(rows: np.ndarray, shape: np.ndarray, colour: np.ndarray) -> np.ndarray:
    pairs = []
    for position, row in enumerate(rows[:-1]):  # one row at a time: a bucket of blank photos may be large
        others = rows[position + 1 :]
        close = (np.bitwise_count(shape[others] ^ shape[row]) <= SHAPE_BITS) & (
            np.bitwise_count(colour[others] ^ colour[row]) <= COLOUR_BITS
        )
        others = others[close]
        pairs.append(np.stack([np.minimum(others, row), np.maximum(others, row)], axis=1))
    return np.concatenate(pairs)


def product_groups(product_ids: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(N,) the group of each photo's product: products joined wherever two of their photos are a pair.

    A group is named after its alphabetically first product.
    """
    names, product = np.unique(product_ids, return_inverse=True)
    links = coo_matrix((np.ones(len(pairs)), (product[pairs[:, 0]], product[pairs[:, 1]])), [len(names)] * 2)
    group = connected_components(links, directed=False)[1]
    first = np.full(group.max() + 1, len(names))
    np.minimum.at(first, group, np.arange(len(names)))
    return names[first[group]][product]


def repeated_photos(product_ids: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(N,) bool: near-copies of an earlier photo of the same product. They are no second view."""
    mask = np.zeros(len(product_ids), bool)
    mask[pairs[product_ids[pairs[:, 0]] == product_ids[pairs[:, 1]], 1]] = True
    return mask
