"""How good the labels are that a classifier gives: accuracy, F1, and recall at a wanted precision."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, hstack

from natviews.evaluation.intervals import Tally
from natviews.evaluation.precision_recall import PRECISIONS, Thresholds
from natviews.types import Metric

FIGURES = {
    "accuracy": "Share of photos whose most likely label is right.",
    "balanced_accuracy": "Mean over the classes in test of the share of their photos that is found.",
    "macro_f1": "Mean over the classes of the harmonic mean of precision and recall, 0 to 1.",
}
FIGURES_AT = {
    "recall@{}": "Share of the photos that is found, class by class, where what is said to be of a class must be "
    "right {} times in a hundred; thresholds are those of val, and where none is good enough it is 0.",
    "recall@{}_macro": "The mean of recall@{} over the classes, all alike.",
    "recall@{}_global": "Share of photos that are answered and right, by one threshold for all classes at which "
    "the answers on val are right {} times in a hundred; the others are left unanswered.",
    "recall@{}_oracle": "recall@{} with thresholds of test itself: what better ones could give.",
    "precision@{}": "How often what was said at the thresholds of recall@{} is right on test.",
    "precision@{}_global": "How often the answers of recall@{}_global are right on test.",
}
FIGURES |= {name.format(at): said.format(at) for at in (90, 95) for name, said in FIGURES_AT.items()}
"""What each figure says of a classifier's answers."""


@dataclass(frozen=True)
class Probed:
    """What a classifier says of the test photos that have a label, and of those of `val`.

    `rows` (Q,) are their rows among all test photos, `labels` (Q,) what they are, `classes` (C,) what `train`
    knew, in alphabetical order, and `scores` (Q, C) how likely each is, adding up to 1; `val_labels` (V,) and
    `val_scores` (V, C) the same of `val`. `chosen` is the setting that did best on `val`, and `tried` maps each
    setting to its accuracy there.
    """

    rows: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    val_labels: np.ndarray
    val_scores: np.ndarray
    chosen: float
    tried: dict[float, float]

    @property
    def predicted(self) -> np.ndarray:
        """(Q,) the most likely label; of equals the first in the alphabet."""
        return self.classes[self.scores.argmax(axis=1)]

    @property
    def correct(self) -> np.ndarray:
        """(Q,) 1.0 where the most likely label is right, else 0.0."""
        return (self.predicted == self.labels).astype(float)

    def thresholds(self, precision: float) -> Thresholds:
        """Those that reach a precision on `val`."""
        return Thresholds.at(self.val_scores, self.val_labels[:, None] == self.classes, precision)

    def answered(self, precision: float) -> np.ndarray:
        """(Q,) bool: where the classifier is sure enough to answer; elsewhere it abstains.

        So that the answers on `val` are right with that precision, by one threshold for all classes.
        """
        return self.scores.max(axis=1) >= self.thresholds(precision).overall


@dataclass(frozen=True)
class ClassFigures:
    """One class: its photos in `val` and `test`, what it is found by, and its figures on `test`.

    `thresholds` maps a precision to the score from which a photo is said to be of the class; `figures` are its
    precision, recall and F1, and at each wanted precision recall and realised precision, where defined.
    """

    name: str
    val: int
    test: int
    thresholds: dict[float, float]
    figures: dict[str, Metric]


def classification(probed: Probed, products: np.ndarray, row: str, *, prefix: str = "") -> Tally:
    """The figures of a classifier's answers; `products` (Q,) are those of the photos it was asked about.

    `accuracy`; `balanced_accuracy`, the mean recall over the classes there are in `test`; `macro_f1` over those
    and the ones that were answered, as in scikit-learn; and for 90 and 95 % precision, thresholds being `val`'s:
    `recall@90`, class by class, weighted by how many photos a class has; `recall@90_macro`, every class alike;
    `recall@90_global`, by one threshold for all; `precision@90` and `precision@90_global`, what was reached on
    `test`. A class that never reached the precision has recall 0; one that a resample happens to miss counts there
    as it does in the whole, since means over ever other classes would lie too high. `recall@90_oracle` is the
    first with thresholds from `test` itself: what better ones could give, no result.
    """
    names = _all_classes(probed)
    parts, sections = _counts(probed, names)
    counts = csr_array(hstack(parts))

    def split(sums: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(sections, np.split(sums, len(sections), axis=1), strict=True))

    whole = _of_classes(split(np.asarray(counts.sum(axis=0))[None, :]))

    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {prefix + name: figure for name, figure in _figures(split(sums), whole).items()}

    return Tally(row, products, counts, figures)


