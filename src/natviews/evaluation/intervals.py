"""95 % intervals by resampling products: photos of one product are not independent witnesses."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack

from natviews.types import Metric

DRAWS = 2000
CHUNK = 2**22
LEVEL = (2.5, 97.5)

Figures = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Sums over photos (d, S), a row for each resample -> every figure (d,), NaN where it is not defined."""


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


@dataclass(frozen=True)
class Tally:
    """What figures that are no means are made of: macro-F1, balanced accuracy, recall at a precision.

    `counts` (Q, S) is what each photo adds to each of S sums, and `figures` are functions of the sums;
    `products` (Q,) are the photos' products, `row` says whose figures they are.
    """

    row: str
    products: np.ndarray
    counts: csr_array
    figures: Figures

    def metrics(self, slice: str = "all", seed: int = 0) -> list[Metric]:
        """Every figure that is defined, with its percentile bootstrap interval over products.

        In a resample a figure is what it would be if that were all there is; resamples in which it is not
        defined do not count.
        """
        if len(self.products) == 0:
            raise ValueError(f"{self.row} on {slice}: there are no photos")
        product = np.unique(self.products, return_inverse=True)[1]
        photos = np.arange(len(product))
        of_product = csr_array((np.ones(len(product)), (product, photos)))
        sums = (of_product @ self.counts).tocsr()  # (P, S)
        rng = np.random.default_rng(seed)
        drawn = [self.figures(weights @ sums) for weights in _resamples(sums.shape[0], rng)]
        metrics = []
        for name, [value] in self.figures(np.asarray(self.counts.sum(axis=0))[None, :]).items():
            if np.isnan(value):
                continue
            low, high = np.nanpercentile(np.concatenate([each[name] for each in drawn]), LEVEL)
            if sums.shape[0] == 1:  # one product says nothing of others
                low, high = value - 1, value + 1
            low, high = min(float(low), float(value)), max(float(high), float(value))
            metrics.append(Metric(self.row, name, slice, float(value), low, high, len(photos)))
        return metrics

    def minus(self, other: "Tally") -> "Tally":
        """The paired differences of the same figures: both are taken from the same resamples."""
        if not np.array_equal(self.products, other.products):
            raise ValueError(f"{self.row} and {other.row} were not asked about the same photos")
        own = self.counts.shape[1]

        def differences(sums: np.ndarray) -> dict[str, np.ndarray]:
            one, two = self.figures(sums[:, :own]), other.figures(sums[:, own:])
            return {name: one[name] - two[name] for name in one if name in two}

        counts = csr_array(hstack([self.counts, other.counts]))
        return Tally(f"{self.row}-{other.row}", self.products, counts, differences)


def _resamples(products: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each product was drawn: DRAWS rows in all, (d, P) at a time within CHUNK numbers."""
    step = max(1, min(DRAWS, CHUNK // products))
    share = np.full(products, 1 / products)
    for start in range(0, DRAWS, step):
        yield rng.multinomial(products, share, size=min(step, DRAWS - start)).astype(float)
