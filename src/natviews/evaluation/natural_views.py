"""Natural-view retrieval: does a photo find the other photos of its product?

Every photo whose product has another photo is a query (and its gallery holds another product too); the
gallery is all other photos. It needs no labels, and it is what same-item search does all day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.standing import Asked, Members, Standing, standing
from natviews.types import Embeddings, Metric

CHUNK_SCORES = 2**24
RECALL_AT = (1, 5, 10)
FOUND = max(RECALL_AT)
METRICS = {
    "recall@1": "Share of photos whose nearest neighbour is another photo of the same product.",
    "recall@5": "Share of photos that find another photo of their product among the first 5.",
    "recall@10": "Share of photos that find another photo of their product among the first 10.",
    "map@r": "How far all the other photos of a product come first: 1 when nothing else comes before them.",
    "r_precision": "Of a product's R other photos, the share that is among the first R found.",
    "auc": "How often a photo of the same product is more similar than a photo of another one; 0.5 is chance.",
    "within": "Mean cosine between photos of the same product.",
    "between": "Mean cosine between photos of different products.",
    "gap": "Mean cosine within products less that between them.",
    "d_prime": "The gap in standard deviations: over the root of the mean variance within and between products.",
}


@dataclass(frozen=True)
class Judging:
    """Who asks, who may be found, and what is neither right nor wrong; all arrays (N,) in one order.

    `queries` and `gallery` bool; `products` text; `groups` text: a photo of another product of the
    query's group (near-identical photos) is left out of its gallery; `within` text, when given: a
    query's gallery is the photos with its own value (its own shop, say); `apart` text, when given: a photo of
    the query's product that shares its value is left out (with designs for products and colours here, a photo
    is to find its design in other colours).
    """

    products: np.ndarray
    groups: np.ndarray
    queries: np.ndarray
    gallery: np.ndarray
    within: np.ndarray | None = None
    apart: np.ndarray | None = None

    @classmethod
    def everyone(cls, products: np.ndarray) -> "Judging":
        """All photos ask and all may be found."""
        everyone = np.ones(len(products), bool)
        return cls(products, products, everyone, everyone)

    def coded(self) -> "Judging":
        """The same with numbers from 0 in place of text: comparing them is many times faster."""

        def code(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else np.unique(values, return_inverse=True)[1]

        products, groups = (np.unique(values, return_inverse=True)[1] for values in (self.products, self.groups))
        return Judging(products, groups, self.queries, self.gallery, code(self.within), code(self.apart))

    def take(self, rows: np.ndarray) -> "Judging":
        """The same for photos in another order, or for some of them: `rows` are numbers."""
        within, apart = (None if part is None else part[rows] for part in (self.within, self.apart))
        return Judging(
            self.products[rows], self.groups[rows], self.queries[rows], self.gallery[rows], within, apart
        )


@dataclass(frozen=True)
class Retrieval:
    """Per-query figures (Q,) of one encoder. `rows` are the queries' rows; lone photos do not ask.

    `values` holds recall@1/5/10 (any photo of the product among the first k), map@r, r_precision, auc (is another
    photo of the product nearer than a photo of another one?), the mean cosines within and between products and
    their gap; `neighbours` (Q, 10) are the rows found first, -1 where there were fewer, and `scores` (Q, 10) their
    cosines. `moments`, one or for a difference two (Q, 4), are the means of the cosines and of their squares
    within and between products, of which d' is made."""

    row: str
    rows: np.ndarray
    products: np.ndarray
    values: dict[str, np.ndarray]
    neighbours: np.ndarray
    scores: np.ndarray
    moments: tuple[np.ndarray, ...] = ()

    def metrics(self, slice: str = "all", where: np.ndarray | None = None) -> list[Metric]:
        """Each figure with its interval over products, d' among them; `where` (Q,) bool keeps some queries."""
        keep = np.ones(len(self.rows), bool) if where is None else where
        values = {name: per_query[keep] for name, per_query in self.values.items()}
        if self.moments and keep.any():
            first, *other = (d_prime(moments[keep]) for moments in self.moments)
            values["d_prime"] = first - other[0] if other else first
        return means_with_intervals(values, self.products[keep], row=self.row, slice=slice)

    def per_product(self) -> "Retrieval":
        """One query for each product, with the means of its queries: every product weighs the same."""
        names, first, product = np.unique(self.products, return_index=True, return_inverse=True)
        counts = np.bincount(product)

        def means(values: np.ndarray) -> np.ndarray:
            return np.bincount(product, values) / counts

        values = {name: means(per_query) for name, per_query in self.values.items()}
        moments = tuple(np.stack([means(column) for column in part.T], axis=1) for part in self.moments)
        neighbours, scores = self.neighbours[first], self.scores[first]
        return Retrieval(self.row, self.rows[first], names, values, neighbours, scores, moments)

    def minus(self, other: "Retrieval") -> "Retrieval":
        """The paired differences: query by query, on the same queries."""
        if not np.array_equal(self.rows, other.rows):
            raise ValueError(f"{self.row} and {other.row} were not asked the same queries")
        values = {name: self.values[name] - other.values[name] for name in self.values}
        row, moments = f"{self.row}-{other.row}", (*self.moments, *other.moments)
        return Retrieval(row, self.rows, self.products, values, self.neighbours, self.scores, moments)


