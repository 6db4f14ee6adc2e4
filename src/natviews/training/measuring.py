"""Knowing without labels how good an encoder is: natural-view retrieval on held-out products."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from natviews.catalog import Catalog, PackedPhotos
from natviews.encoders import Encoder, Whitening, describer
from natviews.evaluation import Judging, Retrieval, label_free_figures, retrieval
from natviews.progress import progress
from natviews.types import Embeddings, Provenance
from natviews.views.ops import Jitter, Op

SHRINKAGES = (0.05, 0.1, 0.3, 0.5, 0.8)
FEW_SHRINKAGES = (0.1, 0.5)
KEPT = 512
"""Directions that a head keeps, unless others of `OTHERS_KEPT` do better."""
OTHERS_KEPT = (256, 1024, 2**20)
NEARLY = 0.005
"""What more directions must gain: fewer numbers are less to store and to compare."""
HEADLINE = "map@r"
"""What checkpoints and heads are chosen by: recall@1 is half decided by near-equal photos."""


RECOLOURED = Jitter(brightness=0.2, contrast=0.2, saturation=0.5, hue=0.5, p=1.0)
"""What the design head must not see: the same photo in any other colour."""


def judging_of(catalog: Catalog, within: str | None = None) -> Judging:
    """How a catalogue's photos are judged: near-copies of a product's own photos neither ask nor answer,
    and near-identical products are neither right nor wrong for each other. `within` names a column
    whose value query and gallery must share.
    """
    fresh = catalog.column("near_dup_within") != "1"
    parts = catalog.column(within) if within else None
    return Judging(catalog.product_ids, catalog.column("dup_group"), fresh, fresh, parts)


def has_natural_views(catalog: Catalog) -> bool:
    """Whether some product has two photos that are no near-copies, and there is another that is not near-identical
    to it: without one there is nothing to tell it from, and no photo may ask."""
    fresh = catalog.column("near_dup_within") != "1"
    _, counts = np.unique(catalog.product_ids[fresh], return_counts=True)
    return len(np.unique(catalog.column("dup_group")[fresh])) > 1 and bool((counts > 1).any())


def features_of(encoder: Encoder, packed: PackedPhotos, label: str, *, changed: Op | None = None) -> np.ndarray:
    """Unit features (N, width) of packed photos, before any head, each photo `changed` if wished."""
    batches = []
    photos = (packed.pixels(row) for row in range(len(packed)))
    with progress(label, len(packed)) as advance:
        for batch in encoder.features(photos, changed=changed, describe=describer(encoder, len(packed))):
            batches.append(batch)
            advance(len(batch))
    return np.concatenate(batches)


def measure(
    vectors: np.ndarray, catalog: Catalog, row: str = "trained", *, queries: np.ndarray | None = None
) -> Retrieval:
    """Natural-view retrieval of unit vectors (N, D) of a catalogue's photos; `queries` (N, D) may ask instead."""
    made_by = Provenance(row, catalog.digest)
    embeddings = Embeddings(catalog.ids, catalog.product_ids, vectors, made_by)
    return retrieval(embeddings, judging_of(catalog), row=row, queries=queries)


def measure_through_heads(features: np.ndarray, catalog: Catalog) -> float:
    """MAP@R of features (N, D) as they will be used: each half of the products through a head fitted on the other.

    The best over no head and a few shrinkages. What training does to features and what the head does to them are
    not independent: on eight real shops a fine-tune that lost .005 without a head gained .04 with one. Where a
    half has no natural views, no head is tried.
    """
    _, group = np.unique(catalog.column("dup_group"), return_inverse=True)
    halves = [np.flatnonzero(group % 2 == half) for half in (0, 1)]
    parts = [Known(catalog.take(rows), features[rows]) for rows in halves]
    if not all(has_natural_views(part.catalog) for part in parts):
        return float(measure(features, catalog).values[HEADLINE].mean())
    found: dict[float | None, list[np.ndarray]] = {None: [], **{shrinkage: [] for shrinkage in FEW_SHRINKAGES}}
    for part, other in (parts, parts[::-1]):
        fresh, products = other.catalog.column("near_dup_within") != "1", other.catalog.product_ids
        head = Whitening.fit(other.features[fresh], products[fresh], shrinkage=FEW_SHRINKAGES[0], kept=KEPT)
        for shrinkage, values in found.items():
            vectors = part.features if shrinkage is None else head.shrunk(shrinkage).vectors(part.features)
            values.append(measure(vectors, part.catalog).values[HEADLINE])
    return max(float(np.concatenate(values).mean()) for values in found.values())


