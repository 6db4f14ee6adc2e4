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


class Pictures:
    """Pictures by a photo's id. `folders` are searched for those that were not sent to the server."""

    def __init__(self, own: Path, folders: tuple[Path, ...], decoders: Decoders) -> None:
        self._own, self._decoders = own / "photos", decoders
        self._folders = tuple(folder.resolve() for folder in folders)
        self._cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held, self._lock = 0, threading.Lock()

    def keep(self, photo: str, pixels: np.ndarray) -> None:
        """Keeps a photo that was sent, drawn anew."""
        with whole_file(self._kept(photo)) as temporary:
            temporary.write_bytes(_jpeg(pixels, KEPT))
        self.forget(photo)

    def drop(self, photo: str) -> None:
        """Forgets a photo that was sent."""
        self._kept(photo).unlink(missing_ok=True)
        self.forget(photo)

    def forget(self, photo: str) -> None:
        """Draws it anew when it is next wanted."""
        with self._lock:
            for size in SIZES:
                self._held -= len(self._cache.pop((photo, size), b""))

    def jpeg(self, photo: str, size: int) -> bytes:
        """A JPEG of a photo, its longest side at most the next of `SIZES`. Raises BadPhoto where there is none."""
        size = next((step for step in SIZES if step >= size), SIZES[-1])
        with self._lock:
            if (photo, size) in self._cache:
                self._cache.move_to_end((photo, size))
                return self._cache[photo, size]
        drawn = _jpeg(self._decoders.submit(self._read(photo), size).result(), size)
        with self._lock:
            self._held += len(drawn) - len(self._cache.pop((photo, size), b""))
            self._cache[photo, size] = drawn
            while self._held > CACHE_BYTES:
                self._held -= len(self._cache.popitem(last=False)[1])
        return drawn

    def pixels(self, photo: str, longest: int) -> np.ndarray:
        """The photo as it is decoded. Raises BadPhoto where there is none."""
        return self._decoders.submit(self._read(photo), longest).result()

    def _kept(self, photo: str) -> Path:
        return self._own / f"{hashlib.sha256(photo.encode('utf-8', 'surrogateescape')).hexdigest()}.jpg"

    def _read(self, photo: str) -> bytes:
        if self._kept(photo).is_file():
            return self._kept(photo).read_bytes()
        if is_url(photo):
            raise BadPhoto("lies at a URL, and nothing is fetched")
        for folder in self._folders:
            try:
                path = (folder / photo).resolve()
                if path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= MAX_BYTES:
                    return path.read_bytes()
            except (OSError, ValueError):  # ValueError: a name with a null byte
                continue
        raise BadPhoto("no such photo here")


def _jpeg(pixels: np.ndarray, longest: int) -> bytes:
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((longest, longest))
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