def d_prime(moments: np.ndarray) -> np.ndarray:
    """d' of queries (Q,) whose mean is d' = (w - b) / s of them all, s the root of the mean of both variances.

    `moments` (Q, 4) are each query's mean w, w^2, b and b^2, w the cosines within products and b between them.
    Each query's value is d' and its influence on it (Hampel, 1974), so that resampling means tells how sure d' is,
    s included. Where all cosines are equal d' is 0."""
    within, within_square, between, between_square = moments.mean(axis=0)
    variance = (within_square - within**2 + between_square - between**2) / 2
    if variance <= np.finfo(np.float32).eps:
        return np.zeros(len(moments))
    value, deviation = (within - between) / np.sqrt(variance), np.sqrt(variance)
    off = moments - moments.mean(axis=0)
    spread = (off[:, 1] - 2 * within * off[:, 0] + off[:, 3] - 2 * between * off[:, 2]) / 2
    return value + (off[:, 0] - off[:, 2]) / deviation - value / (2 * variance) * spread


def retrieval(
    embeddings: Embeddings,
    judging: Judging | None = None,
    *,
    row: str = "trained",
    queries: np.ndarray | None = None,
) -> Retrieval:
    """Natural-view retrieval of some embeddings; see `Retrieval`.

    `queries` (N, D) ask in place of the photos' own vectors: those of the same photos changed, say, while what
    is to be found is not.

    MAP@R and R-precision as in Musgrave et al., "A Metric Learning Reality Check", ECCV 2020
    (arXiv:2003.08505), with R the number of the query's positives. Equal scores are ordered by a fixed
    shuffle. Memory is bounded: queries are taken in chunks of 16 million scores.
    """
    judging = judging or Judging.everyone(embeddings.product_ids)
    shuffle = np.random.default_rng(0).permutation(len(embeddings))
    vectors, judged = embeddings.vectors[shuffle], judging.coded().take(shuffle)
    asking = vectors if queries is None else queries[shuffle]
    parts = [_Part(np.flatnonzero(judged.gallery), np.flatnonzero(judged.queries))]
    if judged.within is not None:
        parts = [
            _Part(*(rows[judged.within[rows] == value] for rows in parts[0]))
            for value in np.unique(judged.within[judged.queries])
        ]
    answers = [answer for part in parts for answer in _answers(vectors, asking, judged, part)]
    if not answers:
        none = np.empty(0, np.int64)
        few = np.empty((0, FOUND), np.int64)
        return Retrieval(row, none, embeddings.product_ids[none], {}, few, few.astype(np.float32))
    rows = shuffle[np.concatenate([answer.rows for answer in answers])]
    order = np.argsort(rows)  # that of the embeddings
    first = np.concatenate([answer.first for answer in answers])[order]
    scores = np.concatenate([answer.scores for answer in answers])[order]
    values = {name: np.concatenate([a.values[name] for a in answers])[order] for name in answers[0].values}
    moments = np.concatenate([answer.moments for answer in answers])[order]
    neighbours = np.where(first < 0, -1, shuffle[first])
    return Retrieval(row, rows[order], embeddings.product_ids[rows[order]], values, neighbours, scores, (moments,))


