"""Low-rank adapters: LoRA: Low-Rank Adaptation of Large Language Models. Hu et al., ICLR 2022. arXiv:2106.09685

A linear layer W x becomes W x + B A x, where A (rank, inside) and B (outside, rank) are trained and nothing else
of the network is. B starts at zero, so the network starts as it was; at the end W + B A takes the place of W. The
library peft makes and merges them (`pip install natviews[lora]`).

What a network computes with a layer's weight and not by calling the layer stays as it is: in timm the queries,
keys and values of BEiT, EVA and Swin v2. Their other layers learn.
"""

import copy
import re
from typing import Any

from torch import nn

from natviews.encoders.encoder import Encoder
from natviews.types import NatviewsError


def add_adapters(encoder: Encoder, rank: int) -> None:
    """Gives every linear layer of the backbone an adapter of this rank, and freezes the rest of it.

    Raises NatviewsError without peft, and where the backbone has no linear layer or a batch norm that moves.
    """
    try:
        import peft  # here, since it takes seconds and few need it
    except ImportError:
        raise NatviewsError(
            "training.lora needs the library peft; `pip install 'natviews[lora]'`, or set training.lora to 0."
        ) from None
    name, backbone = encoder.architecture.name, encoder.backbone
    linear = [key for key, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise NatviewsError(
            f"training.lora adapts linear layers and {name} has none; choose a transformer "
            "(--set encoder.name=vit_small_patch16_224), or set training.lora to 0."
        )
    moving = encoder.architecture.batchnorm == "moving"
    if moving and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in backbone.modules()):
        raise NatviewsError(
            f"training.lora keeps {name} as it is, but its batch norm would move; set encoder.batchnorm to frozen."
        )
    # A list of names would match ends of names; W + B A, without a further factor, is alpha = rank.
    names = "|".join(map(re.escape, linear))
    peft.inject_adapter_in_model(peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=names), backbone)


def without_adapters(encoder: Encoder) -> Encoder:
    """A copy in which the adapters are part of the weights, as an encoder has them that never had any.

    The encoder itself where it has no adapters.
    """
    if not _adapted(encoder):
        return encoder
    plain = copy.deepcopy(encoder)
    for name, layer in _adapted(plain).items():
        layer.merge()
        parent, _, own = name.rpartition(".")
        setattr(plain.get_submodule(parent), own, layer.get_base_layer())
    return plain


def _adapted(encoder: Encoder) -> dict[str, Any]:
    """The linear layers with an adapter, by name."""
    return {name: module for name, module in encoder.named_modules() if hasattr(module, "lora_A")}
