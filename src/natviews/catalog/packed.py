"""Photos decoded once into one memory-mapped file, so that no epoch reads them from their places again.

A pack is found again by its content: the ids, and each file's size and time of change, as make and git
take them. When a photo changes, another pack is made; of a URL only the name is known. What a passing reason kept
away is tried again whenever the pack is opened. A file that several rows show is in it once. Where pixels would
take more room than there is for them, it holds small JPEG files instead.
"""

import csv
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from natviews.catalog.catalog import Catalog
from natviews.catalog.decode import BadPhoto, Unavailable
from natviews.catalog.duplicates import perceptual_hashes
from natviews.catalog.places import Files, files_of
from natviews.catalog.prepared import ROOM, Preparation, limited, prepared
from natviews.catalog.reading import read_photo
from natviews.catalog.remote import Unreachable
from natviews.catalog.stores import LENGTH, Entry, Form, chosen_form, index_of, try_again, write_store
from natviews.files import whole_file
from natviews.progress import progress
from natviews.types import NatviewsError, Photo

REMOTE_THREADS = 16
"""Threads that read photos where some are at URLs: they mostly wait."""
AHEAD = 4
"""Photos per thread that are being read while earlier ones are written."""
QUALITY = 92
"""Of photos that are kept as JPEG, their colours in full resolution."""


def cache_folder() -> Path:
    """Where packs lie: $NATVIEWS_CACHE, else ~/.cache/natviews."""
    return Path(os.environ.get("NATVIEWS_CACHE") or Path.home() / ".cache" / "natviews")


@dataclass(frozen=True)
class Quarantined:
    """A photo that cannot be used, and why."""

    id: str
    product_id: str
    reason: str


