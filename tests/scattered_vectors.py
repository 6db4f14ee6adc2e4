"""Embeddings with neighbours worth finding: photos scattered about products."""

import numpy as np

from natviews.types import Embeddings, Provenance

MADE_BY = Provenance("a" * 64, "c" * 64, "RUN")


def scattered(ids, width=16, seed=0, made_by=MADE_BY):
    """Unit vectors about a fifth as many centres as there are ids, filed under them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, len(ids) // 5), width))
    vectors = centres[rng.integers(0, len(centres), len(ids))] + 0.4 * rng.normal(size=(len(ids), width))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ids = np.array(ids, dtype=str)
    return Embeddings(ids, np.array([f"product of {name}" for name in ids], dtype=str), vectors, made_by)


def numbered(count, **options):
    return scattered([f"shop/{i:05d}'s.jpg" for i in range(count)], **options)


def share_found(found, truth):
    """The share of true matches that were found, over all rows."""
    rows = zip(found.ids, truth.ids, strict=True)
    return np.mean([len(set(one) & set(other)) / len(other) for one, other in rows])
