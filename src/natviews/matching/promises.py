"""Thresholds that keep a promise, and by how much: precision for `match`, recall for `gaps`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import beta, nbinom

from natviews.types import NatviewsError

CONFIDENCE = 0.9
"""A promise is kept in 9 of 10 uses: the error is 0.1."""
STARTS = (1, 3, 9)
"""A sequence of tests begins at the fewest pairs that could pass, at 3 and at 9 times as many; each has its share
of the error, so that one bad pair at the very top does not end everything."""
STEP = 1.08
"""How much more pairs the next test of a sequence takes in."""

Basis = Literal["labels", "photos", "values", "none"]


@dataclass(frozen=True)
class Threshold:
    """A score from which on something is promised.

    `score` (inf where nothing could be promised), `target` the share that was asked for, `bound` the share that
    holds in 9 of 10 uses, `n` what it was learnt from (labelled pairs, held-out products, or answers about them),
    `accepted` pairs at or above it, `basis` who said what is right: a user's `labels`, `photos` of one product, or
    the `values` that held-out products have, `missing` how many more of n it would have taken, about, where
    nothing could be promised.
    """

    score: float
    target: float
    bound: float
    n: int
    accepted: int
    basis: Basis
    missing: int = 0

    @property
    def kept(self) -> bool:
        """Whether something could be promised."""
        return bool(np.isfinite(self.score))


def lower_bound(right: float, n: float, confidence: float = CONFIDENCE) -> float:
    """Clopper and Pearson's lower bound of a share of which `right` of `n` were seen (Biometrika 1934)."""
    return float(beta.ppf(1 - confidence, right, n - right + 1)) if right > 0 else 0.0


def upper_bound(right: float, n: float, confidence: float = CONFIDENCE) -> float:
    """The same bound from above."""
    return float(beta.ppf(confidence, right + 1, n - right)) if right < n else 1.0


def pairs_needed(target: float, confidence: float = CONFIDENCE) -> int:
    """The fewest labelled pairs, all right, that could promise a precision: n with target^n <= 1 - confidence."""
    return int(np.ceil(np.log(1 - confidence) / np.log(target)))


def precision_by_labels(
    scores: np.ndarray, right: np.ndarray, target: float, basis: Basis = "labels"
) -> Threshold:
    """The lowest score from which labelled pairs, `scores` (N,) and `right` (N,) bool, promise a precision.

    Fixed-sequence testing from strict to loose (Maurer et al. 1995), each by Clopper and Pearson's bound. Pairs of
    one score stand or fall together.
    """
    _check_target(target)
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    last = np.append(np.diff(scores) != 0, True) if len(scores) else np.empty(0, bool)
    taken, hits = np.flatnonzero(last) + 1, np.cumsum(right)[last]

    def bound(place: int, confidence: float) -> float:
        return lower_bound(hits[place], taken[place], confidence)

    chosen, confidence = _sequences(taken, pairs_needed(target, _each()), target, bound)
    if chosen < 0:
        return Threshold(np.inf, target, 0.0, len(scores), 0, basis, _more_labels(scores, right, target))
    n = int(taken[chosen])
    return Threshold(float(scores[n - 1]), target, bound(chosen, confidence), len(scores), n, basis)


def precision_without_labels(
    accepted: np.ndarray,
    asked: int,
    wrong: Callable[[np.ndarray], np.ndarray],
    n: int,
    scale: float,
    target: float,
) -> Threshold:
    """The lowest score from which a precision is promised, from how often held-out products find a wrong one.

    `accepted` (A,) are the scores of the pairs a decision would take, of `asked` products. `wrong` says how
    many of `n` held-out products, which have nothing to find, would find a pair at or above some scores (T,);
    one of them stands for `scale` in this gallery. Had none of ours a match, as many of `asked` would be wrong;
    the number is bounded by the negative binomial prediction for a Poisson count, and the promise is about the
    pairs of this very comparison. Tested in fixed sequences from strict to loose. No share of matches is
    assumed.
    """
    _check_target(target)
    scores = -np.sort(-accepted)
    last = np.append(np.diff(scores) != 0, True) if len(scores) else np.empty(0, bool)
    taken = np.flatnonzero(last) + 1
    events = wrong(scores[last]) if len(taken) else np.empty(0)

    def bound(place: int, confidence: float) -> float:
        return 1 - _most_wrong(float(events[place]), asked, n, scale, confidence) / float(taken[place])

    fewest = int(np.ceil(max(1.0, _most_wrong(0.0, asked, n, scale, _each())) / (1 - target)))
    chosen, confidence = _sequences(taken, fewest, target, bound) if n else (-1, 0.0)
    if chosen < 0:
        return Threshold(
            np.inf, target, 0.0, n, 0, "photos" if n else "none", _more_products(len(scores), fewest, n)
        )
    return Threshold(
        float(scores[taken[chosen] - 1]), target, bound(chosen, confidence), n, int(taken[chosen]), "photos"
    )


