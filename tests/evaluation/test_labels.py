"""What labels are worth, on features whose answer is known."""

import numpy as np
import pytest

from natviews.evaluation import (
    Efficiency,
    Labelled,
    Probed,
    label_efficiency,
    labels_needed,
    suggestion_study,
    suggestions,
    with_imbalance,
    with_noise,
    with_share,
)
from natviews.types import Metric, NatviewsError

NAMES = np.array([f"class {c}" for c in range(5)])


def shop(products, *, seed, spread=0.35, photos=2):
    """Products with some photos each, in five clouds; every eleventh product has no label."""
    rng = np.random.default_rng(seed)
    product = np.repeat(np.arange(products), photos)
    which = product % 5
    labels = np.where(product % 11 == 3, "", NAMES[which])
    ids = np.array([f"{seed}-{number}" for number in product])
    return Labelled(np.eye(8)[which] + rng.normal(0, spread, (len(product), 8)), labels, ids)


def rng(seed=0):
    return np.random.default_rng(seed)


def products_by_label(part):
    return {name: set(part.products[part.labels == name].tolist()) for name in NAMES.tolist()}


def test_a_share_is_of_every_class_by_product_with_one_at_least():
    whole = shop(220, seed=0)
    before = products_by_label(whole)
    tenth = with_share(whole, 0.1, rng())
    for name, kept in products_by_label(tenth).items():
        assert len(kept) == round(0.1 * len(before[name])) == 4
        assert kept < before[name]
    assert len(tenth.labels) == 2 * 20  # both photos of each
    assert all(len(kept) == 1 for kept in products_by_label(with_share(whole, 0.001, rng())).values())
    assert products_by_label(with_share(whole, 1.0, rng())) == before
    assert products_by_label(with_share(whole, 0.1, rng(1))) != products_by_label(tenth)


def test_noise_gives_a_share_of_the_products_another_label():
    whole = shop(220, seed=0)
    noisy = with_noise(whole, 0.25, rng())
    changed = noisy.labels != whole.labels
    labelled = len(set(whole.products[whole.labels != ""].tolist()))
    assert len(set(whole.products[changed].tolist())) == round(0.25 * labelled)
    assert changed.reshape(-1, 2).all(axis=1).sum() * 2 == changed.sum()  # both photos of a product
    assert not changed[whole.labels == ""].any() and set(noisy.labels) == set(whole.labels)
    assert with_noise(whole, 0.0, rng()).labels.tolist() == whole.labels.tolist()
    everything = with_noise(whole, 1.0, rng())
    assert ((everything.labels != whole.labels) == (whole.labels != "")).all()
    pairs = set(zip(whole.labels[changed].tolist(), noisy.labels[changed].tolist(), strict=True))
    assert len({wrong for right, wrong in pairs if right == "class 0"}) > 1  # not always the same


def test_imbalance_leaves_ever_fewer_products_of_each_class():
    whole = shop(550, seed=0)
    counts = [len(kept) for kept in products_by_label(with_imbalance(whole, 16.0, rng())).values()]
    assert sorted(counts, reverse=True) == [100, 50, 25, 12, 6]
    assert sum(len(kept) for kept in products_by_label(with_imbalance(whole, 1.0, rng())).values()) == 500


def test_without_products_every_photo_is_its_own():
    part = Labelled(np.zeros((40, 2)), np.repeat(["a", "b"], 20))
    assert len(with_share(part, 0.1, rng()).labels) == 4


def test_more_labels_give_more_and_one_share_is_stated_with_its_draws():
    train, val, test = (shop(count, seed=seed, spread=0.6) for seed, count in enumerate((250, 120, 200)))
    found = label_efficiency(train, val, test, row="frozen", slice="kind", shares=(0.03, 1.0), draws=3)
    few, many = found
    assert few.accuracy.value < many.accuracy.value - 0.05
    assert (few.labels, many.labels) == (5, 227)
    assert few.lowest < few.accuracy.value < few.highest
    assert many.lowest == many.accuracy.value == many.highest
    metric = few.accuracy
    assert (metric.row, metric.name, metric.slice) == ("frozen", "linear_accuracy@3%", "kind")
    assert metric.n == (test.labels != "").sum() and metric.low < metric.value < metric.high
    again = label_efficiency(train, val, test, row="frozen", slice="kind", shares=(0.03, 1.0), draws=3)
    assert again == found


