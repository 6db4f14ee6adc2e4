"""What is searched: a store's photos in memory, kept true to the store while this server and others write to it.

Searches read one immutable `Snapshot`, so they wait for nobody. What changes lies in a small part of its own
beside the large index, and what went is masked in that; from time to time a new large index takes both in.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.index import Store, open_index, stored_embeddings, stored_photos
from natviews.serving.batching import Batcher
from natviews.serving.parts import Part, empty_part, facts_of
from natviews.serving.problems import Unable
from natviews.types import Embeddings, NatviewsError

LOOKED_EVERY = 0.5
"""Seconds after which what other servers wrote is seen."""
BESIDE = 5_000
"""Changed photos that lie beside the large index before it is made anew."""
ASKING = 8
"""Photos of a product that ask for it."""
SPARE = 4
"""Photos that are looked for, for each product that is wanted."""


@dataclass(frozen=True)
class Neighbour:
    """A product that was found: its most similar photo and the cosine of that."""

    product_id: str
    photo: str
    score: float
    facts: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The photos as they are at one moment: the large part, those of it that went, and what came since."""

    main: Part
    fresh: Part
    gone: frozenset[str] = frozenset()
    version: int = 0
    alive: np.ndarray | None = field(default=None, repr=False)
    """(N,) bool over the large part, None where nothing went."""

    def __len__(self) -> int:
        return len(self.main) - len(self.gone) + len(self.fresh)

    @property
    def parts(self) -> tuple[tuple[Part, np.ndarray | None], ...]:
        """Both parts, each with the rows that count."""
        return (self.main, self.alive), (self.fresh, None)

    def place(self, photo: str) -> tuple[Part, int] | None:
        """Where a photo lies; None where it is not there."""
        if photo in self.fresh.row_of:
            return self.fresh, self.fresh.row_of[photo]
        if photo in self.gone or photo not in self.main.row_of:
            return None
        return self.main, self.main.row_of[photo]

    def photos_of(self, product_id: str) -> list[tuple[Part, int]]:
        """Where a product's photos lie."""
        return [
            (part, row)
            for part, alive in self.parts
            for row in part.rows_of.get(product_id, [])
            if alive is None or alive[row]
        ]

    @property
    def designs(self) -> bool:
        """Whether same designs can be looked for."""
        return self.main.designs

    def check_designs(self) -> None:
        """Raises Unable where same designs cannot be looked for."""
        if not self.designs:
            raise Unable(
                "The store has no vectors of designs; train with --set 'heads=[identity, design]' and embed again."
            )

    @property
    def columns(self) -> list[str]:
        """What is known of photos beside their ids."""
        return [name for name in self.main.known.column_names if name not in ("id", "product_id")]

    def changed(self, embeddings: Embeddings, known: pa.Table, version: int) -> "Snapshot":
        """With photos taken in, replacing those of the same ids. `known` has all columns."""
        keep = ~np.isin(self.fresh.embeddings.ids, embeddings.ids)
        joined = _joined(self.fresh.embeddings.take(keep), embeddings)
        table = pa.concat_tables([self.fresh.known.filter(pa.array(keep)), known.cast(self.fresh.known.schema)])
        gone = self.gone | {photo for photo in embeddings.ids.tolist() if photo in self.main.row_of}
        return self._without(gone, Part(joined, table), version)

    def deleted(self, ids: Sequence[str], version: int) -> "Snapshot":
        """Without some photos."""
        keep = ~np.isin(self.fresh.embeddings.ids, np.array(list(ids), str))
        fresh = Part(self.fresh.embeddings.take(keep), self.fresh.known.filter(pa.array(keep)))
        return self._without(self.gone | {photo for photo in ids if photo in self.main.row_of}, fresh, version)

    def _without(self, gone: frozenset[str], fresh: Part, version: int) -> "Snapshot":
        alive = None
        if gone:
            alive = np.ones(len(self.main), bool)
            alive[[self.main.row_of[photo] for photo in gone]] = False
        return replace(self, fresh=fresh, gone=frozenset(gone), alive=alive, version=version)


def _joined(one: Embeddings, other: Embeddings) -> Embeddings:
    ids, products, vectors = (
        np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("ids", "product_ids", "vectors")
    )
    extra = {name: np.concatenate([one.extra[name], other.extra[name]]) for name in one.extra}
    return Embeddings(ids, products, vectors, one.made_by, extra)


