"""What several methods are made of: heads, a teacher that follows its student, schedules, products, pairs of
views."""

import copy
import math
from collections.abc import Iterator
from typing import TypeVar, cast

import torch
from torch import Tensor, nn


def mlp(
    *sizes: int, norm: bool = True, last_norm: bool = False, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Linear layers of these sizes with batch norm (unless not wanted) and an activation in between.

    `last_norm` ends it in a batch norm without scale and shift.
    """
    layers: list[nn.Module] = []
    for inside, outside in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(inside, outside, bias=not norm)]
        layers += [nn.BatchNorm1d(outside)] if norm else []
        layers += [activation()]
    layers += [nn.Linear(sizes[-2], sizes[-1], bias=not last_norm)]
    layers += [nn.BatchNorm1d(sizes[-1], affine=False)] if last_norm else []
    return nn.Sequential(*layers)


Module = TypeVar("Module", bound=nn.Module)


def width_of(encoder: nn.Module) -> int:
    """The number of features, `dim`, that every encoder states."""
    return cast(int, encoder.dim)


def teacher_of(student: Module) -> Module:
    """A copy that starts equal, gets no gradient and drops nothing, neither paths nor units."""
    teacher = copy.deepcopy(student).requires_grad_(False)
    for module in teacher.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for rate in ("drop_prob", "drop_rate"):  # of a path, and of timm's networks that drop units themselves
            if hasattr(module, rate):
                setattr(module, rate, 0.0)
    return teacher


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """teacher <- momentum * teacher + (1 - momentum) * student. Batch norm's statistics are the teacher's own."""
    for theirs, ours in zip(teacher.parameters(), student.parameters(), strict=True):
        theirs.lerp_(ours.detach().to(theirs.dtype), 1 - momentum)


def cosine(start: float, end: float, fraction: float) -> float:
    """From `start` at fraction 0 to `end` at 1 on half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))


def linear(start: float, end: float, fraction: float) -> float:
    """From `start` at fraction 0 to `end` at 1 and beyond."""
    return start + (end - start) * min(1.0, max(0.0, fraction))


def by_size(crops: list[Tensor]) -> Iterator[Tensor]:
    """Crops of the same size joined in one batch each, so that the network runs once per size."""
    sizes = sorted({crop.shape[-1] for crop in crops}, reverse=True)
    for size in sizes:
        yield torch.cat([crop for crop in crops if crop.shape[-1] == size])


def in_groups(network: nn.Module, x: Tensor, groups: int, *, shuffled: bool) -> Tensor:
    """What the network makes of each row of x (B, ...), run in `groups` parts, of rows drawn at random if wished.

    Batch norm has statistics of its own in every part. Where queries are run in order and keys shuffled, a row's
    companions do not tell whose key it is: MoCo's shuffled batch norm (He et al., CVPR 2020, section 3.3), on
    one device.
    """
    groups = max(1, min(groups, len(x) // 2))
    order = (
        torch.randperm(len(x), device=x.device)
        if shuffled and groups > 1
        else torch.arange(len(x), device=x.device)
    )
    made = torch.cat([network(part) for part in x[order].tensor_split(groups)])
    return made[order.argsort()]


def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b with all its digits: similarities are computed in float32, whatever precision networks run in."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


def ordered_pairs(count: int) -> list[tuple[int, int]]:
    """(i, j) of different views among `count`: (0, 1) and (1, 0) where there are two."""
    return [(i, j) for i in range(count) for j in range(count) if i != j]


def entropy(p: Tensor) -> Tensor:
    """The entropy of distributions (..., K) as a share of the most it can be, ln K."""
    return -(p * p.clamp_min(1e-12).log()).sum(dim=-1) / math.log(p.shape[-1])
