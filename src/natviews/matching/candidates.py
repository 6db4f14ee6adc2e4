"""Which products could be the same, product by product: photos are searched, products are compared."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from natviews.matching.side import Side
from natviews.progress import progress

Comparing = Literal["best", "mean", "set"]
"""How two products' photos make one score: the most similar pair, the mean directions of both, or the mean over
every photo of its most similar one on the other side."""

PHOTOS = 16
"""Photos that are looked for with each photo."""
KEPT = 10
"""Products that are compared with each product: those with the most similar photos."""
CHUNK_PHOTOS = 1024
CHUNK_NUMBERS = 2**23
"""Numbers of vectors gathered at a time (32 MB)."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of products that could be the same, ordered by `query`, of each the likeliest first.

    All (M,): `query` and `match` are products' numbers, `image` the cosine of their photos, `title` that of their
    titles (NaN where one has none), `score` what decides, `query_photo` and `match_photo` the rows of the two most
    similar photos. A query has at most `KEPT` candidates.
    """

    query: np.ndarray
    match: np.ndarray
    image: np.ndarray
    title: np.ndarray
    score: np.ndarray
    query_photo: np.ndarray
    match_photo: np.ndarray

    def __len__(self) -> int:
        return len(self.query)

    def take(self, rows: np.ndarray) -> "Candidates":
        """Some of the pairs: a boolean mask (M,) or row numbers."""
        return Candidates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def scored(self, score: np.ndarray) -> "Candidates":
        """The same pairs with another deciding score, and in its order."""
        return replace(self, score=score).ordered()

    def ordered(self) -> "Candidates":
        """By query, falling score, and the match's number among equals."""
        return self.take(np.lexsort((self.match, -self.score, self.query)))

    @property
    def first(self) -> np.ndarray:
        """(M,) bool: each query's likeliest candidate."""
        return np.diff(self.query, prepend=-1) > 0

    def once(self) -> "Candidates":
        """Of pairs within one side that were found from both ends, one; in order of falling similarity of
        photos."""
        low, high = np.minimum(self.query, self.match), np.maximum(self.query, self.match)
        first = np.unique(low * (int(high.max(initial=0)) + 1) + high, return_index=True)[1]
        kept = self.take(first)
        return kept.take(np.lexsort((kept.match, kept.query, -kept.image)))

    def turned(self) -> "Candidates":
        """The same pairs asked from the other side."""
        return replace(
            self,
            query=self.match,
            match=self.query,
            query_photo=self.match_photo,
            match_photo=self.query_photo,
        ).ordered()

    def beside(self, other: "Candidates") -> "Candidates":
        """The pairs of both, in order; a pair may be there twice."""
        columns = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__)
        return Candidates(*columns).ordered()


class PairScores(NamedTuple):
    """Of pairs of products: `score` (M,), and the rows (M,) of the most similar photos."""

    score: np.ndarray
    one_photo: np.ndarray
    other_photo: np.ndarray


def candidates(
    queries: Side, gallery: Side, *, asking: np.ndarray | None = None, how: Comparing = "best"
) -> Candidates:
    """For each product of `queries` (or those where `asking` (P,) is true) its likeliest products of `gallery`.

    Where both are one side, a product is never its own candidate. Every photo looks for `PHOTOS` photos; products
    are ranked by the best of these, and the first `KEPT` are compared by all their photos. Memory is bounded.
    """
    asking = np.ones(len(queries), bool) if asking is None else asking
    same = queries is gallery
    rows = queries.photo_rows[asking[queries.product[queries.photo_rows]]]
    parts = [np.empty((3, 0))]
    if len(rows) and len(gallery):
        place = _places(gallery.embeddings.ids)
        k = min(PHOTOS + (int(gallery.counts.max()) if same else 0), len(gallery.embeddings))
        with progress("searching photos", len(rows)) as advance:
            for start in range(0, len(rows), CHUNK_PHOTOS):
                chunk = rows[start : start + CHUNK_PHOTOS]
                found = gallery.index.search(queries.embeddings.vectors[chunk], k)
                parts.append(_product_pairs(queries.product[chunk], found.ids, found.scores, place, gallery, same))
                advance(len(chunk))
    query, match = _likeliest(np.concatenate(parts, axis=1))
    return compared(queries, gallery, query, match, how=how)


