"""Colour clusters: photos that lie together, and how their colours mix, beside the mix of all photos."""

from collections import Counter

import numpy as np

from natviews.catalog import PackedPhotos
from natviews.evaluation.colour_entropy import cluster_counts, clustered
from natviews.report.pictures import shown
from natviews.report.report import Cluster

SHOWN, PHOTOS = 6, 8
"""Clusters that are shown, and photos of each."""


def colour_clusters(
    vectors: np.ndarray, packed: PackedPhotos, colour: str, style: str | None = None
) -> list[Cluster]:
    """All photos together, then the largest clusters of unit vectors (N, D) with their colours (and styles), as
    columns of the catalogue say them; near-copies are left out. Nothing where no colour is known.

    The clusters are the first of those whose colour entropy is told: k-means of as many clusters, seed 0.
    """
    rows = np.flatnonzero(packed.catalog.column("near_dup_within") != "1")
    colours = packed.catalog.column(colour)[rows]
    styles = packed.catalog.column(style)[rows] if style else np.full(len(rows), "")
    if not (colours != "").any() or len(rows) < 2:
        return []
    [cluster] = clustered(vectors[rows], cluster_counts(len(rows))[0], seeds=1)
    largest = np.argsort(-np.bincount(cluster), kind="stable")[:SHOWN]
    rng = np.random.default_rng(0)
    found = [Cluster(len(rows), [], _counts(colours), _counts(styles))]
    for number in largest.tolist():
        own = np.flatnonzero(cluster == number)
        drawn = rng.permutation(own)[:PHOTOS]
        photos = [shown(packed, int(row)) for row in rows[drawn]]
        found.append(Cluster(len(own), photos, _counts(colours[own]), _counts(styles[own])))
    return found


def _counts(labels: np.ndarray) -> dict[str, int]:
    return dict(Counter(label for label in labels.tolist() if label).most_common())
