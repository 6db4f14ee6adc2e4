import numpy as np
import pytest

from natviews.matching.calibration import calibrate, unmix
from natviews.types import NatviewsError


def drawn(seed, n=4000, share=0.3, kind="normal"):
    rng = np.random.default_rng(seed)
    right = rng.random(n) < share
    if kind == "normal":  # the log odds are a line: Platt's curve is right
        return rng.normal(size=n) + 2 * right, right
    scores = 10 * rng.random(n)  # two steps with a long plateau between them: no line fits
    return scores, rng.random(n) < np.select([scores < 1, scores < 9], [0.02, 0.4], 0.98)


@pytest.mark.parametrize(("kind", "curve"), [("normal", "platt"), ("steps", "isotonic")])
def test_the_curve_that_predicts_better_is_chosen_and_is_true_of_others(kind, curve):
    scores, right = drawn(0, kind=kind)
    calibration = calibrate(scores, right, np.ones(len(scores)), np.arange(len(scores)))
    assert calibration.kind == curve
    others, truth = drawn(1, 20_000, kind=kind)
    probability = calibration.probability(others)
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2)
        if inside.sum() > 300:
            assert abs(truth[inside].mean() - probability[inside].mean()) < 0.06


def test_weights_stand_for_more_pairs():
    scores, right = drawn(0, share=0.5)
    weights = np.where(right, 0.1, 1.0)
    calibration = calibrate(scores, right, weights, np.arange(len(scores)))
    others, truth = drawn(1, 40_000, share=0.1 / 1.1)
    assert calibration.probability(others).mean() == pytest.approx(truth.mean(), abs=0.02)


def test_a_higher_score_is_never_less_probable_and_an_empty_place_has_none():
    for kind in ("normal", "steps"):
        scores, right = drawn(0, kind=kind)
        calibration = calibrate(scores, right, np.ones(len(scores)), np.arange(len(scores)))
        probability = calibration.probability(np.array([-np.inf, -3.0, 0.0, 0.5, 1.0, 9.0]))
        assert probability[0] == 0 and (np.diff(probability[1:]) >= 0).all() and probability[-1] < 1


def test_nothing_can_be_learnt_where_all_pairs_are_alike():
    for right in (np.zeros(5, bool), np.ones(5, bool)):
        with pytest.raises(NatviewsError, match="all are"):
            calibrate(np.arange(5.0), right, np.ones(5), np.arange(5))


@pytest.mark.parametrize(("share", "shift"), [(0.1, 0.0), (0.5, 1.0), (0.9, 0.5)])
def test_the_share_of_matches_is_read_off_the_mixture(share, shift):
    rng = np.random.default_rng(3)
    matched, wrong = 4 + rng.normal(size=2000), rng.normal(size=2000)
    here = rng.random(3000) < share
    likeliest = np.maximum(np.where(here, 4 - shift + rng.normal(size=3000), -np.inf), rng.normal(size=3000))
    mixture = unmix(likeliest, matched, wrong)
    assert mixture.share == pytest.approx(share, abs=0.06)
    assert mixture.match_shift == pytest.approx(shift, abs=0.4)


def test_a_mixture_of_too_little_says_half():
    assert unmix(np.arange(3.0), np.arange(3.0), np.arange(3.0)).share == 0.5
