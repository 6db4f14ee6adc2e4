"""The processes of a run: one, or those that torchrun or SLURM started, each with its share of every batch."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.fabric.strategies import DDPStrategy, ModelParallelStrategy
from timm.layers import convert_sync_batchnorm
from torch import distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DeviceMesh, DTensor, distribute_tensor

from natviews import progress
from natviews.encoders import Encoder
from natviews.encoders.folding import unfold
from natviews.types import NatviewsError

PATIENCE = timedelta(hours=2)
"""How long processes wait for one that lives: for process 0 to measure, say. One that dies is noticed at once."""


def launched(
    environment: Mapping[str, str] = os.environ,
    *,
    some_rest: bool = False,
    sharded: Callable[[], bool] = lambda: False,
) -> Fabric:
    """Fabric, joined with the other processes of the run where there are some; only process 0 shows progress.

    `some_rest`: at times parameters get no gradient, which processes must then tell each other at every step.
    `sharded` is asked where there are several: whether each keeps a share of the weights instead of all.
    """
    processes, nodes = _counts(environment)
    if processes == 1:
        return Fabric(devices=1)
    strategy: DDPStrategy | ModelParallelStrategy
    if sharded():
        strategy = ModelParallelStrategy(
            _in_shards, data_parallel_size=processes, tensor_parallel_size=1, timeout=PATIENCE
        )
    else:
        strategy = DDPStrategy(timeout=PATIENCE, find_unused_parameters=some_rest)
    fabric = Fabric(devices=processes // nodes, num_nodes=nodes, strategy=strategy)
    fabric.launch()
    if not fabric.is_global_zero:
        progress.silence()
    return fabric


def _counts(environment: Mapping[str, str]) -> tuple[int, int]:
    """Processes and machines, as torchrun or `srun` say."""
    if TorchElasticEnvironment.detect():
        processes = int(environment["WORLD_SIZE"])
        return processes, processes // int(environment["LOCAL_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        return int(environment["SLURM_NTASKS"]), int(environment.get("SLURM_NNODES", "1"))
    return 1, 1


def is_first() -> bool:
    """Whether this is process 0, which writes the files and says what was done."""
    return not dist.is_initialized() or dist.get_rank() == 0


def _in_shards(method: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """A method whose weights are spread over the processes: blocks of its encoders are put together one at a time,
    when they are run, and the rest for the whole step.

    Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", VLDB 2023 (arXiv:2304.11277).
    """
    method.to(memory_format=torch.contiguous_format)  # others cannot be cut into shares
    over = mesh["data_parallel"]
    for encoder in (module for module in method.modules() if isinstance(module, Encoder)):
        unfold(encoder)
        for blocks in encoder.backbone.children():
            if isinstance(blocks, nn.Sequential | nn.ModuleList):
                for block in blocks:
                    fully_shard(block, mesh=over)
    fully_shard(method, mesh=over)
    register_fsdp_forward_method(method, "loss")
    return method


def normalise_together(module: nn.Module) -> None:
    """Takes batch norm within a module over the rows of all processes; that of frozen encoders stays as it is.

    By timm's conversion: many of its networks have the activation within the batch norm, where torch's loses it.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            module.add_module(name, convert_sync_batchnorm(child))
        elif not (isinstance(child, Encoder) and child.architecture.batchnorm == "frozen"):
            normalise_together(child)


def whole(state: Any) -> Any:
    """A tensor, or a state of nested mappings and lists, with no tensor in shares. All processes call it."""
    if isinstance(state, DTensor):
        return state.full_tensor()
    if isinstance(state, dict):
        return {name: whole(value) for name, value in state.items()}
    return [whole(value) for value in state] if isinstance(state, list) else state


def shared_out(state: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """A state of whole tensors, each cut into shares as the tensor `like` it is; those of other shapes stay."""
    shared = dict(state)
    for name, value in state.items():
        other = like.get(name)
        if isinstance(other, DTensor) and value.shape == other.shape:
            value = value.to(other.device)
            shared[name] = distribute_tensor(value, other.device_mesh, other.placements, src_data_rank=None)
    return shared


@contextmanager
def ending_together(fabric: Fabric) -> Iterator[None]:
    """Says in a sentence that another process of the run has ended, wherever it is noticed."""
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise NatviewsError(
            f"Another of the {fabric.world_size} processes of this run has ended; see what it said. The same "
            "command goes on from the last checkpoint."
        ) from error


def random_states(fabric: Fabric) -> dict[str, torch.Tensor]:
    """The states of torch's generators, a row (uint8) for each process."""
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(fabric.device)
    if fabric.world_size == 1:
        return {name: state[None] for name, state in states.items()}
    of_all: list[dict[str, torch.Tensor]] = [{} for _ in range(fabric.world_size)]
    dist.all_gather_object(of_all, states)
    return {name: torch.stack([each[name] for each in of_all]) for name in states}


def set_random_states(fabric: Fabric, states: Mapping[str, torch.Tensor]) -> None:
    """Raises NatviewsError where they are of another number of processes: chance would be another."""
    count = len(states["cpu"])
    if count != fabric.world_size:
        raise NatviewsError(
            f"The run was begun by {count} processes and cannot be continued by {fabric.world_size}; start as "
            "many, or choose another --out."
        )
    # Copies: torch crashes on a view into a larger tensor.
    torch.set_rng_state(states["cpu"][fabric.global_rank].clone())
    if "cuda" in states and fabric.device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"][fabric.global_rank].clone(), fabric.device)
