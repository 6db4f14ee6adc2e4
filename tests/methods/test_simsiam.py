import torch
from lightly.loss import NegativeCosineSimilarity
from methods.toys import START, assert_same, make, mean_over_pairs, views

TINY = {"hidden": 16, "out": 6, "bottleneck": 4}


def by_hand(method, x_1, x_2):
    """Algorithm 1."""
    D = NegativeCosineSimilarity()
    z_1, z_2 = (method.projector(method.online(x)) for x in (x_1, x_2))
    p_1, p_2 = method.predictor(z_1), method.predictor(z_2)
    return D(p_1, z_2.detach()) / 2 + D(p_2, z_1.detach()) / 2


def test_loss_and_gradients_are_those_of_an_independent_implementation():
    method, data = make("simsiam", **TINY), views()
    assert_same(method, method.loss(data, START).total, by_hand(method, *data.globals))


def test_more_than_two_views_are_the_mean_over_pairs():
    method, data = make("simsiam", **TINY), views(count=3)
    expected = mean_over_pairs(method, data, lambda pair: by_hand(method, *pair.globals))
    assert_same(method, method.loss(data, START).total, expected)


def test_the_projector_ends_in_a_batch_norm_without_scale_and_the_predictor_does_not():
    method = make("simsiam", **TINY)
    assert len(method.projector) == 8 and not method.projector[-1].affine
    assert [type(layer) for layer in method.predictor][-1] is torch.nn.Linear
    assert method.predictor[0].out_features == 4
    assert method.constant_rate is method.predictor
