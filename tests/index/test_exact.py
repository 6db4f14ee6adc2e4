"""The exact index against looking at every score."""

import numpy as np
import pytest

from natviews.index import ExactIndex
from natviews.index.exact import top_k
from natviews.types import Embeddings, Provenance


def unit(rows: int, width: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def gallery(vectors: np.ndarray) -> Embeddings:
    ids = np.array([f"photo {i}" for i in range(len(vectors))])
    return Embeddings(ids, ids, vectors, Provenance("encoder"))


PHOTOS = gallery(unit(500))
QUERIES = unit(40, seed=1)


def by_looking_at_all(query: np.ndarray, k: int, allowed: np.ndarray) -> tuple[list[str], list[float]]:
    scores = {str(PHOTOS.ids[i]): float(PHOTOS.vectors[i] @ query) for i in np.flatnonzero(allowed)}
    best = sorted(scores, key=scores.get, reverse=True)[:k]
    return best, [scores[name] for name in best]


@pytest.mark.parametrize("k", [1, 7, 500])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_search_finds_what_looking_at_every_photo_finds(k, share):
    where = np.random.default_rng(2).random(500) < share
    matches = ExactIndex(PHOTOS).search(QUERIES, k, where=None if share == 1 else where)
    allowed = np.ones(500, bool) if share == 1 else where
    for query, ids, scores in zip(QUERIES, matches.ids, matches.scores, strict=True):
        best, best_scores = by_looking_at_all(query, k, allowed)
        assert [name for name in ids if name] == best
        assert scores[: len(best)] == pytest.approx(best_scores, abs=1e-5)


def test_a_filter_that_allows_nothing_finds_nothing():
    matches = ExactIndex(PHOTOS).search(QUERIES, 5, where=np.zeros(500, bool))
    assert len(matches.ids) == len(QUERIES)
    assert not (matches.ids != "").any()


def test_the_filter_is_exact():
    where = np.zeros(500, bool)
    where[[3, 77, 401]] = True
    matches = ExactIndex(PHOTOS).search(QUERIES, 3, where=where)
    assert all(set(row) == {"photo 3", "photo 77", "photo 401"} for row in matches.ids)


def test_more_than_the_gallery_holds_gives_all_of_it():
    matches = ExactIndex(gallery(unit(3))).search(QUERIES, 10)
    assert all({name for name in row if name} == {"photo 0", "photo 1", "photo 2"} for row in matches.ids)
    assert np.isneginf(matches.scores[matches.ids == ""]).all()


def test_the_answer_has_k_columns_whatever_was_allowed():
    # Matches: where fewer than K photos were allowed, a row ends with the id '' and the score -inf.
    assert ExactIndex(gallery(unit(3))).search(QUERIES, 10).ids.shape == (40, 10)


def test_a_query_does_not_find_its_own_photo():
    matches = ExactIndex(PHOTOS).search(PHOTOS.vectors, 5, query_ids=PHOTOS.ids)
    assert (matches.query_ids == PHOTOS.ids).all()
    assert not (matches.ids == PHOTOS.ids[:, None]).any()
    assert (matches.ids != "").all()


def test_without_its_name_a_query_finds_its_own_photo_first():
    matches = ExactIndex(PHOTOS).search(PHOTOS.vectors, 1)
    assert (matches.ids[:, 0] == PHOTOS.ids).all()


def test_a_query_left_alone_ends_its_row_with_nothing():
    where = np.zeros(500, bool)
    where[[3, 77]] = True
    matches = ExactIndex(PHOTOS).search(PHOTOS.vectors[[3, 5]], 2, where=where, query_ids=PHOTOS.ids[[3, 5]])
    assert matches.ids[0].tolist() == ["photo 77", ""]
    assert np.isneginf(matches.scores[0, 1])
    assert set(matches.ids[1]) == {"photo 3", "photo 77"}


def test_equal_scores_do_not_come_in_the_catalogues_order():
    same = np.repeat(unit(1), 200, axis=0)
    found = ExactIndex(gallery(same)).search(same[:1], 200).ids[0]
    rows = np.array([int(name.split()[1]) for name in found])
    assert sorted(rows) == list(range(200))
    assert abs(np.corrcoef(rows, np.arange(200))[0, 1]) < 0.25


def test_equal_scores_do_not_favour_the_query():
    # With all vectors equal, a photo finds itself first about once in a hundred, not always.
    same = np.repeat(unit(1), 100, axis=0)
    matches = ExactIndex(gallery(same)).search(same, 1)
    assert (matches.ids[:, 0] == gallery(same).ids).sum() <= 5


def test_the_order_of_equal_scores_is_fixed():
    same = gallery(np.repeat(unit(1), 50, axis=0))
    one, other = (ExactIndex(same).search(unit(1), 10).ids for _ in range(2))
    assert np.array_equal(one, other)


def test_no_queries_give_no_matches():
    matches = ExactIndex(PHOTOS).search(np.empty((0, 16), np.float32), 5)
    assert len(matches.ids) == len(matches.scores) == len(matches.query_ids) == 0


def test_an_empty_gallery_gives_no_matches():
    matches = ExactIndex(gallery(np.empty((0, 16), np.float32))).search(QUERIES, 5)
    assert len(matches.ids) == len(QUERIES)
    assert not (matches.ids != "").any()


@pytest.mark.parametrize("shape", [(4, 15), (16,)])
def test_queries_of_another_width_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(Q, 16\)"):
        ExactIndex(PHOTOS).search(np.ones(shape, np.float32), 5)


@pytest.mark.parametrize("scores_at_a_time", [1, 500, 1700])
def test_the_answer_does_not_depend_on_the_chunks(monkeypatch, scores_at_a_time):
    where = np.random.default_rng(2).random(500) < 0.5
    index = ExactIndex(PHOTOS)
    whole = index.search(PHOTOS.vectors, 6, where=where, query_ids=PHOTOS.ids)
    monkeypatch.setattr("natviews.index.exact.CHUNK_SCORES", scores_at_a_time)
    parts = index.search(PHOTOS.vectors, 6, where=where, query_ids=PHOTOS.ids)
    assert np.array_equal(whole.ids, parts.ids)
    assert parts.scores == pytest.approx(whole.scores, abs=1e-6)


def test_chunks_bound_the_scores_held_at_a_time(monkeypatch):
    held = []
    monkeypatch.setattr("natviews.index.exact.CHUNK_SCORES", 2000)
    monkeypatch.setattr(
        "natviews.index.exact.top_k", lambda scores, k: held.append(scores.size) or top_k(scores, k)
    )
    ExactIndex(PHOTOS).search(QUERIES, 3)
    assert max(held) <= 2000
    assert sum(held) == 500 * 40


def test_the_index_does_not_change_what_it_is_given():
    vectors, queries = PHOTOS.vectors.copy(), PHOTOS.vectors[:5].copy()
    ExactIndex(PHOTOS).search(queries, 5, query_ids=PHOTOS.ids[:5])
    assert np.array_equal(vectors, PHOTOS.vectors)
    assert np.array_equal(queries, PHOTOS.vectors[:5])


@pytest.mark.parametrize("k", [1, 3, 20, 30])
def test_the_highest_columns_fall(k):
    scores = np.random.default_rng(0).normal(size=(50, 20))
    assert np.array_equal(top_k(scores, k), np.argsort(-scores, axis=1)[:, :k])


def test_of_all_equal_columns_the_first_come_first():
    assert top_k(np.ones((2, 30)), 30).tolist() == [list(range(30))] * 2


def test_of_columns_equal_at_the_cut_the_first_are_taken():
    assert top_k(np.ones((1, 1000)), 5).tolist() == [[0, 1, 2, 3, 4]]
