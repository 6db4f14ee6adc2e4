import pytest
import torch
from torch.nn import functional as F

from natviews.encoders import Architecture, Encoder

NETWORKS = {
    "small": {"name": "small", "size": 32, "options": {"width": 16}},
    "resnet18": {"name": "resnet18", "size": 64},
    "mobilenet": {"name": "mobilenetv2_050", "size": 64},
    "vit": {"name": "vit_tiny_patch16_224", "size": 32, "options": {"patch_size": 8, "img_size": 32, "depth": 6}},
}


@pytest.mark.parametrize("network", NETWORKS)
def test_every_stage_counts_alike_and_the_last_features_are_those_of_the_network(network):
    values = NETWORKS[network]
    encoder = Encoder.create(Architecture(**values, features="stages")).eval()
    plain = Encoder.create(Architecture(**values)).eval()
    x = torch.randn(3, 3, values["size"], values["size"])
    with torch.no_grad():
        features, last = encoder.describe(x), plain(x)
    assert features.shape == (3, encoder.width) and encoder.width > plain.width == plain.dim
    assert torch.allclose(features[:, -plain.dim :], F.normalize(last, dim=1), atol=1e-5)
    parts = round(float(features[0].square().sum()))  # each of length 1
    assert parts in (4, 5, 6) and torch.allclose(
        features.square().sum(1), torch.full((3,), float(parts)), atol=1e-3
    )


def test_no_stage_is_taken_twice():
    """A ResNet's last stage, averaged, is what its last features are."""
    encoder = Encoder.create(Architecture(**NETWORKS["resnet18"], features="stages"))
    assert encoder.width == 64 + 64 + 128 + 256 + 512


def test_what_is_trained_are_the_last_features_all_the_same():
    values = NETWORKS["small"]
    staged, plain = (Encoder.create(Architecture(**values, features=kind)).eval() for kind in ("stages", "last"))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert staged.dim == plain.dim and torch.equal(staged(x), plain(x))


def test_it_is_saved_and_loaded_with_its_stages(tmp_path):
    encoder = Encoder.create(Architecture(**NETWORKS["small"], features="stages"))
    encoder.save(tmp_path)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(Encoder.load(tmp_path).describe(x), encoder.eval().describe(x))
