"""Where each query's positives stand among all that it may find: by counting what scores above, without sorting.

A query has few positives and few photos that are left out, so both are kept as pairs of numbers; what takes time
is the product of the vectors, and one look at each score for the first ten and for each positive.
"""

from dataclasses import dataclass

import numpy as np

MANY = 16
"""Positives from which a query's scores are sorted once, instead of being looked through for each."""
BLOCKS = 4
"""Least number of blocks for each photo that is to be found first."""
WIDEST = 64
"""Most scores in a block."""


@dataclass(frozen=True)
class Members:
    """The places of a gallery by a code (0, 1, ...) that each bears: `places` in the codes' order, from
    `starts`."""

    places: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, count: int) -> "Members":
        """Those of `codes` (G,), which are below `count`."""
        places = np.argsort(codes, kind="stable")
        return cls(places, np.searchsorted(codes[places], np.arange(count + 1)))

    def pairs(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All (query, place) where the place bears the query's code: both (M,), query by query."""
        counts = self.starts[codes + 1] - self.starts[codes]
        which = np.repeat(np.arange(len(codes)), counts)
        begins = np.cumsum(counts) - counts
        return which, self.places[np.arange(len(which)) - begins[which] + self.starts[codes][which]]


@dataclass(frozen=True)
class Asked:
    """Some queries (q) and, as pairs (query, place in the gallery) in the order of queries, what is right for them
    and what is left out of their galleries."""

    count: int
    positives: tuple[np.ndarray, np.ndarray]
    left_out: tuple[np.ndarray, np.ndarray]

    def may_ask(self, gallery: int) -> np.ndarray:
        """Which queries (q,) bool have something right to find, and something wrong."""
        wanted, allowed = self.wanted(), gallery - np.bincount(self.left_out[0], minlength=self.count)
        return (wanted > 0) & (allowed > wanted)

    def take(self, keep: np.ndarray) -> "Asked":
        """Those queries; `keep` (q,) bool."""
        number = np.cumsum(keep) - 1

        def kept(pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            of_kept = keep[pairs[0]]
            return number[pairs[0][of_kept]], pairs[1][of_kept]

        return Asked(int(keep.sum()), kept(self.positives), kept(self.left_out))

    def wanted(self) -> np.ndarray:
        """How many photos are right for each query: (q,)."""
        return np.bincount(self.positives[0], minlength=self.count)


@dataclass(frozen=True)
class Standing:
    """How queries (q) see their galleries.

    `wanted` (q,) how many are right, `negatives` (q,) how many wrong. For each pair of a query and a positive,
    query by query and in a query by rank: `query` (M,), `rank` (M,) from 1 among all it may find, `place` (M,)
    from 1 among the query's positives, `score` (M,); `wins` (M,) how many negatives score below it, ties half.
    `first` (q, K) are the places in the gallery found first, -1 where there are fewer, with their `first_scores`.
    """

    wanted: np.ndarray
    negatives: np.ndarray
    query: np.ndarray
    rank: np.ndarray
    place: np.ndarray
    score: np.ndarray
    wins: np.ndarray
    first: np.ndarray
    first_scores: np.ndarray

    def mean(self, of_pairs: np.ndarray) -> np.ndarray:
        """Of values (M,) of the pairs, each query's sum over how many positives it has: (q,)."""
        return np.bincount(self.query, of_pairs, len(self.wanted)) / self.wanted


def standing(scores: np.ndarray, asked: Asked, k: int) -> Standing:
    """How `asked` queries stand by their `scores` (q, G) of a gallery, k of which are to be found first.

    Equal scores are ranked by their place. `scores` is changed: what is left out becomes -inf.
    """
    query, place = asked.positives
    scores[asked.left_out] = -np.inf
    wanted = asked.wanted()
    hidden = np.bincount(asked.left_out[0], minlength=asked.count)
    of_pair = scores[query, place]
    above, equal = _counted(scores, asked)
    by_rank = np.lexsort((place, -of_pair, query))
    query, of_pair, place = query[by_rank], of_pair[by_rank], place[by_rank]
    above, equal = above[by_rank], equal[by_rank]
    begins = np.cumsum(wanted) - wanted
    order = np.arange(len(query)) - begins[query] + 1
    rank = above + 1
    for pair in np.flatnonzero(equal > 1):
        rank[pair] += np.count_nonzero(scores[query[pair], : place[pair]] == of_pair[pair])
    above_right, equal_right = _among_positives(query, of_pair)
    negatives = scores.shape[1] - hidden - wanted
    wrong_above, wrong_equal = above - above_right, equal - equal_right
    wins = negatives[query] - wrong_above - wrong_equal / 2
    first, first_scores = _first(scores, k)
    return Standing(wanted, negatives, query, rank, order, of_pair, wins, first, first_scores)


def _counted(scores: np.ndarray, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """For each positive, in the order of `asked`: how many of its query's scores are above its own, how many equal
    to it (its own among them)."""
    query, place = asked.positives
    above, equal = np.empty(len(query), np.int64), np.empty(len(query), np.int64)
    begins = np.searchsorted(query, np.arange(asked.count + 1))
    for row, (start, stop) in enumerate(zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True)):
        line = scores[row]
        own = line[place[start:stop]]
        if stop - start > MANY:
            line = np.sort(line)
            low, high = np.searchsorted(line, own, "left"), np.searchsorted(line, own, "right")
            above[start:stop], equal[start:stop] = len(line) - high, high - low
            continue
        for pair, score in enumerate(own, start):
            above[pair] = np.count_nonzero(line > score)
            equal[pair] = np.count_nonzero(line == score)
    return above, equal


def _among_positives(query: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For pairs (M,) by query and falling score: how many of the query's own are above each, how many equal."""
    if not len(query):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    new = np.r_[True, (query[1:] != query[:-1]) | (score[1:] != score[:-1])]
    run = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    lengths = np.diff(np.r_[starts, len(query)])
    first_of_query = np.searchsorted(query, query)
    return (starts[run] - first_of_query), lengths[run]


def _first(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The places (q, k) of the highest scores, falling, equal ones by place, and the scores; -1 where none is
    left.

    The k-th highest of the blocks' maxima is a bound that k scores reach, and few more than k.
    """
    rows, width = scores.shape
    block = min(WIDEST, width // (BLOCKS * k))
    if block > 1:
        whole = width // block * block
        highest = scores[:, :whole].reshape(rows, block, -1).max(axis=1)
        bound = np.partition(highest, highest.shape[1] - k, axis=1)[:, highest.shape[1] - k]
        bound = np.maximum(bound, np.finfo(scores.dtype).min)  # what is left out is not found
        query, place = np.nonzero(scores >= bound[:, None])
    else:
        query, place = np.nonzero(scores > -np.inf)
    found = scores[query, place]
    order = np.lexsort((place, -found, query))
    query, place, found = query[order], place[order], found[order]
    turn = np.arange(len(query)) - np.searchsorted(query, query)
    near = turn < k
    first = np.full((rows, k), -1, np.int64)
    first_scores = np.full((rows, k), -np.inf, scores.dtype)
    first[query[near], turn[near]] = place[near]
    first_scores[query[near], turn[near]] = found[near]
    return first, first_scores
