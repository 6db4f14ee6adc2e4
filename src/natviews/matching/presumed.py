"""What held-out products say of scores without labels: known matches, and pairs that are almost surely none.

Two halves of a product's photos are a known match. Its likeliest other products in its own catalogue are presumed
non-matches: they are found as matches would be, other colours of a design among them, in a gallery of known size.
"""

from dataclasses import dataclass

import numpy as np

from natviews.matching.candidates import Candidates
from natviews.matching.side import Side

NEAR_IDENTICAL = 0.999
"""Photos of two products with such a cosine are one picture: such a pair is neither right nor wrong."""
SHRINKAGE = 20.0
"""A type with so many held-out products has half a say in its own scale."""


@dataclass(frozen=True)
class NonMatches:
    """Of held-out products: `scores` (Q, K) of their likeliest wrong candidates, falling, -inf where there are
    fewer; `types` (Q,); `gallery`, the number of products these were found among.
    """

    scores: np.ndarray
    types: np.ndarray
    gallery: int

    def scale(self, gallery: int) -> float:
        """For how many wrong candidates in a larger gallery one of these stands; 1 for a smaller one."""
        return max(1.0, gallery / max(1, self.gallery))

    def events(self, thresholds: np.ndarray, gallery: int) -> np.ndarray:
        """(T,) how many of the Q find a wrong candidate at or above each threshold in a gallery of so many
        products.

        In a smaller gallery each wrong candidate remains with the probability r = gallery / self.gallery, and one
        of c remains with 1 - (1 - r)^c: the mean over all smaller galleries, not one draw. In a larger one all c
        are counted, to be multiplied by `scale`: the union bound, on the safe side.
        """
        ratio = gallery / max(1, self.gallery)
        flat = np.sort(self.scores, axis=0)[::-1]  # by rank: of each rank all scores, falling
        total = np.zeros(len(thresholds))
        for rank in range(flat.shape[1]):
            reached = np.searchsorted(-flat[:, rank], -thresholds, side="right")
            # The (rank+1)-th candidate is there and adds what it adds to 1 - (1 - r)^c.
            total += reached * (1.0 if ratio >= 1 else ratio * (1 - ratio) ** rank)
        return total

    def best(self, gallery: int, rng: np.random.Generator) -> np.ndarray:
        """(Q,) a best wrong candidate's score in a gallery of so many products, one draw for each."""
        ratio = min(1.0, gallery / max(1, self.gallery))
        there = rng.random(self.scores.shape) < ratio
        return np.where(there, self.scores, -np.inf).max(axis=1, initial=-np.inf)


def joined(one: NonMatches, other: NonMatches, gallery: int) -> NonMatches:
    """The side whose held-out products find more wrong candidates at the top, in a gallery of so many products.

    Which of two catalogues resembles their comparison more is not known without labels, so the more careful one
    speaks. Compared at the score that a twentieth of each would reach.
    """
    if not len(one.scores) or not len(other.scores):
        return one if len(one.scores) else other

    def high(side: NonMatches) -> float:
        return float(np.quantile(side.best(gallery, np.random.default_rng(0)), 0.95, method="higher"))

    return one if high(one) >= high(other) else other


def non_matches(side: Side, found: Candidates) -> NonMatches:
    """Of a side searched in itself, the wrong candidates of its held-out products (see the module).

    Left out as neither right nor wrong: products of one group of near-identical ones.
    """
    near = (side.groups[found.query] == side.groups[found.match]) | (found.image >= NEAR_IDENTICAL)
    asking = np.flatnonzero(side.held_out)
    kept = found.take(side.held_out[found.query] & ~near)
    starts = np.flatnonzero(np.diff(kept.query, prepend=-1))
    rank = np.arange(len(kept)) - np.repeat(starts, np.diff(starts, append=len(kept)))
    scores = np.full((len(asking), int(rank.max(initial=0)) + 1), -np.inf)
    scores[np.searchsorted(asking, kept.query), rank] = kept.score
    return NonMatches(scores, side.types[asking], max(1, len(side) - 1))


@dataclass(frozen=True)
class TypeScale:
    """Scores on one scale for all product types: (score - centre) / spread of the type's best wrong candidates.

    Without it one threshold serves types whose products all look alike and types whose products do not. Each
    type's own figures are shrunk towards everyone's by its number of held-out products.
    """

    centre: dict[str, float]
    spread: dict[str, float]

    def standardised(self, scores: np.ndarray, types: np.ndarray) -> np.ndarray:
        """The scores (M,) or (M, K) of queries of `types` (M,); an unknown type has everyone's scale."""
        names, place = np.unique(types, return_inverse=True)
        centre = np.array([self.centre.get(name, self.centre["*"]) for name in names.tolist()])[place]
        spread = np.array([self.spread.get(name, self.spread["*"]) for name in names.tolist()])[place]
        shape = (-1, *[1] * (scores.ndim - 1))
        return (scores - centre.reshape(shape)) / spread.reshape(shape)


def type_scale(nothing: NonMatches) -> TypeScale:
    """Learnt from each type's best wrong candidates. One type, or none, leaves everyone's scale alone."""
    best = nothing.scores[:, 0] if nothing.scores.size else np.empty(0)
    there = np.isfinite(best)
    best, types = best[there], nothing.types[there]
    if len(best) < 2 or not best.std():
        return TypeScale({"*": 0.0}, {"*": 1.0})
    middle, square = float(best.mean()), float(best.var())
    centre, spread = {"*": middle}, {"*": float(np.sqrt(square))}
    for name in np.unique(types).tolist():
        own = best[types == name]
        weight = len(own) / (len(own) + SHRINKAGE)
        centre[name] = weight * float(own.mean()) + (1 - weight) * middle
        around = float(np.square(own - centre[name]).mean())
        spread[name] = float(np.sqrt(max(weight * around + (1 - weight) * square, 1e-4 * square)))
    return TypeScale(centre, spread)


def halves(side: Side, which: np.ndarray, rng: np.random.Generator) -> tuple[Side, Side, np.ndarray]:
    """Two sides with half of the photos each of those products `which` (P,) bool that have two, and the products'
    numbers."""
    several = np.flatnonzero(which & (side.counts > 1))
    keep = np.isin(side.product, several)
    draw = rng.random(len(side.product))
    order = np.lexsort((draw, side.product))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - side.starts[side.product[order]]
    first = keep & (place < side.counts[side.product] // 2)
    return side.take(first), side.take(keep & ~first), several
