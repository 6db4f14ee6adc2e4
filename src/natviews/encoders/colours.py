"""The colours of a picture, to be described by beside what a network sees in it.

Networks are trained to overlook the very shade of a thing; listings of one kind are told apart by it. The bins are
soft, so that vectors move little with the light, and a grey has no hue at all. What of it may differ between
photos of one product, as between a shop's lamp and a buyer's window, the closed-form head learns from them.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

HUES, CHROMAS, VALUES = 18, 5, 6
SIDE = 56
"""Pixels of a side that colours are looked at with: noise and thin lines are averaged out."""
BINS = VALUES + HUES * (CHROMAS - 1) * VALUES
"""Greys by their value; hues by chroma and value."""


def colours(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) RGB, 0 to 1 -> (B, BINS) float32 of length 1: square roots of the shares of colours.

    A pixel counts for the bins next to it, the more the nearer (in hue, in the square root of its chroma, and in
    value), so that the cosine of two such vectors is continuous in both pictures.
    """
    x = F.avg_pool2d(pictures.float(), max(1, pictures.shape[-1] // SIDE))
    red, green, blue = x.flatten(2).unbind(dim=1)  # (B, P) each
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    span = chroma.clamp_min(1e-6)
    of_green, of_blue = 2 + (blue - red) / span, 4 + (red - green) / span
    hue = torch.where(value == red, (green - blue) / span, torch.where(value == green, of_green, of_blue))
    hues = _nearness((hue / 6 * HUES)[..., None], HUES, around=True)  # (B, P, HUES)
    chromas = _nearness((chroma.clamp_min(0).sqrt() * (CHROMAS - 1))[..., None], CHROMAS)
    values = _nearness((value * (VALUES - 1))[..., None], VALUES)
    kinds = chromas[..., :, None] * values[..., None, :]  # (B, P, CHROMAS, VALUES)
    with torch.autocast(x.device.type, enabled=False):
        hued = hues.transpose(1, 2) @ kinds[:, :, 1:].flatten(2)  # (B, HUES, (CHROMAS - 1) VALUES)
    shares = torch.cat([kinds[:, :, 0].sum(dim=1), hued.flatten(1)], dim=1)
    return F.normalize(shares.clamp_min(1e-12).sqrt(), dim=1)


def _nearness(places: Tensor, count: int, *, around: bool = False) -> Tensor:
    """(..., 1) places -> (..., count): 1 at a bin's own place, 0 from the next bin's on."""
    bins = torch.arange(count, dtype=torch.float32, device=places.device)
    distance = (places - bins).abs()
    if around:
        distance = torch.minimum(distance, (distance - count).abs())
    return (1 - distance).clamp_min(0)
