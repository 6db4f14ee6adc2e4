"""What a decision is: a table, the promise it was made under, and what a merchandiser is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from natviews.files import whole_file
from natviews.matching.promises import Threshold


@dataclass(frozen=True)
class Decision:
    """A table of decisions, the promise it was made under (None where there is none), and `sentences` about it."""

    table: pa.Table
    promise: Threshold | None
    sentences: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)


def table_of(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Columns as a table of a declared form; NaN becomes nothing."""
    arrays = [pa.array(np.asarray(columns[field.name]).tolist(), field.type, from_pandas=True) for field in schema]
    return pa.table(arrays, schema=schema)


def write_decision(decision: Decision, out: Path) -> Path:
    """Writes the table as Parquet to `out`, with its promise in the metadata, and as CSV beside it; returns
    `out`."""
    promise = decision.promise
    said = {} if promise is None else {f"natviews.promise.{name}": f"{getattr(promise, name)}" for name in TOLD}
    with whole_file(out) as temporary:
        pa.parquet.write_table(decision.table.replace_schema_metadata(said), temporary)
    with whole_file(out.with_suffix(".csv")) as temporary:
        pa.csv.write_csv(decision.table, temporary)
    return out


TOLD = ("score", "target", "bound", "n", "accepted", "basis")


LEARNT = {"labels": "pairs that you judged", "values": "answers about products held out"}


def counted(number: int, noun: str) -> str:
    """`1 product`, `2 products`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def precision_sentence(promise: Threshold) -> str:
    """What was promised of how many, or what it would take."""
    learnt = LEARNT.get(promise.basis, "products held out")
    if promise.kept:
        return (
            f"In 9 of 10 uses at least {promise.target:.0%} of them are right (bound {promise.bound:.3f}, "
            f"learnt from {promise.n:,} {learnt})."
        )
    if promise.basis == "none":
        return (
            f"Nothing can be promised at {promise.target:.0%}: no product is held out to learn from; give the "
            "catalogue a `split` with `val`, or say --unseen where the encoder was trained on other photos."
        )
    return (
        f"Nothing can be promised at {promise.target:.0%} from {promise.n:,} {learnt}: about {promise.missing:,} "
        "more would be needed, a better encoder, or a lower --precision."
    )
