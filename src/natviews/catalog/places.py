"""Where a catalogue's photos lie, and which of its rows show one and the same file."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from natviews.catalog.catalog import Catalog

FORMAT = "2"
"""Raised when a photo is decoded otherwise than before, or a pack keeps something else of it."""
URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
LOCAL = "file://"
REMOTE = "remote"
"""Stands for the size and time of change of what is not looked at."""
AWKWARD = re.compile(r"(^|/)\.?(/|$)")
"""What a path leaves out or reads otherwise than as a part: `.`, nothing between two slashes, a leading slash."""


def is_url(image: str) -> bool:
    """Whether it names a photo by a URL, such as `s3://bucket/photo.jpg`."""
    return URL.match(image) is not None


def place_of(image: str, folder: Path) -> Path | str:
    """Where an image of a catalogue in `folder` lies: a path, or a URL as it was written."""
    if image[: len(LOCAL)].lower() == LOCAL:
        return Path(image[len(LOCAL) :])
    return image if is_url(image) else folder / image


@dataclass(frozen=True)
class Files:
    """The files behind a catalogue's rows.

    `key` names their content: paths, sizes and times of change; of URLs only what they are called, for nothing is
    fetched. `rows` (F,) holds a row of each file, in order; `number` (N,) which file a row shows. Rows whose paths
    lead to one file, by links or other spellings, share it. `remote`: whether some are at URLs.
    """

    key: str
    rows: np.ndarray
    number: np.ndarray
    remote: bool


def files_of(catalog: "Catalog") -> Files:
    """Looks at every local file once, and at no URL."""
    digest = hashlib.blake2b(FORMAT.encode(), digest_size=16)
    numbers: dict[object, int] = {}
    number, rows = np.empty(len(catalog), np.int64), list[int]()
    remote = False
    folder = f"{str(catalog.folder.absolute()).rstrip('/')}/"
    for row, image in enumerate(catalog.text("image").to_pylist()):
        path, content, identity = _looked_at(image, catalog.folder, folder)
        digest.update(f"{path}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
        number[row] = numbers.setdefault(identity, len(numbers))
        if number[row] == len(rows):
            rows.append(row)
            remote = remote or content == REMOTE
    return Files(digest.hexdigest(), np.array(rows), number, remote)


def content_key(catalog: "Catalog") -> str:
    """A name for the photos' content: the files' paths, sizes and times of change; of URLs the URLs alone."""
    return files_of(catalog).key


def _looked_at(image: str, folder: Path, prefix: str) -> tuple[str, str, object]:
    """A photo's absolute path or URL, what says whether its content changed, and what all names of the file
    share."""
    if ":" in image or AWKWARD.search(image):
        place = place_of(image, folder)
        if isinstance(place, str):
            return place, REMOTE, place
        path = str(place.absolute())
    else:
        path = prefix + image  # the same, without a million paths being taken apart
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return path, "absent", path
    content = f"{status.st_size} {status.st_mtime_ns}"
    return path, content, (status.st_dev, status.st_ino, content) if status.st_ino else path
