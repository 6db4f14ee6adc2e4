"""Intervals that cover the truth as often as they say, because they resample products."""

import numpy as np
import pytest

from natviews.evaluation import means_with_intervals
from natviews.evaluation.intervals import _resamples

TRUTH = 0.6


def interval(values, product_ids, **named):
    [metric] = means_with_intervals({"n": np.asarray(values, float)}, np.asarray(product_ids), row="r", **named)
    return metric


def simulated(rng: np.random.Generator, products: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Per-query values about TRUTH whose products each have a share of their own, and one to eight queries."""
    product = np.repeat(np.arange(products), rng.integers(1, 9, products))
    easy = rng.normal(0, 0.3, products)
    return TRUTH + easy[product] + rng.normal(0, 0.15, len(product)), product


def coverage(runs: int, by_product: bool) -> float:
    covered = 0
    for run in range(runs):
        values, product = simulated(np.random.default_rng(run))
        metric = interval(values, product if by_product else np.arange(len(values)))
        covered += metric.low <= TRUTH <= metric.high
    return covered / runs


def test_the_interval_covers_the_truth_about_95_times_in_a_hundred():
    # Of 300 runs at 94 %, the usual for 60 products, 90 to 98 % is three standard deviations either way.
    assert 0.90 <= coverage(300, by_product=True) <= 0.98


def test_an_interval_that_ignored_products_would_not():
    assert coverage(25, by_product=False) < 0.80


def test_the_value_is_the_mean_over_queries():
    values, product = simulated(np.random.default_rng(0))
    metric = interval(values, product, slice="shoes")
    assert metric.value == pytest.approx(values.mean())
    assert (metric.n, metric.slice, metric.row, metric.name) == (len(values), "shoes", "r", "n")


def test_the_interval_is_that_of_the_mean_over_queries_and_not_over_products():
    # Fifty products with one query that fails, fifty with nine that succeed: 0.9 over queries, 0.5 over products.
    values = np.repeat([0.0, 1.0], [50, 450])
    metric = interval(values, np.concatenate([np.arange(50), np.repeat(np.arange(50, 100), 9)]))
    assert metric.value == pytest.approx(0.9)
    assert 0.8 < metric.low < 0.9 < metric.high < 0.95


def test_the_interval_is_fixed_by_the_seed():
    values, product = simulated(np.random.default_rng(0))
    assert interval(values, product, seed=3) == interval(values, product, seed=3)
    assert interval(values, product, seed=3) != interval(values, product, seed=4)


def test_the_interval_does_not_depend_on_the_products_names():
    values, product = simulated(np.random.default_rng(0))
    named = np.array([f"product {i:03d}" for i in product])
    assert interval(values, named) == interval(values, product)


def test_the_interval_narrows_with_the_number_of_products():
    few, many = (interval(*simulated(np.random.default_rng(0), products)) for products in (40, 640))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.35)


def test_the_interval_agrees_with_the_textbook_for_one_query_each():
    values = np.random.default_rng(0).normal(size=400)
    metric = interval(values, np.arange(400))
    half = 1.96 * values.std() / 20
    assert metric.low == pytest.approx(values.mean() - half, abs=0.02)
    assert metric.high == pytest.approx(values.mean() + half, abs=0.02)


def test_a_paired_difference_sees_what_two_intervals_do_not():
    # Both encoders find the same products hard; the second is a little better on each.
    rng = np.random.default_rng(0)
    first, product = simulated(rng)
    second = first + 0.03 + rng.normal(0, 0.02, len(first))
    one, other, difference = (interval(values, product) for values in (first, second, second - first))
    assert one.high > other.low
    assert difference.excludes_zero
    assert difference.low <= 0.03 <= difference.high


def test_equal_values_have_no_width():
    metric = interval(np.full(50, 0.25), np.repeat(np.arange(10), 5))
    assert (metric.low, metric.value, metric.high) == pytest.approx((0.25, 0.25, 0.25))


def test_the_interval_holds_its_value_also_where_nearly_all_are_equal():
    metric = interval([1.0] * 99 + [0.0], np.arange(100))
    assert metric.low <= 0.99 <= metric.high == 1.0


def test_no_queries_have_no_interval():
    with pytest.raises(ValueError, match="no queries"):
        interval([], [])


def test_values_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="outside"):
        interval([0.5, np.nan, 0.7], [0, 1, 2])


def test_every_resample_draws_as_many_products_as_there_are():
    drawn = np.concatenate(list(_resamples(50, np.random.default_rng(0))))
    assert drawn.shape == (2000, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean() == pytest.approx(1.0)


def test_chunks_of_resamples_give_the_same_interval(monkeypatch):
    values, product = simulated(np.random.default_rng(0))
    whole = interval(values, product)
    monkeypatch.setattr("natviews.evaluation.intervals.CHUNK", 100)
    parts = interval(values, product)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high))


def test_many_figures_at_once_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=200) for name in "abc"}
    product = np.arange(200) // 4
    together = means_with_intervals(values, product, row="r")
    for metric in together:
        [alone] = means_with_intervals({metric.name: values[metric.name]}, product, row="r")
        assert (metric.value, metric.low, metric.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_one_product_tells_nothing_of_others():
    metric = interval([1.0, 1.0, 1.0], ["p", "p", "p"])
    assert not metric.excludes_zero and metric.low <= 0
