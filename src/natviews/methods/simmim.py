"""SimMIM: A Simple Framework for Masked Image Modeling. Xie et al., CVPR 2022. arXiv:2111.09886

    M <- six tenths of the photo's squares of 32 px, at random
    z <- encode(patches, those in M replaced by a mask token)     all of them, with their positions
    y <- linear(z)                                                the pixels of every patch
    L = mean of |y - pixels| over M

Section 3. It looks at photos one by one: natural views only show it more of them.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.tokens import (
    embedded,
    hidden_at_random,
    patch_side,
    patches_of,
    through_blocks,
    transformer_of,
    with_positions,
)
from natviews.types import NatviewsError


class SimMIM(Method):
    """Six tenths of the squares of 32 px hidden, as in the paper. `square` is a multiple of the patch's side."""

    pairs = False

    def __init__(
        self,
        encoder: nn.Module,
        *,
        hidden: float = 0.6,  # official config.py
        square: int = 32,  # official config.py
    ) -> None:
        super().__init__()
        self.online = encoder
        vit = transformer_of(encoder, "SimMIM")
        self.side, self.square, self.hidden = patch_side(vit), square, hidden
        if square % self.side:
            raise NatviewsError(f"SimMIM: square {square} is not a multiple of the patch's side, {self.side} px.")
        self.mask_token = nn.Parameter(torch.zeros(vit.embed_dim))
        self.out = nn.Linear(vit.embed_dim, self.side**2 * 3)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        vit, x = transformer_of(self.online, "SimMIM"), torch.cat(views.globals)  # (B, 3, S, S)
        squares = x.shape[-1] // self.square
        patches = embedded(vit, x)  # (B, h, w, D)
        M = hidden_at_random(len(x), squares**2, self.hidden, x.device).view(-1, squares, squares)
        times = self.square // self.side
        M = M.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)  # (B, h, w)
        patches = torch.where(M[..., None], self.mask_token.to(patches.dtype), patches)
        z = through_blocks(vit, with_positions(vit, patches))[:, vit.num_prefix_tokens :]
        error = (self.out(z).float() - patches_of(x.float(), self.side)).abs().mean(dim=-1)  # (B, N)
        hidden = M.flatten(1)
        vectors = F.normalize(z.mean(dim=1).detach().float(), dim=1)
        return Loss((error * hidden).sum() / hidden.sum(), {}, vectors)
