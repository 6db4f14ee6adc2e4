"""What moves the weights: the optimiser, its groups of parameters, and their rates from step to step."""

from typing import Any

import torch
from timm.optim import Lars
from torch import nn

from natviews.methods import Method, Progress
from natviews.methods.parts import cosine
from natviews.training.recipe import Schedule


def optimiser_of(method: Method, schedule: Schedule) -> torch.optim.Optimizer:
    """The method's trainable parameters in groups: encoder or not, decayed or not, of constant rate or not."""
    ours = {id(parameter) for parameter in method.trained.parameters()}
    constant = (
        {id(parameter) for parameter in method.constant_rate.parameters()} if method.constant_rate else set()
    )
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    for parameter in method.parameters():
        if parameter.requires_grad:
            kind = (id(parameter) in ours, parameter.ndim > 1, id(parameter) in constant)
            groups.setdefault(kind, []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "rate": 1.0 if of_encoder else schedule.head_lr,
            "decayed": decayed,
            "constant": constantly,
        }
        for (of_encoder, decayed, constantly), parameters in groups.items()
    ]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(settings, lr=schedule.lr, momentum=0.9)
    if schedule.optimiser == "lars":  # what is not decayed (biases, norms) keeps its plain rate
        return Lars(settings, lr=schedule.lr, momentum=0.9)
    return torch.optim.AdamW(settings, lr=schedule.lr)


def set_rates(optimiser: Any, schedule: Schedule, now: Progress) -> None:
    """Linear warm-up, then half a cosine to zero; weight decay on its own cosine."""
    warm = min(0.5, schedule.warmup_epochs / schedule.epochs)
    if now.fraction < warm:
        factor = (now.step + 1) / (warm * now.steps + 1)
    else:
        factor = cosine(1.0, 0.0, (now.fraction - warm) / (1 - warm))
    decay = cosine(*schedule.weight_decay, now.fraction)
    for group in optimiser.param_groups:
        group["lr"] = schedule.lr * group["rate"] * (1.0 if group["constant"] else factor)
        group["weight_decay"] = decay if group["decayed"] else 0.0
