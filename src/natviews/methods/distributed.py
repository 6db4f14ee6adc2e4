"""What a method sees of other processes: everything or nothing, and its maths never knows.

Each process computes the loss of the whole joined batch; the gradient of `gather` adds up what every process
asks of a row. DistributedDataParallel then takes the mean over processes, so the gradients are those of one
process on the joined batch.
"""

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.nn.functional import all_gather, all_reduce


def processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(x: Tensor) -> Tensor:
    """Rows of all processes, (B, ...) -> (B * processes, ...), in the order of ranks, with gradients."""
    if processes() == 1:
        return x
    return torch.cat(tuple(all_gather(x.contiguous())))


def gather_views(views: list[Tensor]) -> list[Tensor]:
    """Each of V views (B, ...) with the rows of all processes."""
    return [gather(view) for view in views]


def mean_everywhere(x: Tensor) -> Tensor:
    """The mean of a tensor over processes, with gradients; each must have made its own of equally many rows."""
    return x if processes() == 1 else all_reduce(x.clone()) / processes()