def compared(
    queries: Side, gallery: Side, query: np.ndarray, match: np.ndarray, *, how: Comparing = "best"
) -> Candidates:
    """Given pairs of products (M,) as candidates, with the similarity of all their photos."""
    pairs = pair_scores(queries, gallery, query, match, how=how)
    nothing = np.full(len(query), np.nan)
    found = Candidates(query, match, pairs.score, nothing, pairs.score, pairs.one_photo, pairs.other_photo)
    return found.ordered()


def _places(ids: np.ndarray) -> dict[str, int]:
    return {photo: row for row, photo in enumerate(ids.tolist())}


def _product_pairs(
    product: np.ndarray, ids: np.ndarray, scores: np.ndarray, place: dict[str, int], gallery: Side, same: bool
) -> np.ndarray:
    """(3, m): query product, found product, and the best cosine of their photos."""
    found = ids != ""
    query = np.broadcast_to(product[:, None], ids.shape)[found]
    match = gallery.product[[place[photo] for photo in ids[found].tolist()]]
    cosine = scores[found]
    keep = query != match if same else np.ones(len(query), bool)
    return np.stack([query[keep], match[keep], cosine[keep]]).astype(float)


def _likeliest(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each query's `KEPT` products by their best photo: numbers of queries and matches (M,)."""
    query, match, cosine = pairs[0].astype(np.int64), pairs[1].astype(np.int64), pairs[2]
    order = np.lexsort((-cosine, match, query))
    query, match, cosine = query[order], match[order], cosine[order]
    new = (np.diff(query, prepend=-1) != 0) | (np.diff(match, prepend=-1) != 0)
    query, match, cosine = query[new], match[new], cosine[new]
    order = np.lexsort((match, -cosine, query))
    query, match = query[order], match[order]
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    rank = np.arange(len(query)) - np.repeat(starts, np.diff(starts, append=len(query)))
    return query[rank < KEPT], match[rank < KEPT]


def pair_scores(
    one: Side, other: Side, first: np.ndarray, second: np.ndarray, *, how: Comparing = "best"
) -> PairScores:
    """The similarity of pairs of products, `first` (M,) of one side and `second` (M,) of the other."""
    pairs = one.counts[first] * other.counts[second]
    width = max(1, one.embeddings.vectors.shape[1])
    chunk_of = np.cumsum(pairs) * width // CHUNK_NUMBERS
    parts = [
        _photo_scores(one, other, first[rows], second[rows], how)
        for rows in np.split(np.arange(len(first)), np.flatnonzero(np.diff(chunk_of)) + 1)
        if len(rows)
    ]
    if not parts:
        return PairScores(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    return PairScores(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _photo_scores(one: Side, other: Side, first: np.ndarray, second: np.ndarray, how: Comparing) -> PairScores:
    across = other.counts[second]
    counts = one.counts[first] * across
    starts = np.cumsum(counts) - counts
    pair = np.repeat(np.arange(len(first)), counts)
    nth = np.arange(len(pair)) - starts[pair]
    a = one.photo_rows[one.starts[first][pair] + nth // across[pair]]
    b = other.photo_rows[other.starts[second][pair] + nth % across[pair]]
    cosine = np.einsum("nd,nd->n", one.embeddings.vectors[a], other.embeddings.vectors[b]).astype(float)
    best = np.maximum.reduceat(cosine, starts)
    at = np.flatnonzero(cosine == best[pair])
    at = at[np.diff(pair[at], prepend=-1) > 0]  # of equal pairs of photos the first
    if how == "best":
        score = best
    elif how == "mean":
        score = np.einsum("md,md->m", one.means[first], other.means[second]).astype(float)
    else:
        score = (
            _mean_of_best(cosine, pair, nth // across[pair]) + _mean_of_best(cosine, pair, nth % across[pair])
        ) / 2
    return PairScores(score, a[at], b[at])


def _mean_of_best(cosine: np.ndarray, pair: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """(M,) the mean, over a pair's photos of one side, of their best cosine with the other's."""
    key = pair * (int(photo.max()) + 1) + photo
    _, place = np.unique(key, return_inverse=True)
    best = np.full(place.max() + 1, -np.inf)
    np.maximum.at(best, place, cosine)
    owner = np.empty(len(best), np.int64)
    owner[place] = pair
    return np.bincount(owner, best) / np.bincount(owner)
