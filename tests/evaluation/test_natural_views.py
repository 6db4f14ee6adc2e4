"""Natural-view retrieval against other implementations, and by hand where the answer is plain."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from sklearn.metrics import roc_auc_score

from natviews.evaluation import METRICS, Judging, means_with_intervals, retrieval
from natviews.evaluation.natural_views import d_prime
from natviews.types import Embeddings, Provenance

PER_QUERY = [name for name in METRICS if name != "d_prime"]
"""d' is a figure of all queries together."""


def embeddings(vectors: np.ndarray, products: np.ndarray) -> Embeddings:
    vectors = np.asarray(vectors, np.float32)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.array([f"photo {i}" for i in range(len(vectors))])
    return Embeddings(ids, np.asarray(products), vectors, Provenance("encoder"))


def clustered(seed: int, spread: float = 1.0, products: int = 60) -> Embeddings:
    """Products of one to six photos about random centres, in a mixed order."""
    rng = np.random.default_rng(seed)
    product = rng.permutation(np.repeat(np.arange(products), rng.integers(1, 7, products)))
    centres = rng.normal(size=(products, 16))
    vectors = centres[product] + spread * rng.normal(size=(len(product), 16))
    return embeddings(vectors, np.array([f"product {i:03d}" for i in product]))


def on_circle(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def by_row(found, name: str) -> dict[int, float]:
    return dict(zip(found.rows.tolist(), found.values[name].tolist(), strict=True))


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_those_of_pytorch_metric_learning(seed, spread):
    data = clustered(seed, spread)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
    )
    labels = torch.from_numpy(np.unique(data.product_ids, return_inverse=True)[1])
    theirs = calculator.get_accuracy(torch.from_numpy(data.vectors), labels)
    ours = {name: values.mean() for name, values in retrieval(data).values.items()}
    assert ours["recall@1"] == pytest.approx(theirs["precision_at_1"], abs=1e-6)
    assert ours["r_precision"] == pytest.approx(theirs["r_precision"], abs=1e-6)
    assert ours["map@r"] == pytest.approx(theirs["mean_average_precision_at_r"], abs=1e-6)


def with_ties(seed: int) -> Embeddings:
    """Corners of a cube: unit vectors whose scores are exact, and most of them equal."""
    rng = np.random.default_rng(seed)
    vectors = rng.choice([-0.5, 0.5], size=(80, 4))
    return embeddings(vectors, np.array([f"product {i}" for i in rng.integers(0, 25, 80)]))


@pytest.mark.parametrize("data", [clustered(0), clustered(1, 3.0), with_ties(0)], ids=["near", "far", "with ties"])
def test_the_auc_equals_that_of_scikit_learn_for_every_query(data):
    found = retrieval(data)
    for row, auc in by_row(found, "auc").items():
        others = np.arange(len(data)) != row
        scores = data.vectors[others] @ data.vectors[row]
        right = data.product_ids[others] == data.product_ids[row]
        assert auc == pytest.approx(roc_auc_score(right, scores), abs=1e-9)


def test_every_figure_equals_a_plain_computation():
    data = clustered(5, 1.5)
    found = retrieval(data)
    for row in found.rows:
        scores = data.vectors @ data.vectors[row]
        order = [i for i in np.argsort(-scores) if i != row]
        right = np.array([data.product_ids[i] == data.product_ids[row] for i in order])
        wanted = right.sum()
        expected = {f"recall@{k}": float(right[:k].any()) for k in (1, 5, 10)}
        expected["r_precision"] = right[:wanted].mean()
        expected["map@r"] = sum(right[: i + 1].mean() for i in range(wanted) if right[i]) / wanted
        expected["within"] = scores[order][right].mean()
        expected["between"] = scores[order][~right].mean()
        for name, value in expected.items():
            assert by_row(found, name)[row] == pytest.approx(value, abs=1e-5), name
        assert found.neighbours[list(found.rows).index(row)].tolist() == order[:10]


def test_every_figure_has_an_explanation():
    found = retrieval(clustered(0))
    assert {metric.name for metric in found.metrics()} == set(METRICS)
    assert set(found.values) == set(PER_QUERY)


