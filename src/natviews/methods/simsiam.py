"""SimSiam: Exploring Simple Siamese Representation Learning. Chen and He, CVPR 2021. arXiv:2011.10566

    z_1, z_2 <- project(encode(x_1)), project(encode(x_2))
    p_1, p_2 <- predict(z_1), predict(z_2)
    D(p, z)  = - p . stop-gradient(z)                       on unit vectors
    L        = D(p_1, z_2) / 2 + D(p_2, z_1) / 2

Algorithm 1. Neither negatives nor a teacher: the stop-gradient alone keeps it from collapse. The predictor's
learning rate does not fall (section 4.2).
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.parts import mlp, ordered_pairs, width_of


class SimSiam(Method):
    """A three-layer projector of 2,048 units and a predictor that narrows to 512, as in the paper's section 3."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        hidden: int = 2048,  # section 3
        out: int = 2048,  # section 3
        bottleneck: int = 512,  # section 3
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = mlp(width_of(encoder), hidden, hidden, out, last_norm=True)
        self.predictor = mlp(out, bottleneck, out)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    @property
    def constant_rate(self) -> nn.Module:
        return self.predictor

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = [self.projector(self.online(x)).float() for x in views.globals]  # (B, out)
        p = [F.normalize(self.predictor(z_i).float(), dim=1) for z_i in z]
        z = [F.normalize(z_i.detach(), dim=1) for z_i in z]
        D = torch.stack([-(p[i] * z[j]).sum(dim=1).mean() for i, j in ordered_pairs(len(p))])
        return Loss(D.mean(), {"pair_cosine": -D.mean().detach()}, torch.cat(z))
