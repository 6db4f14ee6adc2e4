"""Two sides compared once: scored pairs, what they are worth, and from which score on something is promised."""

from dataclasses import dataclass

import numpy as np

from natviews.matching.calibration import Calibration, Mixture, calibrate, unmix
from natviews.matching.candidates import Candidates
from natviews.matching.presumed import NonMatches, TypeScale, carried_over, joined, non_matches, type_scale
from natviews.matching.promises import (
    Threshold,
    conformal_selection,
    precision_without_labels,
    recall_threshold,
)
from natviews.matching.scoring import NO_TITLES, Found, Fusion, Scoring, find, learn_fusion
from natviews.matching.side import Side, check_comparable
from natviews.types import NatviewsError

SURE = 0.9
"""Pairs with such a probability by their photos teach what titles of one product have in common."""
SOME = 0.02
"""The share of matches that is assumed at least: where none are seen, probabilities stay small and finite."""


@dataclass(frozen=True)
class Comparison:
    """What is known of two sides together.

    `pairs` are scored on one scale for all product types, and so is `back`, what their products find among ours;
    `nothing` are presumed non-matches and `matched` known matches on the same scale, both as they score between
    the two sides (the latter shifted by `mixture`).
    """

    ours: Side
    theirs: Side
    pairs: Candidates
    back: Candidates
    nothing: NonMatches
    matched: np.ndarray
    mixture: Mixture
    calibration: Calibration | None
    by_titles: bool

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """P(same item | score) (M,); NaN where nothing could be learnt of scores."""
        return np.full(len(scores), np.nan) if self.calibration is None else self.calibration.probability(scores)

    def precision(self, taken: Candidates, target: float, *, mutual: bool) -> Threshold:
        """From which score on pairs `taken` by a rule, such as that they be `mutual`, each other's likeliest, are
        right in a share `target`."""
        size, asked = len(self.theirs), len(self.ours) if mutual else None

        def wrong(thresholds: np.ndarray) -> np.ndarray:
            return self.nothing.events(thresholds, size, asked)

        n, scale = len(self.nothing.scores), self.nothing.scale(size)
        return precision_without_labels(taken.score, len(self.ours), wrong, n, scale, target)

    def conformal(self, taken: Candidates, rate: float) -> np.ndarray:
        """(M,) bool: pairs of which a share `rate` at most is expected to be wrong; the second way to
        `precision`."""
        null = self.nothing.best(len(self.theirs), np.random.default_rng(0))
        return conformal_selection(taken.score, null, rate, len(self.ours))

    def recall(self, target: float) -> Threshold:
        """The score that a share `target` of true matches reaches."""
        return recall_threshold(self.matched, target, "photos")


def compare(ours: Side, theirs: Side, scoring: Scoring | None = None, *, found: Found | None = None) -> Comparison:
    """Our products asked among theirs. Raises NatviewsError where the sides' vectors cannot be compared.

    `found` (`natviews.matching.scoring.find`) saves searching again where only titles are to be left out or taken.
    """
    scoring = scoring or Scoring()
    check_comparable(ours, theirs)
    found = found or find(ours, theirs, scoring)
    plain = _comparison(ours, theirs, found, None)
    if found.titles is None or scoring.titles == NO_TITLES or plain.calibration is None:
        return plain
    fusion = _fusion(plain, found)
    return plain if fusion is None else _comparison(ours, theirs, found, fusion)


