import colorsys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from natviews.encoders import Architecture, Encoder
from natviews.encoders.colours import BINS, CHROMAS, HUES, SIDE, VALUES, colours


def plain(*rgb):
    """A picture of one colour, 0 to 1."""
    return torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE)


def by_hand(rgb):
    """The shares of one colour's bins, with Python's own hue."""
    value, chroma, hue = max(rgb), max(rgb) - min(rgb), colorsys.rgb_to_hsv(*rgb)[0]

    def near(place, bin_, around=0):
        away = abs(place - bin_)
        return max(0.0, 1 - (min(away, abs(away - around)) if around else away))

    shares = np.zeros(BINS)
    for v in range(VALUES):
        of_value = near(value * (VALUES - 1), v)
        shares[v] = of_value * near(chroma**0.5 * (CHROMAS - 1), 0)
        for h in range(HUES):
            for c in range(1, CHROMAS):
                place = VALUES + (h * (CHROMAS - 1) + c - 1) * VALUES + v
                of_chroma = near(chroma**0.5 * (CHROMAS - 1), c)
                shares[place] = near(hue * HUES, h, HUES) * of_chroma * of_value
    assert shares.sum() == pytest.approx(1)
    return np.sqrt(shares)


@pytest.mark.parametrize(
    "rgb", [*np.random.default_rng(0).random((12, 3)).tolist(), [0.5] * 3, [1, 0, 0.02]], ids=str
)
def test_one_colour_counts_for_the_bins_next_to_it(rgb):
    np.testing.assert_allclose(colours(plain(*rgb))[0].numpy(), by_hand(rgb), atol=1e-3)


def test_shares_are_of_all_pixels_wherever_they_lie():
    half = torch.cat([plain(0.9, 0.1, 0.1)[..., : SIDE // 2], plain(0.1, 0.1, 0.8)[..., SIDE // 2 :]], dim=3)
    expected = np.sqrt((by_hand((0.9, 0.1, 0.1)) ** 2 + by_hand((0.1, 0.1, 0.8)) ** 2) / 2)
    for picture in (half, half.flip(3), half.transpose(2, 3), F.interpolate(half, scale_factor=5)):
        np.testing.assert_allclose(colours(picture)[0].numpy(), expected, atol=1e-3)


def test_a_grey_has_no_hue_and_a_little_light_changes_little():
    assert colours(plain(0.5, 0.5, 0.5))[0, VALUES:].max() < 1e-3
    for rgb in ([0.7, 0.3, 0.3], [0.3, 0.7, 0.69], [0.2, 0.2, 0.6]):
        before, after = colours(plain(*rgb)), colours(plain(*(part + 0.02 for part in rgb)))
        assert (before * after).sum() > 0.9
    assert (colours(plain(0.7, 0.3, 0.3)) * colours(plain(0.3, 0.3, 0.7))).sum() < 0.5


def test_an_encoder_knows_them_beside_its_stages_and_whatever_it_normalises_by(tmp_path):
    statistics = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.1)}
    values = {"name": "mobilenetv2_050", "size": 64, **statistics}
    coloured, staged = (
        Encoder.create(Architecture(**values, features=kind)).eval() for kind in ("stages+colours", "stages")
    )
    assert coloured.width == staged.width + BINS
    pictures = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features, seen = (encoder.wide_features(encoder.prepare(pictures)) for encoder in (coloured, staged))
    assert torch.equal(features[:, : staged.width], seen)
    expected = colours(pictures.permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(F.normalize(features[:, staged.width :], dim=1), expected, rtol=0, atol=1e-4)
    coloured.save(tmp_path)
    assert Encoder.load(tmp_path).width == coloured.width


def test_what_is_trained_does_not_change():
    kinds = ("stages+colours", "last")
    coloured, plain_ = (Encoder.create(Architecture(name="resnet18", size=64, features=kind)) for kind in kinds)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert coloured.dim == plain_.dim and torch.equal(coloured.eval()(x), plain_.eval()(x))
