"""Embeddings as a Parquet file: `id`, `product_id`, `vector`, and a column per further vector.

Vectors are fixed-size lists of float32; the schema's metadata says what made them. What other tools read.
"""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.files import whole_file
from natviews.types import Embeddings, NatviewsError, Provenance

PREFIX = "natviews."
ROW_GROUP = 2**14
"""Rows that a reader must take at a time: 16 MB of 256 numbers each."""
REQUIRED = ("id", "product_id", "vector")


def embeddings_table(embeddings: Embeddings) -> pa.Table:
    """The table of some embeddings, with their provenance in its metadata."""
    columns = {
        "id": pa.array(embeddings.ids.tolist(), pa.string()),
        "product_id": pa.array(embeddings.product_ids.tolist(), pa.string()),
        "vector": as_lists(embeddings.vectors),
    }
    columns |= {name: as_lists(vectors) for name, vectors in embeddings.extra.items()}
    metadata = {PREFIX + name: value for name, value in asdict(embeddings.made_by).items()}
    return pa.table(columns).replace_schema_metadata(metadata)


def write_embeddings(embeddings: Embeddings, path: Path) -> None:
    """Writes the file whole or not at all."""
    with whole_file(path) as temporary:
        pa.parquet.write_table(embeddings_table(embeddings), temporary, row_group_size=ROW_GROUP)


def read_embeddings(path: str | Path) -> Embeddings:
    """The embeddings in a file. Raises NatviewsError where it is absent, damaged or not of this form."""
    path = Path(path)
    if not path.is_file():
        raise NatviewsError(f"There are no embeddings at {path}; make them with `natviews embed`.")
    try:
        table = pa.parquet.read_table(path)
        missing = [name for name in REQUIRED if name not in table.column_names]
        if missing:
            raise NatviewsError(f"{path} holds no embeddings: it has no column {missing[0]!r}.")
        if any(table.column(name).null_count for name in REQUIRED):
            raise NatviewsError(f"{path} holds no embeddings: an id, a product_id or a vector is missing.")
        vectors = {
            name: as_matrix(table.column(name))
            for name in table.column_names
            if pa.types.is_fixed_size_list(table.schema.field(name).type)
        }
        made_by = provenance_of(table.schema)
        ids, products = (table.column(name).to_numpy(zero_copy_only=False).astype(str) for name in REQUIRED[:2])
        return Embeddings(ids, products, vectors.pop("vector"), made_by, vectors)
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise NatviewsError(f"{path} is damaged or holds no embeddings: {' '.join(str(error).split())}") from None


def provenance_of(schema: pa.Schema) -> Provenance:
    """What a table's metadata says of what made its vectors."""
    said = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    return Provenance(**{f.name: said.get(PREFIX + f.name, "") for f in fields(Provenance)})


def as_lists(vectors: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def as_matrix(column: pa.ChunkedArray) -> np.ndarray:
    joined = column.combine_chunks()
    return np.asarray(joined.flatten(), np.float32).reshape(len(column), column.type.list_size)
