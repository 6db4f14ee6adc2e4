import numpy as np
import pytest

from natviews.encoders.head import Whitening, within_product_scatter
from natviews.types import NatviewsError


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def listings(products=200, photos=4, dim=12, nuisance=3.0, seed=0):
    """Products that differ everywhere a little, and photos of one product much along two directions."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(products, 1, dim))
    noise = rng.normal(size=(products, photos, dim)) * 0.3
    noise[..., :2] *= nuisance / 0.3
    features = (centre + noise).reshape(-1, dim) + 5
    return unit(features), np.repeat(np.arange(products), photos).astype(str)


def test_the_covariance_is_that_of_photos_about_their_products_mean():
    features, products = listings(products=5)
    expected = np.zeros((12, 12))
    for product in np.unique(products):
        own = features[products == product].astype(float)
        expected += (own - own.mean(0)).T @ (own - own.mean(0))
    scatter, freedom = within_product_scatter(features, products)
    assert np.allclose(scatter, expected) and freedom == len(features) - 5


def test_products_with_one_photo_say_nothing_about_variation():
    features, products = listings(products=20)
    lone = np.arange(50).astype(str)
    more = np.concatenate([features, unit(np.random.default_rng(1).normal(size=(50, 12)))])
    names = np.concatenate([products, np.char.add("lone", lone)])
    for ours, alone in zip(
        within_product_scatter(more, names), within_product_scatter(features, products), strict=True
    ):
        assert np.allclose(ours, alone)


def test_without_shrinkage_photos_of_a_product_scatter_alike_in_every_direction():
    features, products = listings()
    head = Whitening.fit(features, products, shrinkage=0.0)
    moved = (features - head.mean.numpy()) @ head.matrix.numpy()
    scatter, freedom = within_product_scatter(moved, products)
    assert np.allclose(scatter / freedom, np.eye(12), atol=0.02)


def test_full_shrinkage_only_moves_and_scales():
    features, products = listings()
    head = Whitening.fit(features, products, shrinkage=1.0)
    moved, centred = head.vectors(features), unit(features - features.mean(0))
    assert np.allclose(moved @ moved.T, centred @ centred.T, atol=1e-4), "turned besides"


def nearest_is_right(vectors, products):
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return (products[scores.argmax(1)] == products).mean()


def test_it_finds_products_of_which_it_has_seen_nothing():
    features, products = listings(products=400)
    seen = products.astype(int) < 200
    head = Whitening.fit(features[seen], products[seen], shrinkage=0.3)
    before = nearest_is_right(features[~seen], products[~seen])
    assert nearest_is_right(head.vectors(features[~seen]), products[~seen]) > before + 0.2


def test_fewer_photos_than_dimensions_still_give_finite_unit_vectors():
    features, products = listings(products=3, photos=2)
    vectors = Whitening.fit(features, products, shrinkage=0.1).vectors(features)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_no_product_with_two_photos_is_refused():
    with pytest.raises(NatviewsError, match="No product has two photos"):
        Whitening.fit(unit(np.random.default_rng(0).normal(size=(4, 3))), np.arange(4).astype(str), shrinkage=0.3)


@pytest.mark.parametrize("shrinkage", [0.1, 0.8])
def test_a_head_takes_in_new_products_as_if_it_had_been_fitted_on_all(shrinkage):
    features, products = listings(products=120)
    parts = np.array_split(np.arange(len(features)), 3)  # 40 products of 4 photos each
    head = Whitening.fit(features[parts[0]], products[parts[0]], shrinkage=shrinkage)
    for part in parts[1:]:
        head = head.updated(features[part], products[part])
    whole = Whitening.fit(features, products, shrinkage=shrinkage)
    for key, value in whole.state_dict().items():
        assert np.allclose(head.state_dict()[key], value, rtol=1e-3, atol=1e-4), key
    assert np.abs(head.vectors(features) - whole.vectors(features)).max() < 1e-3


def test_new_products_of_one_photo_say_nothing_of_how_photos_of_one_vary():
    features, products = listings(products=50)
    head = Whitening.fit(features, products, shrinkage=0.3)
    lone = unit(np.random.default_rng(2).normal(size=(100, 12)) + 5)
    updated = head.updated(lone, np.arange(100).astype(str))
    inverses = [one.matrix.numpy() @ one.matrix.numpy().T for one in (updated, head)]  # of C
    assert np.allclose(*inverses, rtol=1e-3, atol=1e-3 * np.abs(inverses[0]).max())
    assert np.allclose(updated.mean, np.concatenate([features, lone]).mean(0), atol=1e-5)


def test_all_directions_are_a_whitening():
    features, products = listings()
    scatter, freedom = within_product_scatter(features, products)
    within = scatter / freedom
    values, directions = np.linalg.eigh(0.8 * within + 0.2 * np.trace(within) / 12 * np.eye(12))
    expected = unit((features - features.mean(0)) @ (directions / np.sqrt(values)) @ directions.T)
    vectors = Whitening.fit(features, products, shrinkage=0.2).vectors(features)
    assert np.allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-4)


def test_kept_are_the_directions_in_which_products_differ_most_for_their_photos():
    """Products differ along two directions only; the others are photos' own, one of them louder than all."""
    rng = np.random.default_rng(4)
    products = np.repeat(np.arange(300), 3)
    telling = rng.normal(size=(300, 2))[products]
    noise = rng.normal(size=(900, 10)) * np.array([5.0, *[0.3] * 9])
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    features = unit(np.hstack([telling + 0.3 * rng.normal(size=(900, 2)), noise]) @ turn + 20 * turn[3])
    names = products.astype(str)
    head = Whitening.fit(features, names, shrinkage=0.05, kept=2)
    assert head.vectors(features).shape == (900, 2) and head.kept == 2
    seen = turn @ head.matrix.numpy()  # how much of each of the twelve is kept
    assert np.abs(seen[:2]).min(axis=0).max() > 5 * np.abs(seen[2:]).max()
    whole = Whitening.fit(features, names, shrinkage=0.05)
    assert np.allclose(whole.keeping(2).vectors(features), head.vectors(features), atol=1e-4)
    again = whole.shrunk(0.9).shrunk(0.05).keeping(2)
    assert np.allclose(again.vectors(features), head.vectors(features), atol=1e-3)


def test_a_head_without_shrinkage_stands_photos_that_do_not_vary():
    features, products = listings(products=30)
    alike = np.hstack([features, np.zeros((len(features), 3), np.float32)])
    vectors = Whitening.fit(alike, products, shrinkage=0.0, kept=4).vectors(alike)
    assert np.isfinite(vectors).all() and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_photos_of_a_product_that_are_all_the_same_still_give_unit_vectors():
    features, products = listings(products=6, photos=1)
    twice, names = np.repeat(features, 2, axis=0), np.repeat(products, 2)
    vectors = Whitening.fit(twice, names, shrinkage=0.1, kept=3).vectors(twice)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
