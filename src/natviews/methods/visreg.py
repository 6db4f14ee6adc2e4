"""VISReg: variance and invariance with a sketched shape. Wu et al., 2026. arXiv:2606.02572

    z_v    <- project(encode(x_v))                               every view, global and local (B, D)
    pred   = mean of (z_v - mean of the global views)^2          equation 8, as LeJEPA's
    centre = mean over D of (mean of z over B)^2                 equation 6
    scale  = mean over D of (1 - deviation of z over B)^2        equation 1
    shape  = mean of (sort(a . z~) - Gaussian quantiles)^2       equation 5, over random directions a, where
             z~ = (z - mean) / stop-gradient(deviation)
    L      = (1 - lambda) pred + lambda (scale + shape + centre)

Algorithm 1. Each regulariser is computed view by view. The scale's gradient does not vanish as vectors collapse,
where that of LeJEPA's SIGReg does. With natural views the mean is that of all photos of the product.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.distributed import gather_views
from natviews.methods.lejepa import invariance
from natviews.methods.parts import by_size, mlp, product, width_of


class VISReg(Method):
    """lambda 0.9, equal parts, 2,048 directions and a projector 2048-2048-256 with GELU, as in the paper, which
    recommends lambda 0.6 where there is little data (table 12)."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        weight: float = 0.9,  # tables 3 and 12
        scale: float = 1.0,  # table 3
        shape: float = 1.0,  # table 3
        centre: float = 1.0,  # table 3
        slices: int = 2048,  # as published
        hidden: int = 2048,  # as published
        out: int = 256,  # as published
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = mlp(width_of(encoder), hidden, hidden, out, activation=nn.GELU)
        self.lambda_, self.slices = weight, slices
        self.parts = (scale, shape, centre)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = torch.cat([self.projector(self.online(x)).float() for x in by_size(views.globals + views.locals)])
        z = torch.stack(gather_views(list(z.split(len(views.products)))))  # (V, B, D), global ones first
        pred = invariance(z, len(views.globals))
        mean, deviation = z.mean(dim=1, keepdim=True), z.std(dim=1, correction=0, keepdim=True)
        directions = F.normalize(torch.randn(z.shape[2], self.slices, device=z.device, dtype=z.dtype), dim=0)
        scale, centre = (1 - deviation).square().mean(), mean.square().mean()
        shape = distance_from_gauss(product((z - mean) / (deviation.detach() + 1e-4), directions))
        a, b, c = self.parts
        total = (1 - self.lambda_) * pred + self.lambda_ * (a * scale + b * shape + c * centre)
        parts = {"invariance": pred, "scale": scale, "shape": shape, "centre": centre}
        return Loss(total, parts, F.normalize(z.flatten(0, 1), dim=1).detach())


def distance_from_gauss(s: Tensor) -> Tensor:
    """The squared Wasserstein distance of s (V, B, slices) over B from N(0, 1), in the mean over all else.

    In one dimension it is that of sorted values from the Gaussian's quantiles at i / (B + 1).
    """
    places = torch.arange(1, s.shape[1] + 1, device=s.device, dtype=torch.float64) / (s.shape[1] + 1)
    quantiles = torch.special.ndtri(places).to(s.dtype)
    return (s.sort(dim=1).values - quantiles[:, None]).square().mean()
