"""What several methods are made of: projection heads, a teacher that follows its student, schedules."""

import copy
import math
from collections.abc import Iterator
from typing import TypeVar, cast

import torch
from torch import Tensor, nn


def mlp(*sizes: int, norm: bool = True, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers of these sizes with batch norm (unless not wanted) and an activation in between."""
    layers: list[nn.Module] = []
    for inside, outside in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(inside, outside, bias=not norm)]
        layers += [nn.BatchNorm1d(outside)] if norm else []
        layers += [activation()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


Module = TypeVar("Module", bound=nn.Module)


def width_of(encoder: nn.Module) -> int:
    """The number of features, `dim`, that every encoder states."""
    return cast(int, encoder.dim)


def teacher_of(student: Module) -> Module:
    """A copy that starts equal and gets no gradient."""
    return copy.deepcopy(student).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """teacher <- momentum * teacher + (1 - momentum) * student; buffers (batch norm's) are copied."""
    for theirs, ours in zip(teacher.parameters(), student.parameters(), strict=True):
        theirs.lerp_(ours.detach().to(theirs.dtype), 1 - momentum)
    for buffer, ours_now in zip(teacher.buffers(), student.buffers(), strict=True):
        buffer.copy_(ours_now)


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
