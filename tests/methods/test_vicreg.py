import pytest
import torch
from lightly.loss import VICRegLoss
from methods.toys import START, assert_same, make, mean_over_pairs, views

TINY = {"hidden": 16, "out": 5}


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (2.0, 3.0, 5.0)])
def test_loss_and_gradients_are_those_of_an_independent_implementation(weights):
    names = dict(zip(("invariance", "variance", "covariance"), weights, strict=True))
    method, data = make("vicreg", **TINY, **names), views()
    expected = VICRegLoss(*weights)(*(method.expander(method.online(x)) for x in data.globals))
    assert_same(method, method.loss(data, START).total, expected)


def test_the_weights_are_the_papers():
    loss = make("vicreg", **TINY).loss(views(), START)
    invariance, variance, covariance = (loss.parts[name] for name in ("invariance", "variance", "covariance"))
    assert torch.allclose(loss.total, 25 * invariance + 25 * variance + covariance)


def test_more_than_two_views_are_the_mean_over_pairs():
    method, data = make("vicreg", **TINY), views(count=3)

    def by_another(pair):
        return VICRegLoss()(*(method.expander(method.online(x)) for x in pair.globals))

    assert_same(method, method.loss(data, START).total, mean_over_pairs(method, data, by_another))
