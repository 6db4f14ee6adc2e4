"""Files and folders that are either whole or absent: written under a temporary name, synced, then renamed."""

import errno
import os
import shutil
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


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; it takes the place of `path` when the block ends well.

    Whatever folder lay there is deleted then, and not before. A killed process leaves the old folder, or the new
    one, or neither under this name, and at worst a hidden folder beside it. Raises NatviewsError where the disk is
    full or the place cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            _sync_files(temporary)
            _take_its_place(temporary, path)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _explained(error, path) from error


def _take_its_place(new: Path, path: Path) -> None:
    """A folder cannot be renamed onto a full one: the old one steps aside first, and back where that fails."""
    old = new.with_suffix(".old")
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync_files(folder: Path) -> None:
    """All files in a folder safely on the disk, and readable by others, as `whole_file` leaves them."""
    for file in folder.iterdir():
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        file.chmod(0o644)
    _sync_folder(folder)
    folder.chmod(0o755)


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
        return NatviewsError(f"{path} cannot be written: {error.strerror}; choose another place for it.")
    return NatviewsError(f"{path} cannot be written: {error}.")
