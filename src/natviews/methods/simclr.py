"""SimCLR: A Simple Framework for Contrastive Learning. Chen et al., ICML 2020. arXiv:2002.05709

    z_1 .. z_2B <- project(encode(both views of B products)), on the unit sphere
    s_ij        = z_i . z_j / tau
    l_ij        = - log  exp(s_ij) / (exp(s_ij) + sum over negatives k of exp(s_ik))
    L           = mean of l over the 2B positive pairs (i, j): two views of one product

The paper's equation 1 and algorithm 1. Negatives are all views of other products, except those that a collage
shows beside one another. With more than two views each further one is another positive.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import Against, objective, seen_together, share_nearer
from natviews.methods.distributed import gather, gather_views
from natviews.methods.parts import mlp, product, width_of


class SimCLR(Method):
    """Temperature 0.1 and a two-layer projection to 128, as in the paper's section 4 and appendix B.

    `against` may be `decoupled` (small batches), `debiased` (negatives may be wrong) or `rince` (positives
    may be wrong): see `natviews.methods.contrast`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float = 0.1,  # official run.py
        hidden: int = 2048,  # ResNet-50's width
        out: int = 128,  # official run.py
        against: Against = "infonce",  # the paper is infonce
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = mlp(width_of(encoder), hidden, out)
        self.tau, self.against = temperature, against

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = F.normalize(self.projector(self.online(torch.cat(views.globals))).float(), dim=1)
        z = torch.cat(gather_views(list(z.chunk(len(views.globals)))))  # (2B, out), view by view
        distractors = None if views.distractors is None else gather(views.distractors)
        loss, accuracy = nt_xent(z, gather(views.products), self.tau, self.against, distractors)
        return Loss(loss, {"pair_accuracy": accuracy}, z.detach())


def nt_xent(
    z: Tensor,
    products: Tensor,
    temperature: float,
    against: Against = "infonce",
    distractors: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The normalised temperature-scaled cross-entropy of unit vectors z (VB, D): view 1 of B products, view 2...

    `products` (B,) and `distractors` (B, N) say who is no negative. Also returns the share of rows whose
    partner in the next view is nearer than all negatives.
    """
    rows, batch = len(z), len(products)
    s = product(z, z.T) / temperature  # (VB, VB)
    own = torch.arange(rows, device=z.device)
    partners = torch.stack([own.roll(-batch * k) for k in range(1, rows // batch)], dim=1)  # (VB, V - 1)
    barred = seen_together(products, distractors).repeat(rows // batch, rows // batch)  # (VB, VB)
    positive, negatives = s.gather(1, partners), s.masked_fill(barred, -torch.inf)
    return objective(against, temperature)(positive, negatives).mean(), share_nearer(positive, negatives)
