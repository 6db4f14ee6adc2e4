"""Numbers on the device: whole levels, weights in 256ths."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def on(device: torch.device, values: Any) -> Tensor:
    """Numbers (n, k) for each view, as (n, k, 1, 1) float32."""
    return torch.as_tensor(np.asarray(values, np.float32), device=device)[..., None, None]


def channels(pixels: Tensor) -> Tensor:
    """(...) int32 as (..., 4) uint8, in the same memory."""
    return pixels[..., None].view(torch.uint8)


def whole(levels: Tensor) -> Tensor:
    """Levels as a byte would hold them."""
    return torch.floor(levels + 0.5)


def weighed(sums: Tensor) -> Tensor:
    """Whole levels from sums with weights in 256ths."""
    return torch.floor((sums + 128) / 256)
