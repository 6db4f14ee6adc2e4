"""MoCo v2: Improved Baselines with Momentum Contrastive Learning. Chen et al., 2020. arXiv:2003.04297

    q   <- project(encode(x_1))                 the query, on the unit sphere
    k+  <- project_k(encode_k(x_2))             its key, by the slowly moving encoder, no gradient
    L   = - log  exp(q . k+ / tau) / (exp(q . k+ / tau) + sum over the queue of exp(q . k / tau))
    encode_k <- m encode_k + (1 - m) encode
    queue    <- the batch's keys in, the oldest out

Momentum contrast is algorithm 1 of He et al., CVPR 2020 (arXiv:1911.05722); version 2 adds the two-layer head
and tau 0.2. Keys in the queue that show the query's own product, or one that its collage shows, are no negatives:
in a catalogue of N photos with m of each product, K m / N of the queue's K keys are.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import Against, Queue, objective, share_nearer
from natviews.methods.parts import follow, in_groups, mlp, teacher_of, width_of


class MoCoV2(Method):
    """Defaults are the official ones. `queue` should be at most a tenth of the photos (65,536 is ImageNet's).

    `groups` parts of the batch are normalised by themselves, shuffled for the keys, so that batch norm does
    not tell which key is the query's. A network without moving batch norm needs none: set it to 1.
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float = 0.2,  # section 3; official README
        momentum: float = 0.999,  # official main_moco.py
        queue: int = 65536,  # official main_moco.py
        hidden: int = 2048,  # section 3: 2,048 units
        out: int = 128,  # official main_moco.py
        groups: int = 8,  # the paper has one per GPU, on 8
        against: Against = "infonce",  # the paper is infonce
    ) -> None:
        super().__init__()
        self.student = nn.Sequential(encoder, mlp(width_of(encoder), hidden, out, norm=False))
        self.teacher: nn.Sequential = teacher_of(self.student)
        self.queue = Queue(queue, out)
        self.tau, self.m, self.groups, self.against = temperature, momentum, groups, against

    @property
    def encoder(self) -> nn.Module:
        return self.student[0]

    def loss(self, views: Views, progress: Progress) -> Loss:
        x_1, *others = views.globals
        q = F.normalize(in_groups(self.student, x_1, self.groups, shuffled=False).float(), dim=1)  # (B, out)
        with torch.no_grad():
            keys = [in_groups(self.teacher, x, self.groups, shuffled=True).float() for x in others]
            keys = [F.normalize(k, dim=1) for k in keys]
        positive = torch.stack([(q * k).sum(dim=1) for k in keys], dim=1) / self.tau  # (B, V - 1)
        negatives = self.queue.similarities(q, views) / self.tau  # (B, K)
        loss = objective(self.against, self.tau)(positive, negatives).mean()
        if self.training:
            for k in keys:
                self.queue.push(k, views.products)
        return Loss(loss, {"pair_accuracy": share_nearer(positive, negatives)}, q.detach())

    def after_step(self, progress: Progress) -> None:
        follow(self.teacher, self.student, self.m)
