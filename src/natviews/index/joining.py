"""Joining whole catalogues: the nearest photos of every photo, in bounded memory, and from where a kill left
it."""

import hashlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from natviews.files import whole_file
from natviews.index.base import check_encoder
from natviews.index.cells import SAMPLED, STRETCH, Shard, Visits, lists
from natviews.index.parquet import as_lists, as_matrix
from natviews.index.sources import Source
from natviews.progress import Advance, progress
from natviews.types import Embeddings, Matches, NatviewsError

MOST = 1_000_000
"""Rows of a shard and of a piece: what a kill can cost, some minutes of work."""
FEWEST = 20_000
"""Rows of a shard that are worth cells of their own."""
FIXED = 400_000_000
"""Bytes that go to Python, its libraries and what is read at a time, whatever is joined."""


@dataclass(frozen=True)
class JoinPlan:
    """How a join goes: the gallery in shards, for each of them the queries in pieces.

    Both are numbers of rows; `bytes` is what is held at a time.
    """

    queries: int
    gallery: int
    shard: int
    piece: int
    bytes: int

    @property
    def parts(self) -> int:
        return math.ceil(self.gallery / self.shard) * math.ceil(self.queries / self.piece)

    def __str__(self) -> str:
        return (
            f"{self.queries:,} queries against {self.gallery:,} photos in {self.parts} parts: {self.piece:,} "
            f"queries against {self.shard:,} photos at a time, within {self.bytes / 1e9:.1f} GB"
        )


@dataclass(frozen=True)
class Joined:
    """A join that is done: the nearest photos of every query, in parts on the disk, and the recall by samples."""

    queries: Source
    gallery: Source
    plan: JoinPlan
    k: int
    folder: Path
    recall: float

    def __iter__(self) -> Iterator[Matches]:
        """The matches, piece by piece, in the order of the queries."""
        gallery = self.gallery.ids
        for start in range(0, self.plan.queries, self.plan.piece):
            parts = [
                pa.parquet.read_table(self.folder / _part_name(shard, start))
                for shard in range(0, self.plan.gallery, self.plan.shard)
            ]
            if not parts:
                return
            scores = np.concatenate([as_matrix(part.column("scores")) for part in parts], axis=1)
            rows = np.concatenate([_rows_of(part) for part in parts], axis=1)
            best = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
            scores, rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
            names = self.queries.ids.slice(start, len(rows)).to_numpy(zero_copy_only=False).astype(str)
            yield _as_matches(names, gallery, rows, scores)

    def write(self, path: Path) -> None:
        """Writes `query`, `match`, `rank` (from 1) and `score` as Parquet, then removes the parts."""
        kinds = {"query": pa.string(), "match": pa.string(), "rank": pa.int32(), "score": pa.float32()}
        with whole_file(path) as temporary, pa.parquet.ParquetWriter(temporary, pa.schema(kinds)) as writer:
            for matches in self:
                for start in range(0, len(matches.ids), STRETCH):
                    part = slice(start, start + STRETCH)
                    ids, scores = matches.ids[part], matches.scores[part]
                    query, rank = np.nonzero(ids != "")
                    columns = matches.query_ids[part][query], ids[query, rank], rank + 1, scores[query, rank]
                    arrays = [pa.array(c.tolist(), kind) for c, kind in zip(columns, kinds.values(), strict=True)]
                    writer.write_table(pa.table(arrays, names=list(kinds)))
        self.remove()

    def remove(self) -> None:
        """Removes the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)


def plan_join(queries: int, gallery: int, width: int, k: int = 10, *, memory: int | None = None) -> JoinPlan:
    """How so many queries are joined with so many photos within `memory` bytes (by default what shards of a
    million rows need). Raises NatviewsError where that is too little for a shard worth its cells."""
    per_photo, per_query = 2 * width + 48, 12 * k + 40
    room = FIXED + MOST * (per_photo + per_query) if memory is None else memory
    rows = min(MOST, int((room - FIXED) / (per_photo + per_query)))
    fewest = min(FEWEST, MOST, max(queries, gallery))
    if rows < fewest:
        least = FIXED + fewest * (per_photo + per_query)
        raise NatviewsError(
            f"A join needs at least {least / 1e9:.2f} GB and may take {room / 1e9:.2f}; give it more."
        )
    shard = max(1, math.ceil(gallery / max(1, math.ceil(gallery / rows))))
    piece = max(1, math.ceil(queries / max(1, math.ceil(queries / rows))))
    return JoinPlan(queries, gallery, shard, piece, FIXED + shard * per_photo + piece * per_query)


def join(
    queries: Embeddings | Path,
    gallery: Embeddings | Path,
    k: int = 10,
    *,
    folder: Path,
    recall: float = 0.99,
    memory: int | None = None,
) -> Joined:
    """The `k` nearest photos in `gallery` of every photo in `queries`, its own never among them.

    Both are embeddings or the path of a Parquet of them, which is read in stretches; where both are the same it
    is a self-join, and every score counts twice. Parts are written to `folder`, each whole or absent: the same
    call continues with those that are missing. `recall` is the share of the truly nearest that is to be found,
    chosen and measured by samples; scores are within 1e-4. `memory` bounds what is held, in bytes, without
    embeddings that were in memory before. Raises NatviewsError where the vectors cannot be compared.
    """
    asked = Source(queries)
    held = asked if queries is gallery else Source(gallery)  # whose name takes a second for a million photos
    if asked.width != held.width:
        raise NatviewsError(
            f"Vectors of {asked.width} and {held.width} numbers cannot be compared; embed both alike."
        )
    check_encoder(asked.made_by, held.made_by)
    itself = queries is gallery or (isinstance(queries, Path) and asked.name == held.name)
    plan = plan_join(len(asked), len(held), held.width, k, memory=memory)
    parts = folder / _name(asked, held, plan, k, recall)
    with progress("joining", plan.parts * plan.piece) as advance:
        for shard in range(0, plan.gallery, plan.shard):
            work = _Work(asked, held, plan, k, recall, itself, parts, shard)
            work.run(advance)
    return Joined(asked, held, plan, k, parts, _recall(parts))


@dataclass
class _Work:
    """One shard of the gallery, asked by all pieces of the queries."""

    asked: Source
    held: Source
    plan: JoinPlan
    k: int
    recall: float
    itself: bool
    folder: Path
    first: int

    def run(self, advance: Advance) -> None:
        starts = range(0, self.plan.queries, self.plan.piece)
        missing = [start for start in starts if not (self.folder / _part_name(self.first, start)).exists()]
        advance((len(starts) - len(missing)) * self.plan.piece)
        if not missing:
            return
        stop = min(self.first + self.plan.shard, self.plan.gallery)
        shard = Shard(self.held.stretches(self.first, stop), stop - self.first, self.held.width)
        for start in missing:
            table = self._part(shard, start, min(start + self.plan.piece, self.plan.queries), advance)
            with whole_file(self.folder / _part_name(self.first, start)) as temporary:
                pa.parquet.write_table(table, temporary)

    def _part(self, shard: Shard, start: int, stop: int, advance: Advance) -> pa.Table:
        mutual = self.itself and start == self.first and stop - start == len(shard)
        own = self._own(start, stop, len(shard))
        visits = self._visits(shard, start, stop, own, mutual)
        best, found = lists(stop - start, self.k)
        if mutual:
            shard.join_itself(best, found, visits=visits.cells, advance=advance)
        else:
            at = 0
            for part in self.asked.stretches(start, stop):
                rows = slice(at, at + len(part))
                shard.join(part, best[rows], found[rows], own=own[rows], visits=visits.cells, advance=advance)
                at += len(part)
        found[found >= 0] += self.first
        columns = {"scores": as_lists(best), "rows": _as_numbers(found)}
        said = {"recall": str(visits.recall), "queries": str(visits.queries), "cells": str(visits.cells)}
        return pa.table(columns).replace_schema_metadata(said)

    def _own(self, start: int, stop: int, count: int) -> np.ndarray:
        """(Q,) the row of the shard that is each query's own photo, -1 where there is none."""
        if self.itself:
            own = np.arange(start, stop) - self.first
        else:
            gallery = self.held.ids.slice(self.first, count)
            own = pa.compute.index_in(self.asked.ids.slice(start, stop - start), gallery).fill_null(-1).to_numpy()
        return np.where((own >= 0) & (own < count), own, -1).astype(np.int64)

    def _visits(self, shard: Shard, start: int, stop: int, own: np.ndarray, mutual: bool) -> Visits:
        drawn = np.random.default_rng(2).choice(stop - start, min(SAMPLED, stop - start), replace=False)
        drawn.sort()
        return shard.visits(self.asked.take(drawn + start), self.recall, self.k, own=own[drawn], mutual=mutual)


