"""SimCLR: A Simple Framework for Contrastive Learning. Chen et al., ICML 2020. arXiv:2002.05709

    z_1 .. z_2B <- project(encode(both views of B products)), on the unit sphere
    s_ij        = z_i . z_j / tau
    l_ij        = - log  exp(s_ij) / sum over k != i of exp(s_ik)
    L           = mean of l over the 2B positive pairs (i, j): the two views of one product

The paper's equation 1 and algorithm 1. Products are unique in a batch, so every other view is a negative.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.parts import mlp, width_of


class SimCLR(Method):
    """Temperature 0.1 and a two-layer projection to 128, as in the paper's section 4 and appendix B."""

    def __init__(
        self, encoder: nn.Module, *, temperature: float = 0.1, hidden: int = 2048, out: int = 128
    ) -> None:
        super().__init__()
        self.online = encoder
        self.projector = mlp(width_of(encoder), hidden, out)
        self.temperature = temperature

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        z = F.normalize(self.projector(self.online(torch.cat(views.globals))).float(), dim=1)  # (2B, out)
        loss, accuracy = nt_xent(z, self.temperature)
        return Loss(loss, {"pair_accuracy": accuracy})


def nt_xent(z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The normalised temperature-scaled cross-entropy of unit vectors (2B, D); row i pairs with i + B.

    Also returns the share of rows whose partner is their nearest.
    """
    s = z @ z.T / temperature  # (2B, 2B)
    s.fill_diagonal_(-torch.inf)  # k != i
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return F.cross_entropy(s, partner), (s.argmax(dim=1) == partner).float().mean()
