"""The label-free figures against their formulas written out, closed forms, and what must not change them."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from natviews.evaluation import (
    LABEL_FREE,
    alpha_req,
    label_free_figures,
    lidar,
    ranking_quality,
    rankme,
)
from natviews.report.explanations import explanation
from natviews.types import NatviewsError

TALL, WIDE = (240, 40), (90, 130)


def photos(shape, *, seed=0, noise=0.5, decay=0.5):
    """Float32 features (N, D) off the origin whose variance falls, of products of one to five photos."""
    rng = np.random.default_rng(seed)
    counts = [1, 2, 3, 4, 5] * (shape[0] // 15)
    product = np.repeat(np.arange(len(counts)), counts)
    scales = np.arange(1, shape[1] + 1) ** -decay
    centres = 0.3 + rng.normal(size=(len(counts), shape[1])) * scales
    features = centres[product] + noise * rng.normal(size=shape) * scales[::-1]
    return features.astype(np.float32), np.array([f"product {i:03d}" for i in product])


def entropy_rank(values, epsilon):
    share = values / sum(values) + epsilon
    return np.exp(-sum(p * np.log(p) for p in share))


def rankme_written_out(features):
    return entropy_rank(np.linalg.svd(features.astype(float), compute_uv=False), 1e-7)


def alpha_written_out(features, first, last):
    variances = np.sort(np.linalg.eigvalsh(np.cov(features.astype(float), rowvar=False)))[::-1]
    ranks = range(first, last + 1)
    return -scipy.stats.linregress(np.log(ranks), np.log([variances[rank - 1] for rank in ranks])).slope


def lidar_written_out(features, products, delta=1e-4):
    """Product by product, photo by photo, with the matrix root."""
    names = [name for name in dict.fromkeys(products.tolist()) if np.sum(products == name) > 1]
    groups = [features[products == name].astype(float) for name in names]
    everyone = np.concatenate(groups)
    means = np.array([group.mean(axis=0) for group in groups])
    dim = features.shape[1]
    between, within = np.zeros((2, dim, dim))
    for mean in means:
        between += np.outer(mean - means.mean(axis=0), mean - means.mean(axis=0)) / (len(groups) - 1)
    for group, mean in zip(groups, means, strict=True):
        for photo in group:
            within += np.outer(photo - mean, photo - mean) / (len(everyone) - len(groups))
    within += delta * everyone.var(axis=0).sum() * np.eye(dim)
    root = scipy.linalg.inv(scipy.linalg.sqrtm(within).real)
    return entropy_rank(np.clip(np.linalg.eigvalsh(root @ between @ root), 0, None), 1e-8)


def with_spectrum(variances, count, dim):
    """Centred features (count, dim) whose covariance has these eigenvalues."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(count, len(variances)))
    left = np.linalg.qr(noise - noise.mean(axis=0)).Q
    right = np.linalg.qr(rng.normal(size=(dim, len(variances)))).Q
    return left * np.sqrt(variances) @ right.T


# --- RankMe


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_rankme_is_its_formula(shape):
    features, _ = photos(shape)
    assert rankme(features) == pytest.approx(rankme_written_out(features), rel=1e-6)


@pytest.mark.parametrize("shape", [(50, 20), (20, 50), (30, 30)])
@pytest.mark.parametrize("rank", [1, 7, 20])
def test_rankme_of_equal_singular_values_is_their_number(shape, rank):
    rng = np.random.default_rng(rank)
    left, right = (np.linalg.qr(rng.normal(size=(side, rank))).Q for side in shape)
    assert rankme(3 * left @ right.T) == pytest.approx(rank, rel=1e-4)


def test_rankme_weighs_singular_values_and_not_their_squares():
    # Singular values 3 and 1: p = 3/4 and 1/4.
    assert rankme(np.diag([3.0, 1.0])) == pytest.approx(4 / 3**0.75, rel=1e-5)


def test_rankme_does_not_centre():
    # Photos about a mean far from 0 point all in one direction.
    features, _ = photos(TALL)
    assert rankme(features + 1000) < 1.1 < rankme(features - features.mean(axis=0))


def test_rankme_adds_the_papers_epsilon():
    """Rank 1 in a thousand dimensions: 999 times -1e-7 log 1e-7 above one."""
    expected = np.exp(-999 * 1e-7 * np.log(1e-7) - 1e-7)
    assert rankme(np.ones((1000, 1000))) == pytest.approx(expected, abs=1e-6)


# --- alpha-ReQ


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("shape", [(400, 150), (150, 400)])
def test_the_exponent_of_a_power_law_is_recovered(alpha, shape):
    features = with_spectrum(np.arange(1, 121.0) ** -alpha, *shape)
    assert alpha_req(features) == pytest.approx(alpha, abs=1e-6)


