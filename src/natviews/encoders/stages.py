"""Features of all stages of a network, not of its last alone.

What tells two items of one kind apart (a print, a seam, a shade) is often gone by the last stage, which was
trained to tell kinds apart. Early stages still have it, and photos of one product say which of it to trust: the
closed-form head shrinks what does not recur (`natviews.encoders.head`).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAST_BLOCKS = 4
"""Of a network of one resolution, such as a vision transformer; as many as DINO's linear probe takes."""


def stages(backbone: nn.Module, x: Tensor) -> Tensor:
    """Photos (B, 3, S, S) -> (B, width): the mean over places of every stage, and the last features.

    Each is of length 1, so that none outshouts the others. The backbone is timm's, or has its methods
    `forward_intermediates` and `forward_head`.
    """
    network: Any = backbone
    last, maps = network.forward_intermediates(x, indices=_chosen(backbone))
    parts = [*(stage.mean(dim=(2, 3)) for stage in maps), network.forward_head(last, pre_logits=True)]
    return torch.cat([F.normalize(part.float(), dim=1) for part in parts], dim=1)


def stages_width(backbone: nn.Module) -> int:
    """How many features `stages` gives."""
    network: Any = backbone
    return sum(network.feature_info[i]["num_chs"] for i in _chosen(backbone)) + int(network.num_features)


def _chosen(backbone: nn.Module) -> list[int]:
    """The stages that are taken beside the last features."""
    network: Any = backbone
    every = list(range(len(network.feature_info)))
    if len({stage["reduction"] for stage in network.feature_info}) == 1:
        return every[-LAST_BLOCKS:]
    # The last stage's mean is often what the last features are.
    return every[:-1] if network.feature_info[-1]["num_chs"] == network.num_features else every
