"""The nouns that every room shares: frozen, numpy only, each checks itself when it is made."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from natviews import __version__

UNIT_TOLERANCE = 1e-3
"""How far a vector's length may be from 1: float32 products of bf16 features stay well inside it."""


class NatviewsError(Exception):
    """Something the user can mend. Its text is one sentence: what is wrong, where, and the mend."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of a catalogue. `id` is the `image` value as the user wrote it, `path` where it lies: a file's
    path, or a URL as text.
    """

    id: str
    product_id: str
    product_type: str
    path: Path | str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made some vectors: enough to say whether two files may be compared.

    `encoder` is a SHA-256 over architecture and weights (or the name of a descriptor), `catalog` over
    the catalogue's rows, `location` the encoder's folder when it was used, `source` where the catalogue lay.
    """

    encoder: str
    catalog: str = ""
    location: str = ""
    source: str = ""
    version: str = __version__


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors, each filed under its photo.

    `ids` (N,) unique strings, `product_ids` (N,) strings, `vectors` (N, D) float32 of length 1,
    `extra` further vectors of the same photos by name, each (N, D') float32 of length 1.
    """

    ids: np.ndarray
    product_ids: np.ndarray
    vectors: np.ndarray
    made_by: Provenance
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.ids)
        if len(self.product_ids) != count:
            raise ValueError(f"{count} ids but {len(self.product_ids)} product ids")
        if len(np.unique(self.ids)) != count:
            raise ValueError("the ids of embeddings must be unique")
        for name, vectors in {"vectors": self.vectors, **self.extra}.items():
            _check_unit_rows(name, vectors, count)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> "Embeddings":
        """The embeddings of some rows: `rows` is a boolean mask (N,) or row numbers."""
        extra = {name: vectors[rows] for name, vectors in self.extra.items()}
        return Embeddings(self.ids[rows], self.product_ids[rows], self.vectors[rows], self.made_by, extra)

    def use(self, name: str) -> "Embeddings":
        """The same photos with the further vectors `name` as the vectors."""
        if name not in self.extra:
            raise NatviewsError(f"These embeddings have no vectors {name!r}; they have {sorted(self.extra)}.")
        return Embeddings(self.ids, self.product_ids, self.extra[name], self.made_by)


def _check_unit_rows(name: str, vectors: np.ndarray, count: int) -> None:
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != count:
        raise ValueError(f"{name} must be float32 ({count}, D), not {vectors.dtype} {vectors.shape}")
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    bad = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)  # written so that NaN counts as bad
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{name} must be unit vectors; row {row} has length {lengths[row]:.4g}")


@dataclass(frozen=True)
class Matches:
    """The nearest photos of each query: `ids` and `scores` are (Q, K), scores fall along a row.

    Where fewer than K photos were allowed, a row ends with the id '' and the score -inf.
    """

    query_ids: np.ndarray
    ids: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or len(self.ids) != len(self.query_ids):
            raise ValueError(f"shapes differ: {self.query_ids.shape}, {self.ids.shape}, {self.scores.shape}")
        falling = self.scores[:, 1:] <= self.scores[:, :-1]
        if not falling.all():
            raise ValueError("scores must fall along each row")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that cannot be stated without its interval: 95 % bounds `low` and `high`, `n` queries.

    `row` says whose figure it is ("trained", or "trained-frozen" for a paired difference), `slice`
    over which photos.
    """

    row: str
    name: str
    slice: str
    value: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.row} {self.name}: {self.value} lies outside [{self.low}, {self.high}]")

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero: what a paired difference must show."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
