"""Pairs that a user has judged, in place of everything presumed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from natviews.matching.candidates import Candidates
from natviews.matching.comparison import Comparison
from natviews.matching.promises import Threshold, precision_by_labels
from natviews.matching.spreadsheets import unguarded
from natviews.types import NatviewsError

SAID = {"1": True, "yes": True, "true": True, "same": True, "0": False, "no": False, "false": False}


@dataclass(frozen=True)
class Labels:
    """Pairs that a user has judged: `ours` and `theirs` (L,) product ids, `same` (L,) bool."""

    ours: np.ndarray
    theirs: np.ndarray
    same: np.ndarray

    def threshold(self, comparison: Comparison, taken: Candidates, precision: float) -> Threshold:
        """What the judged ones among the pairs that a rule takes promise.

        Raises NatviewsError where none of the judged pairs is among them.
        """
        said = dict(
            zip(zip(self.ours.tolist(), self.theirs.tolist(), strict=True), self.same.tolist(), strict=True)
        )
        ours, theirs = comparison.ours.products[taken.query], comparison.theirs.products[taken.match]
        judged = [said.get(pair) for pair in zip(ours.tolist(), theirs.tolist(), strict=True)]
        known = np.array([judgement is not None for judgement in judged], bool)
        if not known.any():
            raise NatviewsError(
                f"None of the {len(said)} judged pairs is among the {len(taken)} likeliest ones; judge pairs that "
                "`natviews match --ranks 2` lists."
            )
        right = np.array([bool(judgement) for judgement in judged])[known]
        return precision_by_labels(taken.score[known], right, precision)


def read_labels(path: str | Path) -> Labels:
    """Judged pairs from a CSV with the columns `ours`, `theirs` and `same` (1 or 0, yes or no)."""

    path = Path(path)
    if not path.is_file():
        raise NatviewsError(f"There are no judged pairs at {path}.")
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(("ours", "theirs", "same"), pa.string()))
    try:
        table = pa.csv.read_csv(path, convert_options=text)
    except pa.ArrowException as error:
        raise NatviewsError(f"{path} cannot be read as CSV: {' '.join(str(error).split())}") from None
    for name in ("ours", "theirs", "same"):
        if name not in table.column_names:
            raise NatviewsError(f"{path} has no column {name!r}; judged pairs need ours, theirs and same.")
    same = [SAID.get((value or "").strip().lower()) for value in table.column("same").to_pylist()]
    if None in same:
        row = same.index(None) + 1
        raise NatviewsError(f"{path}: row {row} of `same` is neither 1 nor 0 (yes or no, true or false).")
    ours, theirs = (np.array(unguarded(table.column(name)).to_pylist(), str) for name in ("ours", "theirs"))
    return Labels(ours, theirs, np.array(same, bool))
