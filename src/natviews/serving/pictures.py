"""Small pictures of photos for the pages, and the photos that were sent to the server.

A photo is read from two places only: the catalogue's folder, and the server's own,
where it lies under a hash. Whatever an id says, no other file is opened; what is sent out is drawn anew as JPEG.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image

from natviews.catalog import BadPhoto
from natviews.catalog.places import is_url
from natviews.files import whole_file
from natviews.serving.uploads import Decoders

KEPT = 640
"""Longest side in px of a photo that was sent; nothing larger is ever shown."""
SIZES = (160, 320, KEPT)
CACHE_BYTES = 64 * 2**20
MAX_BYTES = 64 * 2**20
Mark = tuple[str, int, int]


class Pictures:
    """Pictures by a photo's id. `folders` are searched for those that were not sent to the server."""

    def __init__(self, own: Path, folders: tuple[Path, ...], decoders: Decoders) -> None:
        self._own, self._decoders = own / "photos", decoders
        self._folders = tuple(folder.resolve() for folder in folders)
        self._cache: OrderedDict[tuple[str, int], tuple[Mark, bytes]] = OrderedDict()
        self._held, self._lock = 0, threading.Lock()

    def keep(self, photo: str, pixels: np.ndarray) -> None:
        """Keeps a photo that was sent, drawn anew."""
        with whole_file(self._kept(photo)) as temporary:
            temporary.write_bytes(_jpeg(pixels, KEPT))

    def drop(self, photo: str) -> None:
        """Forgets a photo that was sent."""
        self._kept(photo).unlink(missing_ok=True)

    def jpeg(self, photo: str, size: int) -> bytes:
        """A JPEG of a photo, its longest side at most the next of `SIZES`. Raises BadPhoto where there is none.

        It is drawn anew where its file is another one by now: other servers keep and drop photos too.
        """
        size = next((step for step in SIZES if step >= size), SIZES[-1])
        path = self._path(photo)
        mark = _mark(path)
        with self._lock:
            held = self._cache.get((photo, size))
            if held is not None and held[0] == mark:
                self._cache.move_to_end((photo, size))
                return held[1]
        drawn = _jpeg(self._decoders.submit(_read(path), size).result(), size)
        with self._lock:
            self._held += len(drawn) - len(self._cache.pop((photo, size), (mark, b""))[1])
            self._cache[photo, size] = mark, drawn
            while self._held > CACHE_BYTES:
                self._held -= len(self._cache.popitem(last=False)[1][1])
        return drawn

    def pixels(self, photo: str, longest: int) -> np.ndarray:
        """The photo as it is decoded. Raises BadPhoto where there is none."""
        return self._decoders.submit(_read(self._path(photo)), longest).result()

    def _kept(self, photo: str) -> Path:
        return self._own / f"{hashlib.sha256(photo.encode('utf-8', 'surrogateescape')).hexdigest()}.jpg"

    def _path(self, photo: str) -> Path:
        """The file that a photo is read from."""
        if self._kept(photo).is_file():
            return self._kept(photo)
        if is_url(photo):
            raise BadPhoto("lies at a URL, and nothing is fetched")
        for folder in self._folders:
            try:
                path = (folder / photo).resolve()
                if path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= MAX_BYTES:
                    return path
            except (OSError, ValueError):  # ValueError: a name with a null byte
                continue
        raise BadPhoto("no such photo here")


def _mark(path: Path) -> Mark:
    """What is another one when the file is."""
    try:
        state = path.stat()
    except OSError:
        raise BadPhoto("no such photo here") from None
    return str(path), state.st_mtime_ns, state.st_size


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise BadPhoto("no such photo here") from None


def _jpeg(pixels: np.ndarray, longest: int) -> bytes:
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((longest, longest))
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
