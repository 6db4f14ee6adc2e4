import numpy as np
import pytest
from scipy.stats import binom

from natviews.matching.promises import (
    conformal_selection,
    lower_bound,
    pairs_needed,
    precision_by_labels,
    precision_without_labels,
    recall_threshold,
    upper_bound,
)
from natviews.types import NatviewsError


def test_the_bounds_are_clopper_and_pearsons():
    for right, n in ((0, 20), (7, 20), (20, 20)):
        low, high = lower_bound(right, n), upper_bound(right, n)
        if right:
            assert binom.sf(right - 1, n, low) == pytest.approx(0.1, abs=1e-6)
        if right < n:
            assert binom.cdf(right, n, high) == pytest.approx(0.1, abs=1e-6)
    assert lower_bound(0, 20) == 0 and upper_bound(20, 20) == 1


def test_how_many_pairs_a_promise_takes():
    for target in (0.8, 0.9, 0.95, 0.99):
        n = pairs_needed(target)
        assert lower_bound(n, n) >= target > lower_bound(n - 1, n - 1)


def scores_of(rng, n, share=0.5, apart=2.5):
    right = rng.random(n) < share
    return rng.normal(size=n) + apart * right, right


def test_labelled_pairs_keep_their_promise_where_the_plain_share_does_not():
    """The true precision of the chosen threshold, over many draws of 1,000 judged pairs."""
    everyone, truth = scores_of(np.random.default_rng(0), 400_000)
    kept, plain, claimed = [], [], []
    for seed in range(100):
        scores, right = scores_of(np.random.default_rng([1, seed]), 1000)
        promise = precision_by_labels(scores, right, 0.95)
        if promise.kept:
            assert promise.bound >= 0.95
            kept.append(truth[everyone >= promise.score].mean() >= 0.95)
            claimed.append((right & (scores >= promise.score)).sum() / right.sum())
        order = np.argsort(-scores)
        loosest = np.flatnonzero(right[order].cumsum() / np.arange(1, 1001) >= 0.95)[-1]
        plain.append(truth[everyone >= scores[order][loosest]].mean() >= 0.95)
    assert len(kept) > 75 and np.mean(kept) >= 0.9
    assert np.mean(claimed) > 0.5
    assert np.mean(plain) < 0.8


def test_without_labels_the_promise_is_kept_for_this_very_comparison():
    """Realised precision over many comparisons in which half, a tenth or none of ours have a match."""
    for share, least in ((0.5, 0.5), (0.3, 0.3), (0.0, 0.0)):
        kept, found = [], []
        for seed in range(80):
            rng = np.random.default_rng([seed, int(10 * share)])
            scores, right = scores_of(rng, 1000, share, apart=4.0)
            null = np.sort(rng.normal(size=1000))
            promise = precision_without_labels(
                scores, 1000, lambda t, null=null: 1000.0 - np.searchsorted(null, t), 1000, 1.0, 0.95
            )
            accepted = scores >= promise.score
            kept.append(not accepted.any() or right[accepted].mean() >= 0.95)
            found.append((accepted & right).sum() / max(1, right.sum()))
            assert promise.accepted == accepted.sum()
        assert np.mean(kept) >= 0.9, share
        assert np.median(found) >= least, share


def test_a_larger_gallery_than_the_one_learnt_in_makes_the_promise_stricter():
    rng = np.random.default_rng(0)
    scores, _ = scores_of(rng, 1000, apart=4.0)
    null = np.sort(rng.normal(size=1000))

    def chosen(scale):
        return precision_without_labels(
            scores, 1000, lambda t: 1000.0 - np.searchsorted(null, t), 1000, scale, 0.95
        )

    assert chosen(1.0).accepted > chosen(3.0).accepted > 0


def test_too_little_to_promise_says_how_much_is_missing():
    scores, right = scores_of(np.random.default_rng(0), 30)
    promise = precision_by_labels(scores, right, 0.99)
    assert not promise.kept and promise.missing >= pairs_needed(0.99) - 30
    nothing = precision_without_labels(scores, 30, lambda t: np.zeros(len(t)), 0, 1.0, 0.95)
    assert not nothing.kept and nothing.basis == "none" and nothing.accepted == 0
    few = precision_without_labels(scores, 30, lambda t: np.zeros(len(t)), 30, 1.0, 0.95)
    assert not few.kept and few.missing > 0


def test_pairs_of_one_score_stand_or_fall_together():
    scores = np.repeat([1.0, 0.0], 200)
    right = np.arange(400) < 200
    promise = precision_by_labels(scores, right, 0.95)
    assert promise.score == 1.0 and promise.accepted == 200
    assert not precision_by_labels(np.zeros(400), right, 0.95).kept


def test_nothing_is_promised_of_nothing():
    none = np.empty(0)
    assert not precision_by_labels(none, none.astype(bool), 0.95).kept
    assert not precision_without_labels(none, 0, lambda t: np.zeros(len(t)), 10, 1.0, 0.95).kept
    assert len(conformal_selection(none, np.arange(5.0), 0.1, 5)) == 0
    assert not recall_threshold(none, 0.95, "photos").kept


@pytest.mark.parametrize("target", [0, 1, 1.5, -0.1])
def test_a_share_that_cannot_be_promised_is_refused(target):
    with pytest.raises(NatviewsError, match="between 0 and 1"):
        precision_by_labels(np.ones(3), np.ones(3, bool), target)


def test_conformal_selection_bounds_the_mean_share_of_wrong_ones():
    wrong, power = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores, right = scores_of(rng, 500, 0.3, apart=3.0)
        selected = conformal_selection(scores, rng.normal(size=1000), 0.1, 500)
        wrong.append((selected & ~right).sum() / max(1, selected.sum()))
        power.append((selected & right).sum() / right.sum())
    # Benjamini and Hochberg hold it at 0.1 * (share of wrong ones) = 0.07.
    assert 0.04 < np.mean(wrong) < 0.085
    assert np.mean(power) > 0.5


def test_conformal_selection_holds_where_a_rule_took_the_likeliest_pairs_alone():
    wrong = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores, right = scores_of(rng, 500, 0.2, apart=3.0)
        taken = scores > 0.5  # as pairs are that nobody else of ours scores higher with
        selected = conformal_selection(scores[taken], rng.normal(size=1000), 0.1, 500)
        wrong.append((selected & ~right[taken]).sum() / max(1, selected.sum()))
    assert 0.06 < np.mean(wrong) < 0.09  # 0.1 * (share of wrong ones) = 0.08


def test_recall_is_kept_in_nine_of_ten_draws():
    # Of uniform scores the share at or above a threshold is 1 - threshold.
    drawn = [recall_threshold(np.random.default_rng(seed).random(400), 0.95, "photos") for seed in range(300)]
    kept = [1 - promise.score >= 0.95 for promise in drawn if promise.kept]
    assert len(kept) == 300 and 0.88 <= np.mean(kept) <= 0.98


def test_recall_of_too_few_keeps_everything():
    promise = recall_threshold(np.arange(20.0), 0.95, "photos")
    assert promise.score == -np.inf and not promise.kept and promise.missing == pairs_needed(0.95) - 20
