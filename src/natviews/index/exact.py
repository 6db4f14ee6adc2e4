"""Nearest neighbours by looking at every vector: the reference that every other index is judged by."""

import numpy as np

from natviews.types import Embeddings, Matches

CHUNK_SCORES = 2**24
"""Scores held at a time (64 MB): a search of any size stays within it."""


class ExactIndex:
    """Cosine similarity against all vectors, in chunks of queries.

    `where` restricts a search to some of the photos; the filter is exact. Equal scores are ordered by a
    fixed shuffle, so that neither the catalogue's order nor the query's place in it can help.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self._order = np.random.default_rng(0).permutation(len(embeddings))

    def __len__(self) -> int:
        return len(self.embeddings)

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
        rows = self._order if where is None else self._order[where[self._order]]
        gallery_ids, gallery = self.embeddings.ids[rows], self.embeddings.vectors[rows]
        if queries.ndim != 2 or queries.shape[1] != self.embeddings.vectors.shape[1]:
            raise ValueError(f"queries must be (Q, {self.embeddings.vectors.shape[1]}), not {queries.shape}")
        names = np.array([f"query {i}" for i in range(len(queries))]) if query_ids is None else query_ids
        step = max(1, CHUNK_SCORES // max(1, len(rows)))
        found, scores = [], []
        for start in range(0, len(queries), step):
            chunk = queries[start : start + step] @ gallery.T
            if query_ids is not None:
                chunk[names[start : start + step, None] == gallery_ids[None, :]] = -np.inf
            best = top_k(chunk, k)
            best_scores = np.take_along_axis(chunk, best, axis=1)
            found.append(np.where(np.isneginf(best_scores), "", gallery_ids[best]))
            scores.append(best_scores)
        if not found:
            return Matches(names, np.empty((0, k), str), np.empty((0, k), np.float32))
        missing = ((0, 0), (0, k - min(k, len(rows))))
        padded = np.pad(np.concatenate(scores), missing, constant_values=-np.inf)
        return Matches(names, np.pad(np.concatenate(found), missing, constant_values=""), padded)


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
