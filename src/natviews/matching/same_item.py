"""Which of their products are the same items as ours, to a promised precision."""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from natviews.matching.candidates import Candidates
from natviews.matching.comparison import Comparison, compare
from natviews.matching.decision import Decision, counted, precision_sentence, table_of
from natviews.matching.labels import Labels
from natviews.matching.presumed import halves
from natviews.matching.promises import Threshold
from natviews.matching.scoring import NO_TITLES, Scoring, find
from natviews.matching.side import Side, check_comparable
from natviews.types import NatviewsError

Rule = Literal["mutual", "one-to-one", "best"]
"""Which pairs may be taken: each other's likeliest; one of theirs to one of ours, the likeliest pairs first; or
the likeliest of theirs for each of ours, whoever else has it."""

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
class Choosing:
    """How pairs are chosen: the `precision` to promise, the `rule`, whether the share of wrong ones is bounded
    on average by conformal selection instead, and how many candidates of each product are listed (`ranks` above
    1: also what was not accepted, to be judged).
    """

    precision: float = 0.95
    rule: Rule = "mutual"
    conformal: bool = False
    ranks: int = 1

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise NatviewsError(f"There is no rule {self.rule!r}; there are {', '.join(get_args(Rule))}.")


def match_sides(
    ours: Side,
    theirs: Side,
    scoring: Scoring | None = None,
    choosing: Choosing | None = None,
    *,
    labels: Labels | None = None,
) -> Decision:
    """Our products with the products of theirs that are the same items; columns as `MATCHES` says.

    What photos alone would give is said beside what titles add. Raises NatviewsError where the sides' vectors
    cannot be compared, or a judged pair is of none of the likeliest.
    """
    scoring, choosing = scoring or Scoring(), choosing or Choosing()
    check_comparable(ours, theirs)
    found = find(ours, theirs, scoring)
    comparison = compare(ours, theirs, scoring, found=found)
    decided = same_items(comparison, choosing, labels=labels)
    if not comparison.by_titles:
        return decided
    alone = compare(ours, theirs, replace(scoring, titles=NO_TITLES), found=found)
    count = _accepted(same_items(alone, replace(choosing, ranks=1), labels=labels).table)
    return replace(decided, sentences=(*decided.sentences, f"By photos alone, without titles: {count:,}."))


def match_halves(side: Side, choosing: Choosing | None = None) -> Decision:
    """A rehearsal with known truth: half of each product's photos stand for our side, the other half for theirs.

    A match is right where `query_product` is `match_product`. Titles are left out, since both halves share them.
    """
    ours, theirs, _ = halves(side, np.ones(len(side), bool), np.random.default_rng(0))
    return match_sides(ours, theirs, Scoring(titles=NO_TITLES), choosing)


def same_items(
    comparison: Comparison, choosing: Choosing | None = None, *, labels: Labels | None = None
) -> Decision:
    """The pairs of a comparison at or above a threshold that keeps the promise; see `match_sides`.

    The threshold is learnt from presumed pairs or, where given, from a user's `labels`.
    """
    choosing = choosing or Choosing()
    taken = chosen(comparison, choosing.rule)
    if choosing.conformal:
        promise, accepted = None, comparison.conformal(taken, 1 - choosing.precision)
    else:
        target, mutual = choosing.precision, choosing.rule == "mutual"
        if labels:
            promise = labels.threshold(comparison, taken, target)
        else:
            promise = comparison.precision(taken, target, mutual=mutual)
        accepted = taken.score >= promise.score
    sure = taken.take(accepted)
    shown = sure
    if choosing.ranks > 1:
        shown = comparison.pairs.take(_rank(comparison.pairs) <= choosing.ranks)
    table = _table(comparison, shown, sure)
    return Decision(table, promise, _sentences(comparison, _accepted(table), promise, choosing))


def _accepted(table: pa.Table) -> int:
    return int(np.count_nonzero(table.column("accepted").to_numpy(zero_copy_only=False)))


def _sentences(
    comparison: Comparison, count: int, promise: Threshold | None, choosing: Choosing
) -> tuple[str, ...]:
    ours = counted(len(comparison.ours), "product")
    how = "photos and titles" if comparison.by_titles else "photos alone"
    first = f"{count:,} of our {ours} {'is' if count == 1 else 'are'} sold by them too, told by {how}."
    if promise is not None:
        return (first, precision_sentence(promise))
    return (first, f"On average at most {1 - choosing.precision:.0%} of them are wrong (conformal selection).")


def chosen(comparison: Comparison, rule: Rule) -> Candidates:
    """The pairs that a rule may take, at most one for each query."""
    pairs = comparison.pairs
    first = pairs.take(pairs.first)
    if rule == "best":
        return first
    if rule == "mutual":
        theirs = pairs.turned().beside(comparison.back)
        likeliest = np.full(len(comparison.theirs), -1)
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
