"""Thresholds for a wanted precision: what is said of a photo is then right nine times in ten, say.

They are chosen on `val` and used on `test`, where precision may turn out otherwise: it is measured too.
"""

from dataclasses import dataclass

import numpy as np

PRECISIONS = (0.90, 0.95)
"""Recall@90 and Recall@95 of the SkiLL paper, read as recall at 90 and 95 % precision, class by class: the same
authors write "absolute recall@90P" elsewhere (arXiv:2306.00379)."""


@dataclass(frozen=True)
class Operating:
    """Where a score is enough: at `threshold` and above, a share `recall` of the positives is found.

    Where no threshold reaches the precision, the recall is 0 and the threshold infinite.
    """

    recall: float
    threshold: float

    @classmethod
    def at(cls, scores: np.ndarray, positive: np.ndarray, precision: float) -> "Operating":
        """The highest recall at that precision or above, from `scores` (N,) and which are `positive` (N,) bool.

        Equal scores are taken together or not at all. Of thresholds with the same recall the highest is taken,
        which is the most precise. Without positives the recall is 0.
        """
        order = np.argsort(-scores, kind="stable")
        ranked, right = scores[order], positive[order].cumsum()
        last_of_equals = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.empty(0, bool)
        reached = right / np.arange(1, len(ranked) + 1) >= precision
        fits = np.flatnonzero(last_of_equals & reached & (right > 0))
        if not len(fits):
            return cls(0.0, np.inf)
        most = fits[np.argmax(right[fits])]  # the first of equals: the highest threshold
        return cls(float(right[most] / right[-1]), float(ranked[most]))


@dataclass(frozen=True)
class Thresholds:
    """From which score on a photo is said to be of each class, (C,), and of whichever class is most likely."""

    classes: np.ndarray
    overall: float

    @classmethod
    def at(cls, scores: np.ndarray, positive: np.ndarray, precision: float) -> "Thresholds":
        """Those that reach `precision` with `scores` (N, C), where `positive` (N, C) bool says what is right.

        A photo may be of several classes, or of none.
        """
        each = [Operating.at(scores[:, c], positive[:, c], precision).threshold for c in range(scores.shape[1])]
        photos = np.arange(len(scores))
        best = scores.argmax(axis=1)
        right = positive[photos, best] if len(scores) else np.empty(0, bool)
        overall = Operating.at(scores[photos, best], right, precision).threshold
        return cls(np.array(each), overall)
