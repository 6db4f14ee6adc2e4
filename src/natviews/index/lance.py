"""The durable store: photos with their vectors and what is known of them, in a folder that LanceDB keeps.

Every write is one new version of the table, there whole or not at all: what was acknowledged outlives a kill.
Several processes may read while one writes; writers wait for each other.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from natviews.files import explained
from natviews.index.base import Index, check_alike, checked_mask, checked_queries, ended
from natviews.index.exact import top_k
from natviews.index.parquet import PREFIX, as_lists, as_matrix, provenance_of
from natviews.types import Embeddings, Matches, NatviewsError

TABLE = "photos"
BATCH = 2**14
"""Rows that a search looks at at a time: 16 MB of 256 numbers each."""
FEW = 0.2
"""Where a filter leaves no more than this share of the photos, only their vectors are read."""
TIDIED_EVERY = 64
"""Versions after which small pieces are joined and old versions go."""
KEPT_FOR = timedelta(minutes=10)
"""How long an old version stays for those who still read it."""
VECTOR = "vector"


@dataclass(frozen=True)
class Upserted:
    """What an upsert did: how many photos are new, how many changed, how many were there already as they are."""

    added: int
    changed: int
    same: int

    def __str__(self) -> str:
        return f"{self.added:,} added, {self.changed:,} changed, {self.same:,} as they were"


class Store(Index):
    """A store on the disk. A `Store` sees it as it was when it was opened or last written to by it; `refresh` sees
    what others have written since."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not Store.is_at(self.path):
            raise NatviewsError(f"There is no store at {path}; make one with `natviews index`.")
        self.refresh()

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a store lies there."""
        return (Path(path) / f"{TABLE}.lance").is_dir()

    @classmethod
    def create(cls, path: Path, embeddings: Embeddings, photos: pa.Table | None = None) -> "Store":
        """A new store of some embeddings; `photos` as in `upsert`. Raises NatviewsError where there is one
        already."""
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(entry.name != ".lock" for entry in path.iterdir())):
            raise NatviewsError(f"{path} is there already; give the new store another place.")
        table = _as_table(embeddings, photos)
        metadata = {PREFIX + name: value for name, value in asdict(embeddings.made_by).items()}
        with _writing(path):
            if cls.is_at(path):
                raise NatviewsError(f"{path} is there already; give the new store another place.")
            _lancedb().connect(path).create_table(TABLE, table.replace_schema_metadata(metadata))
        return cls(path)

    @classmethod
    def load(cls, path: Path) -> "Store":
        return cls(path)

    def refresh(self) -> None:
        """Sees the store as it is now. Raises NatviewsError where it is damaged."""
        try:
            self._table = self._latest()
            self._table.checkout(self._table.version)
            schema = self._table.schema
            self.made_by, self.width = provenance_of(schema), schema.field(VECTOR).type.list_size
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise NatviewsError(f"{self.path} is damaged: {_said(error)}; make the store again.") from None
        self._heads = [f.name for f in schema if pa.types.is_fixed_size_list(f.type)]
        self.__dict__.pop("_ids", None)

    def _latest(self) -> Any:
        return _lancedb().connect(self.path).open_table(TABLE)

    @cached_property
    def _ids(self) -> np.ndarray:
        return self._read(["id"]).column("id").to_numpy(zero_copy_only=False).astype(str)

    @property
    def ids(self) -> np.ndarray:
        return self._ids

    def __len__(self) -> int:
        return int(self._table.count_rows())

    @property
    def version(self) -> int:
        """What is seen of the store: it rises with every write, whoever writes."""
        return int(self._table.version)

    def _read(self, columns: list[str], rows: np.ndarray | None = None) -> pa.Table:
        """Columns of all photos, or of some row numbers, in the order of `ids` or of the numbers."""
        with _readable(self.path):
            if rows is None:
                return self._table.search().select(columns).to_arrow()
            order = np.argsort(rows, kind="stable")
            table = self._table.take_offsets(rows[order].tolist()).select(columns).to_arrow()
            return table.take(pa.array(np.argsort(order, kind="stable")))

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        where: np.ndarray | None = None,
        query_ids: np.ndarray | None = None,
    ) -> Matches:
        """Looks at every photo that is allowed, reading the store once for all queries; exact."""
        names = checked_queries(queries, k, self.width, query_ids)
        mask = None if where is None else checked_mask(where, len(self))
        scores, ids = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), str)
        for found, vectors in self._batches(mask):
            shuffle = np.random.default_rng(0).permutation(len(found))
            found, chunk = found[shuffle], queries @ vectors[shuffle].T
            if query_ids is not None:
                chunk[names[:, None] == found[None, :]] = -np.inf
            best = top_k(chunk, k)
            scores = np.concatenate([scores, np.take_along_axis(chunk, best, 1)], axis=1)
            ids = np.concatenate([ids, found[best]], axis=1)
            best = top_k(scores, k)
            scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
        return ended(names, ids, scores, k)

    def _batches(self, mask: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The ids and vectors of the photos that are allowed, some at a time."""
        if mask is not None and mask.sum() <= FEW * len(mask):
            rows = np.flatnonzero(mask)
            for start in range(0, len(rows), BATCH):
                yield _ids_and_vectors(self._read(["id", VECTOR], rows[start : start + BATCH]))
            return
        first = 0
        with _readable(self.path):
            for batch in self._table.search().select(["id", VECTOR]).to_batches(BATCH):
                ids, vectors = _ids_and_vectors(pa.Table.from_batches([batch]))
                part = slice(first, first + len(ids))
                first += len(ids)
                yield (ids, vectors) if mask is None else (ids[mask[part]], vectors[mask[part]])

    def add(self, embeddings: Embeddings) -> None:
        self.upsert(embeddings)

    def upsert(self, embeddings: Embeddings, photos: pa.Table | None = None) -> Upserted:
        """Takes in photos, replacing those that changed; what is as it was is not written again.

        `photos` is what is known of them: a table with a column `id` and columns of any names, as text or
        numbers. A column that it lacks, and a photo that it does not list, keep what the store holds. Returns when
        it is safely in the store.
        """
        with _writing(self.path):
            self.refresh()
            check_alike(self.made_by, self.width, embeddings)
            self._check_heads(embeddings)
            table, latest = _as_table(embeddings, photos), self._latest()
            new = [f for f in table.schema if f.name not in latest.schema.names]
            if new:
                latest.add_columns(pa.schema(new))
                self.refresh()
            listed = pa.nulls(len(table)) if photos is None else _places(table.column("id"), photos)
            table, result = self._changed(table, listed.is_valid())
            if len(table):
                how = latest.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                how.execute(table)
            self._tidy_now_and_then(latest)
        self.refresh()
        return result

    def _check_heads(self, embeddings: Embeddings) -> None:
        given = {VECTOR, *embeddings.extra}
        if given != set(self._heads):
            raise NatviewsError(
                f"The embeddings have the vectors {', '.join(sorted(given))} and the store "
                f"{', '.join(sorted(self._heads))}; describe the photos as the store's were, or make a new store."
            )

    def _changed(self, table: pa.Table, listed: pa.Array) -> tuple[pa.Table, Upserted]:
        """The rows that differ from what the store holds, with all of its columns; of photos that are not `listed`
        (N,) it is kept what was known."""
        place = pa.compute.index_in(table.column("id"), pa.array(self._ids.tolist(), pa.string()))
        place = place.fill_null(-1).to_numpy().astype(np.int64)
        there = np.flatnonzero(place >= 0)
        schema = self._table.schema.remove_metadata()
        old = self._read(schema.names, place[there]) if len(there) else schema.empty_table()
        beside = np.full(len(table), -1, np.int64)
        beside[there] = np.arange(len(there))
        kept = pa.array(beside, mask=beside < 0)
        columns = []
        for f in schema:
            told = f.name in table.column_names
            column = table.column(f.name).cast(f.type) if told else old.column(f.name).take(kept)
            if told and f.name not in ("id", "product_id", *self._heads):
                column = pa.compute.if_else(listed, column, old.column(f.name).take(kept))
            columns.append(column)
        table = pa.table(columns, schema=schema)
        same = np.ones(len(there), bool)
        for name in schema.names:
            same &= _equal(table.column(name).take(pa.array(there)), old.column(name))
        differs = np.ones(len(table), bool)
        differs[there[same]] = False
        result = Upserted(len(table) - len(there), int((~same).sum()), int(same.sum()))
        return table.filter(pa.array(differs)), result

    def delete(self, ids: np.ndarray) -> int:
        with _writing(self.path):
            self.refresh()
            there = sorted({str(name) for name in ids} & set(self._ids.tolist()))
            latest = self._latest()
            if there:
                quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in there)
                latest.delete(f"id IN ({quoted})")
            self._tidy_now_and_then(latest)
        self.refresh()
        return len(there)

    def tidy(self, kept_for: timedelta = KEPT_FOR) -> None:
        """Joins small pieces and removes versions older than that: what upserts leave behind."""
        with _writing(self.path):
            _tidied(self._latest(), kept_for)
        self.refresh()

    def _tidy_now_and_then(self, latest: Any) -> None:
        if int(latest.version) // TIDIED_EVERY > int(self._table.version) // TIDIED_EVERY:
            _tidied(latest, KEPT_FOR)

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        place = pa.compute.index_in(pa.array([str(i) for i in ids], pa.string()), pa.array(self.ids.tolist()))
        if place.null_count:
            raise NatviewsError(f"There is no photo {str(ids[place.to_pylist().index(None)])!r} in {self.path}.")
        return as_matrix(self._read([VECTOR], place.to_numpy().astype(np.int64)).column(VECTOR))

    def photos(self) -> pa.Table:
        return self._read([name for name in self._table.schema.names if name not in self._heads])

    def rows_of(self, ids: np.ndarray) -> tuple[Embeddings, pa.Table]:
        """Those of some photos that are there, with all their vectors, and what is known of them."""
        wanted = pa.array([str(name) for name in ids], pa.string())
        place = pa.compute.index_in(wanted, pa.array(self.ids.tolist(), pa.string())).drop_null()
        table = self._read(self._table.schema.names, place.to_numpy().astype(np.int64))
        return self._as_embeddings(table), table.drop_columns(self._heads)

    @property
    def embeddings(self) -> Embeddings:
        """All photos with all their vectors."""
        return self._as_embeddings(self._read(["id", "product_id", *self._heads]))

    def _as_embeddings(self, table: pa.Table) -> Embeddings:
        ids, products = (
            table.column(name).to_numpy(zero_copy_only=False).astype(str) for name in ("id", "product_id")
        )
        vectors = {name: as_matrix(table.column(name)) for name in self._heads}
        return Embeddings(ids, products, vectors.pop(VECTOR), self.made_by, vectors)

    def save(self, path: Path) -> None:
        """Copies the store, as it is seen, to a new one."""
        Store.create(path, self.embeddings, self.photos())


