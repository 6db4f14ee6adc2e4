"""A study's figures: means over seeds, intervals over products, paired differences, and the tables of them."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from natviews.evaluation import means_with_intervals
from natviews.files import whole_file
from natviews.studies.answers import FEATURES, HEAD, PROBE, Answers, Judged, Kind
from natviews.types import Metric

COLUMNS = ("row", "kind", "name", "value", "low", "high", "lowest", "highest", "seeds", "n")
SPOKEN = {"recall@1": "Recall@1", "map@r": "MAP@R", "auc": "AUC"}
DECIDES = "map@r"


@dataclass(frozen=True)
class Figure:
    """A metric over several seeds: its value is their mean and its interval resamples products within that mean;
    `lowest` and `highest` are single seeds'."""

    metric: Metric
    kind: str
    lowest: float
    highest: float
    seeds: int

    def plain(self) -> dict[str, str | float | int]:
        """As in the JSON and CSV files: the keys are COLUMNS."""
        values = asdict(self.metric) | asdict(self)
        return {name: values[name] for name in COLUMNS}


@dataclass(frozen=True)
class Row:
    """A row of the tables: its figures, and how long training took and when the kept encoder was made, in the
    mean over seeds (see `Judged`)."""

    name: str
    figures: dict[Kind, Figure]
    seconds: float
    kept: float


@dataclass(frozen=True)
class Difference:
    """What natural views gain over augmented ones with one method, paired by query, at the same seeds."""

    name: str
    figures: dict[Kind, Figure]

    def verdict(self, kind: str) -> str:
        """Whether MAP@R says that natural views are better: `yes`, `no` (worse) or `not shown`."""
        metric = self.figures[kind, DECIDES].metric
        return "not shown" if not metric.excludes_zero else "yes" if metric.value > 0 else "no"


def row_of(name: str, judged: Sequence[Judged]) -> Row:
    """The row of one or several seeds, with the figures that all of them have."""
    shared = [kind for kind in judged[0].answers if all(kind in seed.answers for seed in judged)]
    figures = {kind: _figure(name, kind, [seed.answers[kind] for seed in judged]) for kind in shared}
    seconds, kept = (float(np.mean([getattr(seed, part) for seed in judged])) for part in ("seconds", "kept"))
    return Row(name, figures, seconds, kept)


def difference_of(name: str, natural: Sequence[Judged], augmented: Sequence[Judged]) -> Difference:
    """Natural minus augmented, query by query; the two have the same seeds in the same order."""
    figures = {}
    for kind in natural[0].answers:
        pairs = [(one.answers[kind], other.answers[kind]) for one, other in zip(natural, augmented, strict=True)]
        figures[kind] = _figure(f"{name}: natural-augmented", kind, [_minus(*pair) for pair in pairs])
    return Difference(name, figures)


def _minus(one: Answers, other: Answers) -> Answers:
    if not np.array_equal(one.photos, other.photos):
        raise ValueError("the two were not asked the same queries")
    return Answers(one.photos, one.products, one.values - other.values)


def _figure(row: str, kind: Kind, seeds: Sequence[Answers]) -> Figure:
    if not all(np.array_equal(seed.photos, seeds[0].photos) for seed in seeds):
        raise ValueError(f"the seeds of {row} were not asked the same queries")
    values = np.stack([seed.values for seed in seeds])  # (S, Q)
    [metric] = means_with_intervals({kind[1]: values.mean(axis=0)}, seeds[0].products, row=row)
    means = values.mean(axis=1).tolist()
    return Figure(metric, kind[0], min(means), max(means), len(seeds))


