"""The report: figures that convince, with their intervals, and the failures as pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from natviews.catalog import Quarantined, Statistics
from natviews.files import whole_file
from natviews.types import Metric

VERDICT_METRICS = ("recall@1", "recall@5", "map@r")
SPOKEN = {"recall@1": "Recall@1", "recall@5": "Recall@5", "map@r": "MAP@R"}


@dataclass(frozen=True)
class Shown:
    """A photo as a report shows it: `picture` (H, W, 3) uint8, small."""

    id: str
    product_id: str
    picture: np.ndarray


@dataclass(frozen=True)
class Example:
    """A query and what it found first: `right` says which of `found` are of its product, `scores` fall."""

    query: Shown
    found: list[Shown]
    right: list[bool]
    scores: list[float]
    average_precision: float


@dataclass(frozen=True)
class Quadrants:
    """Four products with some photos each: `photos` (in the products' order, all of one product together),
    and how similar they are (P, P) before and after training: 0 is the mean cosine of photos of different
    products and 1 is a standard deviation more, so that both networks stand on one scale.
    """

    photos: list[Shown]
    before: np.ndarray
    after: np.ndarray
    before_row: str


@dataclass(frozen=True)
class Report:
    """What an evaluation found. `curves` are a run's log entries; `facts` say what was evaluated and how."""

    title: str
    metrics: list[Metric]
    statistics: Statistics
    quarantine: list[Quarantined] = field(default_factory=list)
    curves: list[dict[str, float]] = field(default_factory=list)
    quadrants: Quadrants | None = None
    best: list[Example] = field(default_factory=list)
    worst: list[Example] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[str]:
        """Whose figures there are, differences left out, in the order of the report."""
        differences = {name for name in (m.row for m in self.metrics) if self._is_difference(name)}
        return list(dict.fromkeys(m.row for m in self.metrics if m.row not in differences))

    @staticmethod
    def _is_difference(row: str) -> bool:
        return row.startswith("trained-")

    @property
    def slices(self) -> list[str]:
        return list(dict.fromkeys(m.slice for m in self.metrics))

    def metric(self, row: str, name: str, slice: str = "all") -> Metric | None:
        """One figure, or None where it was not measured."""
        wanted = (row, name, slice)
        return next((m for m in self.metrics if (m.row, m.name, m.slice) == wanted), None)

    def strongest_baseline(self, name: str, slice: str = "all") -> Metric | None:
        """The best of the rows that were not trained here."""
        baselines = [self.metric(row, name, slice) for row in self.rows if not row.startswith("trained")]
        return max((m for m in baselines if m), key=lambda m: m.value, default=None)

    def differences(self, slice: str = "all") -> dict[Metric, str]:
        """Trained minus the strongest baseline, at each headline figure -> the baseline's name."""
        found = {}
        for name in VERDICT_METRICS:
            baseline = self.strongest_baseline(name, slice)
            difference = self.metric(f"trained-{baseline.row}", name, slice) if baseline else None
            if baseline and difference:
                found[difference] = baseline.row
        return found

    def outcome(self, slice: str = "all") -> str:
        """`won`, `lost`, `mixed`, `unclear` (no interval excludes zero) or `none` (nothing to compare with)."""
        differences = self.differences(slice)
        told = {difference.value > 0 for difference in differences if difference.excludes_zero}
        if len(told) == 2:
            return "mixed"
        return ("won" if told.pop() else "lost") if told else "unclear" if differences else "none"

    def verdict(self, slice: str = "all") -> str:
        """Whether training beat the best of the baselines, in sentences, with paired intervals."""
        openings: dict[str, list[str]] = {
            "Training beat the best baseline": [],
            "Training made it worse than the best baseline": [],
            "No difference can be told": [],
        }
        better, worse, unclear = openings.values()
        for difference, baseline in self.differences(slice).items():
            said = (
                f"{SPOKEN[difference.name]} {difference.value:+.3f} "
                f"[{difference.low:+.3f}, {difference.high:+.3f}] against {baseline}"
            )
            (unclear if not difference.excludes_zero else better if difference.value > 0 else worse).append(said)
        sentences = [f"{opening}: {'; '.join(said)}." for opening, said in openings.items() if said]
        return " ".join(sentences) or "There is no baseline to compare with."


def write_metrics(metrics: Sequence[Metric], path: Path) -> None:
    """Writes figures as JSON: a list of objects with row, name, slice, value, low, high and n."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps([asdict(m) for m in metrics], indent=1), encoding="utf-8")
