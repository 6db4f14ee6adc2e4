"""MAE: Masked Autoencoders Are Scalable Vision Learners. He et al., CVPR 2022. arXiv:2111.06377

    patches <- the photo, cut; three quarters of them hidden at random
    z       <- encode(visible patches with their positions)         the hidden ones are never computed
    y       <- decode(z, and a mask token with its position for every hidden patch)
    L       = mean of (y - pixels)^2 over hidden patches

Section 3. It looks at photos one by one: natural views only show it more of them.
"""

import torch
from timm.layers import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import Tensor, nn
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


class MAE(Method):
    """Three quarters hidden and a decoder of 8 blocks of 512, 16 heads, as in the paper.

    `normalise` compares with the pixels of each patch less their mean, by their deviation (table 1d).
    """

    pairs = False

    def __init__(
        self,
        encoder: nn.Module,
        *,
        hidden: float = 0.75,  # section 4.1, figure 5
        decoder: int = 512,  # table 1b
        blocks: int = 8,  # table 1a
        heads: int = 16,  # official models_mae.py
        normalise: bool = True,  # table 1d
    ) -> None:
        super().__init__()
        self.online = encoder
        vit = transformer_of(encoder, "MAE")
        self.side, self.prefix, self.hidden, self.normalise = (
            patch_side(vit),
            vit.num_prefix_tokens,
            hidden,
            normalise,
        )
        self.into = nn.Linear(vit.embed_dim, decoder)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder))
        self.decoder = nn.Sequential(*(Block(decoder, heads, qkv_bias=True) for _ in range(blocks)))
        self.out = nn.Sequential(nn.LayerNorm(decoder), nn.Linear(decoder, self.side**2 * 3))
        nn.init.normal_(self.mask_token, std=0.02)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        vit, prefix, x = transformer_of(self.online, "MAE"), self.prefix, torch.cat(views.globals)
        tokens = with_positions(vit, embedded(vit, x))  # (B, prefix + N, D)
        count = tokens.shape[1] - prefix
        hidden = hidden_at_random(len(x), count, self.hidden, x.device)  # (B, N)
        shown = hidden.int().argsort(dim=1, stable=True)[:, : count - int(hidden[0].sum())]  # their places
        visible = tokens[:, prefix:].gather(1, shown[..., None].expand(-1, -1, tokens.shape[2]))
        z = through_blocks(vit, torch.cat([tokens[:, :prefix], visible], dim=1))
        y = self._decode(z, shown, count).float()  # (B, N, p * p * 3)
        target = patches_of(x.float(), self.side)
        if self.normalise:
            target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        error = (y - target).square().mean(dim=-1)
        vectors = F.normalize(z[:, prefix:].mean(dim=1).detach().float(), dim=1)
        return Loss((error * hidden).sum() / hidden.sum(), {}, vectors)

    def _decode(self, z: Tensor, shown: Tensor, count: int) -> Tensor:
        """Pixels (B, N, p * p * 3) from what was seen: z (B, prefix + visible, D) at the places `shown`."""
        z, prefix = self.into(z), self.prefix
        everywhere = self.mask_token.to(z.dtype).expand(len(z), count, -1)
        everywhere = everywhere.scatter(1, shown[..., None].expand(-1, -1, z.shape[2]), z[:, prefix:])
        grid = [round(count**0.5)] * 2
        positions = build_sincos2d_pos_embed(grid, z.shape[2], device=z.device, dtype=z.dtype)  # (N, decoder)
        decoded = self.decoder(torch.cat([z[:, :prefix], everywhere + positions], dim=1))
        return self.out(decoded[:, prefix:])
