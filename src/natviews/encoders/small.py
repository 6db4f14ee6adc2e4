"""A small residual network for two cores and photos of 48 to 96 px."""

from typing import Any

import torch
from torch import Tensor, nn


class SmallNet(nn.Module):
    """Three stages of 3x3 residual blocks; (B, 3, S, S) -> (B, 8 * width).

    The stem halves the photo before anything costly happens, and channels are multiples of 16, which
    bf16 on AVX-512 likes. Mean and maximum over places are both kept: a detail such as a logo
    is lost in the mean, a texture in the maximum.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stages = nn.Sequential(
            Residual(width, 2 * width, stride=2),
            Residual(2 * width, 2 * width),
            Residual(2 * width, 4 * width, stride=2),
            Residual(4 * width, 4 * width),
            Residual(4 * width, 8 * width, stride=2),
        )
        self.num_features = 8 * width
        self.feature_info = [
            {"num_chs": width * times, "reduction": by} for times, by in ((1, 2), (2, 4), (4, 8), (8, 16))
        ]

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.stages(self.stem(x)))

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Which parameters are of one layer, as timm's networks say it: the stem's, then each block's.

        There are too few to be told apart more coarsely.
        """
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}

    def forward_head(self, maps: Tensor, pre_logits: bool = True) -> Tensor:
        """(B, 8 width, S / 16, S / 16) -> (B, 8 width)."""
        return maps.mean(dim=(2, 3)) + maps.amax(dim=(2, 3))

    def forward_intermediates(self, x: Tensor, indices: list[int] | None = None) -> tuple[Tensor, list[Tensor]]:
        """The last maps, and those of the stages before it, as timm's networks give them."""
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        ends = maps[0], maps[2], maps[4], maps[5]
        return maps[-1], [ends[i] for i in indices or range(len(ends))]


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm around a skip (He et al., CVPR 2016)."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
        )
        same = stride == 1 and inside == outside
        self.skip = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))
