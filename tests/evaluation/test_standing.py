"""Ranks by counting, against whole sorts: with ties, with what is left out, with many positives."""

import numpy as np
import pytest

from natviews.evaluation import standing as module
from natviews.evaluation.standing import Asked, Members, standing


def chance(seed: int, queries: int = 12, gallery: int = 300, levels: int | None = None, share: float = 0.05):
    """Scores (q, G), equal ones among them where there are few `levels`, and pairs of both kinds."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(queries, gallery)).astype(np.float32)
    if levels:
        scores = np.round(scores * levels).astype(np.float32) / levels
    kind = rng.random((queries, gallery))
    positive, left_out = kind < share, kind > 0.9
    positive[:, 0], left_out[:, 0] = True, False
    return scores, Asked(queries, np.nonzero(positive), np.nonzero(left_out)), positive, left_out


@pytest.mark.parametrize("share", [0.02, 0.3], ids=["few positives", "many"])
@pytest.mark.parametrize("levels", [None, 1], ids=["no ties", "ties"])
def test_ranks_wins_and_first_places_are_those_of_a_whole_sort(levels, share):
    scores, asked, positive, left_out = chance(0, levels=levels, share=share)
    found = standing(scores.copy(), asked, 10)
    for query in range(len(scores)):
        places = np.flatnonzero(~left_out[query])
        order = places[np.argsort(-scores[query][places], kind="stable")]
        right = positive[query][order]
        own = found.query == query
        assert found.rank[own].tolist() == (np.flatnonzero(right) + 1).tolist()
        assert found.place[own].tolist() == list(range(1, right.sum() + 1))
        wrong = scores[query][order[~right]]
        expected = [(wrong < s).sum() + (wrong == s).sum() / 2 for s in scores[query][order[right]]]
        assert found.wins[own].tolist() == expected
        assert found.first[query].tolist() == order[:10].tolist()
        assert (found.first_scores[query] == scores[query][order[:10]]).all()
        assert (found.wanted[query], found.negatives[query]) == (right.sum(), (~right).sum())


def test_a_gallery_smaller_than_what_is_to_be_found_ends_with_nothing():
    scores = np.array([[0.5, 0.9, 0.1]], np.float32)
    asked = Asked(1, (np.array([0]), np.array([2])), (np.array([0]), np.array([1])))
    found = standing(scores, asked, 5)
    assert found.first.tolist() == [[0, 2, -1, -1, -1]]
    assert np.isneginf(found.first_scores[0, 2:]).all()


def test_where_nearly_all_is_left_out_nothing_of_it_is_found():
    scores = np.random.default_rng(0).normal(size=(2, 400)).astype(np.float32)
    hidden = np.ones((2, 400), bool)
    hidden[:, [7, 300, 399]] = False
    asked = Asked(2, (np.array([0, 1]), np.array([7, 300])), np.nonzero(hidden))
    found = standing(scores, asked, 10)
    assert [set(row) for row in found.first.tolist()] == [{7, 300, 399, -1}] * 2


def test_members_pair_queries_with_all_places_of_their_code():
    members = Members.of(np.array([2, 0, 2, 1, 2]), 4)
    which, places = members.pairs(np.array([2, 3, 0]))
    assert which.tolist() == [0, 0, 0, 2] and places.tolist() == [0, 2, 4, 1]


def test_queries_without_a_right_or_without_a_wrong_photo_may_not_ask():
    # Of three places: the first query has one right, one wrong; the second only right ones; the third none.
    positives = np.array([0, 1, 1]), np.array([0, 0, 1])
    left_out = np.array([0, 1]), np.array([2, 2])
    asked = Asked(3, positives, left_out)
    assert asked.may_ask(3).tolist() == [True, False, False]
    kept = asked.take(np.array([False, True, False]))
    assert kept.count == 1 and kept.positives[1].tolist() == [0, 1] and kept.left_out[1].tolist() == [2]


def test_blocks_of_any_width_find_the_same(monkeypatch):
    scores, asked, _, _ = chance(3, gallery=1000, levels=2)
    whole = standing(scores.copy(), asked, 10)
    for widest in (1, 2, 7):
        monkeypatch.setattr(module, "WIDEST", widest)
        assert np.array_equal(standing(scores.copy(), asked, 10).first, whole.first)
