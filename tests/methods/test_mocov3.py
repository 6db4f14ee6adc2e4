import math

import pytest
import torch
from methods.toys import START, assert_same, gradients, make, mean_over_pairs, views, vit
from torch import nn
from torch.nn import functional as F

TINY = {"hidden": 16, "out": 5}


def by_hand(method, x_1, x_2):
    """Algorithm 1, row by row."""
    q = [F.normalize(method.predictor(method.student(x)), dim=1) for x in (x_1, x_2)]
    k = [F.normalize(method.teacher(x), dim=1).detach() for x in (x_1, x_2)]
    return contrast(q[0], k[1], method.tau) + contrast(q[1], k[0], method.tau)


def contrast(q, k, tau):
    rows = range(len(q))
    losses = []
    for i in rows:
        e = [(q[i].dot(k[j]) / tau).exp() for j in rows]
        losses.append(-(e[i] / sum(e)).log())
    return 2 * tau * sum(losses) / len(losses)


@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_loss_and_gradients_are_algorithm_1(tau):
    method, data = make("mocov3", temperature=tau, **TINY), views()
    assert_same(method, method.loss(data, START).total, by_hand(method, *data.globals))


def test_more_than_two_views_are_the_mean_over_pairs():
    method, data = make("mocov3", **TINY), views(count=3)
    expected = mean_over_pairs(method, data, lambda pair: by_hand(method, *pair.globals))
    assert_same(method, method.loss(data, START).total, expected)


def test_products_beside_one_another_are_no_negatives_either_way():
    """A collage of product 0 shows product 2 as well: neither teaches the other."""
    beside = torch.full((4, 2), -1)
    beside[0, 1] = 2
    method, data = make("mocov3", **TINY), views(4, distractors=beside)
    q = [F.normalize(method.predictor(method.student(x)), dim=1) for x in data.globals]
    k = [F.normalize(method.teacher(x), dim=1) for x in data.globals]
    losses = []
    for one, other in ((q[0], k[1]), (q[1], k[0])):
        for i in range(4):
            e = [(one[i].dot(other[j]) / 0.2).exp() for j in range(4) if {i, j} != {0, 2}]
            losses.append(-((one[i].dot(other[i]) / 0.2).exp() / sum(e)).log())
    assert_same(method, method.loss(data, START).total, 2 * 0.2 * sum(losses) / 4)
    nobody = method.loss(data._replace(distractors=torch.full((4, 2), -1)), START).total
    assert torch.equal(gradients(method, nobody), gradients(method, method.loss(views(4), START).total))


def test_heads_are_the_official_ones():
    vit, resnet = make("mocov3", **TINY), make("mocov3", layers=2, **TINY)
    assert [type(layer).__name__[:4] for layer in vit.student[1]] == [
        *("Line", "Batc", "ReLU") * 2,
        "Line",
        "Batc",
    ]
    assert [type(layer).__name__[:4] for layer in vit.predictor] == ["Line", "Batc", "ReLU", "Line", "Batc"]
    assert not vit.student[1][-1].affine and not vit.predictor[-1].affine
    assert len(resnet.student[1]) == 5 and isinstance(resnet.predictor[-1], nn.Linear)


def test_a_collapsed_network_scores_as_chance_does():
    method, data = make("mocov3", **TINY), views(4)
    same = data._replace(globals=[crop[:1].expand(4, -1, -1, -1) for crop in data.globals])
    assert torch.allclose(method.eval().loss(same, START).total, torch.tensor(2 * 2 * 0.2 * math.log(4)))


class OfPatches(nn.Module):
    """An encoder around a vision transformer."""

    dim = 24

    def __init__(self):
        super().__init__()
        self.backbone = vit(1)


@pytest.mark.parametrize("freeze", [True, False])
def test_the_patch_projection_alone_stays_as_it_is(freeze):
    method = make("mocov3", OfPatches, freeze_patches=freeze, **TINY)
    still = {key for key, value in method.student.named_parameters() if not value.requires_grad}
    patches = {"0.backbone.patch_embed.proj.weight", "0.backbone.patch_embed.proj.bias"}
    assert still == (patches if freeze else set())
