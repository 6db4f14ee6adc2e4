"""What contrastive methods share: what a positive and its negatives amount to, who is no negative, the queue.

`contrastive_loss` is the loss as the glossary of self-supervised learning gives it. It contrasts in one direction
and across views only, so a row has B - 1 negatives; SimCLR's NT-Xent (`natviews.methods.simclr`) contrasts in
both directions and within views, 2B - 2. Among the same negatives the two are equal: NT-Xent with each view's
own side left out is the mean of `contrastive_loss(f1, f2)` and `contrastive_loss(f2, f1)`.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Views
from natviews.methods.distributed import gather
from natviews.methods.parts import product

NOBODY = -1
"""The product number that stands for none."""
Against = Literal["infonce", "decoupled", "debiased", "rince"]


def contrastive_loss(f1: Tensor, f2: Tensor, temperature: float = 0.5) -> Tensor:
    """The glossary's loss of two views' features (B, D): row i of one belongs to row i of the other."""
    z1, z2 = F.normalize(f1, dim=1), F.normalize(f2, dim=1)
    similarities = product(z1, z2.T) / temperature  # (B, B)
    return F.cross_entropy(similarities, torch.arange(len(z1), device=z1.device))


def infonce(positive: Tensor, negatives: Tensor) -> Tensor:
    """- log exp(p) / (exp(p) + sum exp(n)). Van den Oord et al., arXiv:1807.03748, equation 4."""
    return torch.logaddexp(positive, negatives.logsumexp(dim=1, keepdim=True)) - positive


def decoupled(positive: Tensor, negatives: Tensor) -> Tensor:
    """InfoNCE without the positive in the denominator: small batches learn faster.

    Yeh et al., "Decoupled Contrastive Learning", ECCV 2022, equation 6. arXiv:2110.06848
    """
    return negatives.logsumexp(dim=1, keepdim=True) - positive


def debiased(positive: Tensor, negatives: Tensor, *, prior: float = 0.1, least: float = 1.0) -> Tensor:
    """InfoNCE that expects a share `prior` of the negatives to be of the row's own kind.

    The negatives' mean is corrected by what that share would score, and not below exp(-`least`), the least it
    can be: 1 / temperature. Chuang et al., "Debiased Contrastive Learning", NeurIPS 2020, equation 8.
    arXiv:2007.00224
    """
    count = torch.isfinite(negatives).sum(dim=1, keepdim=True)
    mean = negatives.logsumexp(dim=1, keepdim=True).exp() / count
    corrected = ((mean - prior * positive.exp()) / (1 - prior)).clamp_min(math.exp(-least))
    return torch.logaddexp(positive, (count * corrected).log()) - positive


def rince(positive: Tensor, negatives: Tensor, *, q: float = 0.5, balance: float = 0.025) -> Tensor:
    """Robust InfoNCE, for positives that may be wrong: q -> 0 is InfoNCE, q = 1 a symmetric loss.

    Chuang et al., "Robust Contrastive Learning against Noisy Views", CVPR 2022, equation 4. arXiv:2201.04309
    """
    everything = math.log(balance) + torch.logaddexp(positive, negatives.logsumexp(dim=1, keepdim=True))
    return ((q * everything).exp() - (q * positive).exp()) / q


def objective(name: Against, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss (R, P) of positives (R, P) against negatives (R, M), both similarities over the temperature.

    A negative of minus infinity is none.
    """
    if name == "debiased":
        return lambda positive, negatives: debiased(positive, negatives, least=1 / temperature)
    return {"infonce": infonce, "decoupled": decoupled, "rince": rince}[name]


def no_negatives(products: Tensor, distractors: Tensor | None, others: Tensor) -> Tensor:
    """(B, M): where one of `others` (M,) is the row's product (B,), or is seen beside it (B, N) in a collage."""
    barred = products[:, None] == others
    if distractors is not None:
        barred = barred | (distractors[:, :, None] == others).any(dim=1)
    return barred & (others != NOBODY)


def seen_together(products: Tensor, distractors: Tensor | None) -> Tensor:
    """(B, B): where two rows show the same product (B,), or one's collage (B, N) shows the other's."""
    barred = no_negatives(products, distractors, products)
    return barred | barred.T


def share_nearer(positive: Tensor, negatives: Tensor) -> Tensor:
    """The share of rows whose first positive (R, P) is nearer than all negatives (R, M)."""
    return (positive[:, 0] > negatives.amax(dim=1)).float().mean()


class Queue(nn.Module):
    """The last `length` keys, unit vectors (length, D), with the products they show. It begins random.

    The product of a key is kept so that later photos of it do not meet it as a negative. He et al., CVPR 2020,
    section 3.2, know images only. It is part of the state: a resumed run goes on with the same negatives.
    """

    keys: Tensor
    products: Tensor
    place: Tensor

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("products", torch.full((length,), NOBODY))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def similarities(self, q: Tensor, views: Views) -> Tensor:
        """(B, length): cosines of queries q (B, D) with the keys, minus infinity where a key is no negative."""
        barred = no_negatives(views.products, views.distractors, self.products)
        keys = self.keys.clone()  # by the time gradients are taken others have been pushed
        return product(q, keys.T).masked_fill(barred, -torch.inf)

    @torch.no_grad()
    def push(self, keys: Tensor, products: Tensor) -> None:
        """Puts the keys (B, D) of all processes in the place of the oldest ones."""
        keys, products = gather(keys)[-len(self.keys) :], gather(products)[-len(self.keys) :]
        places = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.keys)
        self.keys[places] = keys.to(self.keys.dtype)
        self.products[places] = products
        self.place.copy_((self.place + len(keys)) % len(self.keys))