def test_lone_photos_do_not_ask_but_may_be_found():
    data = embeddings(on_circle(0, 10, 4, 90), ["a", "a", "lone", "b"])
    found = retrieval(data)
    assert sorted(found.rows) == [0, 1]
    assert by_row(found, "recall@1") == {0: 0.0, 1: 0.0}
    assert found.neighbours[:, 0].tolist() == [2, 2]


def test_the_queries_keep_their_order_and_their_products():
    data = clustered(3)
    found = retrieval(data)
    assert (np.diff(found.rows) > 0).all()
    assert (found.products == data.product_ids[found.rows]).all()
    counts = dict(zip(*np.unique(data.product_ids, return_counts=True), strict=True))
    assert found.rows.tolist() == [i for i in range(len(data)) if counts[data.product_ids[i]] > 1]


def test_photos_of_near_identical_products_are_neither_right_nor_wrong():
    # Product b shares a photo with a (row 2 stands right beside row 0); c is another product.
    data = embeddings(on_circle(0, 20, 1, 60, 10), ["a", "a", "b", "b", "c"])
    everyone = Judging.everyone(data.product_ids)
    assert by_row(retrieval(data), "recall@1")[0] == 0
    groups = np.array(["a", "a", "a", "a", "c"])
    found = retrieval(data, replace(everyone, groups=groups))
    first = dict(zip(found.rows.tolist(), found.neighbours.tolist(), strict=True))
    assert first[0][:2] == [4, 1]  # c is still wrong; b is not there
    assert set(first[0][2:]) == {-1}
    assert by_row(found, "auc")[0] == 0.0
    assert first[2][:2] == [4, 3]


def test_only_queries_ask_and_only_the_gallery_is_found():
    data = embeddings(on_circle(0, 5, 30, 2, 50), ["a", "a", "a", "b", "b"])
    judging = replace(
        Judging.everyone(data.product_ids),
        queries=np.array([True, False, False, True, False]),
        gallery=np.array([False, True, True, False, True]),
    )
    found = retrieval(data, judging)
    assert found.rows.tolist() == [0, 3]
    assert [[row for row in rows if row >= 0] for rows in found.neighbours.tolist()] == [[1, 2, 4], [1, 2, 4]]
    assert by_row(found, "recall@1") == {0: 1.0, 3: 0.0}
    assert by_row(found, "r_precision") == {0: 1.0, 3: 0.0}
    assert by_row(found, "auc") == {0: 1.0, 3: 0.0}


def test_a_query_whose_product_is_not_in_the_gallery_does_not_ask():
    data = embeddings(on_circle(0, 5, 30, 50, 70), ["a", "a", "b", "b", "c"])
    judging = replace(Judging.everyone(data.product_ids), gallery=np.array([False, False, True, True, True]))
    assert retrieval(data, judging).rows.tolist() == [2, 3]


def test_a_query_looks_within_its_own_shop():
    data = embeddings(on_circle(0, 40, 3, 50, 7, 60), ["a", "a", "b", "b", "a", "c"])
    shops = np.array(["one", "one", "two", "two", "two", "one"])
    found = retrieval(data, replace(Judging.everyone(data.product_ids), within=shops))
    neighbours = dict(zip(found.rows.tolist(), found.neighbours.tolist(), strict=True))
    assert neighbours[0][:3] == [1, 5, -1]
    assert neighbours[2][:3] == [4, 3, -1]
    assert sorted(neighbours) == [0, 1, 2, 3]  # row 4 is alone of its product in its shop


@pytest.mark.parametrize("order", ["by product", "mixed"])
def test_embeddings_that_say_nothing_do_no_better_than_chance(order):
    # All vectors are equal: in the catalogue's order a product's photos stand together and would be found.
    products = np.repeat([f"{i:03d}" for i in range(100)], 4)
    if order == "mixed":
        products = np.random.default_rng(1).permutation(products)
    found = retrieval(embeddings(np.ones((400, 8)), products))
    chance = {"recall@1": 3 / 399, "recall@10": 1 - np.prod([(396 - i) / (399 - i) for i in range(10)])}
    for name, expected in chance.items():
        assert found.values[name].mean() == pytest.approx(expected, abs=0.025)
    assert found.values["auc"] == pytest.approx(0.5, abs=1e-3)