def _comparison(ours: Side, theirs: Side, found: Found, fusion: Fusion | None) -> Comparison:
    across, back, own, their_own = found.across, found.back, found.within_ours, found.within_theirs
    matched = found.matched
    if fusion is not None:
        across, back, own, their_own = (fusion.scored(one) for one in (across, back, own, their_own))
        # Halves of one product share its title; how much titles of matches differ is seen where photos are sure.
        said = np.random.default_rng(0).choice(fusion.sure, len(matched))
        matched = matched + (fusion.slope * said + fusion.intercept) / fusion.photo_slope
    size = len(theirs)
    ours_alone, theirs_alone = non_matches(ours, own), non_matches(theirs, their_own)
    nothing = joined(ours_alone, theirs_alone, size)
    between = joined(carried_over(ours_alone, across), carried_over(theirs_alone, across), size)
    scale = type_scale(nothing)
    pairs = across.scored(scale.standardised(across.score, ours.types[across.query]))
    back = back.scored(scale.standardised(back.score, ours.types[back.match]))
    nothing, between = (one.rescored(scale.standardised(one.scores, one.types)) for one in (nothing, between))
    matched = _on_scale(scale, matched, found, ours, theirs)
    likeliest = np.full(len(ours), -np.inf)
    likeliest[pairs.query[pairs.first]] = pairs.score[pairs.first]
    wrong = nothing.best(size, np.random.default_rng(1))
    mixture = unmix(likeliest, matched, wrong)
    matched = matched - mixture.match_shift
    # The mixture itself finds by how much wrong pairs score lower between the sides, and so knows them within one.
    calibration = _calibration(matched, nothing, len(ours), size, mixture)
    return Comparison(ours, theirs, pairs, back, between, matched, mixture, calibration, fusion is not None)


def _on_scale(scale: TypeScale, matched: np.ndarray, found: Found, ours: Side, theirs: Side) -> np.ndarray:
    types = [side.types[side.held_out & (side.counts > 1)] for side in (ours, theirs)]
    return scale.standardised(matched, np.concatenate(types))


def _calibration(
    matched: np.ndarray, nothing: NonMatches, asked: int, gallery: int, mixture: Mixture
) -> Calibration | None:
    """Probabilities for candidates of this comparison: as many true and wrong ones as there would be here."""
    there = np.isfinite(nothing.scores)
    wrong = nothing.scores[there] - mixture.wrong_shift
    if not len(matched) or not len(wrong):
        return None
    scores = np.concatenate([matched, wrong])
    right = np.repeat([True, False], [len(matched), len(wrong)])
    of_right = max(mixture.share, SOME) / len(matched)
    of_wrong = gallery / nothing.gallery / len(nothing.scores)
    weights = np.repeat([of_right, of_wrong], [len(matched), len(wrong)])
    owner = np.concatenate([np.arange(len(matched)), np.nonzero(there)[0]])
    try:
        return calibrate(scores, right, weights, owner)
    except NatviewsError:
        return None


def _fusion(plain: Comparison, found: Found) -> Fusion | None:
    sure = _sure_titles(plain)
    wrong = np.concatenate([side.title[side.first] for side in (found.within_ours, found.within_theirs)])
    spread, slope = _photo_slope(plain, found)
    return learn_fusion(sure, wrong, slope / spread)


def _photo_slope(plain: Comparison, found: Found) -> tuple[float, float]:
    """The spread of the types' scale, and by how much the log odds rise with a score on it, about its middle."""
    spread = float(np.std(found.across.score) / max(np.std(plain.pairs.score), 1e-9)) or 1.0
    assert plain.calibration is not None
    middle, width = float(np.median(plain.matched)), max(float(np.std(plain.matched)), 1e-6)
    p = np.clip(plain.probability(np.array([middle - width, middle + width])), 1e-3, 1 - 1e-3)
    odds = np.log(p / (1 - p))
    return spread, max(0.0, float(odds[1] - odds[0]) / (2 * width))


def _sure_titles(plain: Comparison) -> np.ndarray:
    """Cosines of titles of the likeliest pairs that photos alone are sure of, or else of the twentieth that they
    are surest of."""
    top = plain.pairs.take(plain.pairs.first & np.isfinite(plain.pairs.title))
    sure = plain.probability(top.score) >= SURE
    if sure.sum() < len(top) / 20:
        sure = top.score >= np.quantile(top.score, 0.95) if len(top) else sure
    return top.title[sure]
