"""Additional recall and drops: by hand, against scipy, and in simulation."""

import numpy as np
import pytest
from scipy.stats import binom

from natviews.evaluation import (
    Judging,
    additional_recall,
    copies_found,
    disturbed_metrics,
    mcnemar,
    means_with_intervals,
    retrieval,
)
from natviews.evaluation.natural_views import Retrieval
from natviews.evaluation.robustness import SHOWN, Accepted, AdditionalRecall, dropped, lowest_score
from natviews.types import Embeddings, Provenance


def answers(row: str, right, scores, products=None) -> Retrieval:
    """A retrieval whose first matches are right or not, at some scores."""
    right, scores = np.asarray(right, float), np.asarray(scores, np.float32)
    rows = np.arange(len(right))
    products = rows.astype(str) if products is None else np.asarray(products)
    values = dict.fromkeys(SHOWN, right)
    return Retrieval(row, rows, products, values, np.zeros((len(right), 10), int), scores[:, None])


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 5), (3, 11), (40, 22)])
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_pairs(gained, lost):
    fewer, both = min(gained, lost), gained + lost
    expected = min(1.0, 2 * binom.cdf(fewer, both, 0.5)) if both else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected) == pytest.approx(mcnemar(lost, gained))


def test_mcnemar_by_hand():
    assert mcnemar(9, 1) == pytest.approx(2 * (1 + 10) / 2**10)


def test_the_lowest_score_takes_equal_ones_together():
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.6])
    right = np.array([True, True, False, True, False])
    assert lowest_score(scores, right, 1.0) == 0.9  # of the two at .8 one is wrong
    assert lowest_score(scores, right, 0.75) == 0.7
    assert lowest_score(scores, right, 0.5) == 0.6
    assert lowest_score(scores, np.zeros(5, bool), 0.5) == np.inf


def test_precision_may_recover_after_a_first_error():
    assert lowest_score(np.array([0.9, 0.8, 0.7]), np.array([False, True, True]), 0.6) == 0.7


def test_what_one_finds_and_the_other_misses_by_hand():
    products = ["a", "a", "b", "c"]
    one = Accepted(np.array([True, True, True, False]), np.array([True, True, False, True]))
    other = Accepted(np.array([True, False, True, True]), np.array([False, True, True, True]))
    found = AdditionalRecall(("ours", "theirs"), np.array(products), one, other)
    assert found.gained.tolist() == [True, True, False, False]
    assert found.lost.tolist() == [False, False, True, True]
    assert found.p_queries == 1.0 and found.p_products == mcnemar(1, 2)
    metrics = {(m.row, m.name): m for m in found.metrics("blur", 0.9)}
    assert metrics["ours-theirs", "additional_recall@p90"].value == 0.5
    assert metrics["ours-theirs", "missed_recall@p90"].value == 0.5
    assert metrics["ours", "precision@p90"].value == pytest.approx(2 / 3)
    assert metrics["theirs", "precision@p90"].n == 3


def test_scores_are_set_on_the_other_half_of_the_groups():
    # Group a's matches are all wrong at high scores, b's all right at low ones: each half would accept its own
    # differently, and is judged by the other's.
    one = answers("ours", [0, 0, 1, 1], [0.9, 0.8, 0.3, 0.2])
    found = additional_recall(
        one, answers("theirs", [0, 0, 0, 0], [0.1] * 4), np.array(["a", "a", "b", "b"]), precision=0.9
    )
    assert found.ours.accepted.tolist() == [True, True, False, False]  # above b's .2; a has no score for b
    assert not found.gained.any()


