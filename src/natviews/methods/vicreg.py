"""VICReg: Variance-Invariance-Covariance Regularization. Bardes et al., ICLR 2022. arXiv:2105.04906

    z, z' <- expand(encode(x)), expand(encode(x'))                        (B, D)
    s = mean of (z - z')^2                                                invariance
    v = mean over D of max(0, 1 - standard deviation of z over B)         variance
    c = sum of squared covariances between different dimensions, over D   covariance
    L = 25 s + 25 (v(z) + v(z')) / 2 + c(z) + c(z')

Equations 1 to 6, with the weights of section 4.2; the half before the variance is in the authors' code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.distributed import gather_views
from natviews.methods.parts import mlp, ordered_pairs, product, width_of


class VICReg(Method):
    """An expander of three layers of 8,192, and weights 25, 25 and 1, as in the paper."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        invariance: float = 25.0,  # section 4.2
        variance: float = 25.0,  # section 4.2
        covariance: float = 1.0,  # section 4.2
        hidden: int = 8192,  # section 4.2
        out: int = 8192,  # section 4.2
    ) -> None:
        super().__init__()
        self.online = encoder
        self.expander = mlp(width_of(encoder), hidden, hidden, out)
        self.weights = (invariance, variance, covariance)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = gather_views([self.expander(self.online(x)).float() for x in views.globals])  # (B, D) each
        pairs = [(i, j) for i, j in ordered_pairs(len(z)) if i < j]
        s = torch.stack([F.mse_loss(z[i], z[j]) for i, j in pairs]).mean()
        v = torch.stack([lacking_variance(z_i) for z_i in z]).mean()
        c = torch.stack([covariances(z_i) for z_i in z]).mean() * 2  # two views: their sum; more: as much in all
        total = sum(weight * part for weight, part in zip(self.weights, (s, v, c), strict=True))
        assert isinstance(total, Tensor)
        return Loss(
            total, {"invariance": s, "variance": v, "covariance": c}, F.normalize(torch.cat(z), dim=1).detach()
        )


def lacking_variance(z: Tensor) -> Tensor:
    """How far the standard deviations of the dimensions of z (B, D) stay below 1, in the mean."""
    return F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()


def covariances(z: Tensor) -> Tensor:
    """The squared covariances of different dimensions of z (B, D), summed and divided by D."""
    centred = z - z.mean(dim=0)
    covariance = product(centred.T, centred) / (len(z) - 1)  # (D, D)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]
