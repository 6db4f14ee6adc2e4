import torch
from lightly.loss import NegativeCosineSimilarity
from methods.toys import START, assert_same, make, mean_over_pairs, views

TINY = {"hidden": 16, "out": 5}


def by_hand(method, v, w):
    """|q - z|^2 = 2 - 2 cos, both directions."""
    D = NegativeCosineSimilarity()
    q_v, q_w = (method.predictor(method.student(x)) for x in (v, w))
    z_v, z_w = (method.teacher(x).detach() for x in (v, w))
    return 2 + 2 * D(q_v, z_w) + 2 + 2 * D(q_w, z_v)


def test_loss_and_gradients_are_those_of_an_independent_implementation():
    method, data = make("byol", **TINY), views()
    assert_same(method, method.loss(data, START).total, by_hand(method, *data.globals))


def test_it_is_the_squared_distance_of_unit_vectors():
    method, (v, w) = make("byol", **TINY), views().globals
    q = [method.predictor(method.student(x)) for x in (v, w)]
    z = [method.teacher(x) for x in (w, v)]
    distance = sum(
        (a / a.norm() - b / b.norm()).square().sum() for a, b in zip(torch.cat(q), torch.cat(z), strict=True)
    )
    assert torch.allclose(method.loss(views(), START).total, distance / len(v))


def test_more_than_two_views_are_the_mean_over_pairs():
    method, data = make("byol", **TINY), views(count=3)
    expected = mean_over_pairs(method, data, lambda pair: by_hand(method, *pair.globals))
    assert_same(method, method.loss(data, START).total, expected)
