"""Colour entropy and style information: against scikit-learn, by hand, and at chance where they must be."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from natviews.evaluation import CLUSTER_METRICS, Attributes, cluster_figures
from natviews.evaluation.colour_entropy import cluster_counts, clustered, label_figures
from natviews.evaluation.intervals import means_with_intervals
from natviews.types import NatviewsError


def attributes(colours, styles=None, products=None) -> Attributes:
    colours = np.asarray(colours).astype(str)
    styles = colours if styles is None else np.asarray(styles).astype(str)
    products = np.arange(len(colours)) if products is None else products
    return Attributes(np.asarray(products).astype(str), colours, styles)


def figures(clusters, known: Attributes) -> dict[str, float]:
    return {name: values.mean() for name, values in label_figures(np.asarray(clusters), known).items()}


def entropy(counts) -> float:
    share = np.array([c for c in counts if c]) / np.sum(counts)
    return float(-(share * np.log(share)).sum())


@pytest.mark.parametrize("seed", range(3))
def test_information_equals_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    clusters, colours, styles = rng.integers(0, 7, 400), rng.integers(0, 5, 400), rng.integers(0, 9, 400)
    styles[::2] = clusters[::2]
    found = figures(clusters, attributes(colours, styles))
    assert found["colour_information"] == pytest.approx(mutual_info_score(clusters, colours))
    assert found["style_information"] == pytest.approx(mutual_info_score(clusters, styles))
    whole = entropy(np.bincount(colours))
    assert found["colour_entropy_weighted"] == pytest.approx(whole - found["colour_information"])
    assert found["colour_entropy_normalised"] == pytest.approx(found["colour_entropy_weighted"] / whole)


def test_clusters_by_hand():
    # 40 photos half red half blue, 20 all red, and a cluster of 4 that is too small for the mean over clusters.
    clusters = np.repeat([0, 1, 2], [40, 20, 4])
    colours = np.repeat(["red", "blue", "red", "green"], [20, 20, 20, 4])
    found = figures(clusters, attributes(colours))
    assert found["colour_entropy"] == pytest.approx(np.log(2) / 2)
    assert found["colour_entropy_weighted"] == pytest.approx(40 / 64 * np.log(2))
    assert found["colour_entropy_corrected"] == pytest.approx(40 / 64 * np.log(2) + 0.5 / 64)
    assert found["style_purity"] == pytest.approx((20 + 20 + 4) / 64)


def test_a_cluster_without_labels_is_as_if_it_were_not_there():
    clusters, colours = np.repeat([0, 1, 5], 30), np.repeat(["red", "blue", ""], 30)
    with_empty, without = figures(clusters, attributes(colours)), figures(clusters[:60], attributes(colours[:60]))
    assert with_empty == pytest.approx(without)


def test_one_cluster_knows_nothing_and_one_colour_has_no_entropy():
    colours = np.arange(60) % 3
    found = figures(np.zeros(60), attributes(colours))
    assert found["colour_entropy"] == found["colour_entropy_weighted"] == pytest.approx(np.log(3))
    assert found["colour_entropy_normalised"] == pytest.approx(1) and found["colour_information"] == pytest.approx(
        0
    )
    found = figures(np.arange(60) % 2, attributes(np.full(60, "red")))
    assert found["colour_entropy"] == 0 and "colour_entropy_normalised" not in found


def test_a_photos_value_says_how_the_figure_moves_when_the_photo_comes_once_more():
    rng = np.random.default_rng(5)
    clusters = np.repeat([0, 1, 2], [25, 40, 95])
    colours = np.where(rng.random(160) < 0.7, clusters, rng.integers(0, 4, 160))
    copies = 200
    many = np.repeat(np.arange(160), copies)
    values = label_figures(clusters, attributes(colours))
    for photo in (0, 30, 120):
        before, after = (
            figures(clusters[rows], attributes(colours[rows])) for rows in (many, np.append(many, photo))
        )
        for name in set(values) - {"colour_entropy_corrected", "style_purity"}:  # one knows n, one jumps
            moved = (after[name] - before[name]) * len(many)
            assert moved == pytest.approx(values[name][photo] - values[name].mean(), abs=2e-2), name


def test_where_no_cluster_is_large_enough_the_mean_over_clusters_is_left_out():
    found = figures(np.arange(60) // 6, attributes(np.arange(60) % 3))
    assert "colour_entropy" not in found and "colour_entropy_weighted" in found


def test_equally_frequent_styles_share_their_cluster():
    found = figures(np.zeros(6), attributes(["a", "a", "b", "b", "c", "c"]))
    assert found["style_purity"] == pytest.approx(2 / 6)


def by_design(photos: int = 600, colours: int = 6, styles: int = 8):
    """Vectors that know style alone, colour alone, or nothing, of one photo for each product."""
    rng = np.random.default_rng(0)
    colour, style = rng.integers(0, colours, photos), rng.integers(0, styles, photos)

    def unit(directions):
        vectors = directions + 0.2 * rng.normal(size=directions.shape) / 4
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    known = attributes(colour, style)
    knows = {"style": np.eye(16)[style], "colour": np.eye(16)[colour], "nothing": rng.normal(size=(photos, 16))}
    return {name: unit(directions) for name, directions in knows.items()}, known


@pytest.fixture(scope="module")
def judged():
    vectors, known = by_design()
    found = {row: cluster_figures(v, known, row=row, counts=(12,), seeds=3) for row, v in vectors.items()}
    return {(m.row, m.name.removesuffix("@12")): m for metrics in found.values() for m in metrics}


def test_entropy_alone_does_not_tell_design_from_nothing_but_style_information_does(judged):
    style, nothing, colour = (judged[row, "colour_entropy_weighted"] for row in ("style", "nothing", "colour"))
    assert style.value == pytest.approx(nothing.value, abs=0.05) and colour.value < 0.1
    told = {row: judged[row, "style_information"].value for row in ("style", "nothing", "colour")}
    assert told["style"] > 1.9 and max(told["nothing"], told["colour"]) < 0.25


def test_permuted_labels_show_what_chance_gives(judged):
    # A twelfth of 600 photos with 8 styles: chance gives (8 - 1)(12 - 1) / 2 N of information (Miller, 1955).
    expected = 7 * 11 / (2 * 600)
    for row in ("style", "colour", "nothing"):
        assert judged[f"{row}, permuted", "style_information"].value == pytest.approx(expected, rel=0.35)
    assert judged["nothing", "style_information"].value == pytest.approx(expected, rel=0.5)


def test_every_figure_has_an_explanation_and_its_number_of_clusters(judged):
    assert {name for _, name in judged} == set(CLUSTER_METRICS)


def test_a_product_keeps_its_photos_together_when_labels_are_permuted():
    known = attributes(np.repeat(np.arange(30), 4), products=np.repeat(np.arange(30), 4))
    permuted = known.permuted(np.random.default_rng(0))
    assert sorted(permuted.colours) == sorted(known.colours) and (permuted.colours != known.colours).any()
    assert all(len(set(permuted.colours[start : start + 4])) == 1 for start in range(0, 120, 4))


def test_k_means_with_fewer_distinct_photos_than_clusters_leaves_clusters_out():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    assert all(len(np.unique(found)) == 3 for found in clustered(vectors, 12, seeds=2))


def test_the_numbers_of_clusters_suit_the_photos():
    assert cluster_counts(10_000) == (50, 100, 200)
    assert cluster_counts(2_500) == (50, 100)
    assert cluster_counts(450) == (15,) and cluster_counts(3) == (2,)


def test_a_column_that_says_nothing_is_refused():
    with pytest.raises(NatviewsError, match="has a colour"):
        attributes(["", ""], ["a", "b"])


def test_intervals_cover_the_truth_of_given_clusters():
    # Products of three photos with one colour each; clusters large enough for the plug-in entropy to be true.
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])
    within, whole = np.mean([entropy(row) for row in shares]), entropy(shares.mean(axis=0))
    truth = {
        "colour_entropy": within,
        "colour_entropy_weighted": within,
        "colour_entropy_normalised": within / whole,
        "colour_information": whole - within,
        "style_purity": shares.max(axis=1).mean(),
    }
    covered = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(1)
    three = np.repeat(np.arange(200), 3)
    for _ in range(80):
        clusters = rng.integers(0, 3, 200)
        colour = (rng.random(200)[:, None] > shares[clusters].cumsum(axis=1)).sum(axis=1)
        found = label_figures(clusters[three], attributes(colour[three], products=three))
        for metric in means_with_intervals({name: found[name] for name in truth}, three, row="r"):
            covered[metric.name] += metric.low <= truth[metric.name] <= metric.high
    assert all(0.87 <= count / 80 <= 1 for count in covered.values()), covered


def test_photos_without_a_label_leave_the_interval_as_it_is():
    rng = np.random.default_rng(0)
    clusters, colours = rng.integers(0, 4, 400), rng.integers(0, 3, 400).astype(str)
    more = np.r_[clusters, rng.integers(0, 4, 1200)], np.r_[colours, np.full(1200, "")]
    widths = []
    for of_clusters, of_colours in ((clusters, colours), more):
        known = Attributes(np.arange(len(of_clusters)).astype(str), of_colours, of_colours)
        values = label_figures(of_clusters, known)["style_purity"]
        [metric] = means_with_intervals({"purity": values}, known.products, row="r")
        widths.append(metric.high - metric.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.15)
