"""LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics. Balestriero and LeCun, 2025.
arXiv:2511.08544

    z_v    <- project(encode(x_v))                                  every view, global and local (B, D)
    mu     = mean of z_v over the global views
    pred   = mean of (z_v - mu)^2 over all views
    SIGReg = mean over random directions a of  B * integral of |phi_B(t) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt
             where phi_B(t) = mean over the batch of exp(i t a . z): Epps and Pulley's test of normality
    L      = (1 - lambda) pred + lambda mean over views of SIGReg

Sections 4 and 5. No teacher, no stop-gradient, no schedule: vectors that follow an isotropic Gaussian cannot
collapse. With natural views mu is the mean of all photos of the product.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.distributed import gather_views
from natviews.methods.parts import by_size, mlp, product, width_of


class LeJEPA(Method):
    """lambda 0.05, 1,024 directions and 17 knots up to t = 3, as in the authors' README."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        weight: float = 0.05,  # authors' README
        slices: int = 1024,  # authors' README
        knots: int = 17,  # authors' README
        reach: float = 3.0,  # authors' code
        hidden: int = 2048,  # ours
        out: int = 128,  # ours
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = mlp(width_of(encoder), hidden, hidden, out)
        self.lambda_, self.slices, self.knots, self.reach = weight, slices, knots, reach

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = torch.cat([self.projector(self.online(x)).float() for x in by_size(views.globals + views.locals)])
        z = torch.stack(gather_views(list(z.split(len(views.products)))))  # (V, B, D), global ones first
        pred = invariance(z, len(views.globals))
        directions = F.normalize(torch.randn(z.shape[2], self.slices, device=z.device, dtype=z.dtype), dim=0)
        sigreg = normality(product(z, directions), self.knots, self.reach)
        total = (1 - self.lambda_) * pred + self.lambda_ * sigreg
        return Loss(total, {"invariance": pred, "sigreg": sigreg}, F.normalize(z.flatten(0, 1), dim=1).detach())


def invariance(z: Tensor, globals: int) -> Tensor:
    """The mean squared distance of all views z (V, B, D) from the mean of the first `globals` ones."""
    return (z - z[:globals].mean(dim=0)).square().mean()


def normality(s: Tensor, knots: int, reach: float) -> Tensor:
    """Epps and Pulley's statistic of s (V, B, slices) over B against N(0, 1), in the mean over all else.

    The integrand is even in t: the trapezoids from 0 to `reach` count twice.
    """
    t = torch.linspace(0, reach, knots, device=s.device, dtype=s.dtype)
    gauss = torch.exp(-t.square() / 2)
    real, imaginary = (part.mean(dim=1) for part in ((s[..., None] * t).cos(), (s[..., None] * t).sin()))
    distance = (real - gauss).square() + imaginary.square()  # (V, slices, knots)
    return s.shape[1] * 2 * torch.trapezoid(distance * gauss, t, dim=-1).mean()
