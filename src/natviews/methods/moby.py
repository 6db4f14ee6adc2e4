"""MoBY: Self-Supervised Learning with Swin Transformers. Xie et al., 2021. arXiv:2105.04553

    q_1, q_2 <- predict(project(encode(x_1))), predict(project(encode(x_2)))
    k_1, k_2 <- project_k(encode_k(x_1)), project_k(encode_k(x_2))          no gradient
    L        = InfoNCE(q_1; k_2, queue_2) + InfoNCE(q_2; k_1, queue_1)       MoCo's loss, BYOL's wiring
    queue_1  <- k_1 in, the oldest out;  queue_2 <- k_2
    encode_k <- m encode_k + (1 - m) encode, m rising to 1 on a cosine

Section 3 and figure 1. Paths are dropped in the online encoder alone (table 5): give them to the encoder,
`options: {drop_path_rate: 0.2}`; a teacher drops nothing. It is the method of Mercari's natural views. As in
MoCo v2, a product's own keys in a queue are no negatives for it.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import Against, Queue, objective, share_nearer
from natviews.methods.parts import cosine, follow, mlp, ordered_pairs, teacher_of, width_of


class MoBY(Method):
    """Defaults are the official ones. `queue`, the length of each, should be at most a tenth of the photos."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float = 0.2,  # official configs/moby_swin_tiny.yaml
        momentum: float = 0.99,  # official, on a cosine
        queue: int = 4096,  # official configs/moby_swin_tiny.yaml
        hidden: int = 4096,  # official models/moby.py
        out: int = 256,  # official models/moby.py
        against: Against = "infonce",  # the paper is infonce
    ) -> None:
        super().__init__()
        self.student = nn.Sequential(encoder, mlp(width_of(encoder), hidden, out))
        self.teacher: nn.Sequential = teacher_of(self.student)
        self.predictor = mlp(out, hidden, out)
        self.queue_1, self.queue_2 = Queue(queue, out), Queue(queue, out)
        self.tau, self.m, self.against = temperature, momentum, against

    @property
    def encoder(self) -> nn.Module:
        return self.student[0]

    def loss(self, views: Views, progress: Progress) -> Loss:
        q = [F.normalize(self.predictor(self.student(x)).float(), dim=1) for x in views.globals]  # (B, out)
        with torch.no_grad():
            k = [F.normalize(self.teacher(x).float(), dim=1) for x in views.globals]
        queues = (self.queue_1, self.queue_2)  # further views take turns
        terms, accuracies = [], []
        for i, j in ordered_pairs(len(q)):
            positive = (q[i] * k[j]).sum(dim=1, keepdim=True) / self.tau
            negatives = queues[j % 2].similarities(q[i], views) / self.tau  # (B, K)
            terms.append(objective(self.against, self.tau)(positive, negatives).mean())
            accuracies.append(share_nearer(positive, negatives))
        if self.training:
            for j, keys in enumerate(k):
                queues[j % 2].push(keys, views.products)
        # Two views: the sum of both directions. More: as much in all.
        total = 2 * torch.stack(terms).mean()
        return Loss(total, {"pair_accuracy": torch.stack(accuracies).mean()}, torch.cat(q).detach())

    def after_step(self, progress: Progress) -> None:
        follow(self.teacher, self.student, cosine(self.m, 1.0, progress.next_fraction))
