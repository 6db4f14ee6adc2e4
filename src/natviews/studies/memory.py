"""What a step of training keeps in memory until its gradient is taken, counted and not guessed."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from natviews.encoders import Encoder
from natviews.methods import Progress, Views
from natviews.training import Recipe


def bytes_of_step(blocks: Mapping[str, Any], batch: int) -> int:
    """Bytes that one step on a batch of so many products keeps for the backward pass, its weights and its buffers
    (a second network, a queue) included; the same on every device."""
    recipe = Recipe.of(blocks)
    method = recipe.build_method(Encoder.create(recipe.encoder, seed=0)).train()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # else its place could be another's
        return tensor

    alive: list[Tensor] = []
    for tensor in (*method.parameters(), *method.buffers()):
        keep(tensor.data)
    size = recipe.encoder.size
    shown = [torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        method.loss(Views(shown, torch.arange(batch)), Progress(0, 100, 0.0))
    return sum(kept.values())
