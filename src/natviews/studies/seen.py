"""What is known of a cell when it is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from natviews.catalog import PackedPhotos
from natviews.encoders import Encoder, Whitening
from natviews.evaluation import Labelled, Retrieval
from natviews.studies.answers import Answers, Kind
from natviews.types import Embeddings, Provenance


@dataclass(frozen=True)
class Seen:
    """What is known of a cell when it is looked at: unit `features` (N, D) of the packed photos of all splits,
    before the `head`, the `encoder` (None: the histogram), the attributes to read, and what was logged."""

    features: np.ndarray
    packed: PackedPhotos
    encoder: Encoder | None
    head: Whitening | None
    attributes: Sequence[str]
    curves: Sequence[Mapping[str, float]]
    vectors: int

    def rows(self, split: str) -> np.ndarray:
        return self.packed.catalog.splits == split

    def test(self) -> PackedPhotos:
        return self.packed.take(np.flatnonzero(self.rows("test")))

    def used(self, features: np.ndarray) -> np.ndarray:
        """Features as they will be used: through the head, where there is one."""
        return features if self.head is None else self.head.vectors(features)

    def parts(self, labels: np.ndarray) -> list[Labelled]:
        """Features and labels (N,) of train, val and test."""
        products = self.packed.catalog.product_ids
        masks = [self.rows(split) for split in ("train", "val", "test")]
        return [Labelled(self.features[rows], labels[rows], products[rows]) for rows in masks]

    def of_test(self, rows: np.ndarray, values: np.ndarray) -> Answers:
        """Values (Q,) of some `rows` of the test photos."""
        catalog, of_test = self.packed.catalog, np.flatnonzero(self.rows("test"))[rows]
        return Answers(catalog.ids[of_test], catalog.product_ids[of_test], values)


def taken(answer: Retrieval, packed: PackedPhotos, kind: str, names: Sequence[str]) -> dict[Kind, Answers]:
    """Some figures of a retrieval among packed photos; `score` is the cosine of the first match."""
    values = answer.values | {"score": answer.scores[:, 0].astype(float)}
    photos, products = packed.catalog.ids[answer.rows], packed.catalog.product_ids[answer.rows]
    return {(kind, name): Answers(photos, products, values[name]) for name in names}


def embeddings_of(packed: PackedPhotos, vectors: np.ndarray) -> Embeddings:
    """Vectors (N, D) as embeddings of packed photos."""
    return Embeddings(packed.catalog.ids, packed.catalog.product_ids, vectors, Provenance(""))
