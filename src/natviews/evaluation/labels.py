"""What labels are worth: how few suffice, and how they are made worse to see what that costs.

All of it on features that do not change: only what is learnt from them, and from which labels, differs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from natviews.evaluation.classification import Probed
from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.neighbours import neighbours_probe
from natviews.evaluation.probe import Labelled, linear_probe, mlp_probe
from natviews.types import Metric, NatviewsError

Probe = Callable[[Labelled, Labelled, Labelled], Probed]
PROBES: dict[str, Probe] = {"linear": linear_probe, "mlp": mlp_probe, "knn": neighbours_probe}

SHARES = (0.01, 0.10, 1.0)
DRAWS = 5


def with_noise(train: Labelled, share: float, rng: np.random.Generator) -> Labelled:
    """The same photos, a `share` of the labelled products under another of the labels, each with equal chance."""
    products, has = products_of(train), train.labels != ""
    classes = np.unique(train.labels[has])
    names = np.unique(products[has])
    wrong = rng.choice(names, round(share * len(names)), replace=False)
    labels = train.labels.copy()
    place = dict(zip(classes.tolist(), range(len(classes)), strict=True))
    for name in wrong.tolist():
        moved = int(rng.integers(1, len(classes)))  # a product's photos stay together
        for row in np.flatnonzero(has & (products == name)):
            labels[row] = classes[(place[str(train.labels[row])] + moved) % len(classes)]
    return replace(train, labels=labels)


def with_imbalance(train: Labelled, ratio: float, rng: np.random.Generator) -> Labelled:
    """Fewer photos, so that classes grow rare one after another: the last has 1 / `ratio` of the first's products.

    With C classes by falling size the c-th keeps at most n / ratio^(c / (C - 1)) products, c from 0, of the n of
    the first, at least one. Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019
    (arXiv:1901.05555).
    """
    products, has = products_of(train), train.labels != ""
    members = {name: np.unique(products[train.labels == name]) for name in np.unique(train.labels[has]).tolist()}
    order = sorted(members, key=lambda name: (-len(members[name]), name))
    most, last = len(members[order[0]]), max(1, len(order) - 1)
    keep = np.zeros(len(products), bool)
    for place, name in enumerate(order):
        count = min(len(members[name]), max(1, round(most / ratio ** (place / last))))
        keep |= (train.labels == name) & np.isin(products, rng.choice(members[name], count, replace=False))
    return train.take(keep)


def with_share(train: Labelled, share: float, rng: np.random.Generator) -> Labelled:
    """The photos of a `share` of the labelled products, of every class that share, at least one of each."""
    products, has = products_of(train), train.labels != ""
    keep = np.zeros(len(products), bool)
    for name in np.unique(train.labels[has]).tolist():
        members = np.unique(products[train.labels == name])
        chosen = rng.choice(members, max(1, round(share * len(members))), replace=False)
        keep |= (train.labels == name) & np.isin(products, chosen)
    return train.take(keep)


@dataclass(frozen=True)
class Efficiency:
    """What a share of the labels gives: `labels`, how many products that is; accuracy on `test`, the mean of the
    draws with its interval over products; and the `lowest` and `highest` of the draws."""

    share: float
    labels: int
    accuracy: Metric
    lowest: float
    highest: float


def label_efficiency(
    train: Labelled,
    val: Labelled,
    test: Labelled,
    *,
    probe: str = "linear",
    row: str = "trained",
    slice: str = "all",
    shares: Sequence[float] = SHARES,
    draws: int = DRAWS,
) -> list[Efficiency]:
    """Accuracy on `test` with a share of the labelled products of `train`, drawn `draws` times, seeds 0, 1, ...

    Features, `val` and `test` stay as they are: `val`, with all its labels, chooses the probe's settings alone.
    All labels are drawn once. Raises NatviewsError where `test` has no label.
    """
    asked = test.known()
    if not len(asked.labels):
        raise NatviewsError("No photo in test has a label, so nothing can be measured.")
    found = []
    for share in shares:
        parts = [
            with_share(train, share, np.random.default_rng(seed)) for seed in range(draws if share < 1 else 1)
        ]
        correct = np.stack([PROBES[probe](part, val, test).correct for part in parts])  # (draws, Q)
        each = correct.mean(axis=1)
        name = f"{probe}_accuracy@{100 * share:g}%"
        [accuracy] = means_with_intervals({name: correct.mean(axis=0)}, products_of(asked), row=row, slice=slice)
        labels = len(np.unique(products_of(parts[0])))  # every draw has as many
        found.append(Efficiency(share, labels, accuracy, float(each.min()), float(each.max())))
    return found


def labels_needed(found: Sequence[Efficiency], wanted: float) -> float:
    """How many labelled products reach an accuracy, such as that of a network trained with all labels.

    Between two shares accuracy is taken to rise with the logarithm of the labels; infinite where none reaches it.
    """
    ranked = sorted(found, key=lambda each: each.labels)
    for place, each in enumerate(ranked):
        if each.accuracy.value >= wanted:
            if place == 0:
                return float(each.labels)
            before = ranked[place - 1]
            part = (wanted - before.accuracy.value) / (each.accuracy.value - before.accuracy.value)
            return float(before.labels * (each.labels / before.labels) ** part)
    return np.inf


def products_of(part: Labelled) -> np.ndarray:
    """(N,) the products; without any, every photo is of its own."""
    return np.arange(len(part.labels)) if part.products is None else part.products
