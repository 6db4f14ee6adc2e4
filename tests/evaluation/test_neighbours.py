"""Votes of the nearest neighbours, counted by hand and by DINO's published code."""

import numpy as np
import pytest
import torch

from natviews.evaluation import Labelled, neighbours_probe
from natviews.types import NatviewsError

NAMES = np.array(["checks", "dots", "stripes"])


def clouds(count, *, seed, spread=0.5):
    rng = np.random.default_rng(seed)
    which = np.arange(count) % 3
    return Labelled(np.eye(6)[which] + rng.normal(0, spread, (count, 6)), NAMES[which])


def dino(train, asked, k, temperature=0.07):
    """`knn_classifier` of DINO's eval_knn.py, in its own words; without its chunks."""
    bank, queries = (torch.nn.functional.normalize(torch.tensor(part.features), dim=1) for part in (train, asked))
    labels = torch.tensor(np.searchsorted(NAMES, train.labels))
    distances, indices = (queries @ bank.T).topk(k, largest=True, sorted=True)
    retrieved = torch.gather(labels.view(1, -1).expand(len(queries), -1), 1, indices)
    one_hot = torch.zeros(len(queries) * k, len(NAMES)).scatter_(1, retrieved.view(-1, 1), 1)
    weights = (distances / temperature).exp()
    return (one_hot.view(len(queries), -1, len(NAMES)) * weights.view(len(queries), -1, 1)).sum(1)


@pytest.mark.parametrize("k", [1, 10, 20])
def test_votes_are_those_of_dinos_code(k):
    train, val, test = (clouds(150, seed=seed, spread=0.8) for seed in range(3))
    probed = neighbours_probe(train, val, test, neighbours=(k,))
    expected = dino(train, test, k).numpy()
    assert probed.scores == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    assert 0.4 < probed.correct.mean() < 1
    assert probed.chosen == k


def test_many_numbers_of_neighbours_at_once_are_each_alone_and_val_chooses():
    train, val, test = (clouds(240, seed=seed, spread=1.0) for seed in range(3))
    together = neighbours_probe(train, val, test, neighbours=(5, 50, 3))
    alone = {k: neighbours_probe(train, val, test, neighbours=(k,)) for k in (3, 5, 50)}
    assert together.tried == {float(k): probed.tried[k] for k, probed in alone.items()}
    best = max(together.tried.values())
    assert together.chosen == min(k for k, value in together.tried.items() if value == best)
    assert together.scores.tolist() == alone[int(together.chosen)].scores.tolist()
    assert together.val_scores.tolist() == alone[int(together.chosen)].val_scores.tolist()


def test_a_near_neighbour_counts_more_than_two_far_ones():
    train = Labelled(np.array([[1, 0.1], [0, 1.0], [0, 1.0]]), np.array(["dots", "checks", "checks"]))
    asked = Labelled(np.array([[1.0, 0.0]]), np.array(["dots"]))
    probed = neighbours_probe(train, asked, asked, neighbours=(3,))
    assert probed.predicted.tolist() == ["dots"]
    near = np.exp(1 / np.hypot(1, 0.1) / 0.07)
    assert probed.scores[0] == pytest.approx([2 / (near + 2), near / (near + 2)])


def test_length_says_nothing_and_a_vector_of_nothing_is_equally_far_from_all():
    train = Labelled(np.array([[9.0, 0], [0, 0.1]]), np.array(["checks", "dots"]))
    asked = Labelled(np.array([[0.01, 0.02], [0.0, 0.0]]), np.array(["dots", "dots"]))
    probed = neighbours_probe(train, asked, asked, neighbours=(2,))
    assert probed.predicted[0] == "dots"
    assert probed.scores[1].tolist() == [0.5, 0.5]


def test_photos_of_the_asking_product_do_not_vote():
    bank = Labelled(np.array([[1.0, 0], [0.6, 0.8]]), np.array(["dots", "checks"]), np.array(["p", "q"]))
    asked = Labelled(np.array([[1.0, 0], [1.0, 0]]), np.array(["dots", "dots"]), np.array(["p", "r"]))
    assert neighbours_probe(bank, asked, asked, neighbours=(1,)).predicted.tolist() == ["checks", "dots"]


def test_where_nothing_may_vote_all_classes_are_as_likely():
    bank = Labelled(np.array([[1.0, 0], [0.6, 0.8]]), np.array(["dots", "checks"]), np.array(["p", "p"]))
    asked = Labelled(np.array([[1.0, 0]]), np.array(["dots"]), np.array(["p"]))
    assert neighbours_probe(bank, asked, asked).scores.tolist() == [[0.5, 0.5]]


def test_of_equally_near_photos_the_earlier_is_taken():
    train = Labelled(np.array([[1.0, 0], [1.0, 0], [0, 1.0]]), np.array(["dots", "checks", "checks"]))
    asked = Labelled(np.array([[1.0, 0]]), np.array(["dots"]))
    assert neighbours_probe(train, asked, asked, neighbours=(1,)).predicted.tolist() == ["dots"]


def test_equally_near_photos_vote_in_their_order_however_many_they_are():
    labels = np.where(np.arange(400) % 7 < 3, "dots", "checks")
    train = Labelled(np.tile([1.0, 0], (400, 1)), labels)
    asked = Labelled(np.array([[1.0, 0]]), np.array(["dots"]))
    share = (labels[:33] == "dots").mean()
    assert neighbours_probe(train, asked, asked, neighbours=(33,)).scores[0, 1] == pytest.approx(share)


def test_of_equally_good_numbers_of_neighbours_the_smaller_is_taken():
    parts = [clouds(90, seed=seed, spread=0.05) for seed in range(3)]
    assert neighbours_probe(*parts, neighbours=(9, 3, 6)).chosen == 3


def test_it_abstains_where_neighbours_disagree():
    train, val = clouds(300, seed=0, spread=0.4), clouds(300, seed=1, spread=0.4)
    rng = np.random.default_rng(2)
    far = Labelled(rng.normal(size=(100, 6)), np.full(100, "dots"))
    near = clouds(300, seed=3, spread=0.4)
    both = Labelled(np.concatenate([near.features, far.features]), np.concatenate([near.labels, far.labels]))
    probed = neighbours_probe(train, val, both)
    answered = probed.answered(0.99)
    assert answered[:300].mean() > answered[300:].mean() + 0.2
    assert probed.correct[:300][answered[:300]].mean() > probed.correct[:300].mean()


def test_photos_without_a_label_neither_vote_nor_ask():
    train, val, test = (clouds(90, seed=seed) for seed in range(3))
    blank = Labelled(test.features[:30], np.full(30, ""))

    def joined(part):
        return Labelled(
            np.concatenate([blank.features, part.features]), np.concatenate([blank.labels, part.labels])
        )

    alone, among = neighbours_probe(train, val, test), neighbours_probe(*map(joined, (train, val, test)))
    assert among.rows.tolist() == list(range(30, 120))
    assert among.scores.tolist() == alone.scores.tolist()


def test_chunks_give_the_same_votes(monkeypatch):
    parts = [clouds(90, seed=seed) for seed in range(3)]
    whole = neighbours_probe(*parts)
    monkeypatch.setattr("natviews.evaluation.neighbours.CHUNK_SCORES", 700)
    assert neighbours_probe(*parts).scores == pytest.approx(whole.scores, abs=1e-12)


def test_one_label_cannot_be_voted_on():
    part = Labelled(np.ones((3, 2)), np.full(3, "dots"))
    with pytest.raises(NatviewsError, match="two different labels"):
        neighbours_probe(part, part, part)
