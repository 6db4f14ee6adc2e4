"""Steps over batches of pictures: every view's first, then every view's second, each kind at once."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from natviews.views.accelerator.arithmetic import on, weighed, whole
from natviews.views.jpeg import recompressed
from natviews.views.view import Step


def develop(canvas: Tensor, steps: Sequence[Sequence[Step]]) -> Tensor:
    """Runs every view's steps over (n, 3, h, w) float32, in place: the first of all views, then the second."""
    for place in range(max(len(of_view) for of_view in steps)):
        here = {i: of_view[place] for i, of_view in enumerate(steps) if place < len(of_view)}
        for name, change in CHANGES.items():
            amounts = {i: [*step[1:], 0, 0][:3] for i, step in here.items() if step[0] == name}
            if amounts:
                rows = torch.tensor(list(amounts), device=canvas.device)
                canvas[rows] = change(canvas[rows], np.array(list(amounts.values()), np.float32))
    return whole(canvas).to(torch.uint8).movedim(1, -1).contiguous()


def _scale(pixels: Tensor, factors: np.ndarray) -> Tensor:
    return (pixels * on(pixels.device, factors)).clamp(0, 255)


def _contrast(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    factor = on(pixels.device, amounts[:, :1])
    mean = _luminance(pixels).mean((2, 3), keepdim=True)
    return (factor * whole(pixels) + (1 - factor) * mean).clamp(0, 255)


def _saturate(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    factor = on(pixels.device, amounts[:, :1])
    return (factor * pixels + (1 - factor) * _luminance(pixels)).clamp(0, 255)


def _luminance(pixels: Tensor) -> Tensor:
    """(n, 1, h, w), ITU-R BT.601's."""
    red, green, blue = pixels.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _turn_hue(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    """To HSV, the hue turned, and back; in sixths of a turn from red."""
    red, green, blue = pixels.split(1, dim=1)
    value, chroma = pixels.amax(1, keepdim=True), pixels.amax(1, keepdim=True) - pixels.amin(1, keepdim=True)
    over = 1 / chroma.clamp(min=1e-6)
    of_blue = 4 + (red - green) * over
    of_green = 2 + (blue - red) * over
    sixth = torch.where(value == red, (green - blue) * over, torch.where(value == green, of_green, of_blue))
    sixth = sixth + 6 * on(pixels.device, amounts[:, :1])
    k = (sixth + torch.tensor([5.0, 3.0, 1.0], device=pixels.device)[:, None, None]) % 6
    return value - chroma * k.minimum(4 - k).clamp(0, 1)


def _solarise(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    return torch.where(pixels >= on(pixels.device, amounts[:, :1]), 255 - pixels, pixels)


def _blur(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    weights = _gaussians(amounts[:, 0]).to(pixels.device)
    down, across = (_bands(weights, size)[:, None] for size in pixels.shape[2:])
    return weighed(weighed(down @ whole(pixels)) @ across.mT)


def _gaussians(sigmas: np.ndarray) -> Tensor:
    """Weights (n, radius + 1) of the middle and its neighbours in 256ths; the whole, both sides, sums to 256."""
    radii = np.ceil(1.5 * sigmas.astype(np.float64)) * 2
    k = np.arange(int(radii.max()) + 1)
    shares = np.exp(-0.5 * (k / np.maximum(sigmas[:, None], 1e-3)) ** 2) * (k <= radii[:, None])
    weights = np.floor(shares / (2 * shares.sum(1, keepdims=True) - shares[:, :1]) * 256 + 0.5)
    weights[:, 0] = 256 - 2 * weights[:, 1:].sum(1)
    return torch.from_numpy(weights.astype(np.float32))


def _bands(weights: Tensor, size: int) -> Tensor:
    """(n, size, size) matrices that blur a line, continued by reflection about its border pixels."""
    radius, last = weights.shape[1] - 1, size - 1
    offsets = torch.arange(-radius, radius + 1, device=weights.device)
    at = torch.arange(size, device=weights.device)[:, None] + offsets
    at = last - (at % max(1, 2 * last) - last).abs()
    shares = weights[:, offsets.abs()][:, None].expand(-1, size, -1)
    bands = torch.zeros((len(weights), size, size), device=weights.device)
    return bands.scatter_add_(2, at.expand(len(weights), -1, -1), shares)


def _jpeg(pixels: Tensor, amounts: np.ndarray) -> Tensor:
    """On the CPU, by the CPU renderer's encoder: another would give other pictures, and it is rarely asked for."""
    pictures = whole(pixels).movedim(1, -1).to(torch.uint8).cpu().numpy()
    done = [recompressed(picture, int(quality)) for picture, quality in zip(pictures, amounts[:, 0], strict=True)]
    return torch.from_numpy(np.stack(done)).to(pixels.device).movedim(-1, 1).float()


CHANGES: dict[str, Callable[[Tensor, np.ndarray], Tensor]] = {
    "brightness": lambda pixels, amounts: _scale(pixels, amounts[:, :1]),
    "contrast": _contrast,
    "saturation": _saturate,
    "hue": _turn_hue,
    "grey": lambda pixels, amounts: _saturate(pixels, 1 - amounts),
    "gains": _scale,
    "solarise": _solarise,
    "blur": _blur,
    "jpeg": _jpeg,
}
"""What each step does to pixels (n, 3, h, w), levels 0 to 255, with its amounts (n, 3)."""
