"""Thresholds for a wanted precision: hand-made cases, and torchmetrics as the second opinion."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import BinaryRecallAtFixedPrecision, MulticlassRecallAtFixedPrecision

from natviews.evaluation import Operating, Thresholds


def at(scores, positive, precision=0.9):
    return Operating.at(np.array(scores, float), np.array(positive, bool), precision)


def test_all_positives_above_all_others_are_found_by_the_lowest_of_them():
    assert at([0.9, 0.8, 0.3, 0.2], [1, 1, 0, 0]) == Operating(1.0, 0.8)


def test_equal_scores_are_taken_together_or_not_at_all():
    # In the order given the positive comes first, but no threshold parts it from its equal.
    assert at([0.7, 0.7, 0.1], [1, 0, 0]) == Operating(0.0, np.inf)
    assert at([0.9, 0.7, 0.7, 0.1], [1, 1, 0, 0]) == Operating(0.5, 0.9)
    assert at([0.9, 0.7, 0.7, 0.1], [1, 1, 0, 0], 0.6) == Operating(1.0, 0.7)


def test_a_precision_reached_exactly_is_reached():
    scores = np.linspace(1, 0.1, 10)
    assert at(scores, [1] * 9 + [0]).threshold == scores[8]
    assert at(scores, [0] + [1] * 9).recall == 1.0
    assert at(np.linspace(1, 0.1, 20), [0] + [1] * 19, 0.95).recall == 1.0


def test_precision_may_be_lost_and_won_back():
    # 1/1, 1/2, 2/3, 3/4, ..., 10/11: the second photo spoils it, eight more mend it.
    assert at(np.linspace(1, 0, 11), [1, 0] + [1] * 9).recall == 1.0


def test_of_thresholds_with_the_same_recall_the_most_precise_is_taken():
    assert at(np.linspace(1, 0, 11), [1] * 10 + [0]).threshold == pytest.approx(0.1)


@pytest.mark.parametrize("positive", [[0, 0, 0], [0, 1, 0]])
def test_what_never_reaches_the_precision_has_recall_0(positive):
    assert at([0.9, 0.5, 0.1], positive) == Operating(0.0, np.inf)


def test_nothing_has_no_threshold():
    assert at([], []) == Operating(0.0, np.inf)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("precision", [0.9, 0.95, 0.6])
def test_recall_and_precision_are_those_of_torchmetrics(seed, precision):
    rng = np.random.default_rng(seed)
    positive = rng.random(80) < 0.4
    scores = np.round(np.clip(0.5 * positive + rng.normal(0.25, 0.2, 80), 0, 1), 1 + seed % 3)  # many are equal
    found = at(scores, positive, precision)
    metric = BinaryRecallAtFixedPrecision(precision, thresholds=None)
    recall, _ = metric(torch.tensor(scores), torch.tensor(positive.astype(int)))
    assert found.recall == pytest.approx(float(recall))
    if found.recall:
        said = scores >= found.threshold
        assert positive[said].mean() >= precision
        assert positive[said].sum() / positive.sum() == pytest.approx(found.recall)


def test_each_class_is_torchmetrics_one_against_the_rest():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    scores = rng.dirichlet(np.ones(4), 300) + np.eye(4)[labels] * 0.6
    scores /= scores.sum(axis=1, keepdims=True)
    metric = MulticlassRecallAtFixedPrecision(4, 0.9, thresholds=None)
    recalls, _ = metric(torch.tensor(scores), torch.tensor(labels))
    positive = labels[:, None] == np.arange(4)
    limits = Thresholds.at(scores, positive, 0.9).classes
    ours = ((scores >= limits) & positive).sum(axis=0) / positive.sum(axis=0)
    assert ours == pytest.approx(recalls.numpy())
    assert 0.3 < ours.min() < ours.max() < 1


def test_one_threshold_for_all_asks_whether_the_likeliest_class_is_right():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    positive = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], bool)
    assert Thresholds.at(scores, positive, 0.9).overall == 0.8
    assert Thresholds.at(scores, positive, 0.75).overall == 0.6


def test_photos_of_several_classes_and_of_none_are_tolerated():
    scores = np.array([[0.9, 0.8], [0.7, 0.1], [0.1, 0.6]])
    positive = np.array([[1, 1], [1, 0], [0, 0]], bool)
    assert Thresholds.at(scores, positive, 0.9).classes.tolist() == [0.7, 0.8]


def test_no_photos_have_no_thresholds():
    limits = Thresholds.at(np.empty((0, 2)), np.empty((0, 2), bool), 0.9)
    assert np.isinf(limits.classes).all() and np.isinf(limits.overall)
