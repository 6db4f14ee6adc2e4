"""Convolutions computed another way give what they gave: values, gradients, names, all outside of training."""

import copy
import pickle

import pytest
import timm
import torch
from torch import nn

from natviews.encoders import Architecture, Encoder
from natviews.encoders.convolutions import quicken

DEPTHWISE = {
    "depthwise": nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
    "depthwise, padded by timm": timm.layers.Conv2dSame(8, 8, 5, stride=2, groups=8),
}
DENSE = {
    "3 x 3": nn.Conv2d(8, 6, 3, padding=1, bias=False),
    "with a bias": nn.Conv2d(8, 6, 3, padding=1),
    "with a stride": nn.Conv2d(8, 6, 3, stride=2, padding=1),
    "1 x 1 with a stride": nn.Conv2d(8, 6, 1, stride=2, bias=False),
    "not square": nn.Conv2d(8, 6, (3, 1), stride=(1, 2), padding=(1, 0)),
    "larger than the map": nn.Conv2d(8, 6, 7, stride=2, padding=3),
}


def learnt(convolution, x, dtype=torch.bfloat16):
    """The result and all gradients, where precision is reduced (or not, with float64)."""
    convolution, x = copy.deepcopy(convolution), x.clone().requires_grad_()
    reduced = dtype == torch.bfloat16
    if not reduced:
        convolution, x = convolution.to(dtype), x.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
        y = convolution(x)
    (y.double() * torch.linspace(-1, 1, y.numel()).view(y.shape).double()).sum().backward()
    return y, [x.grad, *(parameter.grad for parameter in convolution.parameters())]


@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (1, 2), (7, 6)], ids=str)
@pytest.mark.parametrize("kind", [*DEPTHWISE, *DENSE])
def test_values_and_gradients_are_those_of_the_convolution(kind, sides):
    convolution = copy.deepcopy((DEPTHWISE | DENSE)[kind])
    x = torch.randn(4, 8, *sides, generator=torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)
    exact, exact_gradients = learnt(convolution, x, torch.float64)
    quicken(nn.Sequential(convolution))
    y, gradients = learnt(convolution, x)
    assert y.dtype == torch.bfloat16 and y.shape == exact.shape
    assert y.is_contiguous(memory_format=torch.channels_last)
    for found, wanted in zip([y, *gradients], [exact, *exact_gradients], strict=True):
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=0.02 * wanted.detach().abs().max())


@pytest.mark.parametrize("kind", DENSE)
def test_a_map_of_a_pixel_or_four_meets_a_dense_layer_and_a_larger_one_does_not(kind, monkeypatch):
    convolution = copy.deepcopy(DENSE[kind])
    quicken(nn.Sequential(convolution))
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: pytest.fail("as it is made"))
    learnt(convolution, torch.randn(2, 8, 2, 2))
    for sides in ((3, 2), (2, 3)):
        with pytest.raises(pytest.fail.Exception):
            learnt(convolution, torch.randn(2, 8, *sides))


@pytest.mark.parametrize("kind", DEPTHWISE)
def test_a_depthwise_convolution_with_a_stride_learns_in_float32(kind):
    convolution = copy.deepcopy(DEPTHWISE[kind])
    x = torch.randn(2, 8, 6, 6)
    exact = learnt(convolution, x, torch.float64)[1][1]
    quicken(nn.Sequential(convolution))
    # Only the result's gradient was rounded, to multiples of 1/256 of itself.
    torch.testing.assert_close(
        learnt(convolution, x)[1][1].double(), exact, rtol=0, atol=0.004 * exact.abs().max()
    )


def test_other_convolutions_are_left_as_they_are():
    depthwise = nn.Conv2d(8, 8, 3, groups=8)
    padded_by_timm = timm.layers.Conv2dSame(8, 6, 3, stride=2)
    dilated, reflecting = nn.Conv2d(8, 6, 3, dilation=2), nn.Conv2d(8, 6, 3, padding=1, padding_mode="reflect")
    network = nn.Sequential(depthwise, padded_by_timm, dilated, reflecting)
    kinds = [type(module) for module in network]
    quicken(network)
    assert [type(module) for module in network] == kinds


def test_outside_of_training_and_without_reduced_precision_nothing_changes():
    network = timm.create_model("mobilenetv2_050", num_classes=0).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        before = network(x)
    exact = network(x)
    quicken(network)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(x), before)
    assert torch.equal(network(x), exact)


def test_weights_keep_their_names_and_a_copy_has_its_own():
    network = timm.create_model("mobilenetv2_050", num_classes=0).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quicken(network)
    assert list(network.state_dict()) == list(before)
    other = copy.deepcopy(network).requires_grad_(False)
    for parameter in other.parameters():
        parameter.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(2, 3, 32, 32)).abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_has_it_can_be_sent_to_another_process():
    network = timm.create_model("mobilenetv2_050", num_classes=0, pad_type="same")
    quicken(network)
    other = pickle.loads(pickle.dumps(network))
    kinds = [type(module) for module in network.modules()]
    assert [type(module) for module in other.modules()] == kinds
    quicken(network)
    assert [type(module) for module in network.modules()] == kinds  # nor does it change twice


@pytest.mark.parametrize("name", ["mobilenetv2_050", "resnet18"])
def test_every_encoder_has_it(name):
    backbone = Encoder.create(Architecture(name=name, size=32)).backbone
    plain = timm.create_model(name, num_classes=0)
    assert [type(module) for module in backbone.modules()] != [type(module) for module in plain.modules()]
