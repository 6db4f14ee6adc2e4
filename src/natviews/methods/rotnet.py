"""RotNet: Unsupervised Representation Learning by Predicting Image Rotations. Gidaris et al., ICLR 2018.
arXiv:1803.07728

    x_y <- x turned by y * 90 degrees, y = 0 .. 3       every photo in all four
    p   <- softmax(classify(encode(x_y)))
    L   = mean of - log p[y]

Equations 2 and 3. It looks at photos one by one: natural views only show it more of them.
"""

import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.parts import width_of


class RotNet(Method):
    """A linear classifier of four rotations."""

    pairs = False

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.online = encoder
        self.classifier = nn.Linear(width_of(encoder), 4)

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        x = torch.cat(views.globals)  # (2B, 3, S, S)
        turned = torch.cat([x.rot90(turns, dims=(2, 3)) for turns in range(4)])  # (8B, 3, S, S)
        y = torch.arange(4, device=x.device).repeat_interleave(len(x))
        features = self.online(turned)
        p = self.classifier(features).float()  # (8B, 4)
        accuracy = (p.argmax(dim=1) == y).float().mean()
        vectors = F.normalize(features[: len(x)].detach().float(), dim=1)
        return Loss(F.cross_entropy(p, y), {"accuracy": accuracy}, vectors)
