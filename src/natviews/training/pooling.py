"""Training attention pooling without labels: half of a product's photos is to be like its other half."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from natviews.encoders.pooling import AttentionPooling
from natviews.progress import progress
from natviews.types import NatviewsError


@dataclass(frozen=True, kw_only=True)
class PoolingPlan:
    """How it is trained. `batch` products a step; `most` photos of a half; `temperature` as SimCLR's at this
    size."""

    steps: int = 300
    batch: int = 64
    most: int = 4
    rate: float = 1e-3
    temperature: float = 0.1
    seed: int = 0


def train_pooling(vectors: np.ndarray, products: np.ndarray, plan: PoolingPlan | None = None) -> AttentionPooling:
    """Attention pooling of unit vectors (N, D) of photos of `products` (N,): InfoNCE between halves, drawn anew.

    Raises NatviewsError where fewer than two products have two photos. The same plan gives the same weights.
    """
    plan = plan or PoolingPlan()
    names, product = np.unique(products, return_inverse=True)
    photos = [np.flatnonzero(product == number) for number in range(len(names))]
    several = [rows for rows in photos if len(rows) > 1]
    if len(several) < 2:
        raise NatviewsError("Attention pooling learns from products with two photos; there are fewer than two.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        pooling = AttentionPooling(vectors.shape[1])
    optimiser = torch.optim.AdamW(pooling.parameters(), lr=plan.rate)
    rng = np.random.default_rng(plan.seed)
    with progress("training attention pooling", plan.steps) as advance:
        for _ in range(plan.steps):
            chosen = rng.choice(len(several), min(plan.batch, len(several)), replace=False)
            one, other = _halves([rng.permutation(several[i]) for i in chosen], plan.most)
            z, other_z = (pooling(*_padded(vectors, half)) for half in (one, other))
            logits, own = z @ other_z.T / plan.temperature, torch.arange(len(chosen))
            loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            advance()
    return pooling.eval()


def _halves(photos: list[np.ndarray], most: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    cuts = [len(rows) // 2 for rows in photos]
    return (
        [rows[:cut][:most] for rows, cut in zip(photos, cuts, strict=True)],
        [rows[cut:][:most] for rows, cut in zip(photos, cuts, strict=True)],
    )


def _padded(vectors: np.ndarray, sets: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sets of rows as (B, n, D) with which of them are there, (B, n)."""
    longest = max(len(rows) for rows in sets)
    x = np.zeros((len(sets), longest, vectors.shape[1]), np.float32)
    there = np.zeros((len(sets), longest), bool)
    for i, rows in enumerate(sets):
        x[i, : len(rows)], there[i, : len(rows)] = vectors[rows], True
    return torch.from_numpy(x), torch.from_numpy(there)
