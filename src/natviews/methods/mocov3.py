"""MoCo v3: An Empirical Study of Training Self-Supervised Vision Transformers. Chen et al., ICCV 2021.
arXiv:2104.02057

    q_1, q_2 <- predict(project(encode(x_1))), predict(project(encode(x_2)))
    k_1, k_2 <- project_k(encode_k(x_1)), project_k(encode_k(x_2))          no gradient
    ctr(q, k) = 2 tau * cross-entropy of  q k^T / tau  with its diagonal     the batch's other keys are negatives
    L         = ctr(q_1, k_2) + ctr(q_2, k_1)
    encode_k <- m encode_k + (1 - m) encode, m rising to 1 on a cosine

Algorithm 1 of the paper. The patch projection of a vision transformer stays as it is (section 4.2).
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import Against, objective, seen_together, share_nearer
from natviews.methods.distributed import gather
from natviews.methods.parts import cosine, follow, mlp, ordered_pairs, product, teacher_of, width_of


class MoCoV3(Method):
    """Defaults are the official ViT ones; a ResNet takes `temperature: 1.0, layers: 2`, whose predictor does
    not end in a batch norm."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float = 0.2,  # official main_moco.py, ViT
        momentum: float = 0.99,  # official main_moco.py, on a cosine
        hidden: int = 4096,  # official main_moco.py
        out: int = 256,  # official main_moco.py
        layers: int = 3,  # official builder.py, ViT
        freeze_patches: bool = True,  # section 4.2
        against: Against = "infonce",  # the paper is infonce
    ) -> None:
        super().__init__()
        projector = mlp(width_of(encoder), *[hidden] * (layers - 1), out, last_norm=True)
        self.student = nn.Sequential(encoder, projector)
        self.teacher: nn.Sequential = teacher_of(self.student)
        self.predictor = mlp(out, hidden, out, last_norm=layers > 2)
        self.tau, self.m, self.against = temperature, momentum, against
        patches = getattr(getattr(encoder, "backbone", None), "patch_embed", None)
        if freeze_patches and patches is not None:
            patches.requires_grad_(False)

    @property
    def encoder(self) -> nn.Module:
        return self.student[0]

    def loss(self, views: Views, progress: Progress) -> Loss:
        q = [F.normalize(self.predictor(self.student(x)).float(), dim=1) for x in views.globals]  # (B, out)
        with torch.no_grad():
            k = [gather(F.normalize(self.teacher(x).float(), dim=1)) for x in views.globals]
        products = gather(views.products)
        own = views.products[:, None] == products  # (B, all B)
        distractors = None if views.distractors is None else gather(views.distractors)
        barred = seen_together(products, distractors)[own.any(dim=0)]  # (B, all B)
        terms, accuracies = [], []
        for i, j in ordered_pairs(len(q)):
            s = product(q[i], k[j].T) / self.tau
            positive, negatives = s[own].view(-1, 1), s.masked_fill(barred, -torch.inf)
            terms.append(2 * self.tau * objective(self.against, self.tau)(positive, negatives).mean())
            accuracies.append(share_nearer(positive, negatives))
        # Two views: the sum of both directions. More: as much in all.
        total = 2 * torch.stack(terms).mean()
        return Loss(total, {"pair_accuracy": torch.stack(accuracies).mean()}, torch.cat(q).detach())

    def after_step(self, progress: Progress) -> None:
        follow(self.teacher, self.student, cosine(self.m, 1.0, progress.next_fraction))