def test_random_embeddings_are_at_chance():
    rng = np.random.default_rng(0)
    found = retrieval(embeddings(rng.normal(size=(400, 32)), np.repeat([f"{i:03d}" for i in range(100)], 4)))
    assert found.values["recall@1"].mean() == pytest.approx(3 / 399, abs=0.02)
    assert found.values["auc"].mean() == pytest.approx(0.5, abs=0.02)


def test_perfect_embeddings_have_perfect_figures():
    data = embeddings(np.repeat(np.eye(20), 3, axis=0), np.repeat([f"{i}" for i in range(20)], 3))
    values = retrieval(data).values
    for name in ("recall@1", "recall@5", "recall@10", "map@r", "r_precision", "auc", "within"):
        assert values[name] == pytest.approx(1.0), name
    assert values["between"] == pytest.approx(0.0)


def test_the_order_of_the_catalogue_does_not_change_the_figures():
    data = clustered(4)
    order = np.random.default_rng(9).permutation(len(data))
    one, other = retrieval(data), retrieval(data.take(order))
    for name in PER_QUERY:
        there = {int(order[row]): value for row, value in by_row(other, name).items()}
        assert there == pytest.approx(by_row(one, name), abs=1e-6), name


@pytest.mark.parametrize("scores_at_a_time", [1, 1000])
def test_the_figures_do_not_depend_on_the_chunks(monkeypatch, scores_at_a_time):
    data = clustered(2)
    judging = replace(
        Judging.everyone(data.product_ids),
        groups=np.array([name[:-1] for name in data.product_ids]),
        queries=np.random.default_rng(0).random(len(data)) < 0.5,
    )
    whole = retrieval(data, judging)
    # The package gives the module's name to its function.
    monkeypatch.setattr(import_module("natviews.evaluation.natural_views"), "CHUNK_SCORES", scores_at_a_time)
    parts = retrieval(data, judging)
    assert np.array_equal(whole.rows, parts.rows)
    assert np.array_equal(whole.neighbours, parts.neighbours)
    for name in PER_QUERY:
        assert parts.values[name] == pytest.approx(whole.values[name], abs=1e-6), name


def test_a_query_that_can_find_nothing_wrong_does_not_ask():
    # Its figures would be perfect, whatever the embeddings.
    assert len(retrieval(embeddings(on_circle(0, 40, 80), ["a", "a", "a"])).rows) == 0


def test_where_nobody_may_ask_there_are_no_figures():
    data = embeddings(on_circle(0, 40, 80), ["a", "b", "c"])
    assert len(retrieval(data).rows) == 0
    nobody = replace(Judging.everyone(data.product_ids), queries=np.zeros(3, bool))
    assert len(retrieval(data, nobody).rows) == 0


def test_paired_differences_are_taken_query_by_query():
    better, worse = clustered(6, 0.5), clustered(6, 3.0)
    one, other = retrieval(better, row="trained"), retrieval(worse, row="frozen")
    difference = one.minus(other)
    assert difference.row == "trained-frozen"
    assert np.array_equal(difference.rows, one.rows)
    for name in PER_QUERY:
        assert np.array_equal(difference.values[name], one.values[name] - other.values[name])
    metric = {metric.name: metric for metric in difference.metrics()}["recall@1"]
    assert metric.value == pytest.approx(one.values["recall@1"].mean() - other.values["recall@1"].mean())
    assert metric.excludes_zero


def test_an_encoder_less_itself_is_zero():
    one = retrieval(clustered(6))
    assert all((m.low, m.value, m.high) == (0, 0, 0) for m in one.minus(one).metrics())


def test_answers_to_other_queries_are_not_subtracted():
    data = clustered(6)
    some = replace(Judging.everyone(data.product_ids), queries=np.arange(len(data)) < 50)
    with pytest.raises(ValueError, match="not asked the same queries"):
        retrieval(data).minus(retrieval(data, some))


def test_figures_of_some_queries_are_of_those_alone():
    found = retrieval(clustered(7), row="trained")
    where = np.arange(len(found.rows)) < 30
    for metric in found.metrics("shoes", where):
        assert (metric.row, metric.slice, metric.n) == ("trained", "shoes", 30)
        if metric.name in PER_QUERY:
            assert metric.value == pytest.approx(found.values[metric.name][:30].mean())
        assert metric.low <= metric.value <= metric.high


