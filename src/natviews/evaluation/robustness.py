"""Robustness: what a disturbance of the query costs, and what one encoder still finds that another misses.

The gallery stays clean and the query is a disturbed photo; right are the *other* photos of its product, for
finding the photo that was disturbed is an easier task, copy detection, and is measured apart."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.natural_views import Judging, Retrieval, retrieval
from natviews.types import Embeddings, Metric, Provenance

ROBUSTNESS = {
    "drop@1": "Which share of recall@1 a disturbance of the query costs: 0 costs nothing, 1 everything.",
    "copy@1": "Share of disturbed photos whose nearest neighbour is the one they were made from (copy detection).",
    "additional_recall": "Share of queries whose first match is right and accepted by the one encoder and not by "
    "the other, each accepting matches above a score at which it has the same precision.",
    "missed_recall": "The same the other way round: what the other encoder finds and this one misses.",
    "precision": "Share of accepted first matches that are right, at scores set on the other half of products.",
}
"""What each figure says."""
SHOWN = ("recall@1", "recall@10", "map@r", "auc")


def disturbed_metrics(clean: Retrieval, disturbed: Retrieval, slice: str) -> list[Metric]:
    """The figures of disturbed queries with their intervals, and `drop@1` against the same queries undisturbed.

    Raises ValueError where the two were asked different queries.
    """
    if not np.array_equal(clean.rows, disturbed.rows):
        raise ValueError(f"{clean.row}: the disturbed queries are others than the clean ones")
    values = {name: disturbed.values[name] for name in SHOWN}
    before, after = clean.values["recall@1"], disturbed.values["recall@1"]
    if before.any():
        values["drop@1"] = dropped(before, after)
    return means_with_intervals(values, disturbed.products, row=disturbed.row, slice=slice)


def dropped(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(Q,) values whose mean is the share of `before` (Q,) that is gone in `after` (Q,): that share with each
    query's influence on it (Hampel, 1974), so that resampling tells how sure it is."""
    kept = after.mean() / before.mean()
    values: np.ndarray = 1 - kept - (after - kept * before) / before.mean()
    return values


def copies_found(
    photos: Embeddings, judging: Judging, rows: np.ndarray, disturbed: np.ndarray, *, row: str
) -> Retrieval:
    """Copy detection: do disturbed photos of `rows` (Q,), as vectors (Q, D), find the photos they were made from?

    The product's other photos and near-identical products are left out. `recall@1` of what is returned is
    `copy@1`."""
    _, first, product = np.unique(judging.products, return_index=True, return_inverse=True)
    groups = judging.groups[first][product]
    count = len(photos)
    everything = np.r_[np.arange(count), rows]
    is_query = np.arange(len(everything)) >= count
    ids = np.concatenate([photos.ids, np.char.add(photos.ids[rows], "\x1fdisturbed")])
    together = Embeddings(
        ids, photos.ids[everything], np.concatenate([photos.vectors, disturbed]), Provenance("copies")
    )
    within = None if judging.within is None else judging.within[everything]
    asking = Judging(
        photos.ids[everything], groups[everything], is_query, ~is_query & judging.gallery[everything], within
    )
    return retrieval(together, asking, row=row)


@dataclass(frozen=True)
class Accepted:
    """First matches (Q,) of an encoder: `right` bool, and `accepted` bool, those above its score."""

    right: np.ndarray
    accepted: np.ndarray

    @property
    def found(self) -> np.ndarray:
        return self.right & self.accepted


@dataclass(frozen=True)
class AdditionalRecall:
    """What one encoder finds and another misses at one precision: `rows` are their names. `gained` and `lost` (Q,)
    bool are in the order of the queries' `products` (Q,).

    `p_queries` is McNemar's exact p for queries; since photos of one product are no independent witnesses, it is
    often too small, and `p_products` counts each product once, by whether it gained more queries than it lost.
    """

    rows: tuple[str, str]
    products: np.ndarray
    ours: Accepted
    baseline: Accepted

    @property
    def gained(self) -> np.ndarray:
        return self.ours.found & ~self.baseline.found

    @property
    def lost(self) -> np.ndarray:
        return self.baseline.found & ~self.ours.found

    @property
    def p_queries(self) -> float:
        return mcnemar(int(self.gained.sum()), int(self.lost.sum()))

    @property
    def p_products(self) -> float:
        product = np.unique(self.products, return_inverse=True)[1]
        net = np.bincount(product, self.gained.astype(float) - self.lost)
        return mcnemar(int((net > 0).sum()), int((net < 0).sum()))

    def metrics(self, slice: str, precision: float) -> list[Metric]:
        """The figures with their intervals, named `NAME@pPERCENT`; `precision` is the one that was asked for."""
        end = f"@p{round(100 * precision)}"
        values = {f"additional_recall{end}": self.gained, f"missed_recall{end}": self.lost}
        floats = {name: found.astype(float) for name, found in values.items()}
        metrics = means_with_intervals(floats, self.products, row="-".join(self.rows), slice=slice)
        for row, part in zip(self.rows, (self.ours, self.baseline), strict=True):
            if part.accepted.any():
                kept = {f"precision{end}": part.right[part.accepted].astype(float)}
                metrics += means_with_intervals(kept, self.products[part.accepted], row=row, slice=slice)
        return metrics


def additional_recall(
    ours: Retrieval, baseline: Retrieval, groups: np.ndarray, *, precision: float
) -> AdditionalRecall:
    """What `ours` finds first and `baseline` misses, on the same queries, at equal precision (0 to 1).

    Each encoder accepts first matches from the lowest score on at which it has that precision on the other half of
    `groups` (Q,), of near-identical products: no threshold has seen the queries it judges. Raises ValueError where
    the two were asked different queries.
    """
    if not np.array_equal(ours.rows, baseline.rows):
        raise ValueError(f"{ours.row} and {baseline.row} were not asked the same queries")
    half = np.unique(groups, return_inverse=True)[1] % 2
    accepted = [_accepted(answers, half, precision) for answers in (ours, baseline)]
    return AdditionalRecall((ours.row, baseline.row), ours.products, *accepted)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p of McNemar's test: how likely counts so unlike would be were either as likely.

    McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947.
    """
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def lowest_score(scores: np.ndarray, right: np.ndarray, precision: float) -> float:
    """The lowest of `scores` (Q,) from which on the share of `right` (Q,) is at least `precision`; inf if none is.

    Equal scores are accepted or refused together.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    share = right[order].cumsum() / np.arange(1, len(order) + 1)
    is_last = np.r_[falling[1:] != falling[:-1], True]
    enough = np.flatnonzero(is_last & (share >= precision))
    return float(falling[enough[-1]]) if len(enough) else np.inf


def _accepted(answers: Retrieval, half: np.ndarray, precision: float) -> Accepted:
    right, scores = answers.values["recall@1"] > 0, answers.scores[:, 0]
    accepted = np.zeros(len(right), bool)
    for own in (0, 1):
        other = half != own
        bar = lowest_score(scores[other], right[other], precision) if other.any() else np.inf
        accepted[~other] = scores[~other] >= bar
    return Accepted(right, accepted)
