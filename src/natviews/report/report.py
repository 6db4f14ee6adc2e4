"""The report: figures that convince, with their intervals, and the failures as pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from natviews.catalog import Quarantined, Statistics
from natviews.files import whole_file
from natviews.types import Metric, NatviewsError

if TYPE_CHECKING:
    from natviews.report.queries import Queries

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
class EmbeddingMap:
    """Photos in the plane, those that are alike near each other: `places` (M, 2) from 0 to 1 of `photos`, the
    product `types` (M,) of each ('' where it has none), how the places were `made`, and the `total` of photos that
    these were drawn from."""

    places: np.ndarray
    photos: list[Shown]
    types: list[str]
    made: str
    total: int


@dataclass(frozen=True)
class Cluster:
    """`count` photos that lie together, some of them `shown`; how many are of each colour and of each style, the
    most frequent first, photos of which it is not known left out."""

    count: int
    shown: list[Shown]
    colours: dict[str, int]
    styles: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Saliency:
    """Which parts of `photo` hold up its `similarity` to `other`, another photo of its product: `fall` (G, G)
    is by how much it falls when a part is covered (below 0: it rises). `window` is what the encoder sees of the
    photo: left, top, right and bottom as shares of its sides."""

    photo: Shown
    other: Shown
    similarity: float
    fall: np.ndarray
    window: tuple[float, float, float, float]


@dataclass(frozen=True)
class Report:
    """What an evaluation found. `curves` are a run's log entries; `facts` say what was evaluated and how;
    `middle` are answers of the usual kind; `clusters` begin with all photos together, to compare with;
    `robustness` are the figures of a judgement of robustness that lies in the run's folder."""

    title: str
    metrics: list[Metric]
    statistics: Statistics
    quarantine: list[Quarantined] = field(default_factory=list)
    curves: list[dict[str, float]] = field(default_factory=list)
    quadrants: Quadrants | None = None
    best: list[Example] = field(default_factory=list)
    worst: list[Example] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    middle: list[Example] = field(default_factory=list)
    map: EmbeddingMap | None = None
    clusters: list[Cluster] = field(default_factory=list)
    saliency: list[Saliency] = field(default_factory=list)
    robustness: list[Metric] = field(default_factory=list)
    queries: "Queries | None" = None

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


def read_metrics(path: Path) -> list[Metric]:
    """The figures that `write_metrics` wrote. Raises NatviewsError where the file is damaged."""
    try:
        return [Metric(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise NatviewsError(f"{path} holds no figures: {' '.join(str(error).split())}") from None
