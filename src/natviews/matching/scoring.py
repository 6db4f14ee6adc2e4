"""One score for a pair of products: their photos, how crowded it is around them, their titles."""

from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from sklearn.linear_model import LogisticRegression

from natviews.matching.candidates import KEPT, Candidates, Comparing, candidates, compared
from natviews.matching.presumed import halves
from natviews.matching.side import Side
from natviews.matching.titles import Titles, letters_of, sentences_of
from natviews.types import NatviewsError

LETTERS = "letters"
NO_TITLES = "none"
FEWEST = 20
"""Pairs on either side without which nothing is learnt of titles."""


@dataclass(frozen=True)
class Scoring:
    """How pairs are scored.

    `how` two products' photos make one cosine; `neighbourhood`: what a product scores with its usual neighbours is
    taken off, so that a photo which resembles everything matches nothing (cross-domain local scaling: Conneau et
    al., "Word Translation Without Parallel Data", ICLR 2018, arXiv:1710.04087); `titles`: `letters`, `none`, or a
    folder with a sentence-transformers model.
    """

    how: Comparing = "mean"
    neighbourhood: bool = True
    titles: str = LETTERS

    def __post_init__(self) -> None:
        if self.how not in get_args(Comparing):
            raise NatviewsError(f"Photos make a score by {', '.join(get_args(Comparing))}, not by {self.how!r}.")


class Found(NamedTuple):
    """Two sides compared, and each with itself, all scored by photos alone, and what their titles say.

    `across` are found from our side and `back` from theirs: ours may be theirs' likeliest where they are not among
    our own product's candidates. `matched` (N,) are the scores of halves of products held out on either side.
    """

    across: Candidates
    back: Candidates
    within_ours: Candidates
    within_theirs: Candidates
    matched: np.ndarray
    titles: Titles | None


def find(ours: Side, theirs: Side, scoring: Scoring) -> Found:
    """The likeliest pairs across two sides and within each, with the same candidates and scores for all three."""
    titles = _titles(ours, theirs, scoring.titles)
    forth, back = candidates(ours, theirs, how=scoring.how), candidates(theirs, ours, how=scoring.how)
    level, their_level = _levels(forth, len(ours)), _levels(back, len(theirs))
    forth = _with_titled(forth, ours, theirs, titles, scoring.how)
    back = _with_titled(back, theirs, ours, titles and titles.turned(), scoring.how)
    own, matched = _inside(ours, titles and titles.within(), scoring)
    their_own, their_matched = _inside(theirs, titles and titles.turned().within(), scoring)
    across, back = _scaled(forth, level, their_level, scoring), _scaled(back, their_level, level, scoring)
    return Found(across, back, own, their_own, np.concatenate([matched, their_matched]), titles)


def _inside(side: Side, titles: Titles | None, scoring: Scoring) -> tuple[Candidates, np.ndarray]:
    inside = candidates(side, side, how=scoring.how)
    usual = _levels(inside, len(side))
    inside = _with_titled(inside, side, side, titles, scoring.how)
    return _scaled(inside, usual, usual, scoring), _halves_scores(side, usual, scoring)


def find_within(side: Side, scoring: Scoring) -> tuple[Candidates, np.ndarray]:
    """The likeliest pairs within one side, scored by photos alone, and what is taken off for each product (P,)."""
    inside = candidates(side, side, how=scoring.how)
    usual = _levels(inside, len(side)) if scoring.neighbourhood else np.zeros(len(side))
    return _scaled(inside, usual, usual, scoring), usual


def _titles(ours: Side, theirs: Side, said: str) -> Titles | None:
    if said == NO_TITLES or not (any(ours.text("title").tolist()) and any(theirs.text("title").tolist())):
        return None
    return letters_of(ours, theirs) if said == LETTERS else sentences_of(ours, theirs, said)


def _levels(found: Candidates, products: int) -> np.ndarray:
    """(products,) what each query usually scores: the median of its candidates. One match does not move it."""
    starts = np.flatnonzero(np.diff(found.query, prepend=-1))
    counts = np.diff(starts, append=len(found))
    levels = np.full(products, float(np.median(found.image)) if len(found) else 0.0)
    levels[found.query[starts]] = found.image[starts + counts // 2]
    return levels


def _scaled(found: Candidates, levels: np.ndarray, their_levels: np.ndarray, scoring: Scoring) -> Candidates:
    if not scoring.neighbourhood:
        return found.scored(found.image)
    return found.scored(found.image - (levels[found.query] + their_levels[found.match]) / 2)


def _with_titled(found: Candidates, one: Side, other: Side, titles: Titles | None, how: Comparing) -> Candidates:
    """The candidates with those that titles alone would suggest, and every pair's cosine of titles."""
    if titles is None:
        return found
    query, match = titles.likeliest(KEPT + (one is other))
    differ = np.ones(len(query), bool) if one is not other else query != match
    key = np.concatenate([found.query, query[differ]]) * len(other) + np.concatenate([found.match, match[differ]])
    query, match = np.divmod(np.unique(key), max(1, len(other)))
    joined = compared(one, other, query, match, how=how)
    return Candidates(
        joined.query, joined.match, joined.image, titles.cosine(joined.query, joined.match),
        joined.score, joined.query_photo, joined.match_photo,
    )  # fmt: skip


def _halves_scores(side: Side, levels: np.ndarray, scoring: Scoring) -> np.ndarray:
    """(N,) how held-out products' halves score with each other."""
    one, other, numbers = halves(side, side.held_out, np.random.default_rng(0))
    pairs = np.arange(len(numbers))
    score = compared(one, other, pairs, pairs, how=scoring.how).image
    return score - levels[numbers] if scoring.neighbourhood else score


@dataclass(frozen=True)
class Fusion:
    """A pair's score from photos and titles: logits that add up.

    score + (slope * title + intercept) / photo_slope, so that it stays on the photos' scale; a pair with a title
    missing has the photos' score alone.
    """

    slope: float
    intercept: float
    photo_slope: float
    sure: np.ndarray
    """(N,) the cosines of titles that were taken for those of matches."""

    def scored(self, found: Candidates) -> Candidates:
        """The pairs with the fused score."""
        said = np.where(np.isnan(found.title), 0.0, self.slope * found.title + self.intercept)
        return found.scored(found.score + said / self.photo_slope)


def learn_fusion(sure: np.ndarray, wrong: np.ndarray, photo_slope: float) -> Fusion | None:
    """What titles add, without labels.

    `sure` (N,) are cosines of the titles of pairs that photos alone are sure of, `wrong` (W,) those of presumed
    non-matches; given which of the two a pair is, photos and titles are taken as independent. `photo_slope` is by
    how much the photos' log odds rise with their score. None where there are too few, or titles do not help.
    """
    sure, wrong = sure[np.isfinite(sure)], wrong[np.isfinite(wrong)]
    if min(len(sure), len(wrong)) < FEWEST or photo_slope <= 0:
        return None
    labels = np.repeat([True, False], [len(sure), len(wrong)])
    model = LogisticRegression(class_weight="balanced").fit(np.concatenate([sure, wrong])[:, None], labels)
    slope = float(model.coef_[0, 0])
    return Fusion(slope, float(model.intercept_[0]), photo_slope, sure) if slope > 0 else None
