"""Two heads on one backbone: which item it is, and what it looks like whatever its colour. After LooC: Xiao et
al., What Should Not Be Contrastive in Contrastive Learning, ICLR 2021. arXiv:2008.05659

    x_1, x_2 <- views of one product, its colours kept;  y_1, y_2 <- views of it, recoloured
    i(v)     <- identify(encode(v));  d(v) <- describe(encode(v))              on the unit sphere
    L_i      = NT-Xent of i(x_1), i(x_2) against other products and against i(y_1), i(y_2) of all,
               the row's own included: another colour is another item
    L_d      = NT-Xent of d(x_1), d(x_2), d(y_1), d(y_2), all four positives of one another
    L        = (L_i + L_d) / 2

Section 3.2, with a product's photos as the views that the paper takes from one image. The features have to keep
the colour for one head and the design for the other, so the closed-form heads that an encoder is saved with find
both (`heads: [identity, design]`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.contrast import infonce, seen_together, share_nearer
from natviews.methods.distributed import gather, gather_views
from natviews.methods.parts import mlp, product, width_of
from natviews.methods.simclr import nt_xent
from natviews.types import NatviewsError


class TwoHeads(Method):
    """Both heads and the temperature are SimCLR's. It takes the four views of the policy `recoloured`."""

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float = 0.1,  # SimCLR's
        hidden: int = 2048,  # SimCLR's
        out: int = 128,  # SimCLR's
    ) -> None:
        super().__init__()
        self.online = encoder
        self.identify = mlp(width_of(encoder), hidden, out)
        self.describe = mlp(width_of(encoder), hidden, out)
        self.tau = temperature

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        if len(views.globals) != 4:
            raise NatviewsError("twoheads needs four global views, two of them recoloured: views: recoloured.")
        features = self.online(torch.cat(views.globals))  # (4B, dim): x_1, x_2, y_1, y_2
        i, d = (F.normalize(head(features).float(), dim=1) for head in (self.identify, self.describe))
        i, d = (torch.cat(gather_views(list(z.chunk(4)))) for z in (i, d))
        products = gather(views.products)
        distractors = None if views.distractors is None else gather(views.distractors)
        L_i, accuracy = self._identity(i, seen_together(products, distractors))
        L_d, design_accuracy = nt_xent(d, products, self.tau, distractors=distractors)
        figures = {"identity": L_i, "design": L_d, "pair_accuracy": accuracy, "design_accuracy": design_accuracy}
        return Loss((L_i + L_d) / 2, figures, i.detach())

    def _identity(self, i: Tensor, barred: Tensor) -> tuple[Tensor, Tensor]:
        x = i[: len(i) // 2]  # (2B, out)
        s = product(x, i.T) / self.tau  # (2B, 4B)
        rows, batch = torch.arange(len(x), device=i.device), len(barred)
        positive = s[rows, rows.roll(batch)][:, None]
        # A row's own recoloured views stay negatives, though they show its product.
        own = torch.eye(batch, dtype=torch.bool, device=i.device)
        recoloured = (barred & ~own).repeat(2, 2)
        negatives = s.masked_fill(torch.cat([barred.repeat(2, 2), recoloured], dim=1), -torch.inf)
        return infonce(positive, negatives).mean(), share_nearer(positive, negatives)
