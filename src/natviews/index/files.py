"""An approximate index as one file: vectors, ids and FAISS's part as tensors (safetensors), with checksums.

FAISS's own writer leaves a damaged file behind when it is killed and reads one back without a word.
"""

import errno
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from natviews.files import whole_file
from natviews.index.rows import Rows
from natviews.types import NatviewsError, Provenance

FORM = "natviews index 1"


@dataclass(frozen=True)
class Kept:
    """What lies in the file: the rows, FAISS's index as bytes (B,) uint8, and plain values about both."""

    rows: Rows
    faiss: np.ndarray
    said: dict[str, Any]


def write_kept(kept: Kept, path: Path) -> None:
    """Writes the file whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    rows = kept.rows
    tensors = {
        "vectors": np.ascontiguousarray(rows.vectors),
        "alive": rows.alive.astype(np.uint8),
        "names": _as_bytes(rows),
        "faiss": np.ascontiguousarray(kept.faiss),
    }
    said = {"form": FORM, "said": json.dumps(kept.said), "made_by": json.dumps(asdict(rows.made_by))}
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, {**said, "checksum": _checksum(tensors, said)})
        except SafetensorError as error:  # it says only in words what the system said
            raise OSError(errno.ENOSPC if "os error 28" in str(error) else errno.EIO, str(error)) from None


def read_kept(path: Path) -> Kept:
    """The parts of an index file. Raises NatviewsError where it is absent, damaged or not of this form."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise NatviewsError(f"There is no index at {path}; make one with `natviews index`.")
    try:
        with safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if said.get("form") != FORM:
            raise NatviewsError(f"{path} is no index of natviews; make one with `natviews index`.")
        if said.pop("checksum", "") != _checksum(tensors, said):
            raise NatviewsError(f"{path} is damaged (its checksum differs); make the index again.")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise NatviewsError(f"{path} is damaged or no index ({reason}); make the index again.") from None
    names = pa.ipc.open_stream(pa.py_buffer(tensors["names"])).read_all()
    ids, products = (names.column(name).to_numpy(zero_copy_only=False).astype(str) for name in names.column_names)
    alive = tensors["alive"].astype(bool)
    rows = Rows.restored(ids, products, tensors["vectors"], Provenance(**json.loads(said["made_by"])), alive)
    return Kept(rows, tensors["faiss"], json.loads(said["said"]))


def _as_bytes(rows: Rows) -> np.ndarray:
    columns = {"id": rows.ids, "product_id": rows.product_ids}
    table = pa.table({name: pa.array(column.tolist(), pa.string()) for name, column in columns.items()})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return np.frombuffer(stream.getvalue(), np.uint8)


def _checksum(tensors: dict[str, np.ndarray], said: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(said.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).view(np.uint8).data if tensor.size else b"")
    return digest.hexdigest()
