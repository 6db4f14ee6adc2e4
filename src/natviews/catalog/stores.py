"""The files of a pack: photos one after another, and an index whose presence says that they are whole.

While a pack is written, the index of every part that is safely on the disk lies in a folder beside it, so that a
killed run continues behind the last part.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog.remote import Losses, NetworkGone
from natviews.files import explained, whole_file
from natviews.progress import progress
from natviews.types import NatviewsError

PART = 512
"""Photos after which the disk is made sure of: what a kill can cost, some seconds of work."""
BUDGET_GB = 40.0
SHARE_OF_DISK = 0.5
LENGTH = "length"
END = b"natviews.end"
"""Where a part ends in the file, in its index."""
INDEX = pa.schema(
    {
        "offset": pa.int64(),
        "height": pa.int32(),
        "width": pa.int32(),
        "shape_hash": pa.uint64(),
        "colour_hash": pa.uint64(),
        "reason": pa.string(),
        "again": pa.bool_(),
    }
)


class Form(Enum):
    """How photos lie in a pack; the value is the file's ending."""

    PIXELS = "pixels"
    JPEG = "jpegs"


class Entry(NamedTuple):
    """A photo of a pack: its bytes, size in px and perceptual hashes, or the reason why there is none: `again`
    where that may pass, `lost` where the network is at fault."""

    data: bytes
    height: int
    width: int
    shape_hash: int
    colour_hash: int
    reason: str
    again: bool = False
    lost: bool = False


Entries: TypeAlias = Callable[[np.ndarray], Generator[Entry, None, None]]
"""Makes the entries of the photos with these numbers, in order."""


def index_of(store: Path) -> Path:
    """The index beside a pack's photos; the older form keeps the name that it had before there were two."""
    return store.with_suffix(".parquet" if store.suffix == f".{Form.PIXELS.value}" else ".jpegs.parquet")


def chosen_form(folder: Path, name: str, size: int) -> tuple[Form, Path]:
    """The form and the file of a pack whose pixels take at most `size` bytes.

    One that is there, or was begun, is kept to; otherwise it is JPEG where pixels would go beyond the budget.
    Raises NatviewsError where $NATVIEWS_PACK_GB is no number.
    """
    stores = {form: folder / f"{name}.{form.value}" for form in Form}
    for present in (index_of, _parts_of):
        for form, store in stores.items():
            if store.exists() and present(store).exists():
                return form, store
    form = Form.PIXELS if size <= _budget(folder) else Form.JPEG
    return form, stores[form]


def _budget(folder: Path) -> float:
    """How many bytes of pixels a pack may have: $NATVIEWS_PACK_GB, at most half of what is free."""
    given = os.environ.get("NATVIEWS_PACK_GB") or str(BUDGET_GB)
    try:
        wanted = float(given) * 1e9
    except ValueError:
        raise NatviewsError(f"NATVIEWS_PACK_GB is {given!r}; it must be a number of gigabytes.") from None
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return min(wanted, SHARE_OF_DISK * shutil.disk_usage(folder).free)


def write_store(store: Path, form: Form, entries: Entries, number: np.ndarray) -> None:
    """Writes a pack: `number` (N,) says which of its photos, counted from 0, a row shows.

    Continues what was begun; where another process is at it, waits for that. Raises NatviewsError where the disk
    is full, or when the network is gone.
    """
    parts = _parts_of(store)
    with explained(store), _alone(store.with_name(f".{store.name}.lock")):
        if index_of(store).exists():  # by the process that was waited for
            shutil.rmtree(parts, ignore_errors=True)
            return
        parts.mkdir(exist_ok=True)
        written = _written(store, parts)
        rest = np.arange(sum(map(len, written)), number.max() + 1)
        with closing(entries(rest)) as coming, store.open("ab") as file:
            for part in _in_parts(coming):
                table = _appended(file, part, form)
                with whole_file(parts / f"{len(written):06d}.parquet") as temporary:  # after its photos
                    pa.parquet.write_table(table, temporary)
                written.append(table)
        with whole_file(index_of(store)) as temporary:
            pa.parquet.write_table(_of_rows(written, number), temporary)
        shutil.rmtree(parts, ignore_errors=True)


