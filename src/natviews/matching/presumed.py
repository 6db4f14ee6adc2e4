"""What held-out products say of scores without labels: known matches, and pairs that are almost surely none.

Two halves of a product's photos are a known match. Its likeliest other products in its own catalogue are presumed
non-matches: they are found as matches would be, other colours of a design among them, in a gallery of known size.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from natviews.matching.candidates import Candidates
from natviews.matching.side import Side

NEAR_IDENTICAL = 0.999
"""Photos of two products with such a cosine are one picture: such a pair is neither right nor wrong."""
SHRINKAGE = 20.0
"""A type with so many held-out products has half a say in its own scale."""
PLACES = ((3, 6), (5, 9))
"""Places in a list of candidates that are hardly a match any more, a near one and a far one. Other colours of a
design may take up the first few, so two pairs are looked at."""
AGREEING = 0.2
"""What two pairs of places say may differ by so much."""


@dataclass(frozen=True)
class NonMatches:
    """Of held-out products: `scores` (Q, K) of their likeliest wrong candidates, falling, -inf where there are
    fewer; `candidates` (Q, K), these products' numbers; `types` (Q,); `gallery`, the number of products they were
    found among.
    """

    scores: np.ndarray
    candidates: np.ndarray
    types: np.ndarray
    gallery: int

    def scale(self, gallery: int) -> float:
        """For how many products that find a wrong one in a larger gallery one of these stands; 1 for a smaller."""
        return max(1.0, gallery / max(1, self.gallery))

    @cached_property
    def rivals(self) -> np.ndarray:
        """(Q, K) how many others of the Q score higher with the same candidate."""
        order = np.lexsort((-self.scores.ravel(), self.candidates.ravel()))
        candidates, scores = self.candidates.ravel()[order], self.scores.ravel()[order]
        first, lower = np.ones((2, len(order)), bool)
        first[1:] = candidates[1:] != candidates[:-1]
        lower[1:] = first[1:] | (scores[1:] != scores[:-1])
        place = np.arange(len(order))
        higher = np.empty_like(place)
        higher[order] = np.maximum.accumulate(place * lower) - np.maximum.accumulate(place * first)
        return higher.reshape(self.scores.shape)

    def events(self, thresholds: np.ndarray, gallery: int, asked: int | None = None) -> np.ndarray:
        """(T,) how many of the Q find a wrong candidate at or above each threshold in a gallery of so many
        products.

        In a smaller gallery each wrong candidate remains with the probability r = gallery / self.gallery, and one
        of c remains with 1 - (1 - r)^c: the mean over all smaller galleries, not one draw. What is found in a
        larger one is at most `scale` times what is found here: more of a gallery adds ever less.

        Where only each other's likeliest are taken, `asked` says of how many products: a candidate that scores
        higher with one of these is not taken. Each of the Q is among them with the probability asked / Q. That
        the candidate's own match may be among them as well is left out.
        """
        ratio = min(1.0, gallery / max(1, self.gallery))
        # A candidate after c others adds what it adds to 1 - (1 - r)^c.
        counts = np.broadcast_to(ratio * (1 - ratio) ** np.arange(self.scores.shape[1]), self.scores.shape)
        if asked is not None:
            counts = counts * (1 - min(1.0, asked / max(1, len(self.scores)))) ** self.rivals
        order = np.argsort(-self.scores, axis=None)
        reached = np.searchsorted(-self.scores.ravel()[order], -thresholds, side="right")
        return np.append(0.0, np.cumsum(counts.ravel()[order]))[reached]

    def rescored(self, scores: np.ndarray) -> "NonMatches":
        """The same candidates with other scores (Q, K)."""
        return replace(self, scores=scores)

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
    rank = _places(kept)
    scores = np.full((len(asking), int(rank.max(initial=0)) + 1), -np.inf)
    numbers = np.full(scores.shape, -1)
    row = np.searchsorted(asking, kept.query)
    scores[row, rank], numbers[row, rank] = kept.score, kept.match
    return NonMatches(scores, numbers, side.types[asking], max(1, len(side) - 1))


def _places(found: Candidates) -> np.ndarray:
    """(M,) from 0, of each query's candidates."""
    starts = np.flatnonzero(np.diff(found.query, prepend=-1))
    return np.arange(len(found)) - np.repeat(starts, np.diff(starts, append=len(found)))


def carried_over(nothing: NonMatches, across: Candidates) -> NonMatches:
    """Wrong pairs within a catalogue as they score between two: photos of one shop resemble one another more.

    By how much is seen in the candidates `across` that come too far down to be matches: by how much nearer
    together the medians of two places lie there than within the catalogue, however large the galleries are. Scores
    are drawn together by that share, and not lowered as a whole. Two pairs of places are looked at, of which the
    higher share is taken. Where they do not agree the two catalogues are made up differently (one sells more
    colours of a design, say) and nothing changes, nor where lists are too short or lie further apart across.
    """
    rank = _places(across)
    there = np.full((int(across.query.max(initial=-1)) + 1, int(rank.max(initial=0)) + 1), -np.inf)
    there[across.query, rank] = across.score
    there = there[np.isfinite(there[:, 0])]
    shares = []
    for near, far in PLACES:
        own, other = (_middles(scores, near, far) for scores in (nothing.scores, there))
        shares.append((other[0] - other[1]) / (own[0] - own[1]) if own[0] > own[1] else np.nan)
    share = float(np.max(shares))  # not a number where any of them is not
    if not share < 1 or share - min(shares) > AGREEING:
        return nothing
    return nothing.rescored(max(own[1], other[1]) + (nothing.scores - own[1]) * share)


def _middles(scores: np.ndarray, near: int, far: int) -> tuple[float, float]:
    """The medians at two places from 1 on; not numbers where half of the lists end before."""
    if not len(scores) or scores.shape[1] < far:
        return np.nan, np.nan
    one, other = np.median(scores[:, [near - 1, far - 1]], axis=0)
    return (float(one), float(other)) if np.isfinite(other) else (np.nan, np.nan)


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
