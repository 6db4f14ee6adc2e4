"""Vectors in the plane."""

import numpy as np
import pytest

from natviews.evaluation import planes


def grouped(count, groups):
    """Unit vectors (count, 16) around a few centres, and whose group each is of."""
    rng, group = np.random.default_rng(0), np.arange(count) % groups
    vectors = rng.normal(size=(groups, 16))[group] + 0.2 * rng.normal(size=(count, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), group


@pytest.mark.parametrize(
    ("count", "made"), [(49, ["principal components"]), (50, ["principal components", "t-SNE"])]
)
def test_neighbours_in_the_plane_are_neighbours(count, made):
    vectors, group = grouped(count, 3)
    drawn = list(planes(vectors))
    assert [plane.made for plane in drawn] == made
    for plane in drawn:
        assert plane.places.shape == (count, 2) and plane.places.min() == 0 and plane.places.max() == 1
        far = np.linalg.norm(plane.places[:, None] - plane.places[None], axis=2) + 9 * np.eye(count)
        assert (group[far.argmin(axis=1)] == group).mean() > 0.9
    assert all(np.array_equal(one.places, two.places) for one, two in zip(drawn, planes(vectors), strict=True))


def test_the_first_direction_is_the_one_in_which_vectors_differ_most():
    vectors = np.random.default_rng(0).normal(size=(40, 5)) * [1, 1, 9, 1, 4]
    [plane] = planes(vectors)
    across = [abs(np.corrcoef(plane.places[:, i], vectors[:, j])[0, 1]) for i, j in ((0, 2), (1, 4))]
    assert min(across) > 0.95


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_none_few_and_equal_vectors_do_no_harm(count):
    [plane] = planes(np.full((count, 8), 8**-0.5, np.float32))
    assert plane.places.shape == (count, 2) and np.isfinite(plane.places).all()