@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("ranks", [(1, 20), (5, 35)])
def test_alpha_is_its_formula(shape, ranks):
    features, _ = photos(shape)
    assert alpha_req(features, ranks=ranks) == pytest.approx(alpha_written_out(features, *ranks), rel=1e-6)


def test_alpha_looks_at_ranks_11_to_100_only():
    variances = np.arange(1, 131.0) ** -1.0
    bent = variances * np.concatenate([np.full(10, 50.0), np.ones(90), np.full(30, 1e-3)])
    assert alpha_req(with_spectrum(bent, 300, 140)) == pytest.approx(1, abs=1e-6)
    for rank in (11, 100):
        moved = np.where(np.arange(1, 131) == rank, variances * 0.9, variances)
        assert abs(alpha_req(with_spectrum(np.sort(moved)[::-1], 300, 140)) - 1) > 1e-4, rank


def test_alpha_is_fitted_as_far_as_there_are_directions():
    features = with_spectrum(np.arange(1, 31.0) ** -1.5, 200, 60)
    assert alpha_req(features) == pytest.approx(1.5, abs=1e-6)


def test_alpha_of_a_flat_spectrum_with_noise_is_that_of_the_sample():
    """Of as many photos as one likes, all directions of white noise vary alike; of few, some do more."""
    rng = np.random.default_rng(0)
    many, few = (alpha_req(rng.normal(size=(count, 60))) for count in (20000, 120))
    assert 0 < many < 0.1 < few


# --- LiDAR


@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("delta", [1e-4, 1e-2])
def test_lidar_is_its_formula(shape, delta):
    features, products = photos(shape)
    expected = lidar_written_out(features, products, delta)
    assert lidar(features, products, delta=delta) == pytest.approx(expected, rel=1e-4)


def test_the_default_delta_is_the_papers():
    features, products = photos(WIDE)
    assert lidar(features, products) == lidar(features, products, delta=1e-4)
    assert lidar(features, products) != pytest.approx(lidar(features, products, delta=2e-4), rel=1e-4)


@pytest.mark.parametrize("classes", [2, 5, 12])
@pytest.mark.parametrize("dim", [12, 200])
def test_lidar_of_products_that_are_equally_far_apart_is_their_number_less_one(classes, dim):
    features = np.repeat(np.eye(classes, dim), 4, axis=0)
    noise = 1e-3 * np.random.default_rng(0).normal(size=features.shape)
    products = np.repeat(np.arange(classes), 4)
    assert lidar(features + noise, products) == pytest.approx(classes - 1, rel=0.01)


def test_lidar_of_products_on_a_line_is_one():
    rng = np.random.default_rng(0)
    product = np.repeat(np.arange(60), 20)
    features = 0.01 * rng.normal(size=(1200, 30))
    features[:, 0] += product
    assert lidar(features, product) == pytest.approx(1, abs=0.01)


def test_directions_that_hold_noise_move_rankme_much_and_lidar_little():
    rng = np.random.default_rng(0)
    product = np.repeat(np.arange(40), 50)
    signal = 3 * rng.normal(size=(40, 5))[product] + rng.normal(size=(2000, 5))
    both = np.hstack([signal, rng.normal(size=(2000, 60))])
    assert lidar(signal, product) == pytest.approx(5, rel=0.1)
    assert rankme(both) / rankme(signal) > 8
    assert lidar(both, product) / lidar(signal, product) < 2


def test_lidar_does_not_see_how_strong_a_direction_is_beside_its_own_noise():
    """Products differ in ten directions of very different strength, each with noise in proportion."""
    rng = np.random.default_rng(0)
    product = np.repeat(np.arange(200), 10)
    features = rng.normal(size=(200, 10))[product] + 0.2 * rng.normal(size=(2000, 10))
    scaled = features * np.geomspace(1, 0.1, 10)
    assert lidar(scaled, product) == pytest.approx(lidar(features, product), rel=0.02)
    assert rankme(scaled) < 0.8 * rankme(features)


def test_of_pure_noise_lidar_says_nothing():
    """A known limit: its eigenvalues are normalised, and noise has no few directions. It ranks what has learnt."""
    rng = np.random.default_rng(0)
    assert lidar(rng.normal(size=(900, 20)), np.repeat(np.arange(300), 3)) > 18


def test_photos_of_products_that_have_no_other_do_not_count_for_lidar():
    features, products = photos((60, 30))
    several = np.array([np.sum(products == name) > 1 for name in products])
    moved = np.where(several[:, None], features, 1e3 * features)
    assert lidar(moved, products) == pytest.approx(lidar(features[several], products[several]), rel=1e-6)


