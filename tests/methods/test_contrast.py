import math

import pytest
import torch
from torch.nn import functional as F

from natviews.methods.contrast import (
    NOBODY,
    Queue,
    contrastive_loss,
    debiased,
    decoupled,
    infonce,
    no_negatives,
    objective,
    rince,
)


def scores(rows=5, others=7, temperature=0.5):
    """Similarities over the temperature of rows to a positive and to others, some of whom are nobody."""
    torch.manual_seed(0)
    s = (2 * torch.rand(rows, 1 + others) - 1) / temperature
    s[1, 2] = s[3, 4] = s[3, 5] = -torch.inf
    return s[:, :1].requires_grad_(), s[:, 1:].requires_grad_()


def by_hand(formula, positive, negatives):
    """formula(exp(p), [exp(n), ..]) row by row."""
    rows = range(len(positive))
    return torch.stack([formula(positive[i, 0].exp(), [n.exp() for n in negatives[i] if n > -9]) for i in rows])


def debiased_by_hand(positive, negatives, prior=0.1, temperature=0.5):
    share = (sum(negatives) / len(negatives) - prior * positive) / (1 - prior)
    g = max(share, torch.tensor(math.exp(-1 / temperature)))
    return -(positive / (positive + len(negatives) * g)).log()


FORMULAS = {
    "infonce": lambda p, n: -(p / (p + sum(n))).log(),
    "decoupled": lambda p, n: -(p / sum(n)).log(),
    "debiased": debiased_by_hand,
    "rince": lambda p, n: -(p**0.5) / 0.5 + (0.025 * (p + sum(n))) ** 0.5 / 0.5,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_objective_and_its_gradients_are_the_papers_formula(name):
    positive, negatives = scores()
    ours = objective(name, 0.5)(positive, negatives)
    theirs = by_hand(FORMULAS[name], positive, negatives)
    assert torch.allclose(ours[:, 0], theirs, atol=1e-12)
    weights = torch.rand(len(theirs))
    for scored in (positive, negatives):
        wanted = torch.autograd.grad((theirs * weights).sum(), scored, retain_graph=True)
        assert torch.allclose(
            torch.autograd.grad((ours[:, 0] * weights).sum(), scored, retain_graph=True)[0], wanted[0], atol=1e-12
        )


def test_debiased_negatives_never_score_less_than_they_can():
    positive, negatives = torch.tensor([[2.0]]), torch.full((1, 4), -2.0)
    assert torch.allclose(objective("debiased", 0.5)(positive, negatives), infonce(positive, negatives))


def test_debiased_without_a_prior_is_infonce():
    assert torch.allclose(debiased(*scores(), prior=0.0, least=2.0), infonce(*scores()), atol=1e-12)


def test_rince_goes_to_infonce_and_a_constant_as_q_goes_to_zero():
    expected = infonce(*scores()) + math.log(0.025)
    assert torch.allclose(rince(*scores(), q=1e-7), expected, atol=1e-5)


def test_rince_with_q_one_is_a_difference():
    positive, negatives = scores()
    everything = positive.exp() + negatives.exp().sum(dim=1, keepdim=True)
    assert torch.allclose(rince(positive, negatives, q=1.0), 0.025 * everything - positive.exp(), atol=1e-12)


def test_decoupled_is_infonce_less_the_positives_share():
    positive, negatives = scores()
    share = torch.softmax(torch.cat([positive, negatives], dim=1), dim=1)[:, :1]
    assert torch.allclose(decoupled(positive, negatives), infonce(positive, negatives) + torch.log1p(-share))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_contrastive_loss_is_the_glossarys(temperature):
    torch.manual_seed(0)
    f1, f2 = torch.randn(5, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    z1, z2 = [row / row.square().sum().sqrt() for row in f1], [row / row.square().sum().sqrt() for row in f2]
    e = [[((z1[i] * z2[j]).sum() / temperature).exp() for j in range(5)] for i in range(5)]
    expected = sum(-(e[i][i] / sum(e[i])).log() for i in range(5)) / 5
    loss = contrastive_loss(f1, f2, temperature)
    assert torch.allclose(loss, expected, atol=1e-12)
    for ours, theirs in zip(*(torch.autograd.grad(part, (f1, f2)) for part in (loss, expected)), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_its_temperature_is_a_half_unless_told():
    f1, f2 = torch.randn(2, 5, 4)
    assert contrastive_loss(f1, f2) == contrastive_loss(f1, f2, 0.5)


def test_nt_xent_without_a_views_own_side_is_the_mean_of_both_directions():
    f1, f2 = torch.randn(2, 5, 4)
    z = F.normalize(torch.cat([f1, f2]), dim=1)
    s = z @ z.T / 0.5
    positive = torch.cat([s[:5, 5:].diagonal(), s[5:, :5].diagonal()])[:, None]
    barred = torch.eye(5, dtype=torch.bool).repeat(2, 2)
    barred[:5, :5] = barred[5:, 5:] = True  # a view's own side
    mean = (contrastive_loss(f1, f2) + contrastive_loss(f2, f1)) / 2
    assert torch.allclose(infonce(positive, s.masked_fill(barred, -torch.inf)).mean(), mean, atol=1e-12)


def test_a_queue_goes_round_when_the_batch_does_not_divide_it():
    queue = Queue(5, 2)
    assert queue.products.tolist() == [NOBODY] * 5
    assert torch.allclose(queue.keys.norm(dim=1), torch.ones(5))
    shown = []
    for step in range(3):
        keys = torch.arange(3 * step, 3 * step + 3)
        queue.push(torch.stack([keys, -keys], dim=1).double(), keys)
        shown.append(queue.products.tolist())
        known = queue.products >= 0
        assert torch.equal(queue.keys[known, 0], queue.products[known].double())
    assert shown == [[0, 1, 2, -1, -1], [5, 1, 2, 3, 4], [5, 6, 7, 8, 4]]


def test_a_queue_shorter_than_a_batch_keeps_its_end():
    queue = Queue(4, 2)
    queue.push(torch.randn(6, 2), torch.arange(6))
    queue.push(torch.randn(3, 2), torch.arange(6, 9))
    assert sorted(queue.products.tolist()) == [5, 6, 7, 8]


def test_no_negative_is_the_same_product_or_one_beside_it_and_nobody_never():
    products, others = torch.tensor([3, 4]), torch.tensor([NOBODY, 3, 4, 5])
    assert no_negatives(products, None, others).tolist() == [
        [False, True, False, False],
        [False, False, True, False],
    ]
    beside = torch.tensor([[5, NOBODY], [NOBODY, NOBODY]])
    assert no_negatives(products, beside, others).tolist() == [
        [False, True, False, True],
        [False, False, True, False],
    ]
