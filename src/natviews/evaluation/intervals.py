"""95 % intervals by resampling products: photos of one product are not independent witnesses."""

from collections.abc import Iterator

import numpy as np

from natviews.types import Metric

DRAWS = 2000
CHUNK = 2**22
LEVEL = (2.5, 97.5)


def mean_with_interval(
    values: np.ndarray, product_ids: np.ndarray, *, row: str, name: str, slice: str = "all", seed: int = 0
) -> Metric:
    """The mean of per-query values (Q,) with its percentile bootstrap interval over products.

    Products are drawn with replacement, each with all its queries. With paired differences of two
    encoders' values as `values`, the interval is that of the paired difference.
    """
    if len(values) == 0:
        raise ValueError(f"{row} {name} on {slice}: there are no queries")
    product = np.unique(product_ids, return_inverse=True)[1]
    sums = np.bincount(product, values)
    counts = np.bincount(product).astype(float)
    rng = np.random.default_rng(seed)
    means = np.concatenate([weights @ sums / (weights @ counts) for weights in _resamples(len(sums), rng)])
    value = float(np.mean(values))
    low, high = np.percentile(means, LEVEL)
    return Metric(row, name, slice, value, min(float(low), value), max(float(high), value), len(values))


def _resamples(products: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each product was drawn: DRAWS rows in all, (d, P) at a time within CHUNK numbers."""
    step = max(1, min(DRAWS, CHUNK // products))
    share = np.full(products, 1 / products)
    for start in range(0, DRAWS, step):
        yield rng.multinomial(products, share, size=min(step, DRAWS - start)).astype(float)
