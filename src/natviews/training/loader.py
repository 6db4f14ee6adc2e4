"""Batches of views, made by threads while the network works."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from natviews.catalog import PackedPhotos
from natviews.training.sampler import Draw, PairSampler
from natviews.views import Policy, render

AHEAD = 2
"""Batches that are being made while one is used."""


@dataclass(frozen=True)
class Batch:
    """Views as pictures: each of `globals` and `locals` is (B, S, S, 3) uint8; `products` is (B,)."""

    globals: list[Tensor]
    locals: list[Tensor]
    products: Tensor


def batches(
    packed: PackedPhotos, sampler: PairSampler, policy: Policy, *, start: int, stop: int, threads: int
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop`.

    Threads, not processes: the renderer releases the GIL, and forking after OpenMP has started hangs. The
    same seed gives the same bytes, whatever the number of threads.
    """
    cv2.setNumThreads(1)  # the threads here are the parallelism; OpenCV's own would fight them
    with ThreadPoolExecutor(threads, thread_name_prefix="views") as pool:
        waiting: deque[list[Future]] = deque()
        for step in range(start, stop + AHEAD):
            if step < stop:
                waiting.append([pool.submit(_views, packed, policy, draw) for draw in sampler.draw(step)])
            if step >= start + AHEAD:
                yield _collated([future.result() for future in waiting.popleft()], policy)


def _views(packed: PackedPhotos, policy: Policy, draw: Draw) -> tuple[int, list[np.ndarray]]:
    photos = [packed.pixels(row) for row in draw.rows]
    kind = str(packed.catalog.product_types[draw.rows[0]])
    views = policy.draw([photo.shape[:2] for photo in photos], kind, np.random.default_rng(draw.rng_key))
    return draw.product, [render(photos[view.source], [view])[0] for view in views]


def _collated(rows: list[tuple[int, list[np.ndarray]]], policy: Policy) -> Batch:
    products = torch.tensor([product for product, _ in rows])
    views = [torch.from_numpy(np.stack(crops)) for crops in zip(*(crops for _, crops in rows), strict=True)]
    count = policy.globals.count
    return Batch(views[:count], views[count:], products)
