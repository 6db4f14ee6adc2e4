"""The shared nouns check themselves when they are made."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from natviews.types import Embeddings, Matches, Metric, NatviewsError, Provenance

MADE_BY = Provenance("encoder")


def unit(rows: int, width: int = 4, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embeddings(vectors: np.ndarray, **extra: np.ndarray) -> Embeddings:
    ids = np.array([f"photo {i}" for i in range(len(vectors))])
    return Embeddings(ids, np.array([f"product {i // 2}" for i in range(len(vectors))]), vectors, MADE_BY, extra)


def test_embeddings_of_unit_vectors_are_accepted():
    made = embeddings(unit(6), colour=unit(6, 9))
    assert len(made) == 6


def test_no_embeddings_at_all_are_accepted():
    assert len(embeddings(np.empty((0, 4), np.float32))) == 0


def test_repeated_ids_are_refused():
    with pytest.raises(ValueError, match="unique"):
        Embeddings(np.array(["a", "b", "a"]), np.array(["p", "q", "p"]), unit(3), MADE_BY)


def test_product_ids_of_another_length_are_refused():
    with pytest.raises(ValueError, match="2 ids but 1 product ids"):
        Embeddings(np.array(["a", "b"]), np.array(["p"]), unit(2), MADE_BY)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused_with_their_row(value):
    vectors = unit(4)
    vectors[2, 1] = value
    with pytest.raises(ValueError, match="row 2"):
        embeddings(vectors)


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, 2.0])
def test_vectors_of_another_length_than_one_are_refused(factor):
    vectors = unit(4)
    vectors[3] *= factor
    with pytest.raises(ValueError, match="row 3 has length"):
        embeddings(vectors)


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_vectors_of_another_kind_of_number_are_refused(kind):
    with pytest.raises(ValueError, match="must be float32"):
        embeddings(unit(4).astype(kind))


def test_vectors_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="must be float32"):
        embeddings(np.ones(4, np.float32))


def test_further_vectors_are_checked_as_well():
    with pytest.raises(ValueError, match="colour must be unit vectors"):
        embeddings(unit(4), colour=unit(4) * 2)
    with pytest.raises(ValueError, match="colour must be float32"):
        embeddings(unit(4), colour=unit(3))


@pytest.mark.parametrize(
    "rows", [np.array([3, 0]), np.array([True, False, False, True, False])], ids=["numbers", "mask"]
)
def test_taking_rows_keeps_every_column_in_step(rows):
    whole = embeddings(unit(5), colour=unit(5, 7, seed=1))
    taken = whole.take(rows)
    assert taken.ids.tolist() == whole.ids[rows].tolist()
    assert taken.product_ids.tolist() == whole.product_ids[rows].tolist()
    assert np.array_equal(taken.vectors, whole.vectors[rows])
    assert np.array_equal(taken.extra["colour"], whole.extra["colour"][rows])
    assert taken.made_by == whole.made_by


def test_taking_a_row_twice_is_refused():
    with pytest.raises(ValueError, match="unique"):
        embeddings(unit(3)).take(np.array([1, 1]))


def test_using_further_vectors_puts_them_in_the_place_of_the_vectors():
    whole = embeddings(unit(5), colour=unit(5, 7, seed=1))
    used = whole.use("colour")
    assert np.array_equal(used.vectors, whole.extra["colour"])
    assert used.ids is whole.ids


def test_using_vectors_that_are_not_there_names_those_that_are():
    with pytest.raises(NatviewsError, match=r"'color'.*'colour'"):
        embeddings(unit(5), colour=unit(5)).use("color")


def test_nouns_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        embeddings(unit(2)).vectors = unit(2)
    with pytest.raises(FrozenInstanceError):
        Metric("trained", "recall@1", "all", 0.5, 0.4, 0.6, 10).value = 0.9


def matches(scores: list[list[float]]) -> Matches:
    ids = np.array([[f"{i}" for i in range(len(row))] for row in scores])
    return Matches(np.array([f"query {i}" for i in range(len(scores))]), ids, np.array(scores, np.float32))


def test_falling_and_equal_scores_and_missing_matches_are_accepted():
    matches([[0.9, 0.9, 0.1], [0.5, -np.inf, -np.inf]])


@pytest.mark.parametrize("scores", [[[0.1, 0.2]], [[0.9, 0.5], [0.5, 0.9]], [[0.9, np.nan]], [[-np.inf, 0.1]]])
def test_rising_scores_are_refused(scores):
    with pytest.raises(ValueError, match="fall"):
        matches(scores)


def test_matches_whose_shapes_differ_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        Matches(np.array(["q"]), np.array([["a", "b"]]), np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="shapes differ"):
        Matches(np.array(["q", "r"]), np.array([["a"]]), np.ones((1, 1), np.float32))


@pytest.mark.parametrize("bounds", [(0.6, 0.7), (0.3, 0.4), (0.6, 0.4), (np.nan, 0.6), (0.4, np.nan)])
def test_a_figure_outside_its_interval_is_refused(bounds):
    with pytest.raises(ValueError, match="lies outside"):
        Metric("trained", "recall@1", "all", 0.5, *bounds, 10)


def test_a_figure_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="lies outside"):
        Metric("trained", "recall@1", "all", np.nan, 0.4, 0.6, 10)


@pytest.mark.parametrize(
    ("low", "high", "excludes"),
    [(0.1, 0.3, True), (-0.3, -0.1, True), (-0.1, 0.3, False), (0.0, 0.3, False), (-0.3, 0.0, False)],
)
def test_an_interval_that_touches_zero_does_not_exclude_it(low, high, excludes):
    assert Metric("trained-frozen", "recall@1", "all", (low + high) / 2, low, high, 10).excludes_zero is excludes


def test_a_figure_is_written_with_its_interval():
    assert str(Metric("trained", "recall@1", "all", 0.51234, 0.4, 0.6, 10)) == "0.512 [0.400, 0.600]"
