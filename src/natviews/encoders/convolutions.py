"""Convolutions whose gradients the CPU's library is slow at, computed another way, to the same result.

oneDNN, as torch 2.15 has it, is slow at the bfloat16 gradient of a depthwise convolution with a stride, nine times
as slow as in float32, and at any convolution over a map of one to four pixels, whose gradient in bfloat16 it even
gets wrong where a stride meets a single pixel. Both take much of a step of the networks that small catalogues are
learnt with: without them a step of MobileNetV2 at 160 px is 1.8 times as fast, one of a ResNet-18 on local views
of 40 px 1.4 times (`python benchmarks/convolutions.py`).
"""

from typing import cast

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 2
"""Pixels of a map's sides up to which a dense layer is quicker; at 3 they are alike."""


def quicken(network: nn.Module) -> None:
    """Has a network's convolutions computed the quicker way where they learn on a CPU in reduced precision.

    They change their class and nothing else, so weights, their names and a library's own padding stay.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.stride) > 1:
            module.__class__ = IN_FLOAT32.get(type(module), type(module))
        elif type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = AsDense


def _is_plain(convolution: nn.Conv2d) -> bool:
    return (
        convolution.groups == 1
        and convolution.dilation == (1, 1)
        and convolution.padding_mode == "zeros"
        and isinstance(convolution.padding, tuple)
    )


def _learns_reduced(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")


class InFloat32(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        if not _learns_reduced(x):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(torch.get_autocast_dtype("cpu"))


class PaddedInFloat32(InFloat32, Conv2dSame):
    """One that timm pads as TensorFlow does."""


IN_FLOAT32: dict[type, type] = {nn.Conv2d: InFloat32, Conv2dSame: PaddedInFloat32}


class AsDense(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        if not _learns_reduced(x) or max(rows, columns) > FEW:
            return super().forward(x)
        above, left = cast(tuple[int, int], self.padding)
        (down, across), (height, width) = self.stride, self.kernel_size
        tops = range(-above, rows + above - height + 1, down)  # where the kernel begins
        lefts = range(-left, columns + left - width + 1, across)
        pixels = [(u, v) for u in range(rows) for v in range(columns)]
        weights = self._weights([[(u - top, v - begin) for u, v in pixels] for top in tops for begin in lefts])
        bias = None if self.bias is None else self.bias.repeat(len(tops) * len(lefts))
        y = F.linear(x.permute(0, 2, 3, 1).flatten(1), weights, bias).view(len(x), len(tops), len(lefts), -1)
        return y.permute(0, 3, 1, 2)  # channels last in memory, as it came

    def _weights(self, met: list[list[tuple[int, int]]]) -> Tensor:
        """(M out, N in): of M pixels that come out, each with the kernel's places that N pixels going in meet."""
        height, width = self.kernel_size
        weight = self.weight.to(torch.get_autocast_dtype("cpu"))
        taps = [row.unbind(dim=2) for row in weight.unbind(dim=2)]  # height x width of (out, in)
        nothing = torch.zeros_like(taps[0][0])

        def tap(row: int, column: int) -> Tensor:
            return taps[row][column] if row in range(height) and column in range(width) else nothing

        return torch.cat([torch.cat([tap(*place) for place in places], dim=1) for places in met])
