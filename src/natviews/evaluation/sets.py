"""Set-level embeddings: one vector for all photos of a product, and whether half of them finds the other half."""

from collections.abc import Callable

import numpy as np

from natviews.evaluation.natural_views import Judging, Retrieval, retrieval
from natviews.types import Embeddings, NatviewsError, Provenance

Pool = Callable[[np.ndarray], np.ndarray]
"""The photos of one product, unit vectors (n, D), -> the product's unit vector (D,)."""


def mean_of(vectors: np.ndarray) -> np.ndarray:
    """The direction of the mean; where the photos cancel out, the first photo's."""
    total = vectors.sum(axis=0)
    length = np.linalg.norm(total)
    return total / length if length > 1e-6 else vectors[0]


def medoid_of(vectors: np.ndarray) -> np.ndarray:
    """The photo that is most similar to all of them; of equally similar ones the first."""
    return vectors[int(np.argmax(vectors @ vectors.sum(axis=0)))]


POOLS: dict[str, Pool] = {"mean": mean_of, "medoid": medoid_of}


def halves(products: np.ndarray, usable: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Which half (N,) of its product's photos each photo belongs to, 0 or 1; -1 where it is not `usable` (N,) bool
    or alone. Halves are drawn; of an odd number the second is larger by one."""
    half = np.full(len(products), -1)
    rows = np.flatnonzero(usable)
    drawn = np.random.default_rng(seed).permutation(rows)
    ordered = drawn[np.argsort(products[drawn], kind="stable")]
    _, starts, counts = np.unique(products[ordered], return_index=True, return_counts=True)
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        if count > 1:
            half[ordered[start : start + count // 2]] = 0
            half[ordered[start + count // 2 : start + count]] = 1
    return half


def pooled(vectors: np.ndarray, sets: np.ndarray, pool: Pool) -> np.ndarray:
    """One unit vector (S, D) float32 for each number in `sets` (N,), in their order; what has -1 is left out."""
    rows = np.flatnonzero(sets >= 0)
    ordered = rows[np.argsort(sets[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(sets[ordered], prepend=-1))
    found = [pool(vectors[part]) for part in np.split(ordered, starts[1:])]
    return np.stack(found).astype(np.float32)


def set_retrieval(vectors: np.ndarray, judging: Judging, pool: Pool, *, row: str, seed: int = 0) -> Retrieval:
    """Half of a product's photos, pooled, finds the other half among the halves of all products.

    Photos that may neither ask nor be found are left out, and so are lone photos. The `rows` of what is returned
    number the halves, two for each product in the order of their names. Raises NatviewsError where no two products
    have two photos.
    """
    half = halves(judging.products, judging.queries & judging.gallery, seed=seed)
    used = half >= 0
    names, first, product = np.unique(judging.products[used], return_index=True, return_inverse=True)
    if len(names) < 2:
        raise NatviewsError("Two products with two photos each are needed to tell sets of photos apart.")
    sets = np.full(len(half), -1)
    sets[used] = 2 * product + half[used]
    both = np.repeat(np.arange(len(names)), 2)
    ids = np.char.add(np.char.add(names[both], " half "), np.tile(["0", "1"], len(names)))
    embeddings = Embeddings(ids, names[both], pooled(vectors, sets, pool), Provenance("sets"))
    everyone = np.ones(len(both), bool)
    within = None if judging.within is None else judging.within[used][first][both]
    groups = judging.groups[used][first][both]
    return retrieval(embeddings, Judging(names[both], groups, everyone, everyone, within), row=row)
