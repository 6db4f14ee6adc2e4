"""Which of their products are the same items as ours, to a promised precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from natviews.matching.candidates import Candidates
from natviews.matching.comparison import Comparison
from natviews.matching.promises import Threshold, precision_by_labels
from natviews.types import NatviewsError

Rule = Literal["mutual", "one-to-one", "best"]
"""Which pairs may be taken: each other's likeliest; one of theirs to one of ours, the likeliest pairs first; or the
likeliest of theirs for each of ours, whoever else has it."""

MATCHES = pa.schema(
    {
        "query": pa.string(),
        "match": pa.string(),
        "rank": pa.int32(),
        "score": pa.float32(),
        "probability": pa.float32(),
        "accepted": pa.bool_(),
        "query_product": pa.string(),
        "match_product": pa.string(),
        "query_title": pa.string(),
        "match_title": pa.string(),
        "photo_score": pa.float32(),
        "title_score": pa.float32(),
        "runner_up": pa.string(),
        "margin": pa.float32(),
    }
)


@dataclass(frozen=True)
class Decision:
    """A table of decisions, and the promise it was made under (None where there is none)."""

    table: pa.Table
    promise: Threshold | None

    def __len__(self) -> int:
        return len(self.table)


def same_items(
    comparison: Comparison,
    precision: float = 0.95,
    *,
    rule: Rule = "mutual",
    labels: "Labels | None" = None,
    conformal: bool = False,
    ranks: int = 1,
) -> Decision:
    """Our products with the products of theirs that are the same items; columns as `MATCHES` says.

    The pairs at or above a threshold that promises `precision`, from presumed pairs or, where given, from a user's
    `labels`; or `conformal`: selected so that 1 - `precision` of them are wrong on average. With `ranks` above 1
    the table also has what was not accepted, so many candidates for each product.
    """
    taken = chosen(comparison.pairs, rule)
    if conformal:
        accepted = comparison.conformal(taken, 1 - precision)
        promise = None
    else:
        promise = (
            labels.threshold(comparison, taken, precision) if labels else comparison.precision(taken, precision)
        )
        accepted = taken.score >= promise.score
    sure = taken.take(accepted)
    if ranks > 1:
        keep = _rank(comparison.pairs) <= ranks
        return Decision(_table(comparison, comparison.pairs.take(keep), sure), promise)
    return Decision(_table(comparison, sure, sure), promise)


def chosen(pairs: Candidates, rule: Rule) -> Candidates:
    """The pairs that a rule may take, at most one for each query; `pairs` in the order of `Candidates.ordered`."""
    first = pairs.take(pairs.first)
    if rule == "best":
        return first
    if rule == "mutual":
        theirs = pairs.turned()
        likeliest = np.full(int(pairs.match.max(initial=-1)) + 1, -1)
        likeliest[theirs.query[theirs.first]] = theirs.match[theirs.first]
        return first.take(likeliest[first.match] == first.query)
    order = np.lexsort((pairs.match, pairs.query, -pairs.score))
    ours, others, kept = set[int](), set[int](), []
    for row, query, match in zip(
        order.tolist(), pairs.query[order].tolist(), pairs.match[order].tolist(), strict=True
    ):
        if query not in ours and match not in others:
            ours.add(query)
            others.add(match)
            kept.append(row)
    return pairs.take(np.array(sorted(kept), np.int64))


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
                "`natviews match --ranks 1` lists."
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
    ours, theirs = (np.array(table.column(name).to_pylist(), str) for name in ("ours", "theirs"))
    return Labels(ours, theirs, np.array(same, bool))


SAID = {"1": True, "yes": True, "true": True, "same": True, "0": False, "no": False, "false": False}


def _rank(pairs: Candidates) -> np.ndarray:
    """(M,) from 1, of each query's candidates."""
    starts = np.flatnonzero(np.diff(pairs.query, prepend=-1))
    return np.arange(len(pairs)) - np.repeat(starts, np.diff(starts, append=len(pairs))) + 1


def _table(comparison: Comparison, shown: Candidates, sure: Candidates) -> pa.Table:
    ours, theirs, pairs = comparison.ours, comparison.theirs, comparison.pairs
    rank_of = dict(zip(_keys(pairs, len(theirs)), _rank(pairs).tolist(), strict=True))
    accepted = np.isin(_keys(shown, len(theirs)), _keys(sure, len(theirs)))
    other, behind = _runners_up(pairs, shown)
    columns: dict[str, Any] = {
        "query": ours.embeddings.ids[shown.query_photo],
        "match": theirs.embeddings.ids[shown.match_photo],
        "rank": [rank_of[key] for key in _keys(shown, len(theirs))],
        "score": shown.score,
        "probability": comparison.probability(shown.score),
        "accepted": accepted,
        "query_product": ours.products[shown.query],
        "match_product": theirs.products[shown.match],
        "query_title": ours.text("title")[shown.query],
        "match_title": theirs.text("title")[shown.match],
        "photo_score": shown.image,
        "title_score": shown.title,
        "runner_up": np.where(other < 0, "", theirs.products[np.maximum(other, 0)] if len(theirs) else ""),
        "margin": behind,
    }
    return table_of(columns, MATCHES)


def table_of(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Columns as a table of a declared form; NaN becomes nothing."""
    return pa.table(
        [pa.array(np.asarray(columns[f.name]).tolist(), f.type, from_pandas=True) for f in schema], schema=schema
    )


def _keys(pairs: Candidates, width: int) -> list[int]:
    return (pairs.query * max(1, width) + pairs.match).tolist()


def _runners_up(pairs: Candidates, shown: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """For each pair the likeliest other candidate of its query (-1: none), and by how much its score is lower."""
    starts = np.flatnonzero(np.diff(pairs.query, prepend=-1))
    counts = np.diff(starts, append=len(pairs))
    at = np.searchsorted(pairs.query[starts], shown.query)
    first, second = starts[at], np.minimum(starts[at] + 1, len(pairs) - 1)
    row = np.where(pairs.match[first] == shown.match, second, first) if len(pairs) else first
    alone = counts[at] < 2
    other = np.where(alone, -1, pairs.match[row])
    return other, np.where(alone, np.nan, shown.score - pairs.score[row])
