"""Probes: how much of an attribute a simple classifier can read off features that do not change."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from natviews.types import NatviewsError

STRENGTHS = (1e-3, 1e-2, 1e-1)
"""L2 on the mean loss, lambda / 2 |w|^2: the middle of the customary grid, 1e-6 to 1e1."""
ITERATIONS = 300


@dataclass(frozen=True)
class Labelled:
    """Features (N, D) of some photos and their labels (N,) as text, '' where a photo has none."""

    features: np.ndarray
    labels: np.ndarray

    def known(self) -> "Labelled":
        """The photos that have a label."""
        has = self.labels != ""
        return Labelled(self.features[has], self.labels[has])


@dataclass(frozen=True)
class Probed:
    """What a probe said of the test photos that have a label.

    `rows` (Q,) are their rows among all test photos, `predicted` (Q,) the labels it gave them, `correct` (Q,)
    1.0 or 0.0; `strength` was chosen, and `tried` maps each strength to its accuracy on `val`.
    """

    rows: np.ndarray
    predicted: np.ndarray
    correct: np.ndarray
    strength: float
    tried: dict[float, float]


def linear_probe(train: Labelled, val: Labelled, test: Labelled) -> Probed:
    """Multinomial logistic regression on z-scored features, its L2 strength chosen on `val` (ties: the stronger).

    Means and deviations are those of `train`. Photos without a label are left out; a label that `train` lacks
    can only be answered wrongly. Alain and Bengio, "Understanding intermediate layers using linear classifier
    probes", 2016 (arXiv:1610.01644), with features computed once. Raises NatviewsError where `train` has fewer
    than two labels or `val` none.
    """
    rows = np.flatnonzero(test.labels != "")
    train, val, test = train.known(), val.known(), test.known()
    if len(np.unique(train.labels)) < 2 or not len(val.labels):
        raise NatviewsError("A probe needs two different labels in the split train and one in val.")
    mean, deviation = train.features.mean(axis=0), train.features.std(axis=0)
    deviation = np.where(deviation < 1e-9, 1.0, deviation)  # a dead unit says nothing, and must not divide

    def scaled(part: Labelled) -> np.ndarray:
        return (part.features - mean) / deviation

    fitted = {strength: _fit(scaled(train), train.labels, strength) for strength in STRENGTHS}
    tried = {
        strength: float((model.predict(scaled(val)) == val.labels).mean()) for strength, model in fitted.items()
    }
    best = max(STRENGTHS, key=lambda strength: (tried[strength], strength))
    predicted = fitted[best].predict(scaled(test)) if len(rows) else np.empty(0, train.labels.dtype)
    return Probed(rows, predicted, (predicted == test.labels).astype(float), best, tried)


def _fit(features: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    # scikit-learn weighs the summed loss by C against |w|^2 / 2.
    model = LogisticRegression(C=1 / (strength * len(labels)), max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits change no answer
        return model.fit(features, labels)
