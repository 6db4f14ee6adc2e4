"""What somebody likes, as a few of the products they liked, and what else is like these."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy.cluster.hierarchy import fcluster, linkage

from natviews.matching.decision import table_of
from natviews.matching.side import Side
from natviews.types import NatviewsError

PROFILE = pa.schema(
    {"medoid": pa.string(), "liked": pa.int32(), "rank": pa.int32(), "product": pa.string(), "score": pa.float32()}
)


def user_profile(side: Side, liked: Sequence[str], *, medoids: int = 3, k: int = 5) -> pa.Table:
    """Up to `medoids` of the liked products that stand for all, and the `k` products most like each.

    Ward clusters of the products' mean vectors; of each the product with the least sum of squared distances to the
    others, not their mean, which lies between tastes: Pal et al., "PinnerSage", KDD 2020 (arXiv:2007.03634).
    Columns as `PROFILE` says, the medoid that stands for most (`liked`) first; liked products are not proposed.
    Raises NatviewsError where a liked product is not in the catalogue.
    """
    known = {name: number for number, name in enumerate(side.products.tolist())}
    missing = [name for name in liked if name not in known]
    if missing or not liked:
        raise NatviewsError(
            f"{missing[0]!r} is no product of {side.name}." if missing else "A profile needs at least one product."
        )
    numbers = np.unique([known[name] for name in liked])
    means = np.zeros((len(side), side.embeddings.vectors.shape[1]), np.float32)
    np.add.at(means, side.product, side.embeddings.vectors)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    own = means[numbers]
    cluster = np.ones(len(numbers), int)
    if len(numbers) > 1:
        cluster = fcluster(linkage(own, "ward"), medoids, "maxclust")
    chosen = []
    for name in np.unique(cluster).tolist():
        rows = np.flatnonzero(cluster == name)
        apart = np.square(own[rows, None] - own[None, rows]).sum(axis=2).sum(axis=1)
        chosen.append((len(rows), int(numbers[rows[np.argmin(apart)]])))
    chosen.sort(key=lambda entry: (-entry[0], entry[1]))
    columns: dict[str, list] = {name: [] for name in PROFILE.names}
    allowed = ~np.isin(side.product, numbers)
    for count, medoid in chosen:
        found = side.index.search(means[medoid : medoid + 1], k * int(side.counts.max()), where=allowed)
        best: dict[str, float] = {}
        owner = dict(zip(side.embeddings.ids.tolist(), side.embeddings.product_ids.tolist(), strict=True))
        for photo, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True):
            if photo:
                best.setdefault(owner[photo], score)
        for rank, (product, score) in enumerate(list(best.items())[:k], 1):
            row = (str(side.products[medoid]), count, rank, product, score)
            for name, value in zip(PROFILE.names, row, strict=True):
                columns[name].append(value)
    return table_of(columns, PROFILE)
