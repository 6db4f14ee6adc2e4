"""Attention pooling: a mean until it is trained, and then better where some photos of a product tell nothing."""

import numpy as np
import pytest
import torch

from natviews.encoders.pooling import AttentionPooling
from natviews.evaluation import Judging
from natviews.evaluation.sets import mean_of, medoid_of, set_retrieval
from natviews.training.pooling import PoolingPlan, train_pooling
from natviews.types import NatviewsError


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def listings(seed: int, products: int = 80):
    """Six photos of each product; half of them are cards, which look alike in all products."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(products), 6)
    telling = np.c_[np.zeros((products, 8)), rng.normal(size=(products, 16))][names]
    card = (
        4 * np.r_[np.ones(8), np.zeros(16)]
        + np.c_[np.zeros((len(names), 8)), 4 * rng.normal(size=(len(names), 16))]
    )
    is_card = np.tile([0, 1, 0, 1, 0, 1], products).astype(bool)
    photos = np.where(is_card[:, None], card, telling + 0.6 * rng.normal(size=(len(names), 24)))
    return unit(photos), names.astype(str)


def test_a_new_one_is_the_mean_and_what_is_not_there_does_not_count():
    x = torch.from_numpy(unit(np.random.default_rng(0).normal(size=(2, 4, 8))))
    pooling = AttentionPooling(8)
    there = torch.tensor([[True] * 4, [True, True, False, False]])
    pooled = pooling(x, there).detach().numpy()
    assert pooled[0] == pytest.approx(mean_of(x[0].numpy()), abs=1e-6)
    assert pooled[1] == pytest.approx(mean_of(x[1, :2].numpy()), abs=1e-6)
    assert pooling.pool(x[0].numpy()) == pytest.approx(pooled[0], abs=1e-6)


def test_trained_without_labels_it_looks_past_photos_that_tell_nothing():
    vectors, names = listings(0)
    pooling = train_pooling(vectors, names, PoolingPlan(steps=120, batch=40, rate=3e-3))
    unseen, others = listings(1)
    judging = Judging.everyone(others)
    pools = {"mean": mean_of, "medoid": medoid_of, "attention": pooling.pool}
    found = {n: set_retrieval(unseen, judging, p, row=n).values["recall@1"].mean() for n, p in pools.items()}
    assert found["attention"] > max(found["mean"], found["medoid"]) + 0.1, found


def test_the_same_plan_gives_the_same_weights_and_another_seed_others():
    vectors, names = listings(2, products=12)
    one, same, other = (
        train_pooling(vectors, names, PoolingPlan(steps=4, seed=seed)).V.weight for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_products_with_one_photo_teach_nothing():
    with pytest.raises(NatviewsError, match="two photos"):
        train_pooling(unit(np.eye(4)), np.array(["a", "a", "b", "c"]))
