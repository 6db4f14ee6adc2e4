"""The bytes of a photo's file, from the disk or a URL, never more than a photo can have."""

from pathlib import Path
from stat import S_ISREG

import numpy as np

from natviews.catalog.decode import MAX_BYTES, BadPhoto, Unavailable, decode
from natviews.catalog.places import is_url
from natviews.catalog.remote import fetched

TOO_LARGE = f"larger than {MAX_BYTES // 2**20} MB"


def read_photo(path: Path | str, longest: int | None = None) -> np.ndarray:
    """The photo in a file or at a URL as (H, W, 3) uint8 RGB; longest side at most `longest` px when given.

    Raises BadPhoto with the reason.
    """
    if isinstance(path, str) and is_url(path):
        data = fetched(path, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise BadPhoto(TOO_LARGE)
    else:
        data = _on_disk(Path(path))
    return decode(data, longest)


def _on_disk(path: Path) -> bytes:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # a device may never end, and a pipe may never begin
            raise BadPhoto("no file of a photo but a folder, a device or a pipe")
        if status.st_size > MAX_BYTES:
            raise BadPhoto(TOO_LARGE)
        with path.open("rb") as file:
            return file.read(status.st_size)  # no more, should it be growing
    except FileNotFoundError:
        raise BadPhoto("no such file") from None
    except ValueError as error:  # a name with a null byte
        raise BadPhoto(f"cannot be read: {error}") from None
    except OSError as error:  # no permission, a failing disk
        raise Unavailable(f"cannot be read: {error.strerror or error}") from None
