"""The category that a listing gets, from all its photos, and what wrong or uneven labels cost it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from natviews.evaluation.classification import Probed
from natviews.evaluation.intervals import Tally
from natviews.evaluation.labels import PROBES, products_of, with_imbalance, with_noise
from natviews.evaluation.probe import Labelled
from natviews.types import Metric

FIRST = (1, 3, 5)
NOISES = (0.0, 0.2, 0.4)
RATIOS = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Suggested:
    """What listings are said to be: `products` (P,), `labels` (P,), and `scores` (P, C) of the `classes` (C,)."""

    products: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    scores: np.ndarray

    @property
    def ranked(self) -> np.ndarray:
        """(P, C) the categories of each listing, the likeliest first; of equals the first in the alphabet."""
        return self.classes[np.argsort(-self.scores, axis=1, kind="stable")]

    def first(self, k: int) -> np.ndarray:
        """(P,) 1.0 where the listing's label is among the first k, else 0.0."""
        return (self.ranked[:, :k] == self.labels[:, None]).any(axis=1).astype(float)

    def tally(self, row: str, *, prefix: str = "") -> Tally:
        """`listing_top_1`, `_3` and `_5`: the share of listings whose label is among the first so many; and
        `listing_top_1_balanced`, the mean over the categories; one that a resample happens to miss
        counts there as it does in the whole."""
        classes, label = np.unique(self.labels, return_inverse=True)
        there = np.eye(len(classes))[label]
        right = {f"{prefix}listing_top_{k}": self.first(k) for k in FIRST}
        whole = (there * self.first(1)[:, None]).sum(axis=0, keepdims=True) / there.sum(axis=0)
        counts = np.column_stack([*right.values(), there, there * self.first(1)[:, None]])

        def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
            support, found = np.split(sums[:, len(right) :], 2, axis=1)
            share = np.divide(found, support, out=whole.repeat(len(found), axis=0), where=support > 0)
            each = {name: sums[:, place] / support.sum(axis=1) for place, name in enumerate(right)}
            return each | {f"{prefix}listing_top_1_balanced": share.mean(axis=1)}

        return Tally(row, self.products, csr_array(counts), figures)


def suggestions(probed: Probed, products: np.ndarray) -> Suggested:
    """One category for each listing, from all its photos: the mean of their scores.

    `products` (Q,) are those of the photos asked about. A listing's label is that of most of its photos; of equals
    the first in the alphabet.
    """
    names, product = np.unique(products, return_inverse=True)
    labels, label = np.unique(probed.labels, return_inverse=True)
    votes = np.zeros((len(names), len(labels)))
    np.add.at(votes, (product, label), 1)
    scores = np.zeros((len(names), len(probed.classes)))
    np.add.at(scores, product, probed.scores)
    return Suggested(names, labels[votes.argmax(axis=1)], probed.classes, scores / np.bincount(product)[:, None])


@dataclass(frozen=True)
class Spoilt:
    """The figures of suggested categories when a share `noise` of the training products has a wrong label and the
    rarest class has 1 / `ratio` of the most frequent one's products."""

    noise: float
    ratio: float
    metrics: list[Metric]


def suggestion_study(
    train: Labelled,
    val: Labelled,
    test: Labelled,
    *,
    probe: str = "linear",
    row: str = "trained",
    noises: Sequence[float] = NOISES,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
) -> list[Spoilt]:
    """Categories suggested per listing, from training labels that are ever worse; `val` and `test` keep theirs."""
    asked, found = test.known(), []
    for ratio in ratios:
        for noise in noises:
            rng = np.random.default_rng([seed, round(1000 * noise), round(ratio)])
            spoilt = with_noise(with_imbalance(train, ratio, rng) if ratio > 1 else train, noise, rng)
            suggested = suggestions(PROBES[probe](spoilt, val, test), products_of(asked))
            metrics = suggested.tally(row).metrics(f"noise={noise:g}, ratio={ratio:g}")
            found.append(Spoilt(noise, ratio, metrics))
    return found