def test_all_labels_are_what_the_probe_itself_gives():
    from natviews.evaluation import neighbours_probe

    train, val, test = (shop(100, seed=seed) for seed in range(3))
    [whole] = label_efficiency(train, val, test, probe="knn", shares=(1.0,))
    assert whole.accuracy.value == pytest.approx(neighbours_probe(train, val, test).correct.mean())


def test_a_test_split_without_labels_is_refused():
    train, val, test = (shop(30, seed=seed) for seed in range(3))
    with pytest.raises(NatviewsError, match="No photo in test"):
        label_efficiency(train, val, Labelled(test.features, np.full(60, ""), test.products))


def efficiency(labels, value):
    return Efficiency(0.5, labels, Metric("r", "n", "s", value, value, value, 9), value, value)


def test_how_many_labels_reach_an_accuracy():
    curve = [efficiency(1000, 0.9), efficiency(10, 0.5), efficiency(100, 0.7)]
    assert labels_needed(curve, 0.4) == 10
    assert labels_needed(curve, 0.5) == 10
    assert labels_needed(curve, 0.6) == pytest.approx(10 * 10**0.5)
    assert labels_needed(curve, 0.9) == pytest.approx(1000)
    assert labels_needed(curve, 0.91) == np.inf


def probed(labels, scores, classes):
    labels = np.array(labels)
    empty = np.empty((0, len(classes)))
    return Probed(np.arange(len(labels)), labels, np.array(classes), np.array(scores), labels[:0], empty, 1.0, {})


def test_a_listing_gets_the_category_of_all_its_photos():
    # p: one photo is sure, one is wrong and unsure; q: a tie, and its label is not among the classes; r: alone.
    suggested = suggestions(
        probed(
            ["bag", "bag", "hat", "shoe", "shoe"],
            [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8], [0.3, 0.7]],
            ["bag", "shoe"],
        ),
        np.array(["p", "p", "q", "r", "r"]),
    )
    assert suggested.products.tolist() == ["p", "q", "r"] and suggested.labels.tolist() == ["bag", "hat", "shoe"]
    assert suggested.scores == pytest.approx(np.array([[0.65, 0.35], [0.5, 0.5], [0.25, 0.75]]))
    assert suggested.ranked.tolist() == [["bag", "shoe"], ["bag", "shoe"], ["shoe", "bag"]]
    assert suggested.first(1).tolist() == [1, 0, 1] and suggested.first(5).tolist() == [1, 0, 1]
    metrics = {m.name: m for m in suggested.tally("r", prefix="linear_").metrics("kind")}
    assert metrics["linear_listing_top_1"].value == pytest.approx(2 / 3)
    assert metrics["linear_listing_top_1"].n == 3


def test_top_k_is_scikit_learns_and_the_balanced_one_the_mean_over_categories():
    from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

    generator = rng()
    labels = generator.choice(NAMES, 300, p=(0.5, 0.2, 0.15, 0.1, 0.05))
    scores = generator.dirichlet(np.ones(5), 300) + 0.2 * (labels[:, None] == NAMES)
    suggested = suggestions(probed(labels, scores, NAMES), np.array([f"{i:03d}" for i in range(300)]))
    found = {m.name: m.value for m in suggested.tally("r").metrics()}
    for k in (1, 3):
        assert found[f"listing_top_{k}"] == pytest.approx(top_k_accuracy_score(labels, scores, k=k))
    assert found["listing_top_5"] == 1.0
    expected = balanced_accuracy_score(labels, suggested.ranked[:, 0])
    assert found["listing_top_1_balanced"] == pytest.approx(expected)


def test_worse_labels_give_worse_suggestions():
    train, val, test = (shop(count, seed=seed, spread=0.5) for seed, count in enumerate((250, 150, 150)))
    found = suggestion_study(train, val, test, probe="knn", noises=(0.0, 0.6), ratios=(1.0, 50.0))
    top = {(each.noise, each.ratio): {m.name: m.value for m in each.metrics} for each in found}
    assert len(top) == 4
    assert top[0.0, 1.0]["listing_top_1"] > top[0.6, 1.0]["listing_top_1"] + 0.05
    assert top[0.0, 1.0]["listing_top_1_balanced"] > top[0.0, 50.0]["listing_top_1_balanced"] + 0.05
    clean = suggestion_study(train, val, test, probe="knn", noises=(0.0,), ratios=(1.0,))
    assert [m.value for m in clean[0].metrics] == list(top[0.0, 1.0].values())
    assert clean[0].metrics[0].slice == "noise=0, ratio=1"
