"""Tensors in safetensors files: nothing is unpickled, and a full disk is an OSError, as with any other file."""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from natviews.types import NatviewsError


def save_tensors(state: Mapping[str, Tensor], path: Path, said: dict[str, str] | None = None) -> None:
    """Writes tensors by name, and what is `said` of them as metadata. Raises OSError where the disk refuses."""
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path, said)
    except SafetensorError as error:  # it says only in words what the system said
        code = re.search(r"\(os error (\d+)\)", str(error))
        number = int(code[1]) if code else errno.EIO
        raise OSError(number, os.strerror(number)) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises NatviewsError where there is no such file, or it is damaged or another kind."""
    if not path.is_file():
        raise NatviewsError(f"There is no weights file {path}.")
    if path.suffix != ".safetensors":
        raise NatviewsError(
            f"{path} is not read: only safetensors files are, since others can run code when opened."
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NatviewsError(f"{path} is damaged or no safetensors file: {error}.") from None
