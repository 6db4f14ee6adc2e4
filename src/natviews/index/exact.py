"""Nearest neighbours by looking at every vector: the reference that every other index is judged by."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.index.base import Index, checked_mask, checked_queries, ended
from natviews.index.parquet import read_embeddings, write_embeddings
from natviews.index.rows import Rows
from natviews.types import Embeddings, Matches

CHUNK_SCORES = 2**24
"""Scores held at a time (64 MB): a search of any size stays within it."""


class ExactIndex(Index):
    """Cosine similarity against all vectors, in chunks of queries. Its file is a Parquet of embeddings.

    `where` restricts a search to some of the photos; the filter is exact. Equal scores are ordered by a
    fixed shuffle, so that neither the catalogue's order nor the query's place in it can help.
    """

    reason = "every vector is looked at"

    def __init__(self, embeddings: Embeddings) -> None:
        self._rows = Rows(embeddings)
        self.made_by, self.width = embeddings.made_by, self._rows.width
        self._given: Embeddings | None = embeddings
        self._order = _shuffled(len(embeddings))

    @property
    def embeddings(self) -> Embeddings:
        """What is searched: as it was given, or without its further vectors once it has changed."""
        return self._given if self._given is not None else self._rows.embeddings()

    @property
    def ids(self) -> np.ndarray:
        return self._rows.living_ids

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        where: np.ndarray | None = None,
        query_ids: np.ndarray | None = None,
    ) -> Matches:
        """The `k` nearest photos of each query; a row ends in '' where fewer are allowed.

        `queries` (Q, D) unit float32; `where` (N,) bool, the photos that may be found; `query_ids` (Q,)
        name the queries in the answer, and a query's own photo is then never its match.
        """
        names = checked_queries(queries, k, self.width, query_ids)
        order = self._order if where is None else self._order[checked_mask(where, len(self))[self._order]]
        own = None if query_ids is None else self._rows.row_of(names)
        rows, scores = nearest(queries, self._rows.vectors, k, self._rows.living[order], own)
        return ended(names, self._rows.named(rows), scores, k)

    def add(self, embeddings: Embeddings) -> None:
        self._rows.add(embeddings)
        self._changed()

    def delete(self, ids: np.ndarray) -> int:
        deleted = self._rows.delete(ids)
        if deleted:
            self._changed()
        return deleted

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        return self._rows.vectors_of(ids)

    def photos(self) -> pa.Table:
        return self._rows.photos()

    def save(self, path: Path) -> None:
        write_embeddings(self.embeddings, path)

    @classmethod
    def load(cls, path: Path) -> "ExactIndex":
        return cls(read_embeddings(path))

    def _changed(self) -> None:
        self._given = None
        self._order = _shuffled(len(self))


def _shuffled(count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(count)


def nearest(
    queries: np.ndarray, vectors: np.ndarray, k: int, rows: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which of some rows (M,) of the vectors have the highest cosines, falling, of equal ones the first named.

    Returns row numbers and scores (Q, min(k, M)). `own` (Q,) is the row that a query may not find, -1 for none:
    it scores -inf.
    """
    few = 4 * len(rows) < len(vectors)  # then it is cheaper to copy vectors than scores
    gallery = vectors[rows] if few else vectors
    step = max(1, CHUNK_SCORES // max(1, len(gallery)))
    shape = (len(queries), min(k, len(rows)))
    found, scores = np.empty(shape, np.int64), np.empty(shape, np.float32)
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        chunk = queries[part] @ gallery.T
        chunk = chunk if few else chunk[:, rows]
        if own is not None:
            chunk[own[part, None] == rows[None, :]] = -np.inf
        best = top_k(chunk, k)
        found[part], scores[part] = rows[best], np.take_along_axis(chunk, best, axis=1)
    return found, scores


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns (Q, min(k, N)) of the highest scores (Q, N), falling; of equal ones the first column first."""
    k = min(k, scores.shape[1])
    if k == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    # argpartition picks freely among equals of the k-th score; of those the first columns are wanted.
    cut = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    above, equal = scores > cut, scores == cut
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (equal & (equal.cumsum(axis=1) <= room))
    best = np.nonzero(chosen)[1].reshape(len(scores), k)
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)
