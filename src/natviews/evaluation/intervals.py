"""95 % intervals by resampling products: photos of one product are not independent witnesses."""

from collections.abc import Iterator, Mapping

import numpy as np

from natviews.types import Metric

DRAWS = 2000
CHUNK = 2**22
LEVEL = (2.5, 97.5)


def means_with_intervals(
    values: Mapping[str, np.ndarray], product_ids: np.ndarray, *, row: str, slice: str = "all", seed: int = 0
) -> list[Metric]:
    """Means of per-query values, name -> (Q,), with percentile bootstrap intervals over products.

    Products are drawn with replacement, each with all its queries. With paired differences of two
    encoders' values as `values`, the intervals are those of the paired differences. One product says
    nothing of others: its interval is as wide as the figures go.
    """
    if len(product_ids) == 0:
        raise ValueError(f"{row} on {slice}: there are no queries")
    product = np.unique(product_ids, return_inverse=True)[1]
    counts = np.bincount(product).astype(float)
    sums = np.stack([np.bincount(product, per_query) for per_query in values.values()], axis=1)  # (P, M)
    rng = np.random.default_rng(seed)
    drawn = [weights @ sums / (weights @ counts)[:, None] for weights in _resamples(len(sums), rng)]
    bounds = np.percentile(np.concatenate(drawn), LEVEL, axis=0)  # (2, M)
    if len(sums) == 1:
        bounds += [[-1.0], [1.0]]
    metrics = []
    for (name, per_query), low, high in zip(values.items(), *bounds.tolist(), strict=True):
        value = float(np.mean(per_query))
        metrics.append(Metric(row, name, slice, value, min(low, value), max(high, value), len(per_query)))
    return metrics


def _resamples(products: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each product was drawn: DRAWS rows in all, (d, P) at a time within CHUNK numbers."""
    step = max(1, min(DRAWS, CHUNK // products))
    share = np.full(products, 1 / products)
    for start in range(0, DRAWS, step):
        yield rng.multinomial(products, share, size=min(step, DRAWS - start)).astype(float)
