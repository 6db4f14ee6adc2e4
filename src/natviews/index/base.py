"""What every index can do, whatever holds its vectors: the protocol, and what all of them check alike."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from natviews.types import Embeddings, Matches, NatviewsError, Provenance


class Index(ABC):
    """Unit vectors that can be searched, each filed under the id of its photo.

    `ids` (N,) are the photos in the order of the index, `made_by` says what made their vectors. A filter is a
    mask over `ids` and is exact for every index: a photo that is not allowed is never found.
    """

    made_by: Provenance
    width: int
    """D, the length of a vector."""

    @property
    @abstractmethod
    def ids(self) -> np.ndarray:
        """(N,) the photos, in the order that a filter follows."""

    @property
    @abstractmethod
    def embeddings(self) -> Embeddings:
        """All that is searched, in the order of `ids`."""

    @abstractmethod
    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        where: np.ndarray | None = None,
        query_ids: np.ndarray | None = None,
    ) -> Matches:
        """The `k` nearest photos of each query; a row ends in '' where fewer are allowed.

        `queries` (Q, D) unit float32; `where` (N,) bool over `ids`, the photos that may be found; `query_ids` (Q,)
        name the queries in the answer, and a query's own photo is then never its match.
        """

    @abstractmethod
    def add(self, embeddings: Embeddings) -> None:
        """Takes in photos; one that is there already is replaced. Raises NatviewsError where the vectors are of
        another length or another encoder."""

    @abstractmethod
    def delete(self, ids: np.ndarray) -> int:
        """Takes photos out; returns how many of them there were."""

    @abstractmethod
    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        """(M, D) the vectors of photos. Raises NatviewsError where one is not there."""

    @abstractmethod
    def photos(self) -> pa.Table:
        """What is known of the photos, in the order of `ids`: `id`, `product_id` and what else was given."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Writes the index whole or not at all."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> "Index":
        """The index at a path. Raises NatviewsError where it is absent or damaged."""

    def __len__(self) -> int:
        return len(self.ids)


def checked_queries(queries: np.ndarray, k: int, width: int, query_ids: np.ndarray | None) -> np.ndarray:
    """The names (Q,) of the queries. Raises ValueError where the queries cannot be asked."""
    if queries.ndim != 2 or queries.shape[1] != width:
        raise ValueError(f"queries must be (Q, {width}), not {queries.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if not np.isfinite(queries).all():
        raise ValueError("queries must be finite; one holds NaN or infinity")
    if query_ids is None:
        return np.array([f"query {i}" for i in range(len(queries))])
    if len(query_ids) != len(queries):
        raise ValueError(f"{len(queries)} queries but {len(query_ids)} query ids")
    return query_ids


def checked_mask(where: np.ndarray, count: int) -> np.ndarray:
    """A filter as it came. Raises ValueError where it is no mask over so many photos."""
    where = np.asarray(where)
    if where.shape != (count,) or where.dtype != bool:
        raise ValueError(f"where must be bool ({count},), not {where.dtype} {where.shape}")
    return where


def check_alike(made_by: Provenance, width: int, added: Embeddings) -> None:
    """Raises NatviewsError where vectors cannot lie beside those of an index."""
    if added.vectors.shape[1] != width:
        raise NatviewsError(
            f"The vectors have {added.vectors.shape[1]} numbers and those of the index {width}; "
            "describe the photos with the encoder that the index was made with."
        )
    check_encoder(made_by, added.made_by)


def check_encoder(made_by: Provenance, other: Provenance) -> None:
    """Raises NatviewsError where two encoders are known and differ."""
    if made_by.encoder and other.encoder and made_by.encoder != other.encoder:
        raise NatviewsError(
            f"The index holds vectors of the encoder {made_by.encoder[:12]} and these are of "
            f"{other.encoder[:12]}; embed the photos with the same encoder, or make a new index."
        )


def ended(names: np.ndarray, ids: np.ndarray, scores: np.ndarray, k: int) -> Matches:
    """Matches of `k` columns from `ids` and `scores` (Q, <= k): '' wherever a score is -inf."""
    missing = ((0, 0), (0, k - scores.shape[1]))
    padded = np.pad(scores.astype(np.float32, copy=False), missing, constant_values=-np.inf)
    found = np.pad(ids, missing, constant_values="")
    return Matches(names, np.where(np.isneginf(padded), "", found), padded)
