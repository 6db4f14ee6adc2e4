"""The layers of a network, from its stem to its last."""

from typing import Any

from timm.models import group_parameters
from torch import nn

from natviews.types import NatviewsError


def layers_of(backbone: nn.Module) -> dict[str, int]:
    """The layer of each parameter, by the parameter's name: 0 for the stem, then block by block.

    Layers are those of the network's `group_matcher`, which nearly all of timm's have and which `SmallNet` has as
    well. Raises NatviewsError where there is none, or only one layer.
    """
    network: Any = backbone
    found: dict[str, int] = {}
    if hasattr(backbone, "group_matcher"):
        found = group_parameters(backbone, network.group_matcher(coarse=False), reverse=True)
    if len(set(found.values())) < 2:
        raise NatviewsError(
            f"The layers of {type(backbone).__name__} cannot be told apart; set training.layer_decay to 1."
        )
    return found
