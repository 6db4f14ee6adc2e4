"""Probes: how much of an attribute a simple classifier can read off features that do not change."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from natviews.evaluation.classification import Probed
from natviews.types import NatviewsError

STRENGTHS = (1e-3, 1e-2, 1e-1)
"""L2 on the mean loss, lambda / 2 |w|^2: the middle of the customary grid, tried always."""
WEAKER, STRONGER = (1e-4, 1e-5, 1e-6), (1e0, 1e1)
"""The rest of the grid, tried as long as `val` gains by it."""
ITERATIONS = 300

HIDDEN = 512
RATES = (1e-3, 3e-4)
DECAY = 1e-4
EPOCHS, PATIENCE = 50, 8
"""Passes over the training photos at most, and how many without a gain on `val` end it."""
BATCH = 256


@dataclass(frozen=True)
class Labelled:
    """Features (N, D) of some photos and their labels (N,) as text, '' where a photo has none.

    `products` (N,), where given, say which photos are of one product.
    """

    features: np.ndarray
    labels: np.ndarray
    products: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Labelled":
        """Some of the photos: a boolean mask (N,) or row numbers."""
        products = None if self.products is None else self.products[rows]
        return Labelled(self.features[rows], self.labels[rows], products)

    def known(self) -> "Labelled":
        """The photos that have a label."""
        return self.take(self.labels != "")


Scores = Callable[[np.ndarray], np.ndarray]
"""Features (N, D) -> how likely each class is (N, C), adding up to 1."""


def linear_probe(train: Labelled, val: Labelled, test: Labelled) -> Probed:
    """Multinomial logistic regression on z-scored features, its L2 strength chosen on `val` (ties: the stronger).

    Means and deviations are those of `train`. Photos without a label are left out; a label that `train` lacks
    can only be answered wrongly. Strengths are 1e-6 to 1e1: the middle three, and further ones while `val` gains.
    Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016 (arXiv:1610.01644),
    with features computed once. Raises NatviewsError where `train` has fewer than two labels or `val` none.
    """
    parts = known_parts(train, val, test)
    train, val = parts[:2]
    scaled = _scaling(train.features)
    features = scaled(train.features)
    fitted: dict[float, LogisticRegression] = {}
    tried: dict[float, float] = {}

    def attempt(strength: float) -> float:
        fitted[strength] = _fit(features, train.labels, strength)
        tried[strength] = float((fitted[strength].predict(scaled(val.features)) == val.labels).mean())
        return tried[strength]

    best = max((attempt(strength), strength) for strength in STRENGTHS)
    further = STRONGER if best[1] == max(STRENGTHS) else WEAKER if best[1] == min(STRENGTHS) else ()
    for strength in further:
        if (now := attempt(strength)) <= best[0]:
            break
        best = (now, strength)
    model = fitted[best[1]]
    return probed(parts, test, lambda x: model.predict_proba(scaled(x)), best[1], tried)


def mlp_probe(train: Labelled, val: Labelled, test: Labelled, *, seed: int = 0) -> Probed:
    """A network of one hidden layer of 512 units on z-scored features: what is there, though not linearly.

    Adam at 1e-3 and at 3e-4, at most 50 epochs each; the rate and the epoch that do best on `val` are kept (ties:
    the earlier). scikit-learn's network stands for the customary one (layer norm, GELU, dropout of 0.1): it has
    rectified units and L2 of 1e-4, and z-scores come before it. Raises as `linear_probe`.
    """
    parts = known_parts(train, val, test)
    train, val = parts[:2]
    scaled = _scaling(train.features)
    features, held_out = scaled(train.features), scaled(val.features)
    tried, models = {}, {}
    for rate in RATES:
        models[rate], tried[rate] = _best_epoch(features, train.labels, held_out, val.labels, rate, seed)
    best = max(RATES, key=lambda rate: tried[rate])
    model = models[best]
    return probed(parts, test, lambda x: model.predict_proba(scaled(x)), best, tried)


def known_parts(train: Labelled, val: Labelled, test: Labelled) -> tuple[Labelled, Labelled, Labelled]:
    """The photos with a label. Raises NatviewsError where there is nothing to learn or to choose by."""
    train, val, test = train.known(), val.known(), test.known()
    if len(np.unique(train.labels)) < 2 or not len(val.labels):
        raise NatviewsError("A probe needs two different labels in the split train and one in val.")
    return train, val, test


def probed(
    parts: tuple[Labelled, Labelled, Labelled],
    test: Labelled,
    scores: Scores,
    chosen: float,
    tried: dict[float, float],
) -> Probed:
    """What a classifier of `parts[0]` says of the others; `test` is the split with unlabelled photos in it."""
    train, val, asked = parts
    classes = np.unique(train.labels)
    said = scores(asked.features) if len(asked.labels) else np.empty((0, len(classes)))
    rows = np.flatnonzero(test.labels != "")
    return Probed(rows, asked.labels, classes, said, val.labels, scores(val.features), chosen, tried)


def _scaling(features: np.ndarray) -> Scores:
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation < 1e-9, 1.0, deviation)  # a dead unit says nothing, and must not divide
    return lambda x: (x - mean) / deviation


def _fit(features: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    # scikit-learn weighs the summed loss by C against |w|^2 / 2.
    model = LogisticRegression(C=1 / (strength * len(labels)), max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits change no answer
        return model.fit(features, labels)


def _best_epoch(
    features: np.ndarray, labels: np.ndarray, held_out: np.ndarray, wanted: np.ndarray, rate: float, seed: int
) -> tuple[MLPClassifier, float]:
    """The network as it was after the epoch that did best on held-out photos, and its accuracy there."""
    chance = np.random.RandomState(seed)  # from a number partial_fit would draw the same batches every time
    model = MLPClassifier(
        (HIDDEN,), alpha=DECAY, batch_size=min(BATCH, len(labels)), learning_rate_init=rate, random_state=chance
    )
    classes, best, since = np.unique(labels), -1.0, 0
    kept: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for _ in range(EPOCHS):
        model.partial_fit(features, labels, classes=classes)  # one pass
        accuracy = float((model.predict(held_out) == wanted).mean())
        since += 1
        if accuracy > best:
            best, since = accuracy, 0
            kept = [weights.copy() for weights in model.coefs_], [bias.copy() for bias in model.intercepts_]
        if since == PATIENCE:
            break
    model.coefs_, model.intercepts_ = kept
    return model, best