class _Part(NamedTuple):
    """Rows that may be found and rows that may ask, of one part of the photos."""

    gallery: np.ndarray
    queries: np.ndarray


class _Answer(NamedTuple):
    """What some queries `rows` (q,) found; `first` (q, 10) are rows, -1 where there is none."""

    rows: np.ndarray
    values: dict[str, np.ndarray]
    moments: np.ndarray
    first: np.ndarray
    scores: np.ndarray


def _answers(vectors: np.ndarray, asking: np.ndarray, judged: Judging, part: _Part) -> Iterator[_Answer]:
    """The answers to a part's queries, a chunk at a time."""
    rows, gallery = part.gallery, vectors[part.gallery]
    by_product = Members.of(judged.products[rows], int(judged.products.max()) + 1)
    by_group = Members.of(judged.groups[rows], int(judged.groups.max()) + 1)
    total = gallery.sum(axis=0, dtype=np.float64)  # a query's product with it is the sum of its scores
    step = max(1, CHUNK_SCORES // max(1, len(rows)))
    for start in range(0, len(part.queries), step):
        chunk = part.queries[start : start + step]
        asked = _asked(judged, rows, chunk, by_product, by_group)
        may = asked.may_ask(len(rows))
        chunk, asked = chunk[may], asked.take(may)
        if not len(chunk):
            continue
        query = asking[chunk]
        scores = query @ gallery.T
        out = scores[asked.left_out].astype(np.float64)
        sums, square_sums = query @ total, np.einsum("qg,qg->q", scores, scores).astype(np.float64)
        sums -= np.bincount(asked.left_out[0], out, len(chunk))
        square_sums -= np.bincount(asked.left_out[0], out**2, len(chunk))
        found = standing(scores, asked, FOUND)
        moments = _moments(found, sums, square_sums)
        first = np.where(found.first < 0, -1, rows[found.first])
        yield _Answer(chunk, _figures(found, moments), moments, first, found.first_scores)


def _asked(judged: Judging, rows: np.ndarray, chunk: np.ndarray, by_product: Members, by_group: Members) -> Asked:
    """What is right for the queries `chunk`, and what is left out of the gallery `rows`."""
    query, place = by_product.pairs(judged.products[chunk])
    own = rows[place] == chunk[query]
    if judged.apart is not None:
        own |= judged.apart[rows[place]] == judged.apart[chunk[query]]
    near, near_place = by_group.pairs(judged.groups[chunk])
    other = judged.products[rows[near_place]] != judged.products[chunk[near]]
    left_out = np.concatenate([query[own], near[other]]), np.concatenate([place[own], near_place[other]])
    return Asked(len(chunk), (query[~own], place[~own]), left_out)


def _moments(found: Standing, sums: np.ndarray, square_sums: np.ndarray) -> np.ndarray:
    """Each query's mean cosine and squared cosine within and between products: (q, 4). The sums (q,) are over all
    that it may find."""
    score = found.score.astype(np.float64)
    within, within_square = found.mean(score), found.mean(score**2)
    between = (sums - within * found.wanted) / found.negatives
    between_square = (square_sums - within_square * found.wanted) / found.negatives
    return np.stack([within, within_square, between, between_square], axis=1)


def _figures(found: Standing, moments: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (q,) of a chunk of queries."""
    in_first_r = found.rank <= found.wanted[found.query]
    nearest = found.rank[found.place == 1]  # every query has one
    figures = {f"recall@{k}": (nearest <= k).astype(float) for k in RECALL_AT}
    figures["map@r"] = found.mean(in_first_r * found.place / found.rank)
    figures["r_precision"] = found.mean(in_first_r.astype(float))
    figures["auc"] = found.mean(found.wins / found.negatives[found.query])
    figures["within"], figures["between"] = moments[:, 0], moments[:, 2]
    figures["gap"] = moments[:, 0] - moments[:, 2]
    return figures
