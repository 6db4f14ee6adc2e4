"""Layers painted in batches: upright crops by an exact filter, others at four pixels through a homography."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from natviews.views.accelerator.arithmetic import channels, on, weighed
from natviews.views.accelerator.atlas import Atlas, Planned, Read
from natviews.views.geometry import Homography

EVERYWHERE: Homography = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""A clip that cuts nothing off: every place goes to (0, 0)."""


def canvas_of(column: Sequence[Planned], atlas: Atlas) -> Tensor:
    """(n, 3, h, w) float32: borders, and every view's layers on top, the undermost of all views first."""
    device = atlas.pixels.device
    borders = np.array([planned.border for planned in column], np.uint32).view(np.uint8).reshape(-1, 4)
    canvas = on(device, borders[:, :3]).repeat(1, 1, *column[0].view.size)
    for depth in range(max(len(planned.layers) for planned in column)):
        here = {i: planned.layers[depth] for i, planned in enumerate(column) if depth < len(planned.layers)}
        for is_crop, paint in ((True, _crop), (False, _paint)):
            layers = {i: read for i, read in here.items() if read.is_crop == is_crop}
            if layers:
                rows = torch.tensor(list(layers), device=device)
                canvas[rows] = paint(list(layers.values()), atlas, canvas[rows])
    return canvas


def _crop(layers: Sequence[Read], atlas: Atlas, beneath: Tensor) -> Tensor:
    """Parts of pictures along their axes, in the place of what lies `beneath` (n, 3, h, w)."""
    (n, _, height, width), device = beneath.shape, beneath.device
    places = [atlas.place(read) for read in layers]
    a, _, c, _, e, f, _, _, i = np.array([read.layer.homography for read in layers]).T
    _, tall, broad = np.array(places).T
    scale_y, scale_x = np.array([tall, broad]) / np.array([read.picture.size for read in layers]).T
    rows, down = _taps(f / i * scale_y, e / i * scale_y, tall, height, device)
    columns, across = _taps(c / i * scale_x, a / i * scale_x, broad, width, device)
    begin, _, stride = torch.tensor(places, device=device)[:, :, None].unbind(1)
    part = channels(atlas.pixels[(begin + rows * stride)[..., None] + columns[:, None]])
    part = part[..., :3].movedim(-1, 2).flatten(2).float()
    short = weighed(down @ part).reshape(n, height * 3, -1)
    return weighed(short @ across.mT).reshape(n, height, 3, width).movedim(2, 1)


def _taps(
    start: np.ndarray, step: np.ndarray, limit: np.ndarray, count: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """A triangle filter as wide as the shrinking, for lines (n,) of `limit` px.

    The pixels (n, part) that any of `count` outputs needs, and their weights (n, count, part) in 256ths. Output i
    has its centre at start + (i + 0.5) step.
    """
    wide = np.maximum(1, np.abs(step))
    ends = start + np.multiply.outer((0.5, count - 0.5), step)
    first = np.clip(np.floor(ends.min(0) - wide), 0, limit - 1)
    past = np.minimum(np.ceil(ends.max(0) + wide) + 1, limit)
    begin, stride, long, reach, at = on(device, np.column_stack([start, step, limit, wide, first])).unbind(1)
    at = at + torch.arange(int((past - first).max()), device=device)
    centre = begin + (torch.arange(count, device=device)[:, None] + 0.5) * stride
    low = torch.floor(centre - reach + 0.5).clamp(min=0).minimum(long - 1)
    high = torch.floor(centre + reach + 0.5).minimum(long).maximum(low + 1)
    shares = (1 - (at + 0.5 - centre).abs() / reach).clamp(min=0) * ((at >= low) & (at < high))
    weights = torch.floor(shares / shares.sum(2, keepdim=True) * 256 + 0.5)
    weights.scatter_add_(2, shares.argmax(2, keepdim=True), 256 - weights.sum(2, keepdim=True))
    return at.minimum(long - 1)[:, 0].long(), weights


def _paint(layers: Sequence[Read], atlas: Atlas, beneath: Tensor) -> Tensor:
    """Pictures through their homographies, over what lies `beneath` (n, 3, h, w)."""
    device, (height, width) = beneath.device, beneath.shape[2:]
    places = [atlas.place(read) for read in layers]
    how = [(s.layer.repeat, s.by_alpha, round(256 * s.layer.opacity), *s.picture.size) for s in layers]
    repeat, by_alpha, opacity, source_y, source_x = on(device, how).unbind(1)
    u, v, w = _mapped([s.layer.homography for s in layers], height, width, device)
    u, v = u * (1 / w), v * (1 / w)
    u, v = u - repeat * source_x * torch.floor(u / source_x), v - repeat * source_y * torch.floor(v / source_y)
    inside = (u >= 0) & (v >= 0) & (u <= source_x) & (v <= source_y) & (w > 0)
    clip_x, clip_y, clip_w = _mapped([s.layer.clip or EVERYWHERE for s in layers], height, width, device)
    inside &= (clip_x >= 0) & (clip_y >= 0) & (clip_x <= clip_w) & (clip_y <= clip_w)
    new = _bilinear(u / source_x, v / source_y, torch.tensor(places, device=device)[..., None, None], atlas)
    share, alpha = opacity * inside, new[..., 3] + torch.floor(new[..., 3] / 128)
    share = torch.where(by_alpha > 0, torch.floor(share * alpha / 256), share)[:, None]
    return weighed(new[..., :3].movedim(-1, 1) * share + beneath * (256 - share))


def _mapped(
    homographies: Sequence[Homography], height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Where the middles of a view's pixels go, homogeneous: x, y and w, each (n, h, w)."""
    a, b, c, d, e, f, g, h, i = on(device, homographies).unbind(1)
    y, x = torch.arange(height, device=device)[:, None] + 0.5, torch.arange(width, device=device) + 0.5
    return a * x + (b * y + c), d * x + (e * y + f), g * x + (h * y + i)


def _bilinear(x: Tensor, y: Tensor, places: Tensor, atlas: Atlas) -> Tensor:
    """Four pixels into one, (n, h, w, 4), at x and y (n, h, w), shares of the levels at `places` (n, 3, 1, 1)."""
    begin, tall, broad = places.unbind(1)
    # On the horizon both are NaN, of which every device makes another integer.
    x, y = (
        (line * side - 0.5).nan_to_num().clamp(min=0).minimum(side - 1) for line, side in ((x, broad), (y, tall))
    )
    # The last pixel is the right or lower of its pair, wholly.
    left_of, top_of = (line.long().minimum(side - 2).clamp(min=0) for line, side in ((x, broad), (y, tall)))
    right, down = (torch.floor((line - at) * 256)[..., None] for line, at in ((x, left_of), (y, top_of)))
    at = begin + top_of * broad + left_of
    below, beside = broad * (tall > 1), (broad > 1).long()
    left, other = (
        weighed(channels(atlas.pixels[upper]) * (256 - down) + channels(atlas.pixels[upper + below]) * down)
        for upper in (at, at + beside)
    )
    return weighed(left * (256 - right) + other * right)
