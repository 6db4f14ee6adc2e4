"""The supervised siamese baseline: Dimensionality Reduction by Learning an Invariant Mapping. Hadsell, Chopra and
LeCun, CVPR 2006. doi:10.1109/CVPR.2006.100

    g_1, g_2 <- project(encode(x_1)), project(encode(x_2))      one network for both photos
    D        = |g_1 / |g_1| - g_2 / |g_2||
    L(pair)  = D^2 / 2                    of the same item
             = max(0, m - D)^2 / 2        of different ones
    L        = mean over the batch's pairs of the same item and as many pairs of different ones

Equation 4, of vectors of length 1, as photos are compared afterwards: a margin of 1 is an angle of 60 degrees. Of
vectors as long as a fresh network makes them all negatives are beyond it, and the pairs of the same item draw
everything into one point (docs/studies/methods.md). It is what marketplaces train on labelled pairs. Its negatives
are drawn at random, as there: how many are already beyond the margin, and teach nothing, is logged as
`easy_negatives`.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import seen_together
from natviews.methods.parts import width_of


class Siamese(Method):
    """A linear map to `out` dimensions and a margin of 1, of distances from 0 to 2."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        margin: float = 1.0,  # unit margin; the paper leaves it open
        out: int = 128,  # ours
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = nn.Linear(width_of(encoder), out)
        self.m = margin

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        projected = self.projector(self.online(torch.cat(views.globals[:2]))).float()
        g_1, g_2 = F.normalize(projected, dim=1).chunk(2)  # (B, out)
        # Another product for every row: a turn by 1 to B - 1 places.
        turn = int(torch.randint(1, len(g_1), ()))
        rows = torch.arange(len(g_1), device=g_1.device)
        barred = seen_together(views.products, views.distractors)[rows, rows.roll(turn)]
        same = F.pairwise_distance(g_1, g_2)
        apart = F.pairwise_distance(g_1, g_2.roll(turn, dims=0))
        positives, negatives = same.square() / 2, (F.relu(self.m - apart).square() / 2)[~barred]
        total = torch.cat([positives, negatives]).mean()
        easy = (apart > self.m).float().mean()
        figures = {"easy_negatives": easy, "distance_apart": apart.mean(), "distance_same": same.mean()}
        return Loss(total, figures, torch.cat([g_1, g_2]).detach())