def try_again(store: Path, form: Form, entries: Entries, number: np.ndarray) -> pa.Table:
    """The index of a whole pack, once those of its photos that only a passing reason kept away were tried again.

    What is read now is written behind the others. Where the network is gone the rest is left for the next time.
    """
    index = pa.parquet.read_table(index_of(store))
    if not _waiting(index, number).size or not os.access(store, os.W_OK):  # others' packs are taken as they are
        return index
    with explained(store), _alone(store.with_name(f".{store.name}.lock")):
        index = pa.parquet.read_table(index_of(store))  # another process may have been at it
        waiting, found, losses = _waiting(index, number), list[Entry](), Losses()
        with closing(entries(waiting)) as coming, suppress(NetworkGone):
            for entry in coming:
                found.append(entry)
                losses.note(entry.lost, entry.reason)
        if not found:
            return index
        with store.open("ab") as file:
            table = pa.concat_tables([index, _appended(file, found, form).replace_schema_metadata()])
        rows = np.arange(len(index))
        tried = np.isin(number, waiting[: len(found)])
        rows[tried] = len(index) + np.searchsorted(waiting, number[tried])
        index = table.take(pa.array(rows))
        with whole_file(index_of(store)) as temporary:
            pa.parquet.write_table(index, temporary)
    return index


def _waiting(index: pa.Table, number: np.ndarray) -> np.ndarray:
    """The numbers, rising, of the photos that are worth another try."""
    return np.unique(number[index.column("again").to_numpy()])


def _of_rows(parts: list[pa.Table], number: np.ndarray) -> pa.Table:
    """The index of the catalogue's rows, many of which may show one photo."""
    return pa.concat_tables(part.replace_schema_metadata() for part in parts).take(pa.array(number))


def _parts_of(store: Path) -> Path:
    return store.with_name(f".{store.name}.parts")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time. The lock goes with its process, however that ends; its empty file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress("waiting for another process that reads these photos"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _written(store: Path, parts: Path) -> list[pa.Table]:
    """The indices of the parts that are safely written; what lies behind them in the file is cut off."""
    tables = [pa.parquet.read_table(path) for path in sorted(parts.glob("0*.parquet"))]
    end = int(tables[-1].schema.metadata[END]) if tables else 0
    if tables and store.exists() and store.stat().st_size >= end:
        os.truncate(store, end)
        return tables
    store.unlink(missing_ok=True)  # never cut short: another process may have an older pack of that name open
    for path in parts.glob("0*.parquet"):
        path.unlink()
    return []


def _in_parts(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Entries in parts that do not end in the midst of what may be the network's fall."""
    part: list[Entry] = []
    losses = Losses()
    for entry in entries:
        part.append(entry)
        losses.note(entry.lost, entry.reason)
        if len(part) >= PART and not losses.count:
            yield part
            part = []
    if part:
        yield part


def _appended(file: BinaryIO, part: list[Entry], form: Form) -> pa.Table:
    """Writes the photos of a part, makes sure that they are on the disk, and returns their index."""
    lengths = np.array([len(entry.data) for entry in part], np.int64)
    start = file.seek(0, os.SEEK_END)
    for entry in part:
        file.write(entry.data)
    file.flush()
    os.fsync(file.fileno())
    columns = [start + np.cumsum(lengths) - lengths, *list(zip(*part, strict=True))[1:7]]
    schema = INDEX.append(pa.field(LENGTH, pa.int64())) if form is Form.JPEG else INDEX
    if form is Form.JPEG:
        columns.append(lengths)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    table = pa.table(arrays, schema=schema)
    return table.replace_schema_metadata({END: str(start + int(lengths.sum()))})
