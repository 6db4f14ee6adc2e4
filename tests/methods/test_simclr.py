import pytest
import torch
from lightly.loss import NTXentLoss
from torch.nn import functional as F

from natviews.methods.simclr import nt_xent


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
