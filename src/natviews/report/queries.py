"""What every query of an evaluation found, kept so that runs can be compared later, query by query."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.evaluation import Retrieval
from natviews.files import whole_file
from natviews.types import NatviewsError

FILE = "queries.parquet"
ABOUT = b"natviews.queries"
MOMENT = "moment"


@dataclass(frozen=True)
class Queries:
    """The answers of each row to the same queries: `ids` (Q,) of the photos that asked, `answers` row ->
    `Retrieval` (read from a file it has no neighbours). What was judged: `title`, the digest of the `catalog`'s
    judged part, the column `within`. What made the row `trained`: `encoder` (a digest) and `recipe`, '' where not
    known."""

    title: str
    catalog: str
    within: str
    encoder: str
    recipe: str
    ids: np.ndarray
    answers: dict[str, Retrieval]

    def write(self, folder: Path) -> None:
        """Writes `queries.parquet`: `id`, `product_id` and a column `ROW/FIGURE` for each figure of each row."""
        trained = self.answers["trained"]
        columns = {"id": pa.array(self.ids.tolist()), "product_id": pa.array(trained.products.tolist())}
        for row, answer in self.answers.items():
            columns |= {f"{row}/{name}": pa.array(values) for name, values in answer.values.items()}
            columns |= {f"{row}/{MOMENT}{i}": pa.array(m) for i, m in enumerate(answer.moments[0].T)}
        about = {name: getattr(self, name) for name in ("title", "catalog", "within", "encoder", "recipe")}
        table = pa.table(columns).replace_schema_metadata({ABOUT: json.dumps(about)})
        with whole_file(folder / FILE) as temporary:
            pa.parquet.write_table(table, temporary, compression="zstd")

    @classmethod
    def read(cls, folder: Path) -> "Queries":
        """What was written into a run's folder or an evaluation's. Raises NatviewsError where there is nothing,
        or the file is damaged."""
        path = folder / FILE
        if not path.is_file():
            raise NatviewsError(
                f"There is no {FILE} in {folder}; run its `natviews train` again, which judges what is finished, "
                "or give a folder that `natviews evaluate` wrote."
            )
        try:
            table = pa.parquet.read_table(path)
            about = json.loads((table.schema.metadata or {})[ABOUT])
            ids, products = (np.array(table.column(name).to_pylist(), str) for name in ("id", "product_id"))
            return cls(**about, ids=ids, answers=_answers(table, products))
        except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
            raise NatviewsError(f"{path} is damaged or no such file: {' '.join(str(error).split())}") from None


def _answers(table: pa.Table, products: np.ndarray) -> dict[str, Retrieval]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for column in table.column_names[2:]:
        row, name = column.rsplit("/", 1)
        found.setdefault(row, {})[name] = table.column(column).to_numpy()
    rows, few = np.arange(len(products)), np.empty((len(products), 0))
    answers = {}
    for row, columns in found.items():
        values = {name: column for name, column in columns.items() if not name.startswith(MOMENT)}
        moments = np.stack([columns[f"{MOMENT}{i}"] for i in range(4)], axis=1)
        answers[row] = Retrieval(row, rows, products, values, few.astype(np.int64), few, (moments,))
    return answers
