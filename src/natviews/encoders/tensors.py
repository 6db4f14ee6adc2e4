"""Writing tensors as safetensors: a full disk is an OSError, as with any other file."""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def save_tensors(state: Mapping[str, Tensor], path: Path, said: dict[str, str] | None = None) -> None:
    """Writes tensors by name, and what is `said` of them as metadata. Raises OSError where the disk refuses."""
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path, said)
    except SafetensorError as error:  # it says only in words what the system said
        code = re.search(r"\(os error (\d+)\)", str(error))
        number = int(code[1]) if code else errno.EIO
        raise OSError(number, os.strerror(number)) from error
