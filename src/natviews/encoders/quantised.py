"""A network that describes photos in 8 bits: files of OpenVINO's beside an encoder's weights."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from natviews.encoders.describing import Describe, side_by_side
from natviews.types import NatviewsError

FILES = ("quantised-{size}.xml", "quantised-{size}.bin")
"""Of photos of one size in px: the graph and its weights."""


class Quantised:
    """What an encoder describes photos by: prepared ones (B, 3, S, S) -> features (B, width), as
    `Encoder.describe` does. `digests` are the SHA-256 of its files in `folder`, by their names.

    Raises NatviewsError where a file is absent or another one, or OpenVINO is not installed.
    """

    def __init__(self, folder: Path, digests: Mapping[str, str], width: int, *, reduced_precision: bool) -> None:
        if importlib.util.find_spec("openvino") is None:
            raise NatviewsError(
                f"The encoder in {folder} describes photos in 8 bits by OpenVINO, not installed here: run "
                "`pip install 'natviews[cpu]'`, or take the encoder that it was made of."
            )
        for name, digest in digests.items():
            path = folder / Path(name).name
            if not path.is_file() or sha256(path) != digest:
                raise NatviewsError(f"{path} is not the file that the encoder was saved with; quantise it again.")
        self.folder, self.digests = folder, dict(digests)
        self._width, self._reduced_precision = width, reduced_precision
        self._of_size: dict[int, Describe] = {}

    def __call__(self, x: Tensor) -> Tensor:
        size = x.shape[-1]
        if size not in self._of_size:
            graph = FILES[0].format(size=size)
            if graph not in self.digests:
                raise NatviewsError(
                    f"{self.folder} describes no photos of {size} px in 8 bits; quantise it again."
                )
            self._of_size[size] = side_by_side(
                self.folder / graph, self._width, reduced_precision=self._reduced_precision
            )
        return self._of_size[size](x)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Quantised":
        return self  # files do not change


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
