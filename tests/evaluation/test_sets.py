"""Sets of photos: halves, pooling, and half a product finding its other half."""

import numpy as np
import pytest

from natviews.evaluation import Judging
from natviews.evaluation.sets import POOLS, halves, mean_of, medoid_of, pooled, set_retrieval
from natviews.types import NatviewsError


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_halves_part_every_product_evenly_and_leave_out_what_may_not_be_used():
    products = np.repeat(["a", "b", "c", "d"], [5, 2, 1, 3])
    usable = np.ones(11, bool)
    usable[[8, 9]] = False  # of d one photo is left
    half = halves(products, usable)
    counts = {name: sorted(half[products == name].tolist()) for name in "abcd"}
    assert counts == {"a": [0, 0, 1, 1, 1], "b": [0, 1], "c": [-1], "d": [-1, -1, -1]}
    assert np.array_equal(half, halves(products, usable))
    several = [halves(products, usable, seed=seed)[:5].tolist() for seed in range(6)]
    assert len({tuple(drawn) for drawn in several}) > 1


def test_the_mean_and_the_medoid_by_hand():
    photos = unit([[1, 0], [0.9, 0.1], [0, 1]])
    assert mean_of(photos) == pytest.approx(unit(photos.sum(axis=0)))
    assert medoid_of(photos) == pytest.approx(photos[1])
    assert medoid_of(photos[:1]) == pytest.approx(photos[0])
    assert mean_of(unit([[1, 0], [-1, 0]])) == pytest.approx([1, 0])  # photos that cancel out


def test_pooled_vectors_come_in_the_order_of_their_numbers():
    vectors = unit(np.eye(4))
    found = pooled(vectors, np.array([2, 0, -1, 2]), mean_of)
    assert found == pytest.approx(unit([[0, 1, 0, 0], [1, 0, 0, 1]]))


def products_about_centres(spread: float, products: int = 40):
    rng = np.random.default_rng(0)
    names = np.repeat(np.arange(products), 4)
    return unit(
        rng.normal(size=(products, 16))[names] + spread * rng.normal(size=(4 * products, 16))
    ), names.astype(str)


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_halves_find_each_other_where_products_are_apart_and_not_where_there_are_none(pool):
    vectors, names = products_about_centres(0.1)
    found = set_retrieval(vectors, Judging.everyone(names), pool, row="r")
    assert len(found.rows) == 80 and found.values["recall@1"].mean() == 1
    noise = unit(np.random.default_rng(1).normal(size=vectors.shape))
    assert set_retrieval(noise, Judging.everyone(names), pool, row="r").values["recall@1"].mean() < 0.15


def test_the_mean_of_noisy_photos_finds_more_than_their_medoid():
    vectors, names = products_about_centres(1.2)
    found = {name: set_retrieval(vectors, Judging.everyone(names), pool, row=name) for name, pool in POOLS.items()}
    assert found["mean"].values["recall@1"].mean() > found["medoid"].values["recall@1"].mean() + 0.05
    difference = found["mean"].minus(found["medoid"])
    assert difference.products.tolist() == found["mean"].products.tolist()


def test_near_identical_products_are_neither_right_nor_wrong_and_galleries_stay_apart():
    vectors, names = unit(np.repeat(np.eye(3), 2, axis=0)), np.repeat(["a", "b", "c"], 2)
    vectors[2:4] = vectors[0:2]  # b looks like a
    everyone = Judging.everyone(names)
    assert set_retrieval(vectors, everyone, mean_of, row="r").values["auc"].min() < 1
    grouped = Judging(names, np.repeat(["ab", "ab", "c"], 2), everyone.queries, everyone.gallery)
    assert set_retrieval(vectors, grouped, mean_of, row="r").values["auc"].min() == 1


def test_photos_that_only_ask_or_are_only_found_are_in_no_set():
    names = np.repeat(["a", "b", "c"], 4)
    everyone = np.ones(12, bool)
    queries, gallery = everyone.copy(), everyone.copy()
    queries[0], gallery[5], gallery[8:] = False, False, False  # nothing of c is left
    vectors = unit(np.random.default_rng(0).normal(size=(12, 8)))
    used = np.array([1, 2, 3, 4, 6, 7])
    found = set_retrieval(vectors, Judging(names, names, queries, gallery), mean_of, row="r")
    alone = set_retrieval(vectors[used], Judging.everyone(names[used]), mean_of, row="r")
    assert len(found.rows) == len(alone.rows) == 4
    np.testing.assert_allclose(np.sort(found.scores), np.sort(alone.scores), atol=1e-6)


def test_two_products_with_two_photos_are_needed():
    with pytest.raises(NatviewsError, match="Two products"):
        set_retrieval(unit(np.eye(3)), Judging.everyone(np.array(["a", "a", "b"])), mean_of, row="r")