@dataclass(frozen=True)
class Query:
    """What is looked for: unit vectors (Q, D) that ask together, how many products, which, and by which
    likeness."""

    vectors: np.ndarray
    k: int = 24
    conditions: tuple[str, ...] = ()
    design: bool = False
    without: str = ""
    """A product that is not to be found: the one that asks."""


def search(snapshot: Snapshot, query: Query) -> list[Neighbour]:
    """The nearest products, each by its nearest photo, falling. Raises NatviewsError for a bad condition."""
    best: dict[str, tuple[float, Part, int]] = {}
    own = len(snapshot.photos_of(query.without)) if query.without else 0
    for part, alive in snapshot.parts:
        where = part.allowed(query.conditions)
        if alive is not None:
            where = alive if where is None else where & alive
        wanted = min(len(part), SPARE * query.k + own)
        if wanted:
            _offer(part, query, where, wanted, best)
    best.pop(query.without, None)
    ranked = sorted(best.items(), key=lambda held: (-held[1][0], held[0]))[: query.k]
    facts = facts_of([(part, row) for _, (_, part, row) in ranked])
    return [
        Neighbour(product, str(part.embeddings.ids[row]), score, known)
        for (product, (score, part, row)), known in zip(ranked, facts, strict=True)
    ]


def _offer(
    part: Part,
    query: Query,
    where: np.ndarray | None,
    wanted: int,
    best: dict[str, tuple[float, Part, int]],
) -> None:
    """Puts each product's best photo in a part into `best`; looks for more where few products hold many photos."""
    while True:
        rows, scores = part.look(query.vectors, wanted, where=where, design=query.design)
        for row, score in zip(rows.ravel().tolist(), scores.ravel().tolist(), strict=True):
            product = "" if row < 0 else str(part.embeddings.product_ids[row])
            if row >= 0 and (product not in best or score > best[product][0]):
                best[product] = (score, part, row)
        if len(best) > query.k or wanted >= len(part) or (rows < 0).any():
            return
        wanted = min(len(part), 4 * wanted)


