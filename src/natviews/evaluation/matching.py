"""How good a file of matches is beside the truth: precision, recall, and the mean F1 of each listing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from natviews.evaluation.intervals import means_with_intervals
from natviews.types import Metric, NatviewsError

MATCH_METRICS = {
    "match precision": "Of the matches that were claimed, the share that is true.",
    "match recall": "Of the true matches, the share that was claimed.",
    "listing f1": "The mean over listings of F1 between what was claimed for a listing and what is true, itself "
    "among both where it is asked for: the Shopee price-match convention.",
}
ALL = "all"


@dataclass(frozen=True)
class Pairs:
    """Pairs of listings: `one` and `other` (M,) text. Repeated ones count once."""

    one: np.ndarray
    other: np.ndarray

    def by_listing(self) -> dict[str, set[str]]:
        """What is paired with each `one`."""
        found: dict[str, set[str]] = {}
        for one, other in zip(self.one.tolist(), self.other.tolist(), strict=True):
            found.setdefault(one, set()).add(other)
        return found


def read_matches(path: Path) -> Pairs:
    """The accepted pairs of products in what `natviews match` wrote. Raises NatviewsError where it is not that."""
    if not path.is_file():
        raise NatviewsError(f"There are no matches at {path}.")
    try:
        table = pa.parquet.read_table(path, columns=["query_product", "match_product", "accepted"])
        table = table.filter(table.column("accepted"))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise NatviewsError(
            f"{path} is not what `natviews match` writes: {' '.join(str(error).split())}"
        ) from None
    one, other = (np.array(table.column(name).to_pylist(), str) for name in ("query_product", "match_product"))
    return Pairs(one, other)


def read_truth(path: Path) -> Pairs:
    """True pairs in a CSV: our product in its first column, theirs in its second."""
    if not path.is_file():
        raise NatviewsError(f"There are no true pairs at {path}.")
    try:
        names = pa.csv.open_csv(path).schema.names
        kinds = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        table = pa.csv.read_csv(path, convert_options=kinds)
    except pa.ArrowException as error:
        raise NatviewsError(f"{path} cannot be read as CSV: {' '.join(str(error).split())}") from None
    if len(names) < 2:
        raise NatviewsError(f"{path} has one column; true pairs need two, our product and theirs.")
    return Pairs(*(np.array(table.column(name).to_pylist(), str) for name in names[:2]))


def match_metrics(
    claimed: Pairs,
    truth: Pairs,
    *,
    listings: Iterable[str] | None = None,
    super_groups: dict[str, str] | None = None,
    itself: bool = False,
    folds: int = 0,
    row: str = "matches",
) -> list[Metric]:
    """Precision, recall and listing F1 of claimed matches, each with its interval.

    `listings` are those that were asked (all that occur, if not given). `itself` counts a listing as its own match
    on both sides, as Shopee's price-match contest did for matches within one catalogue. Intervals resample
    `super_groups` (listing -> group of near-identical ones; a listing alone where it is in none). With `folds`,
    every fold is a slice of its own, and no super-group is parted.
    """
    said, right = claimed.by_listing(), truth.by_listing()
    names = sorted(set(listings) if listings is not None else said.keys() | right.keys())
    groups = np.array([(super_groups or {}).get(name, name) for name in names], str)
    counts = np.array([_counts(name, said, right, itself) for name in names], float).reshape(-1, 4)
    metrics = _metrics(counts, groups, row, ALL)
    fold = fold_of(groups, folds) if folds else np.empty(0, int)
    for number in range(folds):
        metrics += _metrics(counts[fold == number], groups[fold == number], row, f"fold {number + 1}")
    return metrics


def fold_of(super_groups: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """(N,) a fold from 0 for each listing: super-groups (N,) stay whole, the largest go where there is most
    room."""
    names, place, sizes = np.unique(super_groups, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    filled, fold = np.zeros(folds, int), np.empty(len(names), int)
    for name in order.tolist():
        fold[name] = int(np.argmin(filled))
        filled[fold[name]] += sizes[name]
    return fold[place]


def _counts(
    name: str, said: dict[str, set[str]], right: dict[str, set[str]], itself: bool
) -> tuple[int, int, int, float]:
    """How many matches of a listing were claimed, are true, and are both; and its F1."""
    one, other = said.get(name, set()), right.get(name, set())
    both = len(one & other)
    own = {name} if itself else set()
    with_own, true_own = one | own, other | own
    total = len(with_own) + len(true_own)
    f1 = 2 * len(with_own & true_own) / total if total else 1.0  # nothing to find and nothing claimed
    return len(one), len(other), both, f1


def _metrics(counts: np.ndarray, groups: np.ndarray, row: str, slice: str) -> list[Metric]:
    claimed, true, both, f1 = counts.T
    metrics = []
    for name, value, of in (("match precision", both, claimed), ("match recall", both, true)):
        there = of > 0
        if there.any():
            metrics.append(_ratio(name, value[there], of[there], groups[there], row, slice))
    if len(f1):
        metrics += means_with_intervals({"listing f1": f1}, groups, row=row, slice=slice)
    return metrics


def _ratio(name: str, value: np.ndarray, of: np.ndarray, groups: np.ndarray, row: str, slice: str) -> Metric:
    """A share of all matches with its interval: each match is a line of its own, listings are resampled."""
    listing = np.repeat(np.arange(len(of)), of.astype(int))
    nth = np.arange(len(listing)) - np.repeat(np.cumsum(of) - of, of.astype(int))
    hits = (nth < value[listing]).astype(float)
    return means_with_intervals({name: hits}, groups[listing], row=row, slice=slice)[0]
