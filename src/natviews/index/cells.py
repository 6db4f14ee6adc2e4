"""The vectors of a shard parted into cells, and all queries that visit a cell asked at once.

FAISS searches query by query: it reads a cell for each query that visits it. Here a cell is read once for all of
them, as one matrix product, the fastest thing that a CPU does; what remains is to keep the best. Where a shard
is joined with itself a score counts for both its photos, so that a pair is missed only if neither visits the
other's cell: half the visits find as much. Cells are the k-means cells of IVF (Jégou et al., TPAMI 2011), in the
directions that vary most.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from natviews.index.forms import cells_for, faiss_module, faisss_own, sample
from natviews.progress import Advance

DIRECTIONS = 80
"""So many principal directions choose the cells: as good a choice as all of 256 within a tenth, at a third of
the price."""
SAMPLED = 1024
"""Queries whose true neighbours say how many cells must be visited, and a quarter of them what recall that
gives."""
HALF_FROM = 100_000
"""From so many vectors on they are kept as float16: scores are then within 1e-4."""
STRETCH = 2**16
"""Queries that visit the cells together."""
MARGIN = 0.3
"""How far beyond the wanted recall, as a share of what it leaves to miss, the sample that chooses must get."""


LOWEST = -2.0
"""Stands in an empty place: lower than any cosine."""


@dataclass(frozen=True)
class Visits:
    """How many cells a query visits, and the share of the truly nearest photos it finds there by a sample."""

    cells: int
    recall: float
    queries: int


class Shard:
    """Vectors (N, D) in cells. `rows` are read from an iterable of stretches, so that they need never lie
    twice."""

    def __init__(self, stretches: Iterable[np.ndarray], count: int, width: int) -> None:
        self.vectors = np.empty((count, width), np.float16 if count >= HALF_FROM else np.float32)
        start = 0
        for part in stretches:
            self.vectors[start : start + len(part)] = part
            start += len(part)
        self._learn()

    def __len__(self) -> int:
        return len(self.vectors)

    def _learn(self) -> None:
        """Directions, centres, and every row's cell."""
        faiss, count = faiss_module(), len(self)
        drawn = sample(self.vectors, 40 * cells_for(count))
        some = drawn[:: max(1, len(drawn) // 20_000)].astype(np.float32)
        directions = np.linalg.eigh(some.T @ some)[1][:, -DIRECTIONS:]
        self._directions = np.ascontiguousarray(directions, np.float32)
        learnt = faiss.Clustering(self._directions.shape[1], cells_for(count))
        learnt.niter, learnt.spherical, learnt.seed = 6, True, 1
        learnt.min_points_per_centroid, learnt.max_points_per_centroid = 1, 40
        self._centres = faiss.IndexFlatIP(self._directions.shape[1])
        seen = [
            part.astype(np.float32) @ self._directions for part in np.array_split(drawn, len(drawn) // 8192 + 1)
        ]
        learnt.train(np.concatenate(seen), self._centres)
        self._place(np.concatenate([self.nearest_cells(part, 1)[:, 0] for part in self._stretches()]))

    def _place(self, cell: np.ndarray) -> None:
        self._order = np.argsort(cell, kind="stable").astype(np.int64)
        self._ends = np.cumsum(np.bincount(cell.astype(np.int64), minlength=self._centres.ntotal))

    def _stretches(self) -> Iterator[np.ndarray]:
        return (self.vectors[start : start + STRETCH] for start in range(0, len(self), STRETCH))

    def nearest_cells(self, vectors: np.ndarray, visits: int) -> np.ndarray:
        """(Q, visits) the cells whose centres lie nearest, the nearest first."""
        seen = np.ascontiguousarray(vectors.astype(np.float32, copy=False) @ self._directions)
        return self._centres.search(seen, min(visits, self._centres.ntotal))[1]

    def visits(self, queries: np.ndarray, recall: float, k: int, *, own: np.ndarray, mutual: bool) -> Visits:
        """How many cells queries (Q, D) must visit; `own` (Q,) are their rows here, -1 for none."""
        if self._centres.ntotal == 1:
            return Visits(1, 1.0, len(queries))
        truth = self._true_rows(queries, k, own)
        their_cells = self.nearest_cells(self.vectors[truth.ravel()], 1).reshape(truth.shape)
        rank = np.stack([self._ranks(queries, theirs) for theirs in their_cells.T], axis=1)
        if mutual:
            ours = self.nearest_cells(queries, 1)[:, 0]
            back = [self._ranks(self.vectors[rows].astype(np.float32), ours) for rows in truth.T]
            rank = np.minimum(rank, np.stack(back, axis=1))
        measured = np.arange(len(rank)) % 4 == 3 if len(rank) > 3 else np.ones(len(rank), bool)
        choosing, measuring = rank[~measured] if len(rank) > 3 else rank, rank[measured]
        wanted = 1 - (1 - recall) * (1 - MARGIN)
        cells = int(np.quantile(choosing, min(1.0, wanted), method="higher")) + 1
        return Visits(cells, float((measuring < cells).mean()), len(measuring))

    def _ranks(self, vectors: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """(Q,) the visit at which each vector comes to its cell of `cells`, from 0."""
        centres = faisss_own(self._centres, "reconstruct_n")(0, self._centres.ntotal)
        scores = (vectors @ self._directions) @ centres.T
        return (scores > np.take_along_axis(scores, cells[:, None], axis=1)).sum(axis=1)

    def _true_rows(self, queries: np.ndarray, k: int, own: np.ndarray) -> np.ndarray:
        """(Q, k) the truly nearest rows, by looking at all."""
        from natviews.index.offering import offer

        best, found = lists(len(queries), min(k, len(self) - 1))
        rows = np.arange(len(queries))
        for start in range(0, len(self), 8192):
            names = np.arange(start, min(start + 8192, len(self)))
            scores = queries @ self.vectors[start : start + 8192].astype(np.float32, copy=False).T
            offer(scores, rows, names, own, best, found, False)
        return found

    def join(
        self,
        queries: np.ndarray,
        best: np.ndarray,
        found: np.ndarray,
        *,
        own: np.ndarray,
        visits: int,
        advance: Advance,
    ) -> None:
        """Offers the photos that queries (Q, D) meet in their nearest cells to `best` and `found` (Q, K)."""
        for start in range(0, len(queries), STRETCH):
            part = slice(start, start + STRETCH)
            self._visit(queries[part], np.arange(len(queries))[part], best, found, own, visits, False)
            advance(len(queries[part]))

    def join_itself(self, best: np.ndarray, found: np.ndarray, *, visits: int, advance: Advance) -> None:
        """The same where the queries are the shard's rows: every score counts for both its photos."""
        own = np.arange(len(self))
        for start in range(0, len(self), STRETCH):
            rows = self._order[start : start + STRETCH]
            self._visit(self.vectors[rows], rows, best, found, own, visits, True)
            advance(len(rows))

    def _visit(
        self,
        queries: np.ndarray,
        rows: np.ndarray,
        best: Any,
        found: Any,
        own: np.ndarray,
        visits: int,
        mutual: bool,
    ) -> None:
        from natviews.index.offering import offer  # its compiler takes a while to load

        queries = queries.astype(np.float32, copy=False)
        cells = self.nearest_cells(queries, visits)
        order = np.argsort(cells.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(cells.ravel(), minlength=self._centres.ntotal))
        for cell in np.unique(cells):
            visitors = order[ends[cell - 1] if cell else 0 : ends[cell]] // cells.shape[1]
            columns = self._order[self._ends[cell - 1] if cell else 0 : self._ends[cell]]
            if len(columns):
                scores = queries[visitors] @ self.vectors[columns].astype(np.float32, copy=False).T
                offer(scores, rows[visitors], columns, own, best, found, mutual)


def lists(rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Empty lists (rows, k): of scores, all LOWEST, and of names, all -1."""
    return np.full((rows, k), LOWEST, np.float32), np.full((rows, k), -1, np.int64)
