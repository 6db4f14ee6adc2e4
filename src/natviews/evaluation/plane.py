"""Vectors in the plane: those that are alike lie near each other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FEWEST_FOR_TSNE = 50
"""Of fewer it would make clumps that mean nothing."""
DIMENSIONS, PERPLEXITY = 50, 30.0
SEED = 0


@dataclass(frozen=True, eq=False)
class Plane:
    """Where vectors lie: `places` (M, 2) from 0 to 1 in both directions, and how they were `made`."""

    places: np.ndarray
    made: str


def planes(vectors: np.ndarray) -> Iterator[Plane]:
    """Vectors (M, D) in the plane, at once by the two directions in which they differ most, and then, where there
    are enough of them, by t-SNE, which takes seconds. The same vectors give the same places.

    t-SNE: van der Maaten and Hinton, JMLR 2008; of the 50 principal components.
    """
    if not len(vectors):
        yield Plane(np.empty((0, 2)), "principal components")
        return
    yield Plane(_in_unit_square(_principal(vectors, 2)), "principal components")
    if len(np.unique(vectors, axis=0)) >= FEWEST_FOR_TSNE:
        yield Plane(_in_unit_square(_neighbourhoods(vectors)), "t-SNE")


def _principal(vectors: np.ndarray, count: int) -> np.ndarray:
    """(M, count) the directions in which vectors differ most, the first most of all."""
    centred = vectors - vectors.mean(axis=0)
    return np.asarray(centred @ np.linalg.eigh(centred.T @ centred)[1][:, : -count - 1 : -1])


def _neighbourhoods(vectors: np.ndarray) -> np.ndarray:
    """(M, 2) so that neighbours stay neighbours."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    return np.asarray(tsne.fit_transform(_principal(vectors, DIMENSIONS)))


def _in_unit_square(places: np.ndarray) -> np.ndarray:
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9))
