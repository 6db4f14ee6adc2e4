"""Natural-view retrieval: does a photo find the other photos of its product?

Every photo whose product has another photo is a query (and its gallery holds another product too); the
gallery is all other photos. It needs no labels, and it is what same-item search does all day.
"""

from dataclasses import dataclass

import numpy as np

from natviews.evaluation.intervals import means_with_intervals
from natviews.types import Embeddings, Metric

CHUNK_SCORES = 2**24
RECALL_AT = (1, 5, 10)
METRICS = {
    "recall@1": "Share of photos whose nearest neighbour is another photo of the same product.",
    "recall@5": "Share of photos that find another photo of their product among the first 5.",
    "recall@10": "Share of photos that find another photo of their product among the first 10.",
    "map@r": "How far all the other photos of a product come first: 1 when nothing else comes before them.",
    "r_precision": "Of a product's R other photos, the share that is among the first R found.",
    "auc": "How often a photo of the same product is more similar than a photo of another one; 0.5 is chance.",
    "within": "Mean cosine between photos of the same product.",
    "between": "Mean cosine between photos of different products.",
}


@dataclass(frozen=True)
class Judging:
    """Who asks, who may be found, and what is neither right nor wrong; all arrays (N,) in one order.

    `queries` and `gallery` bool; `products` text; `groups` text: a photo of another product of the
    query's group (near-identical photos) is left out of its gallery; `within` text, when given: a
    query's gallery is the photos with its own value (its own shop, say).
    """

    products: np.ndarray
    groups: np.ndarray
    queries: np.ndarray
    gallery: np.ndarray
    within: np.ndarray | None = None

    @classmethod
    def everyone(cls, products: np.ndarray) -> "Judging":
        """All photos ask and all may be found."""
        everyone = np.ones(len(products), bool)
        return cls(products, products, everyone, everyone)

    def allowed(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), N) bool: what each query may find."""
        product = self.products[rows, None] == self.products[None, :]
        near_copy = (self.groups[rows, None] == self.groups[None, :]) & ~product
        allowed = self.gallery[None, :] & ~near_copy
        allowed[np.arange(len(rows)), rows] = False
        if self.within is not None:
            allowed &= self.within[rows, None] == self.within[None, :]
        return allowed

    def coded(self) -> "Judging":
        """The same with numbers in place of text: comparing them is many times faster."""

        def code(values: np.ndarray) -> np.ndarray:
            return np.unique(values, return_inverse=True)[1]

        within = None if self.within is None else code(self.within)
        return Judging(code(self.products), code(self.groups), self.queries, self.gallery, within)


@dataclass(frozen=True)
class Retrieval:
    """Per-query figures (Q,) of one encoder. `rows` are the queries' rows; lone photos do not ask.

    `values` holds recall@1/5/10 (any photo of the product among the first k), map@r, r_precision, auc
    (is another photo of the product nearer than a photo of another one?) and the mean cosines within and
    between products; `neighbours` (Q, 10) are the rows found first, -1 where there were fewer.
    """

    row: str
    rows: np.ndarray
    products: np.ndarray
    values: dict[str, np.ndarray]
    neighbours: np.ndarray

    def metrics(self, slice: str = "all", where: np.ndarray | None = None) -> list[Metric]:
        """Each figure with its interval over products; `where` (Q,) bool keeps some queries."""
        keep = np.ones(len(self.rows), bool) if where is None else where
        values = {name: per_query[keep] for name, per_query in self.values.items()}
        return means_with_intervals(values, self.products[keep], row=self.row, slice=slice)

    def minus(self, other: "Retrieval") -> "Retrieval":
        """The paired differences: query by query, on the same queries."""
        if not np.array_equal(self.rows, other.rows):
            raise ValueError(f"{self.row} and {other.row} were not asked the same queries")
        values = {name: self.values[name] - other.values[name] for name in self.values}
        return Retrieval(f"{self.row}-{other.row}", self.rows, self.products, values, self.neighbours)


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
    shuffle. Memory is bounded: queries are taken in chunks.
    """
    judging = judging or Judging.everyone(embeddings.product_ids)
    shuffle = np.random.default_rng(0).permutation(len(embeddings))
    back = np.argsort(shuffle)
    vectors, judged = embeddings.vectors[shuffle], _shuffled(judging.coded(), shuffle)
    asking = vectors if queries is None else queries[shuffle]
    step = max(1, CHUNK_SCORES // max(1, len(embeddings)))
    asked, found, parts = [], [], []
    candidates = back[np.flatnonzero(judging.queries)]  # in the order of the embeddings
    for start in range(0, len(candidates), step):
        rows = candidates[start : start + step]
        allowed = judged.allowed(rows)
        positive = allowed & (judged.products[rows, None] == judged.products[None, :])
        has_positive = positive.any(axis=1) & (allowed & ~positive).any(axis=1)
        rows, allowed, positive = rows[has_positive], allowed[has_positive], positive[has_positive]
        scores = np.where(allowed, asking[rows] @ vectors.T, -np.inf)
        nearest = np.argsort(-scores, axis=1, kind="stable")
        parts.append(_figures(scores, positive, nearest))
        first = nearest[:, : max(RECALL_AT)]
        found_scores = np.take_along_axis(scores, first, axis=1)
        found.append(np.where(np.isneginf(found_scores), -1, shuffle[first]))
        asked.append(shuffle[rows])
    rows = np.concatenate(asked) if asked else np.empty(0, np.int64)
    values = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
    neighbours = np.concatenate(found) if found else np.empty((0, max(RECALL_AT)), np.int64)
    return Retrieval(row, rows, embeddings.product_ids[rows], values, neighbours)


def _shuffled(judging: Judging, order: np.ndarray) -> Judging:
    within = None if judging.within is None else judging.within[order]
    return Judging(
        judging.products[order], judging.groups[order], judging.queries[order], judging.gallery[order], within
    )


def _figures(scores: np.ndarray, positive: np.ndarray, nearest: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (q,) of a chunk: `scores` (q, N) with -inf where not allowed, `positive` (q, N) bool."""
    allowed = ~np.isneginf(scores)
    right = np.take_along_axis(positive, nearest, axis=1)
    hits = right.cumsum(axis=1)
    rank = np.arange(1, right.shape[1] + 1)
    wanted = positive.sum(axis=1)
    in_first_r = rank[None, :] <= wanted[:, None]
    precision = hits / rank
    figures = {f"recall@{k}": right[:, :k].any(axis=1).astype(float) for k in RECALL_AT}
    figures["map@r"] = (precision * right * in_first_r).sum(axis=1) / wanted
    figures["r_precision"] = (right & in_first_r).sum(axis=1) / wanted
    figures["auc"] = _auc(scores, positive, allowed)
    figures["within"] = np.where(positive, scores, 0).sum(axis=1) / wanted
    negative = allowed & ~positive
    figures["between"] = np.where(negative, scores, 0).sum(axis=1) / negative.sum(axis=1)
    return figures


def _auc(scores: np.ndarray, positive: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """P(a positive scores above a negative), ties half (Mann-Whitney), per query (q,)."""
    result = np.empty(len(scores))
    for i in range(len(scores)):
        negatives = np.sort(scores[i][allowed[i] & ~positive[i]])
        positives = scores[i][positive[i]]
        below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
        result[i] = below.mean() / 2 / len(negatives)
    return result
