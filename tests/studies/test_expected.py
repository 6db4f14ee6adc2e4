"""What was expected is held against paired differences: holds, does not hold, not shown, not measured."""

import numpy as np
import pytest

from natviews.studies.answers import Answers, Judged
from natviews.studies.expected import Expected, Side, over, verdicts

PHOTOS = np.array([f"{i}.jpg" for i in range(40)])
PRODUCTS = np.repeat([f"p{i}" for i in range(10)], 4)
EASY = np.linspace(0, 1, 10).repeat(4)
MAP = ("features", "map@r")
WILD = np.tile([0.4, -0.4], 5).repeat(4)
"""A gain for every other product and as large a loss for the others."""


def judged(values, kind=MAP, photos=PHOTOS):
    return Judged({kind: Answers(photos, PRODUCTS, np.asarray(values, float))})


def rows(*gains, base=EASY):
    """`better` is above `worse` by each seed's gain."""
    return {
        "better": {seed: judged(base + gain) for seed, gain in enumerate(gains)},
        "worse": {seed: judged(base) for seed in range(len(gains))},
    }


def word(found, margin=0.0):
    return over("said", "high", "better", "worse", MAP, margin).judged(found).word


@pytest.mark.parametrize(
    ("gains", "margin", "wanted"),
    [
        ((0.02, 0.03), 0, "holds"),
        ((-0.02, -0.03), 0, "does not hold"),
        ((0.0, 0.0), 0, "not shown"),
        ((WILD, WILD), 0, "not shown"),
        ((0.1, -0.01), 0, "not shown"),  # one seed says otherwise, whatever the interval of the mean
        ((-0.1, 0.01), 0, "not shown"),
        ((-0.01, -0.015), -0.02, "holds"),  # no more than two points below
        ((-0.03, -0.025), -0.02, "does not hold"),
        ((0.1, 0.2), 0.15, "not shown"),
        ((0.2, 0.3), 0.15, "holds"),
    ],
)
def test_the_verdict_is_that_of_the_interval_and_of_every_seed(gains, margin, wanted):
    assert word(rows(*gains), margin) == wanted


def test_the_difference_is_paired_query_by_query_and_seed_by_seed():
    found = over("said", "high", "better", "worse", MAP).judged(rows(0.02, 0.04))
    assert (found.difference.low, found.difference.value, found.difference.high) == pytest.approx((0.03,) * 3)
    assert found.seeds == pytest.approx((0.02, 0.04)) and found.difference.n == len(PHOTOS)
    plain = found.plain()
    assert (plain["lowest"], plain["highest"], plain["seeds"]) == (pytest.approx(0.02), pytest.approx(0.04), 2)


def test_its_interval_resamples_products():
    by_photo, by_product = np.tile([0.2, -0.1], 20), np.tile([0.2, -0.1], 5).repeat(4)
    narrow, wide = (
        over("s", "high", "better", "worse", MAP).judged(rows(g)).difference for g in (by_photo, by_product)
    )
    assert narrow.value == pytest.approx(wide.value) and narrow.high - narrow.low < 1e-9 < wide.high - wide.low


def test_only_seeds_that_both_have_are_compared():
    found = rows(0.02, 0.02, -5)
    del found["worse"][2]
    verdict = over("said", "high", "better", "worse", MAP).judged(found)
    assert verdict.word == "holds" and len(verdict.seeds) == 2


def test_what_was_not_measured_is_said_so():
    assert over("said", "high", "better", "none", MAP).judged(rows(1)).word == "not measured"
    assert over("said", "high", "better", "worse", ("features", "auc")).judged(rows(1)).word == "not measured"
    assert "value" not in over("said", "high", "better", "none", MAP).judged(rows(1)).plain()


def test_one_row_is_held_against_a_margin_alone():
    found = {"row": {0: judged(0.6 + 0 * EASY)}}
    for margin, wanted in ((0.5, "holds"), (0.7, "does not hold")):
        assert Expected("said", "claimed", (Side("row", MAP),), margin=margin).judged(found).word == wanted


def test_margins_that_widen_are_a_sum_of_four_sides():
    """Ours is ahead by 0.1 in accuracy and by 0.3 in recall."""
    recall = ("mlp", "recall@95")

    def both(accuracy, at95):
        one = judged(accuracy + 0 * EASY).answers
        return {0: Judged(one | judged(at95 + 0 * EASY, recall).answers)}

    found = {"ours": both(0.9, 0.7), "theirs": both(0.8, 0.4)}
    more, less = (Side("ours", recall), Side("theirs", MAP)), (Side("theirs", recall), Side("ours", MAP))
    verdict = Expected("said", "high", more, less).judged(found)
    assert verdict.difference.value == pytest.approx(0.2) and verdict.word == "holds"
    assert Expected("said", "high", less, more).judged(found).word == "does not hold"


def test_other_queries_are_refused():
    found = rows(0.1)
    found["worse"] = {0: judged(EASY, photos=PHOTOS[::-1])}
    with pytest.raises(ValueError, match="same queries"):
        verdicts([over("said", "high", "better", "worse", MAP)], found)
