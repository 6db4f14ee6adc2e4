"""Vectors that are read in stretches: embeddings in memory, or a Parquet of more than memory holds."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.index.parquet import provenance_of
from natviews.types import Embeddings, NatviewsError

STRETCH = 2**14
"""Rows that are read at a time: 16 MB of 256 numbers each."""


class Source:
    """`ids`, `made_by`, `width` and, read when asked for, vectors. `given` is embeddings or the path of a
    Parquet."""

    def __init__(self, given: Embeddings | Path | str) -> None:
        self._given = given if isinstance(given, Embeddings) else Path(given)
        if isinstance(self._given, Embeddings):
            self.width, self.made_by, self._count = given.vectors.shape[1], given.made_by, len(given)  # type: ignore
            return
        if not self._given.is_file():
            raise NatviewsError(f"There are no embeddings at {given}; make them with `natviews embed`.")
        try:
            file = pa.parquet.ParquetFile(self._given)
            kind = file.schema_arrow.field("vector").type
            self.width, self._count = kind.list_size, file.metadata.num_rows
            self.made_by = provenance_of(file.schema_arrow)
        except (pa.ArrowException, KeyError, AttributeError, OSError) as error:
            raise NatviewsError(
                f"{given} is damaged or holds no embeddings: {' '.join(str(error).split())}"
            ) from None

    def __len__(self) -> int:
        return self._count

    @cached_property
    def name(self) -> str:
        """What tells this source from another: its path and when that was written, or a SHA-256 over its ids and
        vectors in their order."""
        if isinstance(self._given, Path):
            state = self._given.stat()
            return f"{self._given.resolve()} {state.st_size} {state.st_mtime_ns}"
        digest = hashlib.sha256(f"{self.made_by.encoder} {self.width}".encode())
        for first, vectors in zip(range(0, len(self), STRETCH), self.stretches(), strict=True):
            digest.update(repr(self._given.ids[first : first + STRETCH].tolist()).encode())
            digest.update(np.ascontiguousarray(vectors).data)
        return digest.hexdigest()

    @cached_property
    def ids(self) -> pa.Array:
        """(N,) text, in the order of the vectors."""
        if isinstance(self._given, Embeddings):
            return pa.array(self._given.ids.tolist(), pa.string())
        column = pa.parquet.read_table(self._given, columns=["id"]).column("id")
        return column.cast(pa.string()).combine_chunks()

    def stretches(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """The vectors (<= STRETCH, D) float32 of rows `start` to `stop`, stretch by stretch. Raises NatviewsError
        where one is not of length 1."""
        stop = len(self) if stop is None else stop
        if isinstance(self._given, Embeddings):
            for first in range(start, stop, STRETCH):
                yield np.asarray(self._given.vectors[first : min(stop, first + STRETCH)])
            return
        file, first = pa.parquet.ParquetFile(self._given, pre_buffer=False, buffer_size=2**20), 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if first < stop and first + count > start:
                at = first
                for batch in file.iter_batches(STRETCH, row_groups=[group], columns=["vector"], use_threads=False):
                    low, high = max(start - at, 0), min(stop - at, len(batch))
                    if low < high:
                        yield self._checked(batch.column(0).slice(low, high - low))
                    at += len(batch)
            first += count

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(M, D) float32, some rows, their numbers rising: all is read once, a stretch at a time."""
        found, first = np.empty((len(rows), self.width), np.float32), 0
        for vectors in self.stretches():
            low, high = np.searchsorted(rows, [first, first + len(vectors)])
            found[low:high] = vectors[rows[low:high] - first]
            first += len(vectors)
        return found

    def _checked(self, column: pa.Array) -> np.ndarray:
        vectors = np.asarray(column.flatten(), np.float32).reshape(len(column), self.width)
        lengths = np.einsum("nd,nd->n", vectors, vectors)
        if not (np.abs(lengths - 1) < 4e-3).all():  # written so that NaN counts as bad
            raise NatviewsError(f"{self._given} holds a vector that is not of length 1; embed the photos again.")
        return vectors
