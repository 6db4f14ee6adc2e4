"""Means over seeds, intervals over products, paired differences, verdicts."""

import numpy as np
import pytest

from natviews.studies.answers import Answers, Judged
from natviews.studies.tables import Study, difference_of, row_of

QUERIES = np.array([f"{i}.jpg" for i in range(40)])
PRODUCTS = np.repeat([f"p{i}" for i in range(10)], 4)
EASY = np.linspace(0, 1, 10).repeat(4)
"""How easy each query is, product by product, for whoever answers."""


def judged(values, *, name="map@r", photos=QUERIES, seconds=0.0, kept=0.0):
    answers = {(kind, name): Answers(photos, PRODUCTS, np.asarray(values, float)) for kind in ("features", "head")}
    return Judged(answers, seconds, kept)


def test_a_row_is_the_mean_over_seeds_with_its_lowest_and_highest():
    figure = row_of("r", [judged(EASY), judged(EASY / 2)]).figures["features", "map@r"]
    assert figure.metric.value == pytest.approx(0.375)
    assert (figure.lowest, figure.highest, figure.seeds) == (pytest.approx(0.25), pytest.approx(0.5), 2)
    assert figure.metric.low < figure.metric.value < figure.metric.high


def test_its_interval_resamples_products_within_the_mean_over_seeds():
    """Two seeds that err by turns on the same queries have a mean that hardly varies over products."""
    up = np.tile([0.0, 1.0], 20)
    one, both = row_of("r", [judged(EASY)]), row_of("r", [judged(up), judged(1 - up)])
    assert one.figures["features", "map@r"].metric.low < 0.4
    metric = both.figures["features", "map@r"].metric
    assert (metric.low, metric.high) == pytest.approx((0.5, 0.5))


def test_seconds_and_the_share_kept_are_means_over_seeds():
    row = row_of("r", [judged(EASY, seconds=10, kept=1.0), judged(EASY, seconds=20, kept=0.5)])
    assert (row.seconds, row.kept) == (15, 0.75)


def test_a_difference_is_paired_by_query():
    """Each query gains 0.02, however hard: unpaired intervals overlap, the paired one has no width."""
    natural, augmented = judged(EASY + 0.02), judged(EASY)
    one, other = (row_of("r", [seed]).figures["head", "map@r"].metric for seed in (natural, augmented))
    assert one.low < other.high
    difference = difference_of("simclr", [natural], [augmented])
    metric = difference.figures["head", "map@r"].metric
    assert (metric.low, metric.value, metric.high) == pytest.approx((0.02, 0.02, 0.02))
    assert metric.row == "simclr: natural-augmented"


def test_a_difference_is_paired_by_seed():
    figure = difference_of("m", [judged(EASY), judged(EASY + 0.3)], [judged(EASY - 0.1), judged(EASY)]).figures[
        "features", "map@r"
    ]
    assert (figure.lowest, figure.metric.value, figure.highest) == pytest.approx((0.1, 0.2, 0.3))


def test_other_queries_are_refused():
    with pytest.raises(ValueError, match="same queries"):
        difference_of("m", [judged(EASY)], [judged(EASY, photos=QUERIES[::-1])])
    with pytest.raises(ValueError, match="same queries"):
        row_of("m", [judged(EASY), judged(EASY, photos=QUERIES[::-1])])


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.02, "yes"), (-0.02, "no"), (np.tile([0.3, -0.3], 20), "not shown"), (0.0, "not shown")],
)
def test_the_verdict_is_the_intervals(gain, verdict):
    difference = difference_of("m", [judged(EASY + gain)], [judged(EASY)])
    assert difference.verdict("features") == verdict == difference.verdict("head")


def test_what_failed_is_named_on_the_page():
    answers = {}
    for name in ("recall@1", "map@r", "auc"):
        answers |= judged(EASY, name=name).answers
    row = row_of("simclr", [Judged(answers)])
    page = Study("t", "c", "s", [row], [], {"dino, seed 1": "The loss became nan."}).page()
    assert "dino, seed 1: The loss became nan." in page
