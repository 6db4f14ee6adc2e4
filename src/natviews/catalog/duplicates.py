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
    """Pairs (P, 2) of rows, first below second, whose photos are near-identical. `hashes` (N, 2) uint64.

    Compares the rows whose shapes agree in a band and in a third of what is left, some 35 bits: about as many
    comparisons as rows, unless most of the hashes are much alike.
    """
    shape, colour = np.ascontiguousarray(hashes.T)
    found = [np.empty((0, 2), np.int64)]
    for low, high in zip(BANDS, BANDS[1:], strict=False):
        band, rest = _bits(shape, low, high), _without_bits(shape, low, high)
        width = 64 - (high - low)
        for part in range(SHAPE_BITS + 1):
            start, end = part * width // (SHAPE_BITS + 1), (part + 1) * width // (SHAPE_BITS + 1)
            found.append(_close_pairs(band << np.uint64(end - start) | _bits(rest, start, end), shape, colour))
    return np.unique(np.concatenate(found), axis=0)


def _bits(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return (values >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)


def _without_bits(values: np.ndarray, low: int, high: int) -> np.ndarray:
    above = values >> np.uint64(high) if high < 64 else np.zeros_like(values)
    return above << np.uint64(low) | _bits(values, 0, low)


def _close_pairs(key: np.ndarray, shape: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The near-identical pairs among rows of one key: each row beside its next in the order of keys, then the one
    after that, for as long as any two have one key."""
    order = np.argsort(key, kind="stable")
    key, shape, colour = key[order], shape[order], colour[order]
    found = []
    one, distance = np.arange(len(key)), 0
    while len(one):
        distance += 1
        one = one[one + distance < len(key)]
        one = one[key[one] == key[one + distance]]
        other = one + distance
        close = (np.bitwise_count(shape[one] ^ shape[other]) <= SHAPE_BITS) & (
            np.bitwise_count(colour[one] ^ colour[other]) <= COLOUR_BITS
        )
        found.append(
            np.stack([order[one[close]], order[other[close]]], axis=1)
        )  # the order is stable: first below second
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def telling_pairs(product_ids: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """As many pairs (P, 2) of near-identical photos as it takes to tell groups and repeated photos.

    Photos with the same hashes are each paired with the first alone, and with the first of their product: all
    pairs of 10,000 blank photos would be 50 million.
    """
    product = np.unique(product_ids, return_inverse=True)[1]
    different, first, pattern = np.unique(_as_one(hashes), return_index=True, return_inverse=True)
    near = near_duplicate_pairs(hashes[first])
    rows = np.arange(len(hashes))
    own, own_first, of_row = np.unique(
        product * len(different) + pattern, return_index=True, return_inverse=True
    )  # each product's patterns
    found = [first[near], np.stack([first[pattern], rows], axis=1), np.stack([own_first[of_row], rows], axis=1)]
    # Near patterns of one product: beside every first of a pair, the second is looked for.
    starts = np.searchsorted(near[:, 0], np.arange(len(different) + 1))
    asking, other = _joined(own % len(different), starts)
    wanted = own[asking] - own[asking] % len(different) + near[other, 1]
    place = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    there = own[place] == wanted
    found.append(np.stack([own_first[asking[there]], own_first[place[there]]], axis=1))
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def _as_one(hashes: np.ndarray) -> np.ndarray:
    """(N,) each photo's two hashes as one value."""
    return np.ascontiguousarray(hashes).view([("shape", np.uint64), ("colour", np.uint64)])[:, 0]


def _joined(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every value's place (M,) beside each of the places (M,) `starts[value]` to `starts[value + 1]`."""
    counts = np.diff(starts)[values]
    asking = np.repeat(np.arange(len(values)), counts)
    nth = np.arange(len(asking)) - np.repeat(np.cumsum(counts) - counts, counts)
    return asking, starts[values[asking]] + nth


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
