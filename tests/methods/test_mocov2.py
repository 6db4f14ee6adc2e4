import pytest
import torch
from lightly.loss import NTXentLoss
from methods.toys import START, Flat, assert_same, gradients, make, views
from torch import nn
from torch.nn import functional as F

TINY = {"queue": 12, "hidden": 16, "out": 5}


class Normed(Flat):
    """With batch norm at the end."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(self.dim)

    def forward(self, x):
        return self.norm(super().forward(x))


def test_loss_gradients_and_queue_are_those_of_an_independent_implementation_step_by_step():
    method = make("mocov2", groups=1, **TINY)
    reference = NTXentLoss(0.2, memory_bank_size=(12, 5))
    reference.memory_bank.bank = method.queue.keys.clone()
    for step in range(5):  # more than goes into the queue
        data = views(4, seed=step, products=torch.arange(4) + 4 * step)
        x_1, x_2 = data.globals
        expected = reference(method.student(x_1), method.teacher(x_2))
        assert_same(method, method.loss(data, START).total, expected)
        assert torch.allclose(method.queue.keys, reference.memory_bank.bank)


def test_the_defaults_are_those_of_version_2():
    method = make("mocov2")
    assert (method.tau, method.m, len(method.queue.keys)) == (0.2, 0.999, 65536)
    assert [type(layer) for layer in method.student[1]] == [nn.Linear, nn.ReLU, nn.Linear]


def test_more_than_two_views_are_as_many_keys_of_the_first():
    three = views(count=3)
    x_1, x_2, x_3 = three.globals
    both = [make("mocov2", **TINY, groups=1).loss(three._replace(globals=[x_1, x]), START) for x in (x_2, x_3)]
    loss = make("mocov2", **TINY, groups=1).loss(three, START)
    assert torch.allclose(loss.total, (both[0].total + both[1].total) / 2)


def test_all_keys_go_into_the_queue():
    method, data = make("mocov2", **TINY, groups=1), views(4, count=3)
    method.loss(data, START)
    assert method.queue.products.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, -1, -1, -1, -1]
    keys = torch.cat([F.normalize(method.teacher(x), dim=1) for x in data.globals[1:]])
    assert torch.allclose(method.queue.keys[:8], keys)


def test_measuring_leaves_the_queue_alone():
    method = make("mocov2", **TINY).eval()
    before = method.queue.keys.clone()
    method.loss(views(), START)
    assert torch.equal(method.queue.keys, before)


@pytest.mark.parametrize(("shows", "matters"), [(2, False), (9, False), (-1, True), (7, True)])
def test_a_key_of_the_same_product_or_of_one_beside_it_is_no_negative(shows, matters):
    """Only row 2 is looked at: product 2, with product 9 beside it."""
    made = []
    for key in torch.eye(5)[:2]:
        method = make("mocov2", **TINY, groups=1)
        method.queue.keys[3], method.queue.products[3] = key, shows
        data = views(1, products=torch.tensor([2]), distractors=torch.tensor([[9, -1]]))
        loss = method.loss(data, START).total
        made.append(torch.cat([loss.view(1), gradients(method, loss)]))
    assert torch.equal(*made) != matters


def changed(groups, view, row):
    """Which rows' queries and keys are others when a row of a view is."""
    data = views(8)
    made = []
    for shift in (0, 5):
        method = make("mocov2", Normed, **TINY, groups=groups)
        crops = [crop.clone() for crop in data.globals]
        crops[view][row, 0] += shift
        queries = method.loss(data._replace(globals=crops), START).vectors
        made.append((queries, method.queue.keys[:8].clone()))
    return [set((~torch.isclose(a, b)).any(dim=1).nonzero()[:, 0].tolist()) for a, b in zip(*made, strict=True)]


def test_batch_norm_sees_a_query_with_its_neighbours_and_a_key_with_others():
    assert changed(2, view=0, row=0) == [{0, 1, 2, 3}, set()]
    queries, keys = changed(2, view=1, row=0)
    assert queries == set() and 0 in keys and len(keys) == 4
    assert keys != {0, 1, 2, 3}


def test_one_group_is_the_whole_batch():
    assert changed(1, view=0, row=0) == [set(range(8)), set()]
    assert changed(1, view=1, row=0) == [set(), set(range(8))]


def test_keys_are_in_the_order_of_their_queries_however_shuffled():
    plain = make("mocov2", **TINY, groups=1)
    shuffled = make("mocov2", **TINY, groups=3)  # without batch norm, groups change nothing
    assert torch.allclose(plain.loss(views(), START).total, shuffled.loss(views(), START).total)
    assert torch.allclose(plain.queue.keys, shuffled.queue.keys)