@dataclass(frozen=True)
class PackedPhotos:
    """The catalogue's readable photos as pixels. Row i of `catalog` is `pixels(i)`, always.

    They lie in the file as pixels, or as JPEG where `_index` has a column `length`: then `pixels` decodes, in the
    thread that asks. `catalog` holds the readable photos only; `quarantine` the others with their reasons;
    `hashes` (N, 2) uint64 are each photo's perceptual hashes of shape (pHash, 64 bits) and colour (42 bits).
    """

    catalog: Catalog
    hashes: np.ndarray
    quarantine: list[Quarantined]
    _store: np.ndarray
    _index: pa.Table

    def __len__(self) -> int:
        return len(self.catalog)

    def size(self, row: int) -> tuple[int, int]:
        """(height, width) of a photo in px."""
        return int(self._heights[row]), int(self._widths[row])

    def pixels(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, read-only. Raises NatviewsError where a pack of JPEG was damaged."""
        offset, (height, width) = int(self._offsets[row]), self.size(row)
        if self._lengths is None:
            return self._store[offset : offset + height * width * 3].reshape(height, width, 3)
        decoded = cv2.imdecode(self._store[offset : offset + int(self._lengths[row])], cv2.IMREAD_COLOR)
        if decoded is None or decoded.shape[:2] != (height, width):
            raise NatviewsError(f"The pack of photos in {cache_folder()} is damaged; delete it and run again.")
        pixels = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
        pixels.flags.writeable = False
        return pixels

    @cached_property
    def _offsets(self) -> np.ndarray:
        return self._index.column("offset").to_numpy()

    @cached_property
    def _heights(self) -> np.ndarray:
        return self._index.column("height").to_numpy()

    @cached_property
    def _widths(self) -> np.ndarray:
        return self._index.column("width").to_numpy()

    @cached_property
    def _lengths(self) -> np.ndarray | None:
        return self._index.column(LENGTH).to_numpy() if LENGTH in self._index.column_names else None

    def take(self, rows: np.ndarray) -> "PackedPhotos":
        """The packed photos of some rows: a boolean mask (N,) or row numbers. Nothing is copied."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        index = self._index.take(pa.array(rows))
        return PackedPhotos(self.catalog.take(rows), self.hashes[rows], self.quarantine, self._store, index)

    def with_catalog(self, catalog: Catalog) -> "PackedPhotos":
        """The same pixels under a catalogue that knows more about the same photos (a split, say)."""
        if not np.array_equal(catalog.ids, self.catalog.ids):
            raise ValueError("the catalogue must hold the same photos in the same order")
        return PackedPhotos(catalog, self.hashes, self.quarantine, self._store, self._index)


def pack(catalog: Catalog, longest: int, preparation: Preparation | None = None) -> PackedPhotos:
    """Reads every photo once (or finds that done), longest side at most `longest` px, prepared if asked.

    A photo that cannot be used is quarantined with its reason and never stops the run. The perceptual hashes
    are those of the photos before preparation. A killed run continues where it was. Photos whose pixels could
    take more than $NATVIEWS_PACK_GB (40), or than half of the free disk, are kept as JPEG. Raises NatviewsError
    where no photo can be used, the network is gone, or the cache cannot be written.
    """
    files = files_of(catalog)
    name = f"{files.key}{f'-{preparation.key}' if preparation else ''}-{longest}"
    form, store = chosen_form(cache_folder() / "packed", name, len(files.rows) * longest * longest * 3)
    entries = _Work(catalog, files, form, longest, preparation).entries
    if not (store.exists() and index_of(store).exists()):
        write_store(store, form, entries, files.number)
        index = pa.parquet.read_table(index_of(store))
    else:
        index = try_again(store, form, entries, files.number)
    good = pa.compute.equal(index.column("reason"), "").to_numpy()
    bad = np.flatnonzero(~good)
    reasons = index.column("reason").take(pa.array(bad)).to_pylist()
    places = zip(catalog.ids[bad].tolist(), catalog.product_ids[bad].tolist(), reasons, strict=True)
    quarantine = [Quarantined(*place) for place in places]
    if not good.any():
        index_of(store).unlink()  # what is at a URL tomorrow has the same name
        raise NatviewsError(
            f"None of the {len(catalog)} photos can be used; the first: {quarantine[0].id}: "
            f"{quarantine[0].reason}. Are the paths relative to {catalog.folder}?"
        )
    hashes = np.stack([index.column(name).to_numpy() for name in ("shape_hash", "colour_hash")], axis=1)
    packed = PackedPhotos(catalog, hashes, quarantine, np.memmap(store, dtype=np.uint8, mode="r"), index)
    return packed.take(good) if len(bad) else packed


@dataclass(frozen=True)
class _Work:
    """Making a pack's entries: one for each file behind the catalogue's rows."""

    catalog: Catalog
    files: Files
    form: Form
    longest: int
    preparation: Preparation | None

    def entries(self, numbers: np.ndarray) -> Generator[Entry, None, None]:
        """Those of the files with these numbers, in order, by threads, some photos ahead."""
        photos, rows = self.catalog.photos, self.files.rows[numbers]
        threads = REMOTE_THREADS if self.files.remote else os.cpu_count() or 1
        with (
            ThreadPoolExecutor(threads) as pool,  # Pillow and OpenCV work without the GIL
            progress("reading photos", len(self.files.rows)) as advance,
        ):
            advance(len(self.files.rows) - len(rows))
            waiting: deque[Future[Entry]] = deque()
            try:
                for row in [*rows.tolist(), *[None] * AHEAD * threads]:
                    if row is not None:
                        waiting.append(pool.submit(self._entry, photos[row]))
                    if waiting and (row is None or len(waiting) > AHEAD * threads):
                        yield waiting.popleft().result()
                        advance()
            finally:
                for future in waiting:
                    future.cancel()

    def _entry(self, photo: Photo) -> Entry:
        try:
            pixels = read_photo(photo.path, ROOM * self.longest if self.preparation else self.longest)
            # Of the photo as it came: the distances of near-identical photos were chosen on such.
            hashes = perceptual_hashes(limited(pixels, self.longest))
            if self.preparation:
                pixels = prepared(pixels, self.longest, self.preparation)
        except BadPhoto as bad:
            return Entry(b"", 0, 0, 0, 0, str(bad), isinstance(bad, Unavailable), isinstance(bad, Unreachable))
        data = _as_jpeg(pixels) if self.form is Form.JPEG else pixels.tobytes()
        height, width = pixels.shape[:2]
        return Entry(data, height, width, *hashes, "")


def _as_jpeg(pixels: np.ndarray) -> bytes:
    full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, *full_colour]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def write_quarantine(quarantine: list[Quarantined], path: Path) -> None:
    """`quarantine.csv`: image, product_id, reason; only its first line where nothing is wrong."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "product_id", "reason"])
        writer.writerows((bad.id, bad.product_id, bad.reason) for bad in quarantine)
