"""What probes say of attributes: figures of every row, and of every class."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from natviews.files import whole_file
from natviews.report.report import write_metrics
from natviews.types import Metric

if TYPE_CHECKING:  # it loads scikit-learn, and a search that prints must not wait for that
    from natviews.evaluation import ClassFigures

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "recall@90", "recall@95")
AT = (90, 95)
OF_A_CLASS = ("precision", "recall", "f1", "recall@90", "precision@90", "recall@95", "precision@95")


@dataclass(frozen=True)
class OfClass:
    """The figures of one class, and whose they are: a probe's on a row's vectors, of an attribute."""

    attribute: str
    probe: str
    row: str
    figures: "ClassFigures"


@dataclass(frozen=True)
class AttributeReport:
    """`metrics` are named `PROBE_FIGURE`, their slices are attributes; differences are paired, photo by photo."""

    metrics: list[Metric]
    classes: list[OfClass]
    probes: Sequence[str]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def attributes(self) -> list[str]:
        return list(dict.fromkeys(metric.slice for metric in self.metrics))

    def metric(self, row: str, name: str, attribute: str) -> Metric | None:
        """One figure, or None where it is not defined."""
        wanted = (row, name, attribute)
        return next((m for m in self.metrics if (m.row, m.name, m.slice) == wanted), None)

    def lines(self, attribute: str, names: Sequence[str]) -> list[tuple[str, list[str]]]:
        """A table's lines: each row, then each difference, with a figure for each name."""
        rows = dict.fromkeys(m.row for m in self.metrics if m.slice == attribute)
        return [(row, [as_text(self.metric(row, name, attribute)) for name in names]) for row in rows]

    def markdown(self) -> str:
        """A table for each attribute and probe."""
        parts = []
        for attribute in self.attributes:
            for probe in self.probes:
                names = [f"{probe}_{name}" for name in HEADLINES]
                photos = max(m.n for m in self.metrics if m.slice == attribute and m.name == names[0])
                lines = [f"| {attribute}, {probe}, {photos:,} photos | {' | '.join(HEADLINES)} |"]
                lines.append("|---|" + "---|" * len(HEADLINES))
                lines += [f"| {row} | {' | '.join(cells)} |" for row, cells in self.lines(attribute, names)]
                parts.append("\n".join(lines))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> Path:
        """Writes `metrics.json` and `classes.csv`, and returns the latter's path."""
        write_metrics(self.metrics, folder / "metrics.json")
        with (
            whole_file(folder / "classes.csv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            limits = [f"threshold@{at}" for at in AT]
            columns = [part for name in OF_A_CLASS for part in (name, f"{name}_low", f"{name}_high")]
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["attribute", "probe", "row", "class", "val", "test", *limits, *columns])
            writer.writerows(_line(each) for each in self.classes)
        return folder / "classes.csv"


def as_text(metric: Metric | None) -> str:
    """.123 [.100, .150], with signs where it is a difference; nothing where it is not defined."""
    if metric is None:
        return ""
    sign = "+" if "-" in metric.row else ""
    value, low, high = (f"{x:{sign}.3f}".replace("0.", ".", 1) for x in (metric.value, metric.low, metric.high))
    return f"{value} [{low}, {high}]"


def _line(each: OfClass) -> list[str]:
    of = each.figures
    bounds: list[str] = []
    for name in OF_A_CLASS:
        metric = of.figures.get(name)
        bounds += [f"{x:.6g}" for x in (metric.value, metric.low, metric.high)] if metric else ["", "", ""]
    limits = [f"{of.thresholds[at / 100]:.6g}" for at in AT]
    return [each.attribute, each.probe, each.row, of.name, str(of.val), str(of.test), *limits, *bounds]
