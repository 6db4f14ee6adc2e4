"""OpenVINO describes photos as torch does."""

import socket

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from natviews.encoders import Architecture, Encoder, describer
from natviews.encoders.describing import WORTH

pytest.importorskip("openvino")

NETWORKS = {
    "small": {"name": "small", "size": 32, "options": {"width": 16}},
    "stages at two sizes": {"name": "mobilenetv2_050", "size": 64, "also": (90,), "features": "stages"},
    "padded to the photo's size": {"name": "mobilenetv2_050", "size": 75, "options": {"pad_type": "same"}},
    "vit": {"name": "vit_tiny_patch16_224", "size": 32, "options": {"patch_size": 8, "img_size": 32, "depth": 3}},
}


def photos(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        np.kron(rng.integers(0, 255, (9, 7, 3), np.uint8), np.ones((12, 12, 1), np.uint8)) for _ in range(count)
    ]


@pytest.mark.parametrize("network", NETWORKS)
def test_it_describes_as_torch_does(network):
    encoder = untrained(network, "float32")
    by_torch, by_openvino = both(encoder)
    assert by_openvino.shape == by_torch.shape == (70, encoder.width)
    assert (by_torch * by_openvino).sum(axis=1).min() > 0.99999
    assert not np.array_equal(by_torch, by_openvino)  # it was not torch twice


@pytest.mark.parametrize("network", NETWORKS)
def test_half_precision_costs_no_more_than_in_torch(network):
    exact, _ = both(untrained(network, "float32"))
    by_torch, by_openvino = (
        1 - (exact * half).sum(axis=1).mean() for half in both(untrained(network, "bfloat16"))
    )
    assert 1e-6 < by_openvino < 2 * by_torch


def both(encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Features by torch and by OpenVINO."""
    describe = describer(encoder, WORTH)
    assert describe != encoder.describe
    shown = photos(70)  # a batch, and a smaller one
    return tuple(np.concatenate(list(encoder.features(shown, describe=by))) for by in (None, describe))


def untrained(network: str, precision: str) -> Encoder:
    encoder = Encoder.create(Architecture(**NETWORKS[network], precision=precision))
    return encoder if network == "small" else with_statistics(encoder)


def with_statistics(encoder: Encoder) -> Encoder:
    """Batch norm that has seen photos: with statistics of 0 and 1 an untrained network gives nothing but noise."""
    encoder.train()
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.randn(16, 3, encoder.size, encoder.size))
    return encoder.eval()


def test_few_photos_are_not_worth_it():
    encoder = Encoder.create(Architecture(**NETWORKS["small"]))
    assert describer(encoder, WORTH - 1) == encoder.describe


def test_a_network_that_it_cannot_run_is_run_by_torch():
    class Odd(nn.Module):
        num_features = 3

        def forward(self, x):
            return torch.linalg.eigvals(x.mean(dim=1)).abs()[:, :3]

    encoder = Encoder.create(Architecture(**NETWORKS["small"]))
    encoder.backbone = Odd()
    x = torch.randn(2, 3, 16, 16)
    # Odd has no parameters to ask for the device.
    encoder.backbone.register_parameter("unused", nn.Parameter(torch.zeros(1)))
    with pytest.warns(UserWarning, match="OpenVINO cannot run small"):
        features = describer(encoder, WORTH)(x)
    assert torch.allclose(F.normalize(features), F.normalize(encoder.describe(x)))


def test_nobody_is_told(monkeypatch):
    """OpenVINO's own converter reports its use; the way taken here opens no connection."""

    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = Encoder.create(Architecture(**NETWORKS["small"]))
    describer(encoder, WORTH)(torch.randn(2, 3, 32, 32))