class Gallery:
    """A store that is searched and written to. `snapshot` is what it holds now."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.writable = Store.is_at(place)
        self._store = Store(place) if self.writable else None
        self._writing = threading.Lock()
        self.snapshot = self._read()
        self.made_by = self.snapshot.main.embeddings.made_by
        self.heads = sorted(self.snapshot.main.embeddings.extra)
        self._stopped = threading.Event()
        self._writer: Batcher[_Change, int] = Batcher(self._write, most=256, wait=0.005, name="writing")
        self._follower = threading.Thread(target=self._follow, name="following", daemon=True)
        self._follower.start()

    def _read(self) -> Snapshot:
        if self._store is None:
            embeddings, known, version = stored_embeddings(self.place), stored_photos(self.place), 0
        else:
            store = Store(self.place)
            embeddings, known, version = store.embeddings, store.photos(), store.version
        main = Part(embeddings, known, large=True)
        return Snapshot(main, empty_part(main), version=version)

    def upsert(self, embeddings: Embeddings, known: pa.Table) -> "Future[int]":
        """A future that is done when the photos are safely in the store and are found. Raises NatviewsError where
        nothing can be written."""
        self.check_writable()
        return self._writer.submit(_Change(embeddings=embeddings, known=known))

    def delete(self, ids: Sequence[str]) -> "Future[int]":
        """A future with the number of photos that were deleted."""
        self.check_writable()
        return self._writer.submit(_Change(gone=tuple(ids)))

    def check_writable(self) -> None:
        """Raises Unable where nothing can be written."""
        if not self.writable:
            raise Unable(f"{self.place} cannot be written to; make a store of it with `natviews index`.")

    def _write(self, changes: "list[_Change]") -> list[int | Exception]:
        """Neighbouring changes of one kind are one write."""
        results: list[int | Exception] = []
        start = 0
        while start < len(changes):
            end = start + 1
            while end < len(changes) and changes[end].deletes == changes[start].deletes:
                end += 1
            together = changes[start:end]
            results += self._deleted(together) if together[0].deletes else self._upserted(together)
            start = end
        return results

    def _upserted(self, changes: "list[_Change]") -> list[int | Exception]:
        assert self._store is not None
        last = {str(change.embeddings.ids[0]): change for change in changes if change.embeddings is not None}
        parts = [change.embeddings for change in last.values() if change.embeddings is not None]
        embeddings = parts[0]
        for part in parts[1:]:
            embeddings = _joined(embeddings, part)
        known = pa.concat_tables([change.known for change in last.values()], promote_options="default")
        with self._writing:
            self._store.upsert(embeddings, known)
            # Columns that were not given keep what the store holds, so rows are read back.
            self._seen(self.snapshot.changed(*self._store.rows_of(embeddings.ids), self._store.version))
        return [1] * len(changes)

    def _deleted(self, changes: "list[_Change]") -> list[int | Exception]:
        assert self._store is not None
        ids = sorted({photo for change in changes for photo in change.gone})
        with self._writing:
            there = set(self._store.rows_of(np.array(ids))[0].ids.tolist())
            self._store.delete(np.array(ids))
            self._seen(self.snapshot.deleted(ids, self._store.version))
        return [len(there & set(change.gone)) for change in changes]

    def _seen(self, snapshot: Snapshot) -> None:
        """Takes the snapshot for what is there, unless another server wrote in between: then that is still to
        read."""
        before = self.snapshot.version
        self.snapshot = snapshot if snapshot.version <= before + 1 else replace(snapshot, version=before)

    def _follow(self) -> None:
        while not self._stopped.wait(LOOKED_EVERY):
            try:
                self.catch_up()
            except NatviewsError:  # such as a store that is being replaced: the last good view stands
                continue

    def catch_up(self) -> None:
        """Sees what others wrote, and makes the large index anew where much has changed."""
        if self._store is None:
            return
        with self._writing:
            if Store(self.place).version > self.snapshot.version:
                self.snapshot = self._followed(self.snapshot)
        if len(self.snapshot.gone) + len(self.snapshot.fresh) > max(BESIDE, len(self.snapshot.main) // 10):
            anew = self._read()  # writers need not wait for the index
            with self._writing:
                self.snapshot = anew if anew.version == self.snapshot.version else self._followed(anew)

    def _followed(self, snapshot: Snapshot) -> Snapshot:
        latest = Store(self.place)
        return followed(snapshot, latest.embeddings, latest.photos(), latest.version)

    def close(self) -> None:
        """Finishes what is being written."""
        self._stopped.set()
        self._writer.close()
        self._follower.join()


@dataclass(frozen=True)
class _Change:
    """Photos to take in, or ids to take out."""

    embeddings: Embeddings | None = None
    known: pa.Table | None = None
    gone: tuple[str, ...] = ()

    @property
    def deletes(self) -> bool:
        return self.embeddings is None


def followed(snapshot: Snapshot, embeddings: Embeddings, known: pa.Table, version: int) -> Snapshot:
    """The snapshot as the store is now: what differs from the large part lies beside it."""
    main = snapshot.main
    columns = main.known.column_names
    if known.column_names != columns:  # a new column: everything is another row
        part = Part(embeddings, known, large=True)
        return Snapshot(part, empty_part(part), version=version)
    place = np.array([main.row_of.get(photo, -1) for photo in embeddings.ids.tolist()], np.int64)
    there = np.flatnonzero(place >= 0)
    same = (main.embeddings.vectors[place[there]] == embeddings.vectors[there]).all(axis=1)
    old = main.known.take(pa.array(place[there]))
    for name in columns:
        ours, theirs = old.column(name), known.column(name).take(pa.array(there))
        equal = pa.compute.equal(ours, theirs).fill_null(False)
        both = pa.compute.and_(ours.is_null(), theirs.is_null())
        same &= pa.compute.or_(equal, both).to_numpy(zero_copy_only=False).astype(bool)
    changed = np.ones(len(embeddings), bool)
    changed[there[same]] = False
    kept = set(embeddings.ids[there[same]].tolist())
    gone = frozenset(photo for photo in main.row_of if photo not in kept)
    fresh = Part(embeddings.take(changed), known.filter(pa.array(changed)).cast(main.known.schema))
    return snapshot._without(gone, fresh, version)


def open_gallery(place: Path) -> Gallery:
    """The gallery of a store's folder or of a Parquet of embeddings. Raises NatviewsError where there is none."""
    if not Store.is_at(place) and not place.is_file():
        raise NatviewsError(f"There is no store at {place}; make one with `natviews index`.")
    if place.is_file():
        open_index(place)
    return Gallery(place)