def test_d_prime_is_the_gap_over_the_pooled_deviation_of_all_pairs():
    # Four photos of each product, so that a mean over queries is one over pairs.
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, 12))
    data = embeddings(
        np.repeat(centres, 4, axis=0) + rng.normal(size=(120, 12)), np.repeat(np.arange(30), 4).astype(str)
    )
    same = data.product_ids[:, None] == data.product_ids[None, :]
    scores = data.vectors.astype(float) @ data.vectors.T
    within, between = scores[same & ~np.eye(120, dtype=bool)], scores[~same]
    expected = (within.mean() - between.mean()) / np.sqrt((within.var() + between.var()) / 2)
    found = {m.name: m for m in retrieval(data).metrics()}
    assert found["d_prime"].value == pytest.approx(expected, rel=1e-5)
    assert found["gap"].value == pytest.approx(within.mean() - between.mean(), abs=1e-6)
    assert found["d_prime"].low < expected < found["d_prime"].high


def test_of_two_encoders_the_difference_of_d_primes_is_taken():
    one, other = retrieval(clustered(6, 0.5)), retrieval(clustered(6, 3.0), row="frozen")
    of = [next(m for m in r.metrics() if m.name == "d_prime") for r in (one, other, one.minus(other))]
    assert of[2].value == pytest.approx(of[0].value - of[1].value)
    assert of[2].high - of[2].low < (of[0].high - of[0].low) + (of[1].high - of[1].low)


def test_vectors_that_are_all_alike_have_no_d_prime_to_speak_of():
    found = retrieval(embeddings(np.ones((12, 4)), np.repeat(["a", "b", "c"], 4)))
    assert next(m.value for m in found.metrics() if m.name == "d_prime") == 0


def test_the_interval_of_d_prime_covers_the_truth():
    # The truth is that of 20,000 products; without the deviation's own uncertainty a third would be missed.
    rng = np.random.default_rng(0)

    def moments(products):
        spread = rng.gamma(4.0, 0.25, products)
        within = 0.6 + 0.1 * spread[:, None] * rng.normal(size=(products, 3))
        between = 0.1 + 0.1 * spread[:, None] * rng.normal(size=(products, 20))
        return np.stack(
            [f(x) for x in (within, between) for f in (lambda x: x.mean(1), lambda x: (x**2).mean(1))], 1
        )

    truth = d_prime(moments(200_000)).mean()
    covered = 0
    for _ in range(80):
        [metric] = means_with_intervals({"d'": d_prime(moments(60))}, np.arange(60), row="r")
        covered += metric.low <= truth <= metric.high
    assert 0.89 <= covered / 80 <= 0.99


def test_every_product_weighs_the_same_in_the_figures_per_product():
    # Product a has four photos that find each other, b has two that do not.
    data = embeddings(on_circle(0, 1, 2, 3, 40, 90, 60), ["a"] * 4 + ["b", "b", "c"])
    found = retrieval(data)
    assert found.values["recall@1"].mean() == pytest.approx(4 / 6)
    per_product = found.per_product()
    assert per_product.products.tolist() == ["a", "b"] and per_product.rows.tolist() == [0, 4]
    assert per_product.values["recall@1"].tolist() == [1.0, 0.0]
    assert per_product.minus(per_product).values["map@r"].tolist() == [0.0, 0.0]


def test_figures_per_product_equal_those_of_pytorch_metric_learning():
    data = clustered(2, 1.5)
    calculator = AccuracyCalculator(
        include=("r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        avg_of_avgs=True,
        device=torch.device("cpu"),
    )
    labels = torch.from_numpy(np.unique(data.product_ids, return_inverse=True)[1])
    theirs = calculator.get_accuracy(torch.from_numpy(data.vectors), labels)
    ours = {name: values.mean() for name, values in retrieval(data).per_product().values.items()}
    assert ours["r_precision"] == pytest.approx(theirs["r_precision"], abs=1e-6)
    assert ours["map@r"] == pytest.approx(theirs["mean_average_precision_at_r"], abs=1e-6)


def test_scores_are_the_cosines_of_what_was_found():
    data = clustered(8)
    found = retrieval(data)
    cosines = np.einsum("qd,qkd->qk", data.vectors[found.rows], data.vectors[found.neighbours])
    assert found.scores == pytest.approx(cosines, abs=1e-6)
