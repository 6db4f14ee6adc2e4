"""Batches of views, made by threads while the network works."""

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import torch
from torch import Tensor

from natviews.catalog import PackedPhotos
from natviews.training.sampler import Draw, PairSampler
from natviews.views import Policy, Shape, Window, render_into
from natviews.views.foreground import foreground

AHEAD = 2
"""Batches that are being made while one is used."""
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
    packed: PackedPhotos, sampler: PairSampler, policy: Policy, *, start: int, stop: int, threads: int
) -> Iterator[Batch]:
    """The batches of steps `start` to `stop`.

    Threads, not processes: the renderer releases the GIL, and forking after OpenMP has started hangs. The
    same seed gives the same bytes, whatever the number of threads.
    """
    cv2.setNumThreads(1)  # the threads here are the parallelism; OpenCV's own would fight them
    scene = _Scenes(packed, policy)
    with ThreadPoolExecutor(threads, thread_name_prefix="views") as pool:
        waiting: deque[tuple[Batch, list[Future]]] = deque()
        for step in range(start, stop + AHEAD):
            if step < stop:
                draws = sampler.draw(step)
                batch = Batch.empty(policy, len(draws))
                work = [pool.submit(scene.fill, batch, place, draw) for place, draw in enumerate(draws)]
                waiting.append((batch, work))
            if step >= start + AHEAD:
                batch, work = waiting.popleft()
                for future in work:
                    future.result()
                yield batch


class _Scenes:
    """Draws and renders the rows of batches."""

    def __init__(self, packed: PackedPhotos, policy: Policy) -> None:
        self.packed, self.policy = packed, policy
        # A product's box takes a millisecond or more to find, and a photo comes again every epoch.
        self.foreground = lru_cache(maxsize=None)(self._foreground)

    def fill(self, batch: Batch, place: int, draw: Draw) -> None:
        """Makes the views of one row, in their places in the batch."""
        rows = [*draw.rows, *draw.siblings, *(row for row, _ in draw.others)]
        kind = str(self.packed.catalog.product_types[draw.rows[0]])
        knows_boxes = self.policy.needs_foreground(kind)
        shapes = [self._shape(row, knows_boxes) for row in rows]
        anchors, siblings = len(draw.rows), len(draw.rows) + len(draw.siblings)
        views = self.policy.draw(
            shapes[:anchors], kind, _rng(draw), siblings=shapes[anchors:siblings], others=shapes[siblings:]
        )
        outs = [pictures[place].numpy() for pictures in (*batch.globals, *batch.locals)]
        render_into([self.packed.pixels(row) for row in rows], views, outs)
        batch.products[place] = draw.product
        beside = {number for view in views for number in view.shown if number >= siblings}
        for i, number in enumerate(sorted(beside)):
            batch.distractors[place, i] = draw.others[number - siblings][1]

    def _shape(self, row: int, knows_boxes: bool) -> Shape:
        height, width = self.packed.size(row)
        return Shape(height, width, self.foreground(row) if knows_boxes else None)

    def _foreground(self, row: int) -> Window | None:
        found = foreground(self.packed.pixels(row))
        return None if found.confidence is None else found.box


def _rng(draw: Draw) -> random.Random:
    """The chance that a row's views are drawn with."""
    return random.Random(repr(draw.rng_key))