def _lancedb() -> Any:
    try:
        import lancedb
    except ImportError:
        raise NatviewsError("A store needs LanceDB; pip install lancedb.") from None
    return lancedb


def _as_table(embeddings: Embeddings, photos: pa.Table | None) -> pa.Table:
    """Ids, products and vectors, with what is known of the photos beside them."""
    columns: dict[str, Any] = {
        "id": pa.array(embeddings.ids.tolist(), pa.string()),
        "product_id": pa.array(embeddings.product_ids.tolist(), pa.string()),
    }
    if photos is not None:
        place = _places(columns["id"], photos)
        heads = {VECTOR, *embeddings.extra}
        for name in photos.column_names:
            if name in heads or "." in name:
                raise NatviewsError(f"A store can have no column {name!r}; rename it in the catalogue.")
            if name not in columns:
                columns[name] = photos.column(name).take(place)
    columns |= {VECTOR: as_lists(embeddings.vectors)}
    return pa.table(columns | {name: as_lists(vectors) for name, vectors in embeddings.extra.items()})


def _places(ids: pa.Array, photos: pa.Table) -> pa.Array:
    """The rows in which a table lists photos, null where it does not."""
    return pa.compute.index_in(ids, photos.column("id").cast(pa.string()).combine_chunks())


def _ids_and_vectors(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    ids = table.column("id").to_numpy(zero_copy_only=False).astype(str)
    return ids, as_matrix(table.column(VECTOR))


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> np.ndarray:
    """(N,) bool: where two columns hold the same."""
    if pa.types.is_fixed_size_list(one.type):
        return (as_matrix(one) == as_matrix(other)).all(axis=1)
    equal = pa.compute.equal(one, other).fill_null(False)
    both = pa.compute.and_(one.is_null(), other.is_null())
    return pa.compute.or_(equal, both).to_numpy(zero_copy_only=False).astype(bool)


def _tidied(latest: Any, kept_for: timedelta) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        latest.optimize(cleanup_older_than=kept_for)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """One writer at a time, its errors in one sentence. The lock goes with its process, however that ends."""
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        with (path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with _readable(path):
                yield


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """LanceDB's own errors in one sentence."""
    try:
        yield
    except RuntimeError as error:
        if "No space left" in str(error) or "os error 28" in str(error):
            raise NatviewsError(f"The disk is full while writing {path}; free some space and run again.") from None
        raise NatviewsError(f"{path} cannot be read or written: {_said(error)}") from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
