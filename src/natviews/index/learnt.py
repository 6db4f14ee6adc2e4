"""Which products an encoder learnt from, kept beside it: what a score is worth is not to be told by these.

Lies here and not with the encoders, since it is asked where no network is needed, and these load torch.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from natviews.files import whole_file
from natviews.types import NatviewsError, Provenance

LEARNT = "products.parquet"
ENCODER = b"natviews.encoder"
MOST, LARGEST = 50_000_000, 4 * 2**30
"""Products that such a file may list, and bytes that it may have."""
STRETCH = 2**16
"""Rows that are read at a time."""
KINDS = pa.schema({"product_id": pa.string(), "split": pa.string()})


def write_learnt(products: np.ndarray, splits: np.ndarray, encoder: str, folder: Path) -> None:
    """Writes each product once into an encoder's folder: `products` (N,) and their `splits` (N,) may repeat.

    `encoder` is the encoder's digest, so that the file says nothing of another that takes its place.
    """
    names, first = np.unique(products, return_index=True)
    table = pa.table([names.tolist(), splits[first].tolist()], schema=KINDS)
    with whole_file(folder / LEARNT) as temporary:
        pa.parquet.write_table(table.replace_schema_metadata({ENCODER: encoder.encode()}), temporary)


def learnt_splits(made_by: Provenance, products: np.ndarray) -> np.ndarray:
    """(P,) text: in which split each of some products was when the encoder of some embeddings was trained.

    '' where it was in none, and where nothing is known: the encoder has gone, or another one lies there now.
    Raises NatviewsError where the file is damaged.
    """
    splits, place = np.full(len(products), "", "<U5"), Path(made_by.location)
    path = next((path for path in (place / "encoder" / LEARNT, place / LEARNT) if path.is_file()), None)
    if not made_by.location or path is None:
        return splits
    asked = pa.array(products.tolist(), pa.string())
    try:
        if path.stat().st_size > LARGEST:
            raise pa.ArrowInvalid(f"it is larger than {LARGEST / 2**30:.0f} GB")
        with pa.parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(KINDS) or file.metadata.num_rows > MOST:
                raise pa.ArrowInvalid(f"it does not list up to {MOST:,} products with their splits")
            if (file.schema_arrow.metadata or {}).get(ENCODER, b"").decode() != made_by.encoder:
                return splits
            for batch in file.iter_batches(STRETCH, use_threads=False):  # however many there are
                row = pa.compute.index_in(asked, batch.column("product_id")).fill_null(-1).to_numpy()
                there = row >= 0
                splits[there] = batch.column("split").to_numpy(zero_copy_only=False).astype(str)[row[there]]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NatviewsError(
            f"{path} is damaged: {' '.join(str(error).split())}; train again, or take the encoder's folder from "
            "where it was made."
        ) from None
    return splits