@dataclass(frozen=True)
class Study:
    """What a study found. `said` are the sentences above the tables, `failed` names a cell that could not be
    trained and says why."""

    title: str
    command: str
    said: str
    rows: list[Row]
    differences: list[Difference]
    failed: dict[str, str]

    def figures(self) -> list[Figure]:
        """All of them: the rows', then the differences'."""
        tables: list[Row | Difference] = [*self.rows, *self.differences]
        return [figure for row in tables for figure in row.figures.values()]

    def write(self, out: Path, name: str) -> Path:
        """Writes `name`.json, .csv and .md; returns the last."""
        document = {
            "command": self.command,
            "figures": [figure.plain() for figure in self.figures()],
            "training": {row.name: {"seconds": row.seconds, "kept": row.kept} for row in self.rows},
            "verdicts": {
                difference.name: {kind: difference.verdict(kind) for kind in (FEATURES, HEAD)}
                for difference in self.differences
            },
            "failed": self.failed,
        }
        with whole_file(out / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")
        with whole_file(out / f"{name}.csv") as temporary:
            write_figures(temporary, self.figures())
        with whole_file(out / f"{name}.md") as temporary:
            temporary.write_text(self.page(), encoding="utf-8")
        return out / f"{name}.md"

    def page(self) -> str:
        """The tables as Markdown."""
        attributes = [kind for kind in self.rows[0].figures if kind[0] == PROBE]
        parts = [f"# {self.title}", self.said, f"```sh\n{self.command}\n```"]
        for heading, kind in (("Features", FEATURES), ("Through the closed-form head", HEAD)):
            wanted = [(kind, name) for name in SPOKEN]
            parts += [f"## {heading}: the other photos of a product", table(_lines(self.rows, wanted))]
        if attributes:
            parts += ["## Linear probes: accuracy", table(_lines(self.rows, attributes))]
        if self.differences:
            parts.append("## Natural minus augmented, paired by query")
            for heading, wanted, decided in (
                ("Features:", [(FEATURES, name) for name in SPOKEN], FEATURES),
                ("Through the head:", [(HEAD, name) for name in SPOKEN], HEAD),
                ("Linear probes:", attributes, ""),
            ):
                if wanted:
                    parts += [heading, table(_lines(self.differences, wanted, decided, sign="+"))]
        training = [["row", "seconds", "kept after"]] + [
            [row.name, f"{row.seconds:.0f}", f"{row.kept:.0%}"] for row in self.rows if row.seconds
        ]
        parts += ["## Training", KEPT, table(training)]
        if self.failed:
            parts += ["## Not trained", "\n".join(f"- {cell}: {reason}" for cell, reason in self.failed.items())]
        return "\n\n".join(parts) + "\n"


def write_figures(path: Path, figures: Sequence[Figure]) -> None:
    """Writes figures as CSV, the columns COLUMNS."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(figure.plain() for figure in figures)


KEPT = (
    "Seconds of training steps, and the share of training after which the encoder that is judged was made: the "
    "best of those measured on `val`; 0 %: none was better than the untrained one. Means over seeds."
)


def _lines(
    rows: Sequence[Row | Difference], wanted: Sequence[Kind], decided: str = "", sign: str = ""
) -> list[list[str]]:
    """A table's cells, the heading first; with `decided` differences end with a verdict."""
    lines = [["", *(SPOKEN.get(name, name) for _, name in wanted)] + (["natural better?"] if decided else [])]
    for row in rows:
        verdict = [row.verdict(decided)] if decided and isinstance(row, Difference) else []
        lines.append([row.name, *(said_figure(row.figures, kind, sign) for kind in wanted), *verdict])
    return lines


def said_figure(figures: Mapping[Kind, Figure], kind: Kind, sign: str) -> str:
    """A figure as the tables say it, '' where it was not measured: interval, then lowest and highest seed."""
    if kind not in figures:
        return ""
    figure = figures[kind]
    metric = figure.metric
    said = f"{metric.value:{sign}.3f} [{metric.low:{sign}.3f}, {metric.high:{sign}.3f}]"
    return said + (f" ({figure.lowest:{sign}.3f} to {figure.highest:{sign}.3f})" if figure.seeds > 1 else "")


def table(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown from the cells of its lines, the heading first."""
    heading, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([heading, f"|{'---|' * len(lines[0])}", *rest])
