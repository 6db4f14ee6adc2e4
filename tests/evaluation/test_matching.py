import numpy as np
import pytest

from natviews.evaluation.matching import Pairs, fold_of, match_metrics


def pairs(*of):
    return Pairs(np.array([one for one, _ in of], str), np.array([other for _, other in of], str))


def value(metrics, name, slice="all"):
    (metric,) = [m for m in metrics if (m.name, m.slice) == (name, slice)]
    return metric


def test_precision_recall_and_f1_by_hand():
    truth = pairs(("a", "1"), ("a", "2"), ("b", "3"), ("c", "4"))
    claimed = pairs(("a", "1"), ("a", "9"), ("b", "3"), ("d", "5"), ("b", "3"))
    metrics = match_metrics(claimed, truth)
    assert value(metrics, "match precision").value == pytest.approx(2 / 4)
    assert value(metrics, "match recall").value == pytest.approx(2 / 4)
    # a: 1 of 2 and 2; b: all; c: nothing claimed; d: nothing true.
    assert value(metrics, "listing f1").value == pytest.approx((0.5 + 1 + 0 + 0) / 4)
    assert value(metrics, "match precision").n == 4


def test_a_listing_counts_itself_in_shopees_convention():
    truth, claimed = pairs(("a", "b"), ("b", "a")), pairs(("a", "b"))
    metrics = match_metrics(claimed, truth, listings=["a", "b", "c"], itself=True)
    # a: both; b: itself of two; c: itself alone, which is right.
    assert value(metrics, "listing f1").value == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert value(match_metrics(claimed, truth, listings=["a", "b", "c"]), "listing f1").value == pytest.approx(
        2 / 3
    )


def test_nothing_claimed_has_no_precision_but_recall():
    metrics = match_metrics(pairs(), pairs(("a", "1")))
    assert [m.name for m in metrics] == ["match recall", "listing f1"]
    assert value(metrics, "match recall").value == 0


def test_intervals_resample_super_groups():
    names = [f"p{i}" for i in range(200)]
    truth = pairs(*((n, n) for n in names))
    claimed = pairs(*((n, n if i % 2 else "x") for i, n in enumerate(names)))
    alone = value(match_metrics(claimed, truth), "match precision")
    groups = {n: f"g{i % 2}-{i // 40}" for i, n in enumerate(names)}
    together = value(match_metrics(claimed, truth, super_groups=groups), "match precision")
    assert alone.value == together.value == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_folds_never_part_a_super_group_and_are_even():
    groups = np.repeat([f"g{i}" for i in range(60)], np.arange(60) % 5 + 1)
    fold = fold_of(groups, 4)
    assert all(len(set(fold[groups == name])) == 1 for name in np.unique(groups))
    assert np.ptp(np.bincount(fold, minlength=4)) <= 2
    names = [f"p{i}" for i in range(len(groups))]
    truth = pairs(*((n, n) for n in names))
    metrics = match_metrics(truth, truth, super_groups=dict(zip(names, groups.tolist(), strict=True)), folds=4)
    assert {m.slice for m in metrics} == {"all", "fold 1", "fold 2", "fold 3", "fold 4"}
    assert sum(m.n for m in metrics if m.name == "match recall" and m.slice != "all") == len(names)
