"""From a score to the probability that two products are the same: Platt's curve, or an isotonic one."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from natviews.types import NatviewsError

FOLDS = 5
LEAST = 1e-6
"""No probability is nearer to 0 or 1: an isotonic curve says 1 where it has seen nothing wrong."""


@dataclass(frozen=True)
class Calibration:
    """P(same product | score), rising with it.

    `kind` is `platt`, 1 / (1 + exp(-(slope * score + intercept))), or `isotonic`, the line through `knots` (2, J):
    scores and probabilities. Holds for the gallery and the share of matches that it was learnt for.
    """

    kind: str
    slope: float
    intercept: float
    knots: np.ndarray
    pairs: int
    """How many pairs it was learnt from."""

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores of any shape; 0 for the -inf of an empty place."""
        if self.kind == "isotonic":
            value = np.clip(np.interp(scores, self.knots[0], self.knots[1]), LEAST, 1 - LEAST)
            return np.where(np.isneginf(scores), 0.0, value)
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-(self.slope * scores.astype(float) + self.intercept)))


def calibrate(scores: np.ndarray, right: np.ndarray, weights: np.ndarray, owner: np.ndarray) -> Calibration:
    """Learnt from pairs: `scores` (N,), whether they are `right` (N,), how much each counts, and whose they are.

    Platt's curve and isotonic regression are compared by their log loss on owners left out in turn (5 folds); the
    better one is fitted on all. Platt 1999; Zadrozny and Elkan, KDD 2002. Raises NatviewsError where all pairs are
    right or all wrong.
    """
    if right.all() or not right.any():
        kind = "right" if len(right) and right.all() else "wrong"
        raise NatviewsError(
            f"Probabilities cannot be learnt from {len(right)} pairs of held-out products: all are {kind}; "
            "products with two photos or more are needed, at least two of them."
        )
    kinds = {"platt": _platt, "isotonic": _isotonic}
    fold = np.unique(owner, return_inverse=True)[1] % FOLDS
    losses = dict.fromkeys(kinds, 0.0)
    for held in range(FOLDS):
        learn, judge = fold != held, fold == held
        if not judge.any() or right[learn].all() or not right[learn].any():
            continue
        for kind, fit in kinds.items():
            p = np.clip(
                fit(scores[learn], right[learn], weights[learn]).probability(scores[judge]), LEAST, 1 - LEAST
            )
            losses[kind] -= float(weights[judge] @ np.log(np.where(right[judge], p, 1 - p)))
    return kinds[min(losses, key=losses.__getitem__)](scores, right, weights)


def _platt(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> Calibration:
    middle, spread = float(scores.mean()), float(scores.std()) or 1.0
    model = LogisticRegression(C=1e4).fit(((scores - middle) / spread)[:, None], right, weights / weights.mean())
    slope = max(0.0, float(model.coef_[0, 0])) / spread
    return Calibration("platt", slope, float(model.intercept_[0]) - slope * middle, np.empty((2, 0)), len(scores))


def _isotonic(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> Calibration:
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, right, sample_weight=weights)
    knots = np.stack([model.X_thresholds_, model.y_thresholds_])
    return Calibration("isotonic", 0.0, 0.0, knots, len(scores))


@dataclass(frozen=True)
class Mixture:
    """How two catalogues' likeliest pairs are made up: a `share` of the queries has a match.

    `match_shift` and `wrong_shift` say by how much lower true and wrong pairs score between the two catalogues
    than within one: another camera makes both less alike.
    """

    share: float
    match_shift: float
    wrong_shift: float


SHARES = np.linspace(0.0, 1.0, 41)
SHIFTS = 17
BINS = 24


def unmix(likeliest: np.ndarray, matched: np.ndarray, wrong: np.ndarray) -> Mixture:
    """What mixture of known matches and presumed non-matches explains the likeliest pairs' scores best.

    `likeliest` (Q,) scores of each query's best candidate, `matched` (N,) scores of photos of one product,
    `wrong` (W,) each held-out product's best wrong candidate, at this gallery's size (-inf where there is none). A
    query with a match shows the higher of that and its best wrong one: with the shares F below a score,
    F = F_wrong * (share * F_match + 1 - share). The most likely share and shifts on a grid.
    """
    found = likeliest[np.isfinite(likeliest)]
    if len(found) < BINS or len(matched) < BINS or not np.isfinite(wrong).any():
        return Mixture(0.5, 0.0, 0.0)
    edges = np.unique(np.quantile(found, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, found, side="right"), minlength=len(edges) + 1)
    spread = float(np.std(matched)) or 1e-6
    match_shifts = np.linspace(-1.5, 2.5, SHIFTS) * spread
    wrong_shifts = np.linspace(0, 2.0, SHIFTS) * (float(np.std(wrong[np.isfinite(wrong)])) or 1e-6)
    below_match = np.stack([_below(matched - shift, edges) for shift in match_shifts])  # (A, E)
    below_wrong = np.stack([_below(wrong - shift, edges) for shift in wrong_shifts])  # (B, E)
    mixed = SHARES[:, None, None] * below_match + 1 - SHARES[:, None, None]  # (S, A, E)
    below = mixed[:, :, None, :] * below_wrong  # (S, A, B, E)
    whole = np.concatenate([np.zeros((*below.shape[:-1], 1)), below, np.ones((*below.shape[:-1], 1))], axis=-1)
    likelihood = np.log(np.maximum(np.diff(whole, axis=-1), 1e-6)) @ counts
    s, a, b = np.unravel_index(int(np.argmax(likelihood)), likelihood.shape)
    return Mixture(float(SHARES[s]), float(match_shifts[a]), float(wrong_shifts[b]))


def _below(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(scores), edges, side="left") / len(scores)
