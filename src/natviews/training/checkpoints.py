"""Checkpoints: the last two of a run, each whole, checked on reading, and read without unpickling any code."""

import struct
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from natviews.files import whole_file
from natviews.types import NatviewsError

KEPT = 2
DAMAGE = (
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
    struct.error,
    NotImplementedError,
    UnpicklingError,
    zipfile.BadZipFile,
)
"""What zipfile and torch raise over damaged files; a UnicodeDecodeError is a ValueError."""


@dataclass(frozen=True)
class Checkpoints:
    """A folder with a file for each of the last steps saved: `00000012.ckpt` is what step 12 begins with."""

    folder: Path

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes tensors and plain values, then drops all but this checkpoint and the one before it.

        A kill leaves those that were there. Raises NatviewsError where the disk is full.
        """
        with whole_file(self.folder / f"{step:08d}.ckpt") as temporary, temporary.open("wb") as file:
            try:
                torch.save(state, file)  # a file of Python's: torch's own would not say that the disk is full
            except RuntimeError as error:  # in closing its archive it stumbles over what the disk refused
                raise error.__context__ if isinstance(error.__context__, OSError) else error from None
        earlier = [path for path in self._paths() if _step_of(path) < step]
        later = [path for path in self._paths() if _step_of(path) > step]  # of a future that is made again
        for path in [*earlier[: len(earlier) - KEPT + 1], *later]:
            path.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, or None where there is none.

        A damaged one is named in a warning and the one before is taken. Raises NatviewsError where all are.
        """
        paths = self._paths()
        for path in reversed(paths):
            try:
                return _read(path)
            except DAMAGE as error:
                reason = " ".join(str(error).split())[:200]
                warnings.warn(f"{path} is damaged ({reason}); the checkpoint before it is used.", stacklevel=2)
        if paths:
            raise NatviewsError(f"Every checkpoint in {self.folder} is damaged; remove it to start the run again.")
        return None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.ckpt"))


def _step_of(path: Path) -> int:
    return int(path.stem)


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint whose every part has the checksum (CRC-32) that it was written with: torch looks at none."""
    with zipfile.ZipFile(path) as parts:
        if (bad := parts.testzip()) is not None:
            raise zipfile.BadZipFile(f"the checksum of {bad} is another one")
    return torch.load(path, map_location="cpu", weights_only=True)
