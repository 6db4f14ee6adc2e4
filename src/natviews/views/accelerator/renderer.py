"""Renders batches of views on an accelerator: the CPU renderer's pictures, many at a time.

It chooses levels as the CPU renderer does and follows its arithmetic: weights are whole 256ths, and what the CPU
stores in bytes is rounded here. Such sums are exact in float32, whatever their order (and so are the products of
bytes and weights in TF32), so that the two differ only where a coordinate or a colour falls between two numbers.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from natviews.views.accelerator.atlas import MOST_PIXELS, Atlas, Planned, atlas_of, plan
from natviews.views.accelerator.painting import canvas_of
from natviews.views.accelerator.steps import CHANGES, develop
from natviews.views.pictures import Picture
from natviews.views.view import STEPS, View


def render_batch(
    scenes: Sequence[tuple[Sequence[np.ndarray | Picture], Sequence[View]]], device: torch.device
) -> list[Tensor]:
    """The views of a batch: for each place among the views, (B, h, w, 3) uint8 RGB on the device.

    A scene is its photos, each (H, W, 3) uint8 RGB of any size, and its views of them. Every scene has as many
    views, and those in one place have one size. No photo is modified. The same scenes give the same bytes on the
    same device; a view's mean difference from the CPU renderer's is a fraction of a grey level. Raises ValueError
    for scenes whose views do not match, and for an unknown step.
    """
    sizes = {tuple(view.size for view in views) for _, views in scenes}
    if len(sizes) != 1 or () in sizes:
        raise ValueError("a batch needs scenes with as many views each, one or more, of the same sizes")
    for name in {step[0] for _, views in scenes for view in views for step in view.steps} - CHANGES.keys():
        raise ValueError(f"there is no step {name!r}; there are {', '.join(STEPS)}")
    plans = [plan(number, photos, views) for number, (photos, views) in enumerate(scenes)]
    # Half precision, which a training step around this may have switched on, cannot hold the sums.
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        atlas = atlas_of([layer for plan in plans for view in plan for layer in view.layers], device)
        return [_render(column, atlas) for column in zip(*plans, strict=True)]


def _render(column: Sequence[Planned], atlas: Atlas) -> Tensor:
    """Views of one size, (B, h, w, 3) uint8."""
    at_once = max(1, MOST_PIXELS // math.prod(column[0].view.size))
    parts = [column[i : i + at_once] for i in range(0, len(column), at_once)]
    return torch.cat([develop(canvas_of(part, atlas), [planned.view.steps for planned in part]) for part in parts])
