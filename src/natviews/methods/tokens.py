"""A vision transformer, step by step: what masked image modelling needs of one.

The backbone is timm's `VisionTransformer`; another is refused when the method is built.
"""

import math
from typing import Any

import torch
from timm.models import VisionTransformer
from torch import Tensor, nn

from natviews.types import NatviewsError


def transformer_of(encoder: nn.Module, method: str) -> VisionTransformer:
    """The encoder's vision transformer. Raises NatviewsError where it has none."""
    backbone = getattr(encoder, "backbone", encoder)
    if not isinstance(backbone, VisionTransformer):
        raise NatviewsError(
            f"{method} hides patches from a vision transformer; {type(backbone).__name__} is none. "
            "Choose one with --set encoder.name=vit_small_patch16_224."
        )
    return backbone


def patch_side(vit: VisionTransformer) -> int:
    """The side of a patch in px."""
    height, width = vit.patch_embed.patch_size
    if height != width:
        raise NatviewsError(f"Patches must be square, not {height} x {width} px.")
    return int(height)


def embedded(vit: VisionTransformer, x: Tensor) -> Tensor:
    """Photos (B, 3, S, S) -> patches (B, S / p, S / p, D), before positions are added."""
    tokens: Any = vit.patch_embed(x)
    side = x.shape[-1] // patch_side(vit)
    return tokens.view(len(x), side, side, -1)


def with_positions(vit: VisionTransformer, patches: Tensor) -> Tensor:
    """(B, h, w, D) -> (B, prefix + h w, D): class and register tokens in front, positions added."""
    return vit._pos_embed(patches if vit.dynamic_img_size else patches.flatten(1, 2))


def through_blocks(vit: VisionTransformer, tokens: Tensor) -> Tensor:
    """(B, N, D) -> (B, N, D), normalised as at the end of the network."""
    tokens = vit.norm_pre(tokens)
    for block in vit.blocks:
        tokens = block(tokens)
    return vit.norm(tokens)


def patches_of(x: Tensor, side: int) -> Tensor:
    """(B, 3, S, S) -> (B, (S / side)^2, side * side * 3): the pixels of every patch, row by row."""
    batch, channels, height, width = x.shape
    cut = x.view(batch, channels, height // side, side, width // side, side)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, side * side * channels)


def hidden_at_random(batch: int, count: int, ratio: float, device: torch.device) -> Tensor:
    """(B, count) bool: in every row a share `ratio` is true, rounded up, each choice as likely as another."""
    hidden = math.ceil(round(count * ratio, 6))  # 0.6 of 25 is 15, not 15.000000000000002
    ranks = torch.rand(batch, count, device=device).argsort(dim=1).argsort(dim=1)
    return ranks < hidden
