"""Files that are either whole or absent: written under a temporary name, synced, then renamed."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from natviews.types import NatviewsError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends well.

    A killed process leaves the old file (or none) and at worst a `.tmp` beside it. Raises NatviewsError
    where the disk is full or the folder cannot be written.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)  # mkstemp makes it private; a shared catalogue is read by others
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raises NatviewsError, in one sentence, where the block cannot write `path`: a full disk, a closed folder."""
    try:
        yield
    except OSError as error:
        raise _explained(error, path) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # the rename itself must survive a power cut
    finally:
        os.close(handle)


def _explained(error: OSError, path: Path) -> NatviewsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NatviewsError(f"The disk is full while writing {path}; free some space and run again.")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return NatviewsError(f"{path} cannot be written: {error.strerror}; choose another --out.")
    return NatviewsError(f"{path} cannot be written: {error}.")
