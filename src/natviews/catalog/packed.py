"""Photos decoded once into one memory-mapped file, so that no epoch decodes again.

A pack is found again by its content: the ids, and each file's size and time of change, as make and git
take them. When a photo changes, another pack is made.
"""

import csv
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog.catalog import Catalog
from natviews.catalog.decode import BadPhoto, read_photo
from natviews.catalog.duplicates import Hashes, perceptual_hashes
from natviews.catalog.prepared import ROOM, Preparation, limited, prepared
from natviews.files import whole_file
from natviews.progress import progress
from natviews.types import NatviewsError, Photo

CHUNK = 256
FORMAT = "1"
INDEX = pa.schema(
    {
        "offset": pa.int64(),
        "height": pa.int32(),
        "width": pa.int32(),
        "shape_hash": pa.uint64(),
        "colour_hash": pa.uint64(),
        "reason": pa.string(),
    }
)
NOTHING: tuple[np.ndarray, Hashes] = (np.empty((0, 0, 3), np.uint8), (0, 0))
"""What is stored of a photo that cannot be used."""


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

    `catalog` holds the readable photos only; `quarantine` the others with their reasons; `hashes` (N, 2)
    uint64 are each photo's perceptual hashes of shape (pHash, 64 bits) and colour (42 bits).
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
        _, height, width = self._places[row]
        return height, width

    def pixels(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, read-only, backed by the file."""
        offset, height, width = self._places[row]
        return self._store[offset : offset + height * width * 3].reshape(height, width, 3)

    @cached_property
    def _places(self) -> list[tuple[int, int, int]]:
        """Offset, height and width of every photo: as a list, for Arrow's values are slow one by one."""
        return list(
            zip(*(self._index.column(name).to_pylist() for name in ("offset", "height", "width")), strict=True)
        )

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
    """Decodes every photo once (or finds that done), longest side at most `longest` px, prepared if asked.

    A photo that cannot be used is quarantined with its reason and never stops the run. The perceptual hashes
    are those of the photos before preparation. Raises NatviewsError where no photo can be used or the cache
    cannot be written.
    """
    key = content_key(catalog) + (f"-{preparation.key}" if preparation else "")
    pixels = cache_folder() / "packed" / f"{key}-{longest}.pixels"
    index = pixels.with_suffix(".parquet")
    if not (pixels.exists() and index.exists()):
        _write(catalog, longest, preparation, pixels, index)
    table = pa.parquet.read_table(index)
    reasons = table.column("reason").to_numpy(zero_copy_only=False).astype(str)
    good = reasons == ""
    quarantine = [
        Quarantined(str(catalog.ids[row]), str(catalog.product_ids[row]), str(reasons[row]))
        for row in np.flatnonzero(~good)
    ]
    if not good.any():
        raise NatviewsError(
            f"None of the {len(catalog)} photos can be used; the first: {quarantine[0].id}: "
            f"{quarantine[0].reason}. Are the paths relative to {catalog.folder}?"
        )
    store = np.memmap(pixels, dtype=np.uint8, mode="r")
    hashes = np.stack([table.column(name).to_numpy() for name in ("shape_hash", "colour_hash")], axis=1)[good]
    return PackedPhotos(catalog.take(good), hashes, quarantine, store, table.filter(pa.array(good)))


def content_key(catalog: Catalog) -> str:
    """A name for the photos' content: the files' paths, sizes and times of change."""
    digest = hashlib.blake2b(FORMAT.encode(), digest_size=16)
    for photo in catalog.photos:
        try:
            status = photo.path.stat()
            content = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            content = "absent"
        digest.update(f"{photo.path.absolute()}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write(catalog: Catalog, longest: int, preparation: Preparation | None, pixels: Path, index: Path) -> None:
    rows = []
    offset = 0
    with whole_file(pixels) as temporary, temporary.open("wb") as file:
        for photo, (shape_hash, colour_hash), reason in _decoded(catalog, longest, preparation):
            height, width = photo.shape[:2]
            rows.append((offset, height, width, shape_hash, colour_hash, reason))
            file.write(photo.tobytes())
            offset += photo.size
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), INDEX.types, strict=True)]
    with whole_file(index) as temporary:  # written after the pixels: its presence says they are whole
        pa.parquet.write_table(pa.table(columns, schema=INDEX), temporary)


def _decoded(
    catalog: Catalog, longest: int, preparation: Preparation | None
) -> Iterator[tuple[np.ndarray, Hashes, str]]:
    photos = catalog.photos
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes without the GIL
        progress("decoding photos", len(photos)) as advance,
    ):
        for start in range(0, len(photos), CHUNK):
            chunk = photos[start : start + CHUNK]
            for result in pool.map(lambda photo: _decode_one(photo, longest, preparation), chunk):
                yield result
                advance()


def _decode_one(photo: Photo, longest: int, preparation: Preparation | None) -> tuple[np.ndarray, Hashes, str]:
    try:
        pixels = read_photo(photo.path, ROOM * longest if preparation else longest)
        # Of the photo as it came: the distances of near-identical photos were chosen on such.
        hashes = perceptual_hashes(limited(pixels, longest))
        return prepared(pixels, longest, preparation) if preparation else pixels, hashes, ""
    except BadPhoto as bad:
        return *NOTHING, str(bad)


def write_quarantine(quarantine: list[Quarantined], path: Path) -> None:
    """`quarantine.csv`: image, product_id, reason; only its first line where nothing is wrong."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "product_id", "reason"])
        writer.writerows((bad.id, bad.product_id, bad.reason) for bad in quarantine)