def test_every_product_has_the_same_say_in_where_the_middle_is():
    # Three products at the corners of a triangle, one of them with a hundred times the photos.
    corners = np.array([[1.0, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    product = np.repeat([0, 1, 2], [4, 4, 400])
    noise = np.random.default_rng(0).normal(size=(204, 2))
    noise = 1e-3 * np.concatenate([noise, -noise])
    assert lidar(corners[product] + noise, product) == pytest.approx(2, abs=0.02)


# --- what must not change them


def figures_of(features, products):
    return list(label_free_figures(features, products).values())


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_order_names_scale_and_rotation_do_not_matter(shape):
    features, products = photos(shape)
    features = features.astype(float)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(features))
    turn = np.linalg.qr(rng.normal(size=(shape[1], shape[1]))).Q
    expected = pytest.approx(figures_of(features, products), rel=1e-6)
    assert len(figures_of(features, products)) == 3
    assert figures_of(features[order], products[order]) == expected
    assert figures_of(features, np.array([name[::-1] for name in products])) == expected
    assert figures_of(1e-4 * features, products) == expected
    assert figures_of(1e6 * features, products) == expected
    assert figures_of(features @ turn, products) == expected


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_a_shift_does_not_matter_to_alpha_and_lidar(shape):
    features, products = photos(shape)
    features = features.astype(float)
    shifted = features + np.random.default_rng(1).normal(size=shape[1])
    assert alpha_req(shifted) == pytest.approx(alpha_req(features), rel=1e-6)
    assert lidar(shifted, products) == pytest.approx(lidar(features, products), rel=1e-6)


def test_float32_and_float64_agree():
    features, products = photos(TALL)
    assert figures_of(features, products) == pytest.approx(figures_of(features.astype(float), products))


def test_dimensions_that_are_always_0_change_no_more_than_the_epsilons():
    features, products = photos(WIDE)
    padded = np.hstack([features, np.zeros_like(features)])
    assert figures_of(padded, products) == pytest.approx(figures_of(features, products), rel=1e-3)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.floats(-100, 100, width=32, allow_subnormal=False),
    ),
    st.integers(1, 5),
)
def test_whatever_the_features_the_figures_keep_to_their_ranges(features, classes):
    count, dim = features.shape
    figures = label_free_figures(features, np.arange(count) % classes)
    assert 0 <= figures["rankme"] <= min(count, dim) * 1.001
    assert figures["rankme"] > 0.999 or not features.any()
    if "lidar" in figures:
        assert figures["lidar"] == 0 or 0.999 < figures["lidar"] <= min(classes - 1, dim) * 1.001


# --- what is not there


def test_photos_that_are_all_alike_have_rank_one_and_tell_no_products_apart():
    for features in (np.full((60, 30), 0.1, np.float32), np.tile(photos(TALL)[0][:1], (60, 1))):
        figures = label_free_figures(features, np.repeat(np.arange(20), 3))
        assert figures == {"rankme": pytest.approx(1, abs=1e-3), "lidar": 0.0}


def test_what_float32_rounds_is_no_direction():
    one = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    alike = one * (1 + np.random.default_rng(1).integers(-1, 2, (90, 64)) * np.float32(1e-7))
    figures = label_free_figures(alike.astype(np.float32), np.repeat(np.arange(30), 3))
    assert figures == {"rankme": pytest.approx(1, abs=1e-3), "lidar": 0.0}


def test_features_that_are_all_0_use_no_direction():
    assert label_free_figures(np.zeros((9, 4)), np.repeat([0, 1, 2], 3)) == {"rankme": 0.0, "lidar": 0.0}


@pytest.mark.parametrize(
    "products", [["a"] * 60, [str(i) for i in range(60)], ["a"] * 2 + list(map(str, range(58)))]
)
def test_without_two_products_of_two_photos_there_is_no_lidar(products):
    features = np.random.default_rng(0).normal(size=(60, 40))
    assert label_free_figures(features, np.array(products)).keys() == {"rankme", "alpha_req"}
    with pytest.raises(NatviewsError, match="two products of two photos"):
        lidar(features, np.array(products))


