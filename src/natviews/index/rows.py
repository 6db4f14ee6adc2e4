"""Vectors in memory that grow and shrink without being copied each time."""

from functools import cached_property

import numpy as np
import pyarrow as pa

from natviews.index.base import check_alike
from natviews.types import Embeddings, NatviewsError, Provenance

GROWTH = 1.5
"""By how much room for rows grows when it is used up."""


class Rows:
    """The rows of some embeddings: those that came first, and those that were added, some of them dead.

    A row never moves and never changes, so that an approximate index may keep its number; a photo that is replaced
    gets a new row. What was given is never written to.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.made_by = embeddings.made_by
        self.width = embeddings.vectors.shape[1]
        self.ids = embeddings.ids
        self.product_ids = embeddings.product_ids
        self._vectors = embeddings.vectors
        self.alive = np.ones(len(embeddings), bool)
        self._row_of: dict[str, int] | None = None

    @classmethod
    def restored(
        cls, ids: np.ndarray, product_ids: np.ndarray, vectors: np.ndarray, made_by: Provenance, alive: np.ndarray
    ) -> "Rows":
        """Rows as they were kept, dead ones included, whose ids may stand again among the living."""
        rows = cls(Embeddings(ids[:0], product_ids[:0], vectors[:0], made_by))
        rows.ids, rows.product_ids, rows._vectors, rows.alive = ids, product_ids, vectors, alive
        return rows

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vectors(self) -> np.ndarray:
        """(rows, D) float32, dead ones included."""
        return self._vectors[: len(self.ids)]

    @cached_property
    def living(self) -> np.ndarray:
        """The numbers of the living rows, rising."""
        return np.flatnonzero(self.alive)

    @cached_property
    def living_ids(self) -> np.ndarray:
        """(N,) the ids of the living rows."""
        return self.ids if self.alive.all() else self.ids[self.alive]

    def add(self, embeddings: Embeddings) -> np.ndarray:
        """Appends rows, the older rows of the same photos dying; returns the new rows' numbers."""
        check_alike(self.made_by, self.width, embeddings)
        self.delete(embeddings.ids)
        start, end = len(self.ids), len(self.ids) + len(embeddings)
        if end > len(self._vectors):  # what was given has no room behind its rows
            grown = np.empty((max(end, int(GROWTH * end)), self.width), np.float32)
            grown[:start] = self.vectors
            self._vectors = grown
        self._vectors[start:end] = embeddings.vectors
        self.ids = np.concatenate([self.ids, embeddings.ids])
        self.product_ids = np.concatenate([self.product_ids, embeddings.product_ids])
        self.alive = np.concatenate([self.alive, np.ones(len(embeddings), bool)])
        self._numbers().update(zip(embeddings.ids.tolist(), range(start, end), strict=True))
        self._forget()
        return np.arange(start, end)

    def delete(self, ids: np.ndarray) -> int:
        """Lets the rows of some photos die; returns how many there were."""
        numbers = self._numbers()
        dying = [row for row in (numbers.pop(str(name), None) for name in ids) if row is not None]
        if dying:
            self.alive = self.alive.copy()
            self.alive[dying] = False
            self._forget()
        return len(dying)

    def row_of(self, ids: np.ndarray) -> np.ndarray:
        """(M,) the living row of each photo, -1 where there is none."""
        numbers = self._numbers()
        return np.array([numbers.get(name, -1) for name in ids.tolist()], np.int64)

    def named(self, rows: np.ndarray) -> np.ndarray:
        """The ids of some rows, in the rows' shape."""
        return self.ids[rows] if len(self.ids) else np.empty(rows.shape, "<U1")

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """(M, D) the vectors of photos. Raises NatviewsError where one is not there."""
        rows = self.row_of(np.asarray(ids))
        if (rows < 0).any():
            raise NatviewsError(f"There is no photo {str(ids[int(np.argmax(rows < 0))])!r} in the index.")
        return self.vectors[rows]

    def embeddings(self) -> Embeddings:
        """The living rows."""
        if self.alive.all():
            return Embeddings(self.ids, self.product_ids, self.vectors, self.made_by)
        rows = self.living
        return Embeddings(self.ids[rows], self.product_ids[rows], self.vectors[rows], self.made_by)

    def photos(self) -> pa.Table:
        """`id` and `product_id` of the living rows."""
        columns = {"id": self.living_ids, "product_id": self.product_ids[self.living]}
        return pa.table({name: pa.array(column.tolist(), pa.string()) for name, column in columns.items()})

    def _numbers(self) -> dict[str, int]:
        """The row of every living photo: kept, so that a search need not read all names to find its own."""
        if self._row_of is None:
            self._row_of = {str(self.ids[row]): int(row) for row in self.living}
        return self._row_of

    def _forget(self) -> None:
        for name in ("living", "living_ids"):
            self.__dict__.pop(name, None)