def _most_wrong(events: float, asked: int, n: int, scale: float, confidence: float) -> float:
    """How many of `asked` are wrong at most, where `events` of `n` were."""
    if not n:
        return float(asked)
    return min(float(asked), float(nbinom.ppf(confidence, events + 1, n / (n + asked * scale))))


def _each() -> float:
    """The confidence of each of several sequences."""
    return 1 - (1 - CONFIDENCE) / len(STARTS)


def _sequences(
    taken: np.ndarray, fewest: int, target: float, bound: Callable[[int, float], float]
) -> tuple[int, float]:
    """The place of the loosest test that passes, over all sequences (-1: none), and the confidence it has."""
    best = -1
    for start in STARTS:
        wanted = float(start * fewest)
        while len(taken) and wanted <= taken[-1] * STEP:
            place = min(int(np.searchsorted(taken, wanted)), len(taken) - 1)
            if taken[place] < start * fewest or bound(place, _each()) < target:
                break
            best = max(best, place)
            wanted = max(wanted * STEP, taken[place] + 1)
    return best, _each()


def conformal_selection(scores: np.ndarray, null: np.ndarray, rate: float, asked: int) -> np.ndarray:
    """(M,) bool: pairs among which the expected share of wrong ones is at most `rate`.

    `scores` are of the pairs that a rule took, of `asked` products: taking them was a choice of high scores
    already, so that all who asked count. Conformal p-values against the scores `null` (N,) of pairs known to be
    wrong, then Benjamini and Hochberg's procedure: Jin and Candes, "Selection by prediction with conformal
    p-values", JMLR 2023 (arXiv:2210.01408).
    """
    _check_target(rate)
    if not len(scores):
        return np.zeros(0, bool)
    at_least = len(null) - np.searchsorted(np.sort(null), scores, side="left")
    p = (1 + at_least) / (len(null) + 1)
    order = np.argsort(p, kind="stable")
    passing = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / asked)
    selected = np.zeros(len(scores), bool)
    if len(passing):
        selected[p <= p[order[passing[-1]]]] = True
    return selected


def recall_threshold(matched: np.ndarray, target: float, basis: Basis) -> Threshold:
    """The highest score that a share `target` of true matches, with scores `matched` (N,), reaches or exceeds.

    The bound is Clopper and Pearson's for an order statistic, which is known before any score is seen: no sequence
    is needed. Where N is too small for any, the score is -inf for nothing may be left out, and `kept` is false.
    """
    _check_target(target)
    n = len(matched)
    below = np.arange(n)
    bounds = beta.ppf(1 - CONFIDENCE, n - below, below + 1)  # `lower_bound` of n - below out of n
    allowed = np.flatnonzero(bounds >= target)
    if not len(allowed):
        return Threshold(-np.inf, target, 0.0, n, n, basis, max(1, pairs_needed(target) - n))
    k = int(allowed[-1])
    return Threshold(float(np.sort(matched)[k]), target, float(bounds[k]), n, n - k, basis)


def _more_labels(scores: np.ndarray, right: np.ndarray, target: float) -> int:
    """About how many more labelled pairs it takes: enough for a bound at the best precision seen so far."""
    least = pairs_needed(target, _each())
    seen = np.cumsum(right) / np.arange(1, len(right) + 1) if len(right) else np.ones(1)
    share = float(seen[min(least, len(seen)) - 1 :].max())
    if share <= target:
        return least
    for n in np.unique(np.geomspace(least, 1e6, 200).astype(int)).tolist():
        if lower_bound(share * n, n, _each()) >= target:
            return max(1, int(n) - len(right))
    return 10**6


def _more_products(pairs: int, fewest: int, n: int) -> int:
    """About how many more held-out products it takes for so few pairs to pass."""
    return max(1, int(np.ceil(n * fewest / max(1, pairs)) - n)) if pairs < fewest else max(1, n)


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        raise NatviewsError(f"A promised share lies between 0 and 1, such as 0.95; it is not {target:g}.")