def measure_label_free(features: np.ndarray, catalog: Catalog) -> dict[str, float]:
    """RankMe, alpha-ReQ and LiDAR of features (N, D) of a catalogue's photos; near-copies, which would pass for
    views that differ in nothing, are left out. See `label_free_figures`."""
    fresh = catalog.column("near_dup_within") != "1"
    return label_free_figures(features[fresh], catalog.product_ids[fresh])


@dataclass(frozen=True)
class HeadChoice:
    """The natural-view head that did best on held-out products, if any did better than none.

    `tried` maps the shrinkage (None: no head) to the held-out MAP@R with `KEPT` directions; `kept` the number of
    directions to that with the best shrinkage.
    """

    head: Whitening | None
    tried: dict[float | None, float]
    kept: dict[int, float]


@dataclass(frozen=True)
class Known:
    """Features (N, D) of a catalogue's photos and, where they were taken, of the same photos recoloured."""

    catalog: Catalog
    features: np.ndarray
    recoloured: np.ndarray | None = None


def choose_head(train: Known, held_out: Known) -> HeadChoice:
    """Fits the closed-form head on training photos at each shrinkage, and for the best one with a few numbers of
    directions, and keeps what does best on held-out photos."""

    def score(head: Whitening | None) -> float:
        vectors = held_out.features if head is None else head.vectors(held_out.features)
        return float(measure(vectors, held_out.catalog).values[HEADLINE].mean())

    fresh = train.catalog.column("near_dup_within") != "1"
    return _best_head(train.features[fresh], train.catalog.product_ids[fresh], score)


def choose_design_head(train: Known, held_out: Known) -> HeadChoice:
    """The head to which a product in another colour is another photo of it, chosen by retrieval in which the
    queries are recoloured and what they look for is not. Both must have `recoloured` features."""
    assert train.recoloured is not None and held_out.recoloured is not None
    features = held_out.features, held_out.recoloured

    def score(head: Whitening | None) -> float:
        vectors, queries = features if head is None else map(head.vectors, features)
        return float(measure(vectors, held_out.catalog, queries=queries).values[HEADLINE].mean())

    fresh = train.catalog.column("near_dup_within") != "1"
    products = train.catalog.product_ids[fresh]
    both = np.concatenate([train.features[fresh], train.recoloured[fresh]])
    return _best_head(both, np.concatenate([products, products]), score)


def _best_head(
    features: np.ndarray, product_ids: np.ndarray, score: Callable[[Whitening | None], float]
) -> HeadChoice:
    best: Whitening | None = None
    tried: dict[float | None, float] = {None: score(None)}
    kept: dict[int, float] = {}
    with progress("trying heads", len(SHRINKAGES) + len(OTHERS_KEPT)) as advance:
        fitted = Whitening.fit(features, product_ids, shrinkage=SHRINKAGES[0])
        for shrinkage in SHRINKAGES:
            head = fitted.shrunk(shrinkage)
            found = score(head.keeping(KEPT))
            best = head if found > max(tried.values()) else best
            tried[shrinkage] = found
            advance()
        if best is None:
            return HeadChoice(None, tried, kept)
        kept[min(KEPT, best.kept)] = max(tried.values())
        for count in (min(count, best.kept) for count in OTHERS_KEPT):
            if count not in kept:
                kept[count] = score(best.keeping(count))
            advance()
    enough = min(count for count, found in kept.items() if found >= max(kept.values()) - NEARLY)
    return HeadChoice(best.keeping(enough), tried, kept)
