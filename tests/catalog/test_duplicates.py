"""Near-identical photos: all of them and no others, and the groups they make."""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from natviews.catalog.duplicates import (
    BANDS,
    COLOUR_BITS,
    SHAPE_BITS,
    near_duplicate_pairs,
    perceptual_hashes,
    product_groups,
    repeated_photos,
    telling_pairs,
)


def flipped(values: np.ndarray, bits: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Each value with that many of its lowest `width` bits turned."""
    result = values.copy()
    for i, count in enumerate(bits):
        for bit in rng.choice(width, count, replace=False):
            result[i] ^= np.uint64(1) << np.uint64(bit)
    return result


def random_hashes(seed: int, families: int = 60, members: int = 6) -> np.ndarray:
    """Families of hashes that lie at, inside and just outside the distances, in a mixed order."""
    rng = np.random.default_rng(seed)
    shape = np.repeat(rng.integers(0, 2**64, families, dtype=np.uint64), members)
    colour = np.repeat(rng.integers(0, 2**42, families, dtype=np.uint64), members)
    shape = flipped(shape, rng.integers(0, 3, len(shape)), 64, rng)
    colour = flipped(colour, rng.integers(0, 5, len(colour)), 42, rng)
    return rng.permutation(np.stack([shape, colour], axis=1))


def by_looking_at_all(hashes: np.ndarray) -> list[list[int]]:
    numbers = [(int(shape), int(colour)) for shape, colour in hashes]
    return [
        [i, j]
        for i in range(len(numbers))
        for j in range(i + 1, len(numbers))
        if (numbers[i][0] ^ numbers[j][0]).bit_count() <= SHAPE_BITS
        and (numbers[i][1] ^ numbers[j][1]).bit_count() <= COLOUR_BITS
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_pairs_are_those_of_looking_at_all(seed):
    hashes = random_hashes(seed)
    expected = by_looking_at_all(hashes)
    assert 50 < len(expected) < len(hashes) * 5 / 2
    assert near_duplicate_pairs(hashes).tolist() == expected


def test_two_turned_bits_are_found_wherever_they_are():
    base = np.uint64(0x0123456789ABCDEF)
    others = [
        base ^ (np.uint64(1) << np.uint64(i)) ^ (np.uint64(1) << np.uint64(j)) for i in range(64) for j in range(i)
    ]
    for other in others:
        assert near_duplicate_pairs(np.array([[base, 0], [other, 0]], np.uint64)).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("shape", "colour", "near"), [(0b11, 0b1111, True), (0b111, 0, False), (0, 0b11111, False), (0, 0, True)]
)
def test_the_distances_are_kept_exactly(shape, colour, near):
    pairs = near_duplicate_pairs(np.array([[0, 0], [shape, colour]], np.uint64))
    assert pairs.tolist() == ([[0, 1]] if near else [])


def test_many_photos_with_one_hash_are_all_pairs():
    pairs = near_duplicate_pairs(np.full((40, 2), 7, np.uint64))
    assert pairs.tolist() == [[i, j] for i in range(40) for j in range(i + 1, 40)]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_photos_have_no_pairs(count):
    assert near_duplicate_pairs(np.zeros((count, 2), np.uint64)).shape == (0, 2)


def test_the_bands_cover_all_bits():
    assert BANDS[0] == 0 and BANDS[-1] == 64
    assert len(BANDS) - 1 == SHAPE_BITS + 1  # one band more than bits may differ: one agrees wholly


def near(one: np.ndarray, other: np.ndarray) -> bool:
    hashes = np.array([perceptual_hashes(one), perceptual_hashes(other)], np.uint64)
    return len(near_duplicate_pairs(hashes)) == 1


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(load_sample_image("china.jpg"))


def test_a_photo_saved_again_or_resized_is_near_identical(photo):
    saved = cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert near(photo, saved)
    assert near(photo, cv2.resize(photo, (320, 214), interpolation=cv2.INTER_AREA))


def test_another_photo_and_another_colour_are_not(photo):
    assert not near(photo, np.ascontiguousarray(load_sample_image("flower.jpg")))
    assert not near(photo, np.ascontiguousarray(photo[..., [1, 2, 0]]))


def test_hashes_have_64_and_42_bits(photo):
    shape, colour = perceptual_hashes(photo)
    assert 0 <= shape < 2**64
    assert 0 <= colour < 2**42


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (8, 8)])
def test_photos_of_every_shape_have_hashes(shape):
    perceptual_hashes(np.zeros((*shape, 3), np.uint8))


PRODUCTS = np.array(["d", "a", "b", "a", "c", "e", "b"])


def test_groups_join_products_through_others():
    # d-b by rows 0 and 2, b-c by rows 6 and 4: d, b and c are one group, named b.
    groups = product_groups(PRODUCTS, np.array([[0, 2], [4, 6]]))
    assert groups.tolist() == ["b", "a", "b", "a", "b", "e", "b"]


def test_a_pair_within_a_product_joins_nothing():
    assert product_groups(PRODUCTS, np.array([[1, 3]])).tolist() == PRODUCTS.tolist()


def test_without_pairs_every_product_is_its_own_group():
    assert product_groups(PRODUCTS, np.empty((0, 2), np.int64)).tolist() == PRODUCTS.tolist()


def test_all_photos_of_a_product_are_in_its_group():
    rng = np.random.default_rng(0)
    products = np.array([f"{i:03d}" for i in rng.integers(0, 100, 400)])
    pairs = np.sort(rng.integers(0, 400, (40, 2)), axis=1)
    groups = product_groups(products, pairs)
    assert (groups[pairs[:, 0]] == groups[pairs[:, 1]]).all()
    assert len(np.unique(np.stack([products, groups]), axis=1)[0]) == len(np.unique(products))
    for group in np.unique(groups):
        assert group == sorted(products[groups == group])[0]


def test_the_later_photo_of_a_pair_within_a_product_is_the_repeat():
    pairs = np.array([[0, 2], [1, 3], [2, 6], [4, 6]])
    assert repeated_photos(PRODUCTS, pairs).tolist() == [False, False, False, True, False, False, True]
    assert not repeated_photos(PRODUCTS, pairs[[0, 3]]).any()


def test_hashes_that_are_much_alike_are_compared_as_well():
    rng = np.random.default_rng(5)
    hashes = random_hashes(5)
    hashes[:, 0] &= ~np.uint64(2**30 - 1)  # as of a shop all of whose photos are framed alike
    assert near_duplicate_pairs(hashes).tolist() == by_looking_at_all(hashes)
    lone = rng.integers(0, 2**34, (300, 1), dtype=np.uint64) << np.uint64(30)
    lone = np.concatenate([lone, lone[:, [0]]], axis=1)
    assert near_duplicate_pairs(lone).tolist() == by_looking_at_all(lone)


def some_products(hashes: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([f"{i}" for i in rng.integers(0, (8, 40, 250)[seed % 3], len(hashes))])


@pytest.mark.parametrize("seed", range(9))
def test_fewer_pairs_tell_the_same_groups_and_repeated_photos_as_all(seed):
    rng = np.random.default_rng(seed)
    hashes = random_hashes(seed)
    hashes = rng.permutation(np.concatenate([hashes, hashes[rng.integers(0, len(hashes), 200)]]))
    products = some_products(hashes, seed)
    every, some = near_duplicate_pairs(hashes), telling_pairs(products, hashes)
    assert {tuple(pair) for pair in some.tolist()} < {tuple(pair) for pair in every.tolist()}
    assert product_groups(products, some).tolist() == product_groups(products, every).tolist()
    repeated = repeated_photos(products, every)
    assert repeated_photos(products, some).tolist() == repeated.tolist()
    assert repeated.any() and not repeated.all()


def test_as_many_pairs_as_photos_tell_of_photos_that_are_all_alike():
    products = np.array([f"{i // 4}" for i in range(20_000)])
    pairs = telling_pairs(products, np.full((20_000, 2), 7, np.uint64))
    assert len(pairs) < 2 * 20_000
    assert len(np.unique(product_groups(products, pairs))) == 1
    assert repeated_photos(products, pairs).reshape(-1, 4).tolist() == [[False, True, True, True]] * 5000


@pytest.mark.parametrize("count", [1, 2])
def test_a_photo_or_two_may_have_no_pairs(count):
    hashes = np.array([[0, 0], [2**40 - 1, 0]], np.uint64)[:count]
    assert telling_pairs(np.array(["a", "b"])[:count], hashes).shape == (0, 2)
