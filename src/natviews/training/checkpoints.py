"""Checkpoints: written whole, read without unpickling anything but tensors and plain values."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from natviews.files import whole_file
from natviews.types import NatviewsError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain values; a kill leaves the checkpoint before."""
    with whole_file(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The checkpoint, or None where there is none. Raises NatviewsError where it is damaged."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NatviewsError(f"{path} is damaged ({reason}); remove it to start the run again.") from None
