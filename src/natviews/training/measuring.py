"""Knowing without labels how good an encoder is: natural-view retrieval on held-out products."""

from dataclasses import dataclass

import numpy as np

from natviews.catalog import Catalog, PackedPhotos
from natviews.encoders import Encoder, Whitening
from natviews.evaluation import Judging, Retrieval, retrieval
from natviews.progress import progress
from natviews.types import Embeddings, Provenance

SHRINKAGES = (0.1, 0.3, 0.5, 0.8)
HEADLINE = "map@r"
"""What checkpoints and heads are chosen by: recall@1 is half decided by near-equal photos."""


def judging_of(catalog: Catalog, within: str | None = None) -> Judging:
    """How a catalogue's photos are judged: near-copies of a product's own photos neither ask nor answer,
    and near-identical products are neither right nor wrong for each other. `within` names a column
    whose value query and gallery must share.
    """
    fresh = catalog.column("near_dup_within") != "1"
    parts = catalog.column(within) if within else None
    return Judging(catalog.product_ids, catalog.column("dup_group"), fresh, fresh, parts)


def has_natural_views(catalog: Catalog) -> bool:
    """Whether some product has two photos that are no near-copies, and there is another product."""
    fresh = catalog.column("near_dup_within") != "1"
    products, counts = np.unique(catalog.product_ids[fresh], return_counts=True)
    return len(products) > 1 and bool((counts > 1).any())


def features_of(encoder: Encoder, packed: PackedPhotos, label: str) -> np.ndarray:
    """Unit features (N, dim) of packed photos, before any head."""
    batches = []
    with progress(label, len(packed)) as advance:
        for batch in encoder.features(packed.pixels(row) for row in range(len(packed))):
            batches.append(batch)
            advance(len(batch))
    return np.concatenate(batches)


def measure(vectors: np.ndarray, catalog: Catalog, row: str = "trained") -> Retrieval:
    """Natural-view retrieval of unit vectors (N, D) of a catalogue's photos."""
    made_by = Provenance(row, catalog.digest)
    embeddings = Embeddings(catalog.ids, catalog.product_ids, vectors, made_by)
    return retrieval(embeddings, judging_of(catalog), row=row)


@dataclass(frozen=True)
class HeadChoice:
    """The natural-view head that did best on held-out products, if any did better than none.

    `tried` maps the shrinkage (None: no head) to the held-out MAP@R.
    """

    head: Whitening | None
    tried: dict[float | None, float]


def choose_head(
    train_features: np.ndarray, train: Catalog, held_out_features: np.ndarray, held_out: Catalog
) -> HeadChoice:
    """Fits the closed-form head on training photos at each shrinkage and keeps the best on held-out ones."""

    def score(vectors: np.ndarray) -> float:
        return float(measure(vectors, held_out).values[HEADLINE].mean())

    fresh = train.column("near_dup_within") != "1"
    heads: dict[float | None, Whitening | None] = {None: None}
    tried: dict[float | None, float] = {None: score(held_out_features)}
    with progress("trying heads", len(SHRINKAGES)) as advance:
        for shrinkage in SHRINKAGES:
            head = Whitening.fit(train_features[fresh], train.product_ids[fresh], shrinkage=shrinkage)
            heads[shrinkage] = head
            tried[shrinkage] = score(head.vectors(held_out_features))
            advance()
    best = max(tried, key=lambda shrinkage: tried[shrinkage])
    return HeadChoice(heads[best], tried)