def per_class(probed: Probed, products: np.ndarray, row: str, *, slice: str = "all") -> list[ClassFigures]:
    """The figures of each class, with intervals over products; the same thresholds as in `classification`."""
    names = _all_classes(probed)
    parts, sections = _counts(probed, names)

    def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
        of = dict(zip(sections, np.split(sums, len(sections), axis=1), strict=True))
        return {f"{c} {name}": each[:, c] for name, each in _of_classes(of).items() for c in range(len(names))}

    own: list[dict[str, Metric]] = [{} for _ in names]
    for metric in Tally(row, products, csr_array(hstack(parts)), figures).metrics(slice):
        number, name = metric.name.split(" ")
        own[int(number)][name] = replace(metric, name=name)
    thresholds = {precision: probed.thresholds(precision).classes for precision in PRECISIONS}
    place_of = {name: place for place, name in enumerate(probed.classes.tolist())}
    found = []
    for c, name in enumerate(names.tolist()):
        limits = {p: float(each[place_of[name]]) if name in place_of else np.inf for p, each in thresholds.items()}
        val, test = int((probed.val_labels == name).sum()), int((probed.labels == name).sum())
        found.append(ClassFigures(name, val, test, limits, own[c]))
    return found


def _all_classes(probed: Probed) -> np.ndarray:
    return np.unique(np.concatenate([probed.classes, probed.labels]))


def _counts(probed: Probed, names: np.ndarray) -> tuple[list[csr_array], list[str]]:
    """For every photo and class 1 or 0, in sections of as many columns as there are classes, and their names."""
    there = probed.labels[:, None] == names  # (Q, K)
    best = probed.predicted[:, None] == names
    sections = {"there": there, "answered": best, "right": best & there}
    column = np.searchsorted(names, probed.classes)
    scores = np.full((len(there), len(names)), -1.0)  # of a class that train lacks: below every threshold
    scores[:, column] = probed.scores
    surest = probed.scores.max(axis=1, initial=0.0)
    for precision in PRECISIONS:
        limits = probed.thresholds(precision)
        oracle = Thresholds.at(scores, there, precision).classes
        each = np.full(len(names), np.inf)
        each[column] = limits.classes
        said = scores >= each
        sure = best & (surest >= limits.overall)[:, None]
        at = f"@{round(100 * precision)}"
        sections |= {f"said{at}": said, f"found{at}": said & there, f"oracle{at}": (scores >= oracle) & there}
        sections |= {f"sure{at}": sure, f"kept{at}": sure & there}
    return [csr_array(section.astype(float)) for section in sections.values()], list(sections)


def _figures(of: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Figures (d,) from sums (d, K) of each section, and from `whole` (1, K) those of classes without photos."""
    total = of["there"].sum(axis=1)
    each = {name: np.where(np.isnan(own), whole[name], own) for name, own in _of_classes(of).items()}
    figures = {
        "accuracy": _ratio(of["right"].sum(axis=1), total),
        "balanced_accuracy": _mean(each["recall"]),
        "macro_f1": _mean(each["f1"]),
    }
    for at in _points(of):
        figures |= {
            f"recall{at}": _ratio(of[f"found{at}"].sum(axis=1), total),
            f"recall{at}_macro": _mean(each[f"recall{at}"]),
            f"recall{at}_global": _ratio(of[f"kept{at}"].sum(axis=1), total),
            f"recall{at}_oracle": _ratio(of[f"oracle{at}"].sum(axis=1), total),
            f"precision{at}": _ratio(of[f"found{at}"].sum(axis=1), of[f"said{at}"].sum(axis=1)),
            f"precision{at}_global": _ratio(of[f"kept{at}"].sum(axis=1), of[f"sure{at}"].sum(axis=1)),
        }
    return figures


def _of_classes(of: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Figures (d, K) of each class, NaN where a class has none."""
    there, answered, right = of["there"], of["answered"], of["right"]
    found = {
        "precision": _ratio(right, answered),
        "recall": _ratio(right, there),
        "f1": _ratio(2 * right, there + answered),
    }
    for at in _points(of):
        found[f"recall{at}"] = _ratio(of[f"found{at}"], there)
        found[f"precision{at}"] = _ratio(of[f"found{at}"], of[f"said{at}"])
    return found


def _points(of: dict[str, np.ndarray]) -> Sequence[str]:
    return [name.removeprefix("said") for name in of if name.startswith("said")]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the classes that have a value."""
    has = ~np.isnan(values)
    return _ratio(np.where(has, values, 0.0).sum(axis=1), has.sum(axis=1).astype(float))
