import pytest
import torch
from lightly.loss import DCLLoss, NTXentLoss
from methods.toys import START, assert_same, gradients, make, views
from pytorch_metric_learning.losses import NTXentLoss as AnyNTXentLoss
from torch.nn import functional as F

from natviews.methods.simclr import nt_xent

TINY = {"hidden": 16, "out": 5}


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_and_its_gradients_are_those_of_an_independent_implementation(temperature):
    torch.manual_seed(0)
    ours = torch.randn(24, 16, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    loss, _ = nt_xent(F.normalize(ours, dim=1), torch.arange(12), temperature)
    reference = NTXentLoss(temperature)(theirs[:12], theirs[12:])
    loss.backward()
    reference.backward()
    assert torch.allclose(loss, reference, atol=1e-10)
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-10)


def test_pair_accuracy_counts_partners_that_are_nearest():
    z = torch.eye(4)
    both = torch.cat([z, z])
    assert nt_xent(both, torch.arange(4), 0.1)[1] == 1
    assert nt_xent(torch.cat([z, z.roll(1, 0)]), torch.arange(4), 0.1)[1] == 0


def projected(method, data):
    """By view. Batch norm sees all views together."""
    return method.projector(method.online(torch.cat(data.globals))).chunk(len(data.globals))


def test_the_method_is_the_loss_of_both_views():
    method, data = make("simclr", **TINY), views()
    assert_same(method, method.loss(data, START).total, NTXentLoss(0.1)(*projected(method, data)))


def test_decoupled_is_another_implementations():
    method, data = make("simclr", against="decoupled", temperature=0.3, **TINY), views()
    assert_same(method, method.loss(data, START).total, DCLLoss(0.3)(*projected(method, data)))


def test_of_more_views_each_further_one_is_another_positive():
    method, data = make("simclr", **TINY), views(count=3)
    expected = AnyNTXentLoss(0.1)(torch.cat(projected(method, data)), data.products.repeat(3))
    assert_same(method, method.loss(data, START).total, expected)


def test_products_beside_one_another_are_no_negatives_either_way():
    """A collage of product 0 shows product 2 as well: neither teaches the other."""
    beside = torch.full((4, 2), -1)
    beside[0, 1] = 2
    method, data = make("simclr", **TINY), views(4, distractors=beside)
    z = F.normalize(torch.cat(projected(method, data)), dim=1)
    losses = []
    for i in range(8):
        partner = (i + 4) % 8
        others = [j for j in range(8) if j not in (i, partner) and {i % 4, j % 4} != {0, 2}]
        e = [(z[i].dot(z[j]) / 0.1).exp() for j in [partner, *others]]
        losses.append(-(e[0] / sum(e)).log())
    assert_same(method, method.loss(data, START).total, sum(losses) / 8)
    nobody = method.loss(data._replace(distractors=torch.full((4, 2), -1)), START).total
    assert torch.equal(gradients(method, nobody), gradients(method, method.loss(views(4), START).total))
