"""What is searched: a store's photos in memory, kept true to the store while this server and others write to it.

Small changes lie beside the large index (see `Snapshot`); from time to time a new large index takes them in.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.index import Store, open_index, stored_embeddings, stored_photos
from natviews.serving.batching import Batcher
from natviews.serving.parts import Part, empty_part
from natviews.serving.problems import Unable
from natviews.serving.snapshot import Snapshot, followed, joined
from natviews.types import Embeddings, NatviewsError

LOOKED_EVERY = 0.5
"""Seconds after which what other servers wrote is seen."""
Then = Callable[[], None]
BESIDE = 5_000
"""Changed photos that lie beside the large index before it is made anew."""


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

    def upsert(self, embeddings: Embeddings, known: pa.Table, then: Then | None = None) -> "Future[int]":
        """A future that is done when the photos are safely in the store and are found. `then` is called before,
        in the order in which photos are written. Raises NatviewsError where nothing can be written."""
        self.check_writable()
        return self._writer.submit(_Change(then, embeddings=embeddings, known=known))

    def delete(self, ids: Sequence[str], then: Then | None = None) -> "Future[int]":
        """A future with the number of photos that were deleted; `then` is called as by `upsert`."""
        self.check_writable()
        return self._writer.submit(_Change(then, gone=tuple(ids)))

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
            embeddings = joined(embeddings, part)
        known = pa.concat_tables([change.known for change in last.values()], promote_options="default")
        with self._writing:
            self._store.upsert(embeddings, known)
            # Columns that were not given keep what the store holds, so rows are read back.
            self._seen(self.snapshot.changed(*self._store.rows_of(embeddings.ids), self._store.version))
        failed = {photo: error for photo, change in last.items() if (error := change.followed())}
        return [
            failed.get(str(change.embeddings.ids[0]), 1) for change in changes if change.embeddings is not None
        ]

    def _deleted(self, changes: "list[_Change]") -> list[int | Exception]:
        assert self._store is not None
        ids = sorted({photo for change in changes for photo in change.gone})
        with self._writing:
            there = set(self._store.rows_of(np.array(ids))[0].ids.tolist())
            self._store.delete(np.array(ids))
            self._seen(self.snapshot.deleted(ids, self._store.version))
        return [change.followed() or len(there & set(change.gone)) for change in changes]

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
    """Photos to take in, or ids to take out, and what is to be done once that is in the store."""

    then: Then | None = None
    embeddings: Embeddings | None = None
    known: pa.Table | None = None
    gone: tuple[str, ...] = ()

    @property
    def deletes(self) -> bool:
        return self.embeddings is None

    def followed(self) -> Exception | None:
        """Does what is to be done then; what went wrong with it."""
        try:
            if self.then is not None:
                self.then()
        except Exception as error:
            return error
        return None


def open_gallery(place: Path) -> Gallery:
    """The gallery of a store's folder or of a Parquet of embeddings. Raises NatviewsError where there is none."""
    if not Store.is_at(place) and not place.is_file():
        raise NatviewsError(f"There is no store at {place}; make one with `natviews index`.")
    if place.is_file():
        open_index(place)
    return Gallery(place)