@pytest.mark.parametrize(
    ("count", "dim", "there"), [(300, 20, True), (300, 19, False), (21, 300, True), (20, 300, False)]
)
def test_alpha_needs_ten_ranks(count, dim, there):
    features = np.random.default_rng(0).normal(size=(count, dim))
    assert ("alpha_req" in label_free_figures(features, np.arange(count) // 2)) == there
    if not there:
        with pytest.raises(NatviewsError, match=r"10 ranks from 11 to 100.* 19 directions"):
            alpha_req(features)


def test_one_photo_has_one_direction():
    assert label_free_figures(np.ones((1, 5)), np.array(["a"])) == {"rankme": pytest.approx(1, abs=1e-4)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_with_its_photo(value):
    features, products = photos(TALL)
    features[17, 3] = value
    for figure in (rankme, alpha_req, lambda x: lidar(x, products), lambda x: label_free_figures(x, products)):
        with pytest.raises(NatviewsError, match="photo 17 are not"):
            figure(features)


def test_tables_that_do_not_fit_are_refused():
    for features in (np.zeros(5), np.zeros((0, 5)), np.zeros((5, 0))):
        with pytest.raises(NatviewsError, match="photos by dimensions"):
            rankme(features)
    for figure in (lidar, label_free_figures):
        with pytest.raises(NatviewsError, match="features of 5 photos, but products of 4"):
            figure(np.ones((5, 3)), np.arange(4))


@pytest.mark.parametrize("delta", [0, -1, 1e-12, np.nan])
def test_without_a_delta_there_is_no_inverse(delta):
    with pytest.raises(NatviewsError, match="delta of 1e-10 or more"):
        lidar(*photos(TALL), delta=delta)


# --- samples


def test_of_more_photos_whole_products_are_drawn():
    """Photos at right angles to each other: RankMe counts them, LiDAR their products less one."""
    features, products = np.eye(100), np.arange(100) % 50
    figures = label_free_figures(features, products, most=40)
    assert figures["rankme"] == pytest.approx(40, rel=1e-4)
    assert figures["lidar"] == pytest.approx(19, rel=1e-4)


def test_the_draw_goes_by_the_seed():
    features, products = photos(TALL)
    of = [label_free_figures(features, products, most=100, seed=seed) for seed in (3, 3, 4)]
    assert of[0] == of[1] and all(of[0][name] != of[2][name] for name in LABEL_FREE)


def test_photos_that_are_not_too_many_all_count():
    features, products = photos(TALL)
    assert label_free_figures(features, products, most=240, seed=1) == label_free_figures(features, products)


# --- how well a figure ranks checkpoints


def test_a_figure_in_the_order_of_the_truth_ranks_perfectly():
    quality = ranking_quality(np.array([1.0, 10, 100, 101]), np.array([0.2, 0.3, 0.35, 0.6]))
    assert quality == (pytest.approx(1), 0)


def test_a_figure_against_the_truth_takes_the_worst():
    quality = ranking_quality(np.array([5.0, 4, 3]), np.array([0.1, 0.4, 0.7]))
    assert (quality.rho, quality.regret) == pytest.approx((-1, 0.6))


def test_a_case_by_hand():
    # Ranks 1 2 3 4 against 1 3 4 2: differences 0 1 1 2, rho = 1 - 6 * 6 / 60. The fourth is taken for the third.
    quality = ranking_quality(np.array([1.0, 2, 3, 4]), np.array([0.1, 0.3, 0.9, 0.25]))
    assert (quality.rho, quality.regret) == pytest.approx((0.4, 0.65))


def test_of_equally_good_figures_the_truth_is_the_mean():
    assert ranking_quality(np.array([2.0, 7, 7]), np.array([0.9, 0.5, 0.3])).regret == pytest.approx(0.5)


def test_a_figure_that_is_the_same_everywhere_ranks_nothing():
    assert ranking_quality(np.ones(3), np.array([0.1, 0.2, 0.6])) == (0, pytest.approx(0.3))
    assert ranking_quality(np.array([0.1, 0.2, 0.6]), np.ones(3)) == (0, 0)


@given(arrays(np.int64, st.tuples(st.just(2), st.integers(2, 12)), elements=st.integers(0, 6)))
def test_rho_is_scipys(pair):
    figure, truth = pair.astype(float)
    rho, regret = ranking_quality(figure, truth)
    if len(set(figure)) > 1 and len(set(truth)) > 1:
        assert rho == pytest.approx(scipy.stats.spearmanr(figure, truth).statistic, abs=1e-9)
    assert 0 <= regret <= np.ptp(truth)
    assert ranking_quality(np.exp(figure), 3 * truth) == pytest.approx((rho, 3 * regret), abs=1e-9)


def test_checkpoints_that_cannot_be_ranked_are_refused():
    for figure, truth in (([1.0], [1.0]), ([1.0, 2], [1.0, 2, 3]), ([[1.0, 2]], [[1.0, 2]])):
        with pytest.raises(NatviewsError, match="two checkpoints or more"):
            ranking_quality(np.array(figure), np.array(truth))
    for figure, truth in (([1.0, np.nan], [1.0, 2]), ([1.0, 2], [np.inf, 2])):
        with pytest.raises(NatviewsError, match="finite"):
            ranking_quality(np.array(figure), np.array(truth))


# --- explained


def test_each_figure_is_explained_with_its_source():
    features, products = photos(TALL)
    assert list(label_free_figures(features, products)) == list(LABEL_FREE)
    for name in LABEL_FREE:
        said = explanation(name)
        assert "arXiv:" in said and "labels" in said and "interval" not in said
        assert name in explanation("")
