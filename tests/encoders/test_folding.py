"""Norms that do not move are learnt within convolutions: the same function, the same gradients, less work."""

import copy
import pickle

import pytest
import timm
import torch
from torch import nn

from natviews.encoders import Architecture, Encoder
from natviews.encoders.convolutions import quicken
from natviews.encoders.folding import fold, pairs, unfold

NETWORKS = {  # with how many of their norms are taken in
    ("mobilenetv2_050", "same"): (52, 52),
    ("resnet18", ""): (20, 20),
    ("efficientnet_b0", ""): (49, 49),
    ("resnetv2_50", ""): (32, 49),  # norms before convolutions, of sums
    ("repvgg_a0", ""): (44, 61),
    ("convnext_atto", ""): (0, 0),
}


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def learning(network: nn.Module) -> nn.Module:
    """In training, with norms that do not move."""
    network.train()
    for norm in norms(network):
        norm.eval()
    return network


def with_statistics(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for norm in norms(network):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.3)
    return network


def learnt(network: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What comes out, and the gradients of all parameters."""
    y = learning(network)(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    return [y.detach(), *(parameter.grad for parameter in network.parameters())]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network[0])
def test_values_and_gradients_are_those_of_the_network(network):
    (name, padding), counts = network, NETWORKS[network]
    plain = timm.create_model(name, num_classes=0, **({"pad_type": padding} if padding else {}))
    folded = copy.deepcopy(with_statistics(plain))
    plain = plain.double()
    quicken(folded)
    assert (len(pairs(folded)), len(norms(folded))) == counts
    fold(folded)
    folded = copy.deepcopy(folded).double()  # as a teacher is copied
    assert list(folded.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    for found, wanted in zip(learnt(folded, x), learnt(plain, x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)
    again = pickle.loads(pickle.dumps(folded))
    torch.testing.assert_close(again(x), folded(x))
    torch.testing.assert_close(folded.eval()(x), plain.eval()(x))


def test_norms_are_left_out_while_they_are_taken_in_and_only_then(monkeypatch):
    folded = timm.create_model("mobilenetv2_050", num_classes=0)
    fold(folded)
    called = []
    monkeypatch.setattr(nn.functional, "batch_norm", lambda x, *_: called.append(1) or x)
    x = torch.randn(2, 3, 64, 64)
    learning(folded)(x)
    assert not called
    folded.train()(x)
    folded.eval()(x)
    assert len(called) == 2 * 52


def test_a_network_is_as_it_was_made_again_where_weights_are_spread():
    plain = with_statistics(timm.create_model("mobilenetv2_050", num_classes=0))
    network = copy.deepcopy(plain)
    quicken(network)
    kinds = [type(module) for module in network.modules()]
    fold(network)
    assert [type(module) for module in network.modules()] != kinds
    unfold(network)
    assert [type(module) for module in network.modules()] == kinds
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(learning(network)(x), learning(plain)(x))


def test_a_copy_has_norms_of_its_own():
    folded = timm.create_model("resnet18", num_classes=0)
    fold(folded)
    teacher, x = learning(copy.deepcopy(folded)), torch.randn(2, 3, 64, 64)
    before = teacher(x)
    with torch.no_grad():
        for norm in norms(folded):
            norm.weight.mul_(2)
    assert torch.equal(teacher(x), before) and not torch.allclose(learning(folded)(x), before)


class Forked(nn.Module):
    """What a convolution gives is used beside its norm, too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.convolution(x)
        return self.norm(seen) + seen.mean(dim=1, keepdim=True)


class Shared(Forked):
    """A convolution with two norms."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x)) + self.norm(self.convolution(-x))


@pytest.mark.parametrize("kind", [Forked, Shared])
def test_only_a_convolution_that_no_other_uses_takes_a_norm_in(kind):
    network = with_statistics(kind())
    assert pairs(network) == [] and pairs(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))


def test_a_norm_without_statistics_stays_as_it_is():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    fold(network)
    assert learning(network)(torch.randn(2, 3, 8, 8)).mean().abs() < 1e-5  # that of the batch is taken off


def test_an_encoder_takes_in_norms_that_do_not_move():
    kinds = {}
    for batchnorm in ("frozen", "moving"):
        encoder = Encoder.create(Architecture(name="small", size=32, batchnorm=batchnorm))
        kinds[batchnorm] = {type(norm).__name__ for norm in norms(encoder)}
    assert kinds == {"frozen": {"_Folded"}, "moving": {"BatchNorm2d"}}