def simulated(seed: int, shift: float, products: int = 300):
    """First matches whose scores say how likely they are right; `shift` makes an encoder better."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(shift, 1, products)
    return rng.random(products) < 1 / (1 + np.exp(-2 * ease)), (ease + rng.normal(0, 0.1, products)) / 10


def test_realised_precision_is_near_the_one_wanted_and_the_better_encoder_gains():
    kept, gains, losses = [], 0, 0
    for seed in range(40):
        one = answers("ours", *simulated(seed, 1.0))
        other = answers("theirs", *simulated(seed + 1000, 0.0))
        found = additional_recall(one, other, one.products, precision=0.9)
        kept.append(found.ours.right[found.ours.accepted].mean())
        gains, losses = gains + found.gained.sum(), losses + found.lost.sum()
    assert np.mean(kept) == pytest.approx(0.9, abs=0.02)
    assert gains > 1.5 * losses


def test_under_no_difference_mcnemar_over_products_rejects_about_as_often_as_it_says():
    # Photos of a product succeed together: over queries the test cries out too often, over products it does not.
    rng = np.random.default_rng(0)
    rejected = {"queries": 0, "products": 0}
    products = np.repeat(np.arange(80), 5).astype(str)
    everything = np.ones(400, bool)
    for _ in range(200):
        one, other = (np.repeat(rng.random(80) < 0.5, 5) for _ in range(2))
        found = AdditionalRecall(("a", "b"), products, Accepted(one, everything), Accepted(other, everything))
        rejected["queries"] += found.p_queries < 0.05
        rejected["products"] += found.p_products < 0.05
    assert rejected["products"] / 200 <= 0.08 < 0.25 < rejected["queries"] / 200


def test_the_drop_is_the_share_of_recall_that_is_lost_and_its_interval_covers_it():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(70):
        before = rng.random(100) < 0.8
        after = before & (rng.random(100) < 0.7)
        clean, disturbed = (answers("r", right, np.ones(100)) for right in (before, after))
        metric = next(m for m in disturbed_metrics(clean, disturbed, "blur") if m.name == "drop@1")
        assert metric.value == pytest.approx(1 - after.sum() / before.sum())
        covered += metric.low <= 0.3 <= metric.high
    assert 0.89 <= covered / 70 <= 0.99


def test_nothing_found_before_has_nothing_to_lose_and_other_queries_are_refused():
    none = answers("r", [0, 0], [1, 1])
    assert "drop@1" not in {m.name for m in disturbed_metrics(none, none, "blur")}
    with pytest.raises(ValueError, match="others"):
        disturbed_metrics(none, answers("r", [0, 0, 1], [1, 1, 1]), "blur")
    with pytest.raises(ValueError, match="same queries"):
        additional_recall(none, answers("r", [0, 0, 1], [1, 1, 1]), np.array(["a", "b"]), precision=0.9)


def photos(seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embeddings(np.arange(60).astype(str), np.repeat(np.arange(20), 3).astype(str), vectors, Provenance("x"))


def test_an_undisturbed_copy_is_found_and_noise_is_not():
    known = photos()
    rows = np.arange(0, 60, 2)
    judging = Judging.everyone(known.product_ids)
    found = copies_found(known, judging, rows, known.vectors[rows], row="r")
    assert found.values["recall@1"].tolist() == [1.0] * 30
    assert (found.neighbours[:, 0] == rows).all()
    own_product = found.neighbours[:, 1:4] // 3 == rows[:, None] // 3
    assert not own_product.any()  # the product's other photos are neither right nor wrong
    noise = copies_found(known, judging, rows, photos(1).vectors[rows], row="r")
    assert noise.values["recall@1"].mean() < 0.2


def test_disturbed_queries_look_for_the_products_other_photos():
    known = photos()
    clean = retrieval(known)
    same = retrieval(known, queries=known.vectors.copy())
    metrics = {m.name: m for m in disturbed_metrics(clean, same, "none")}
    assert clean.values["recall@1"].any() and metrics["drop@1"].value == pytest.approx(0)
    assert metrics["map@r"].value == pytest.approx(clean.values["map@r"].mean())
    assert (
        means_with_intervals({"x": clean.values["auc"]}, clean.products, row="r")[0].value == metrics["auc"].value
    )


def test_a_querys_value_says_how_the_drop_moves_when_the_query_comes_once_more():
    rng = np.random.default_rng(0)
    before = (rng.random(80) < 0.6).astype(float)
    after = before * (rng.random(80) < 0.7)
    after[before == 0] = rng.random((before == 0).sum()) < 0.1
    values = dropped(before, after)
    assert values.mean() == pytest.approx(1 - after.sum() / before.sum())
    many = np.repeat(np.arange(80), 500)
    for kind in {(b, a): query for query, (b, a) in enumerate(zip(before, after, strict=True))}.values():
        rows = np.append(many, kind)
        moved = (1 - after[rows].sum() / before[rows].sum() - values.mean()) * len(many)
        assert moved == pytest.approx(values[kind] - values.mean(), abs=1e-3)