def _as_matches(names: np.ndarray, gallery: pa.Array, rows: np.ndarray, scores: np.ndarray) -> Matches:
    if len(gallery):
        ids = gallery.take(pa.array(np.maximum(rows, 0).ravel())).to_numpy(zero_copy_only=False).astype(str)
        ids = ids.reshape(rows.shape)
    else:
        ids = np.empty(rows.shape, "<U1")
    nothing = rows < 0
    return Matches(names, np.where(nothing, "", ids), np.where(nothing, -np.inf, scores).astype(np.float32))


def _as_numbers(rows: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1), pa.int64()), rows.shape[1])


def _rows_of(part: pa.Table) -> np.ndarray:
    column = part.column("rows").combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), column.type.list_size)


def _part_name(shard: int, piece: int) -> str:
    return f"part-{shard:09d}-{piece:09d}.parquet"


def _recall(folder: Path) -> float:
    """Over all parts, each as much as it has sampled queries."""
    said = [pa.parquet.read_schema(path).metadata for path in sorted(folder.glob("part-*.parquet"))]
    queries = sum(int(part[b"queries"]) for part in said)
    return sum(float(part[b"recall"]) * int(part[b"queries"]) for part in said) / max(1, queries)


def _name(asked: Source, held: Source, plan: JoinPlan, k: int, recall: float) -> str:
    """Of everything that the parts depend on: those of other embeddings or another plan are never reused."""
    words = "\x1f".join(map(str, (asked.name, held.name, plan, k, recall)))
    return hashlib.sha256(words.encode()).hexdigest()[:24]
