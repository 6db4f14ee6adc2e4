"""BYOL: Bootstrap Your Own Latent. Grill et al., NeurIPS 2020. arXiv:2006.07733

    q(v), q(w) <- predict(project(encode(v))), predict(project(encode(w)))  the student
    z(v), z(w) <- project(encode(v)), project(encode(w))                    the teacher, no gradient
    L          = |q(v) - z(w)|^2 + |q(w) - z(v)|^2                          on unit vectors
    teacher    <- tau teacher + (1 - tau) student, tau rising to 1 on a cosine

Equations 1 to 3 and algorithm 1; the schedule of tau is appendix J's. No negatives: what keeps it from collapse
is the predictor and the slow teacher.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.parts import cosine, follow, mlp, ordered_pairs, teacher_of, width_of


class BYOL(Method):
    """Heads of 4,096 and 256 units and tau from 0.996, as in the paper's 1,000 epochs; 0.99 for 300 and
    0.97 for 40."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        momentum: float = 0.996,  # official configs/byol.py
        hidden: int = 4096,  # official configs/byol.py
        out: int = 256,  # official configs/byol.py
    ) -> None:
        super().__init__()
        self.student = nn.Sequential(encoder, mlp(width_of(encoder), hidden, out))
        self.teacher: nn.Sequential = teacher_of(self.student)
        self.predictor = mlp(out, hidden, out)
        self.tau = momentum

    @property
    def encoder(self) -> nn.Module:
        return self.student[0]

    def loss(self, views: Views, progress: Progress) -> Loss:
        q = [F.normalize(self.predictor(self.student(x)).float(), dim=1) for x in views.globals]  # (B, out)
        with torch.no_grad():
            z = [F.normalize(self.teacher(x).float(), dim=1) for x in views.globals]
        cosines = torch.stack([(q[i] * z[j]).sum(dim=1).mean() for i, j in ordered_pairs(len(q))])
        # |q - z|^2 = 2 - 2 q . z on unit vectors. Two views: the sum of both directions. More: as much in all.
        return Loss(2 * (2 - 2 * cosines.mean()), {"pair_cosine": cosines.mean()}, torch.cat(q).detach())

    def after_step(self, progress: Progress) -> None:
        follow(self.teacher, self.student, cosine(self.tau, 1.0, progress.fraction))
