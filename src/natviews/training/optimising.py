"""What moves the weights: the optimiser, its groups of parameters, and their rates from step to step."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import torch
from timm.optim import Lars
from torch import nn

from natviews.encoders import Encoder, layers_of
from natviews.methods import Progress
from natviews.methods.parts import cosine
from natviews.training.recipe import Schedule
from natviews.types import NatviewsError


class Kind(NamedTuple):
    """What the parameters of one group have in common; `distance` is in layers from the encoder's last."""

    of_encoder: bool
    decayed: bool
    constant: bool
    distance: int


class Learner(Protocol):
    """What is trained around an encoder: a method, or a classifier. See `natviews.methods.Method`."""

    @property
    def trained(self) -> nn.Module: ...

    @property
    def constant_rate(self) -> nn.Module | None: ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...


def optimiser_of(method: Learner, schedule: Schedule) -> torch.optim.Optimizer:
    """The method's trainable parameters, a group of each `Kind`, the encoder's last layer before its first.

    Raises NatviewsError where the schedule tells layers apart that the encoder does not, or lets wait an encoder
    beside which nothing is trained.
    """
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "rate": schedule.layer_decay**kind.distance if kind.of_encoder else schedule.head_lr,
            **kind._asdict(),
        }
        for kind, parameters in _groups(method, schedule)
    ]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(settings, lr=schedule.lr, momentum=0.9)
    if schedule.optimiser == "lars":  # what is not decayed (biases, norms) keeps its plain rate
        return Lars(settings, lr=schedule.lr, momentum=0.9)
    # Fused: one pass over each tensor's memory. It takes a gradient to lie there as its parameter does (channels
    # last), which back-propagation sees to and a gradient set by hand need not.
    return torch.optim.AdamW(settings, lr=schedule.lr, fused=True)


def _groups(method: Learner, schedule: Schedule) -> list[tuple[Kind, list[nn.Parameter]]]:
    ours = {id(parameter) for parameter in method.trained.parameters()}
    constant = (
        {id(parameter) for parameter in method.constant_rate.parameters()} if method.constant_rate else set()
    )
    distances = _distances(method.trained) if schedule.layer_decay < 1 else {}
    groups: dict[Kind, list[nn.Parameter]] = {}
    for parameter in method.parameters():
        if parameter.requires_grad:
            number = id(parameter)
            kind = Kind(number in ours, parameter.ndim > 1, number in constant, distances.get(number, 0))
            groups.setdefault(kind, []).append(parameter)
    if schedule.heads_first and all(kind.of_encoder for kind in groups):
        raise NatviewsError(
            f"{type(method).__name__} trains nothing but the encoder; set training.heads_first to 0."
        )
    # The log shows the first group's rate: with layers told apart, that of the last one.
    return sorted(groups.items(), key=lambda group: group[0].distance)


def _distances(encoder: nn.Module) -> dict[int, int]:
    """Of each parameter of the encoder, by its id, how many layers lie between its own and the last."""
    backbone = getattr(encoder, "backbone", encoder)
    layers = layers_of(backbone)
    last = max(layers.values())
    return {id(parameter): last - layers[name] for name, parameter in backbone.named_parameters()}


def set_rates(optimiser: Any, schedule: Schedule, now: Progress) -> None:
    """Linear warm-up, then half a cosine to zero; weight decay on its own cosine."""
    decay = cosine(*schedule.weight_decay, now.fraction)
    for group in optimiser.param_groups:
        waits = schedule.heads_first and group["of_encoder"]
        factor = 1.0 if group["constant"] else _share(schedule, now, schedule.heads_first if waits else 0.0)
        group["lr"] = schedule.lr * group["rate"] * factor
        group["weight_decay"] = decay if group["decayed"] else 0.0


def _share(schedule: Schedule, now: Progress, waits: float) -> float:
    """The rate, as a share of its peak, of what waits so many epochs, then warms up, and then is on the cosine.

    There is one cosine for all, from the end of the warm-up of what does not wait.
    """
    begins, warmup = waits / schedule.epochs, schedule.warmup_epochs / schedule.epochs
    if now.fraction < begins:
        return 0.0
    warm = begins + min(warmup, (1 - begins) / 2)
    start = min(0.5, warmup)
    share = cosine(1.0, 0.0, (max(now.fraction, warm) - start) / (1 - start))
    if now.fraction < warm:
        return share * (now.step + 1 - begins * now.steps) / ((warm - begins) * now.steps + 1)
    return share


def hold_encoder(method: nn.Module, optimiser: Any, schedule: Schedule, now: Progress) -> None:
    """Keeps the encoder as it is while `heads_first` lasts. For every step, after `method.train()`.

    Its weights get no gradient, so that what the optimiser averages begins with their own first step. Copies of it
    (a teacher's too) are in evaluation mode: batch norm keeps its statistics, and nothing is dropped.
    """
    if not schedule.heads_first:
        return
    held = now.fraction < schedule.heads_first / schedule.epochs
    for group in optimiser.param_groups:
        if group["of_encoder"]:
            for parameter in group["params"]:
                parameter.requires_grad_(not held)
    for module in method.modules():
        if held and isinstance(module, Encoder):
            module.eval()
