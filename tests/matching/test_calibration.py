import numpy as np
import pytest

from natviews.matching import calibrate, match_table
from natviews.types import Embeddings, NatviewsError, Provenance


def shop(products=300, photos=3, spread=0.35, seed=0):
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(products, 1, 16)), photos, axis=1)
    vectors = (vectors + spread * rng.normal(size=vectors.shape) * 2).reshape(-1, 16)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ids = np.array([f"p{p}_{v}" for p in range(products) for v in range(photos)])
    return Embeddings(ids, np.repeat([f"p{p}" for p in range(products)], photos), vectors, Provenance("x"))


def test_probabilities_are_true_on_products_it_has_not_seen():
    calibration = calibrate(shop(seed=0))
    other = shop(seed=1)
    scores = other.vectors @ other.vectors.T
    np.fill_diagonal(scores, -2)
    nearest = np.argsort(-scores, axis=1)[:, :10]
    probability = calibration.probability(np.take_along_axis(scores, nearest, axis=1))
    right = other.product_ids[nearest] == other.product_ids[:, None]
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2)
        if inside.sum() > 300:
            assert abs(right[inside].mean() - probability[inside].mean()) < 0.1


def test_a_higher_score_is_never_less_probable_and_an_empty_place_has_none():
    calibration = calibrate(shop())
    probability = calibration.probability(np.array([-np.inf, -1, 0, 0.5, 1]))
    assert probability[0] == 0 and (np.diff(probability) > 0).all()


def test_nothing_can_be_learnt_where_all_neighbours_are_wrong():
    lone = shop(photos=1)
    with pytest.raises(NatviewsError, match="all their neighbours are wrong"):
        calibrate(lone)


def test_matches_have_ranks_falling_scores_and_true_probabilities():
    embeddings = shop(products=200, seed=3)
    table = match_table(embeddings, calibrate(shop(products=200, seed=4)), k=4).to_pydict()
    assert len(table["query"]) == 4 * len(embeddings)
    assert all(query != match for query, match in zip(table["query"], table["match"], strict=True))
    for start in range(0, len(table["rank"]), 4):
        assert table["rank"][start : start + 4] == [1, 2, 3, 4]
        assert table["score"][start : start + 4] == sorted(table["score"][start : start + 4], reverse=True)
    position = {photo: row for row, photo in enumerate(embeddings.ids.tolist())}
    a, b = position[table["query"][9]], position[table["match"][9]]
    assert table["score"][9] == pytest.approx(float(embeddings.vectors[a] @ embeddings.vectors[b]), abs=1e-6)
    right = [q == m for q, m in zip(table["query_product"], table["match_product"], strict=True)]
    assert np.mean(right) == pytest.approx(np.mean(table["probability"]), abs=0.05)


def test_a_store_of_few_photos_gives_fewer_matches():
    embeddings = shop(products=200)
    few = embeddings.take(np.arange(3))
    assert len(match_table(few, calibrate(embeddings), k=10)) == 6
