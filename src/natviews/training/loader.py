"""Batches of views, made by threads while the network works."""

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import cv2
import torch
from torch import Tensor

from natviews.catalog import PackedPhotos
from natviews.training.sampler import Draw, PairSampler
from natviews.views import Policy, Shape, View, Window, render_into
from natviews.views.foreground import Foreground, foreground
from natviews.views.pictures import Picture

AHEAD = 2
"""Batches that are being made while one is used."""
PRODUCTS = 8192
"""Products whose place in their photo is remembered, 20 kB each."""
NOBODY = -1
"""Stands in `distractors` where there is none."""


@dataclass(frozen=True)
class Batch:
    """Views as pictures: each of `globals` and `locals` is (B, S, S, 3) uint8; `products` is (B,).

    `distractors` (B, N) are the numbers of other products that a collage in the row shows, else -1: they are
    neither the row's product nor plainly not.
    """

    globals: list[Tensor]
    locals: list[Tensor]
    products: Tensor
    distractors: Tensor

    @classmethod
    def empty(cls, policy: Policy, rows: int) -> "Batch":
        """A batch of pictures to be filled in."""
        crops = [
            [torch.empty((rows, kind.size, kind.size, 3), dtype=torch.uint8) for _ in range(kind.count)]
            for kind in (policy.globals, policy.locals)
            if kind
        ]
        distractors = torch.full((rows, policy.companions), NOBODY)
        return cls(crops[0], crops[1] if len(crops) > 1 else [], torch.empty(rows, dtype=torch.long), distractors)


def batches(
    packed: PackedPhotos,
    sampler: PairSampler,
    policy: Policy,
    *,
    start: int,
    stop: int,
    threads: int,
    accelerator: torch.device | None = None,
    share: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop`, made by threads; with an `accelerator` they are rendered there.

    `share` (i, n): this process's part of each, the i-th of n equal ones; all together are one process's batch.
    Threads, not processes: the renderer releases the GIL, and forking after OpenMP has started hangs. The
    same seed gives the same bytes, whatever the number of threads.
    """
    cv2.setNumThreads(1)  # the threads here are the parallelism; OpenCV's own would fight them
    stage = _Stage(packed, policy)
    with ThreadPoolExecutor(threads, thread_name_prefix="views") as pool:
        waiting: deque[tuple[Batch, list[Future[_Row]]]] = deque()
        for step in range(start, stop + AHEAD):
            if step < stop:
                draws = _part(sampler.draw(step), *share)
                batch = Batch.empty(policy, len(draws))
                make = stage.set if accelerator else stage.render
                futures = [pool.submit(make, batch, place, draw) for place, draw in enumerate(draws)]
                waiting.append((batch, futures))
            if step >= start + AHEAD:
                batch, futures = waiting.popleft()
                rows = [future.result() for future in futures]
                yield _rendered(batch, rows, accelerator) if accelerator else batch


def _part(draws: list[Draw], index: int, count: int) -> list[Draw]:
    size = len(draws) // count
    return draws[index * size : (index + 1) * size]


class _Row(NamedTuple):
    """The photos and views of a row of a batch."""

    pictures: list[Picture]
    views: list[View]


class _Stage:
    """Sets up the rows of batches: draws their views, and renders them."""

    def __init__(self, packed: PackedPhotos, policy: Policy) -> None:
        self.packed, self.policy = packed, policy
        # Finding a product takes about as long as all views of a row, and a photo comes again every epoch.
        self.product = lru_cache(maxsize=PRODUCTS)(self._product)

    def render(self, batch: Batch, place: int, draw: Draw) -> _Row:
        """Makes a row, pictures and all, in its place in the batch."""
        row = self.set(batch, place, draw)
        outs = [pictures[place].numpy() for pictures in (*batch.globals, *batch.locals)]
        render_into(row.pictures, row.views, outs)
        return row

    def set(self, batch: Batch, place: int, draw: Draw) -> _Row:
        """Draws a row, and fills in what its products are."""
        rows = [*draw.rows, *draw.siblings, *(row for row, _ in draw.others)]
        kind = str(self.packed.catalog.product_types[draw.rows[0]])
        known = set(draw.rows) if self.policy.needs_foreground(kind) else set()
        shapes = [Shape(*self.packed.size(row), self._box(row) if row in known else None) for row in rows]
        anchors, siblings = len(draw.rows), len(draw.rows) + len(draw.siblings)
        views = self.policy.draw(
            shapes[:anchors], kind, _rng(draw), siblings=shapes[anchors:siblings], others=shapes[siblings:]
        )
        batch.products[place] = draw.product
        beside = {number for view in views for number in view.shown if number >= siblings}
        for i, number in enumerate(sorted(beside)):
            batch.distractors[place, i] = draw.others[number - siblings][1]
        pixels = self.packed.pixels
        return _Row([Picture(pixels(row), self.product(row) if row in known else None) for row in rows], views)

    def _product(self, row: int) -> Foreground:
        return foreground(self.packed.pixels(row), busy="keep")

    def _box(self, row: int) -> Window | None:
        product = self.product(row)
        return product.box if product.found else None


def _rendered(batch: Batch, rows: list[_Row], accelerator: torch.device) -> Batch:
    from natviews.views.accelerator import render_batch

    views = render_batch(rows, accelerator)
    count = len(batch.globals)
    return replace(batch, globals=views[:count], locals=views[count:])


def _rng(draw: Draw) -> random.Random:
    """The chance that a row's views are drawn with."""
    return random.Random(repr(draw.rng_key))
