"""The shop as a map: photos of products that look alike lie together. Worked out once, in the background."""

import threading
from dataclasses import dataclass

import numpy as np

from natviews.serving.snapshot import Snapshot
from natviews.types import NatviewsError

MOST = 3_000
"""Products on the map, drawn by chance where there are more."""
FEWEST_FOR_TSNE = 50
MOST_VALUES = 40
SEED = 0


@dataclass(frozen=True)
class EmbeddingMap:
    """Places in the plane: `x` and `y` (M,) from 0 to 1 of photos `rows` (M,) of a snapshot, and how they were
    made."""

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    made: str


class Maps:
    """The map of a snapshot: at first by principal components, then, when that is done, by t-SNE."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.now: EmbeddingMap | None = None
        self.done = threading.Event()
        threading.Thread(target=self._draw, name="map", daemon=True).start()

    def _draw(self) -> None:
        try:
            main = self.snapshot.main
            rows = main.first_rows
            if len(rows) > MOST:
                rows = np.sort(np.random.default_rng(SEED).choice(rows, MOST, replace=False))
            vectors = main.embeddings.vectors[rows]
            flat = principal(vectors)
            self.now = _placed(flat, rows, "principal components")
            if len(rows) >= FEWEST_FOR_TSNE:
                self.now = _placed(neighbourhoods(vectors), rows, "t-SNE")
        finally:
            self.done.set()

    def values(self, column: str) -> list[str]:
        """What is known of the photos of the map in one column, '' where nothing is."""
        if self.now is None or column not in self.snapshot.main.known.column_names:
            raise NatviewsError(f"Nothing is known of a column {column!r}.")
        held = self.snapshot.main.known.column(column).take(self.now.rows).to_pylist()
        return ["" if value is None else str(value) for value in held]

    def columns(self) -> list[str]:
        """The columns that part the photos of the map in a few kinds."""
        if self.now is None:
            return []
        return [name for name in self.snapshot.columns if 2 <= len(set(self.values(name))) <= MOST_VALUES]


def principal(vectors: np.ndarray) -> np.ndarray:
    """(M, 2) the two directions in which vectors (M, D) differ most."""
    centred = vectors - vectors.mean(axis=0)
    covariance = centred.T @ centred
    return np.asarray(centred @ np.linalg.eigh(covariance)[1][:, :-3:-1])


def neighbourhoods(vectors: np.ndarray) -> np.ndarray:
    """(M, 2) so that neighbours stay neighbours: t-SNE, van der Maaten and Hinton, JMLR 2008."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if vectors.shape[1] > 50:
        vectors = PCA(min(50, len(vectors)), random_state=SEED).fit_transform(vectors)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1).fit_transform(vectors))


def _placed(flat: np.ndarray, rows: np.ndarray, made: str) -> EmbeddingMap:
    low, high = flat.min(axis=0), flat.max(axis=0)
    within = (flat - low) / np.maximum(high - low, 1e-9)
    return EmbeddingMap(within[:, 0], within[:, 1], rows, made)
