"""DINO: Emerging Properties in Self-Supervised Vision Transformers. Caron et al., ICCV 2021. arXiv:2104.14294

    x_1, x_2 <- global views;  y_1 .. y_c <- local views
    P_s(v)   = softmax(g_s(v) / tau_s)                the student sees every view
    P_t(x)   = softmax((g_t(x) - C) / tau_t)          the teacher sees the global views only, no gradient
    L        = mean of - P_t(x) . log P_s(v) over all pairs (x, v) of different views
    g_t      <- m g_t + (1 - m) g_s, m rising to 1 on a cosine
    C        <- c C + (1 - c) mean of g_t             centring; it starts at zero

Algorithm 1 of the paper. The last layer keeps still for the first epoch and gradients are clipped parameter
by parameter, as in the official recipe.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.distributed import mean_everywhere
from natviews.methods.parts import by_size, cosine, entropy, follow, linear, mlp, teacher_of, width_of
from natviews.types import NatviewsError


class DINO(Method):
    """Defaults are the official ViT-S/16 ones; `prototypes` should shrink with the data (65,536 is ImageNet's).

    `literal` reads equation 5 of SkiLL (Verma et al.) to the letter: global views x teach local ones y alone, so
    that x' and x" of a product never meet.
    """

    centre: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        *,
        prototypes: int = 65536,  # official main_dino.py
        literal: bool = False,  # SkiLL, equation 5
        hidden: int = 2048,  # official vision_transformer.py
        bottleneck: int = 256,  # official vision_transformer.py
        norm: bool = False,  # official main_dino.py, use_bn_in_head: batch norm between the head's layers
        student_temperature: float = 0.1,  # official main_dino.py
        teacher_temperature: float = 0.04,  # official main_dino.py; 0.07 at most
        warmup_teacher_temperature: float = 0.04,  # official main_dino.py
        warmup_teacher_epochs: float = 0,  # official main_dino.py; 30 for 0.07
        momentum: float = 0.996,  # official main_dino.py; 0.9995 for batches of 256
        centre_momentum: float = 0.9,  # official main_dino.py
        clip: float = 3.0,  # official main_dino.py, each parameter by itself
        freeze_last_layer_epochs: float = 1,  # official main_dino.py
    ) -> None:
        super().__init__()
        self.student = nn.Sequential(
            encoder, PrototypeHead(width_of(encoder), hidden, bottleneck, prototypes, norm)
        )
        self.teacher: nn.Sequential = teacher_of(self.student)
        self.register_buffer("centre", torch.zeros(prototypes))
        self.literal = literal
        self.tau_s, self.tau_t = student_temperature, teacher_temperature
        self.tau_t_start, self.tau_t_epochs = warmup_teacher_temperature, warmup_teacher_epochs
        self.m, self.c, self.clip, self.freeze = momentum, centre_momentum, clip, freeze_last_layer_epochs

    @property
    def encoder(self) -> nn.Module:
        return self.teacher[0]

    @property
    def trained(self) -> nn.Module:
        return self.student[0]

    def loss(self, views: Views, progress: Progress) -> Loss:
        tau_t = self.tau_t
        if progress.epoch < self.tau_t_epochs:
            tau_t = linear(self.tau_t_start, self.tau_t, progress.epoch / self.tau_t_epochs)
        with torch.no_grad():
            g_t = self.teacher(torch.cat(views.globals)).float()  # (2B, K)
            P_t = F.softmax((g_t - self.centre) / tau_t, dim=1)
        if self.literal and not views.locals:
            raise NatviewsError("dino: literal needs local views; give the views some (views.locals).")
        # Views in the order given: global ones first, each (B, K).
        features = torch.cat([self.student[0](crops) for crops in by_size(views.globals + views.locals)])
        g_s = self.student[1](features).float()
        log_P_s = F.log_softmax(g_s / self.tau_s, dim=1).split(len(views.products))
        pairs = [
            -(x * v).sum(dim=1).mean()
            for i, x in enumerate(P_t.split(len(views.products)))
            for j, v in enumerate(log_P_s)
            if i != j and not (self.literal and j < len(views.globals))
        ]
        self._move_centre(g_t)
        figures = {"teacher_entropy": entropy(P_t).mean(), "prototypes_entropy": entropy(P_t.mean(dim=0))}
        vectors = F.normalize(features[: len(views.products)].detach().float(), dim=1)
        return Loss(torch.stack(pairs).mean(), figures, vectors)

    @torch.no_grad()
    def _move_centre(self, g_t: Tensor) -> None:
        if self.training:
            self.centre.lerp_(mean_everywhere(g_t.mean(dim=0)), 1 - self.c)

    def before_step(self, progress: Progress) -> None:
        for parameter in self.student.parameters():
            if self.clip and parameter.grad is not None:
                nn.utils.clip_grad_norm_(parameter, self.clip)
        if progress.epoch < self.freeze:
            for parameter in self.student.get_submodule("1.prototypes").parameters():
                parameter.grad = None

    def after_step(self, progress: Progress) -> None:
        follow(self.teacher, self.student, cosine(self.m, 1.0, progress.fraction))


class PrototypeHead(nn.Module):
    """Three GELU layers, with batch norm or without, to a unit bottleneck; then cosine with `prototypes` unit
    directions (B, K)."""

    def __init__(self, dim: int, hidden: int, bottleneck: int, prototypes: int, norm: bool) -> None:
        super().__init__()
        self.mlp = mlp(dim, hidden, hidden, bottleneck, norm=norm, activation=nn.GELU)
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        directions = F.normalize(self.prototypes.weight, dim=1)
        return F.linear(F.normalize(self.mlp(x), dim=1), directions)
