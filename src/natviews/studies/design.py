"""The studies of the sources: what each declares, how it is carried out, and what it writes."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from natviews.catalog import Catalog, pack, with_split
from natviews.encoders import stored_size
from natviews.files import whole_file
from natviews.report.panels import Panel, panels_figure
from natviews.studies.answers import Judged, Kind
from natviews.studies.asked import Asked
from natviews.studies.cells import Cell, can_be_probed, check_natural_views, finish_all
from natviews.studies.expected import MISSING, VERDICT_COLUMNS, Expected, Rows, Side, Verdict, verdicts
from natviews.studies.tables import KEPT, Row, row_of, said_figure, table, write_figures
from natviews.types import NatviewsError

PACKED_AT = 48


@dataclass(frozen=True)
class Table:
    """A table of the page: rows by figures, `columns` maps a heading to what is measured. Rows without any of
    the figures are left out; `rows` none are all."""

    heading: str
    said: str
    columns: Mapping[str, Kind]
    rows: Sequence[str] = ()


@dataclass(frozen=True)
class Drawing:
    """A figure of the page, `NAME.svg`: panels of lines through places, each place one row's figure."""

    name: str
    title: str
    panels: Mapping[str, Mapping[str, Mapping[str, Side]]]


@dataclass(frozen=True)
class Design:
    """What a study declares: its cells, tables, figures and expected orderings; `derived` makes further rows from
    what the cells were judged to be."""

    name: str
    title: str
    said: str
    cells: Sequence[Cell]
    tables: Sequence[Table]
    drawings: Sequence[Drawing]
    expected: Sequence[Expected]
    derived: Callable[[Rows], Rows] | None = None


@dataclass
class Found:
    """What a study found. `notes` are further parts of the page, `measured` what they say as plain values."""

    design: Design
    asked: Asked
    judged: Rows
    failed: Mapping[str, str]
    verdicts: list[Verdict]
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        return [row_of(name, list(of_seed.values())) for name, of_seed in self.judged.items()]

    def write(self, out: Path) -> Path:
        """Writes NAME.json, .csv and .md, NAME-verdicts.csv and the figures; returns the page's path."""
        name, rows = self.design.name, self.rows
        figures = [figure for row in rows for figure in row.figures.values()]
        document = {
            "command": self.asked.command,
            "figures": [figure.plain() for figure in figures],
            "training": {row.name: {"seconds": row.seconds, "kept": row.kept} for row in rows},
            "verdicts": [verdict.plain() for verdict in self.verdicts],
            "measured": self.measured,
            "failed": dict(self.failed),
        }
        _write(out / f"{name}.json", json.dumps(document, indent=2))
        with whole_file(out / f"{name}.csv") as temporary:
            write_figures(temporary, figures)
        with (
            whole_file(out / f"{name}-verdicts.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, VERDICT_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(verdict.plain() for verdict in self.verdicts)
        drawn = [drawing.name for drawing in self.design.drawings if self._draw(drawing, rows, out)]
        _write(out / f"{name}.md", self.page(rows, drawn))
        return out / f"{name}.md"

    def _draw(self, drawing: Drawing, rows: Sequence[Row], out: Path) -> bool:
        """Whether there was anything to draw."""
        of_row = {row.name: row.figures for row in rows}
        panels = []
        for title, lines in drawing.panels.items():
            known = {
                line: {
                    place: of_row[side.row][side.kind].metric
                    for place, side in places.items()
                    if side.kind in of_row.get(side.row, {})
                }
                for line, places in lines.items()
            }
            whole = [
                place for place in next(iter(lines.values())) if all(place in each for each in known.values())
            ]
            if whole:
                panels.append(
                    Panel(title, whole, {line: [each[p] for p in whole] for line, each in known.items()})
                )
        if panels:
            _write(out / f"{self.design.name}-{drawing.name}.svg", panels_figure(drawing.title, panels))
        return bool(panels)

    def page(self, rows: Sequence[Row], drawn: Sequence[str]) -> str:
        """All of it as Markdown: verdicts first."""
        design = self.design
        parts = [f"# {design.title}", design.said, f"```sh\n{self.asked.command}\n```"]
        parts += ["## What was expected, and what came of it", VERDICTS, table(_verdict_lines(self.verdicts))]
        for each in design.tables:
            lines = _lines(each, rows)
            parts += [f"## {each.heading}", *([each.said] if each.said else []), table(lines)] if lines else []
        parts += [f"![{d.title}]({design.name}-{d.name}.svg)" for d in design.drawings if d.name in drawn]
        parts += self.notes
        training = [["row", "seconds", "kept after"]] + [
            [row.name, f"{row.seconds:.0f}", f"{row.kept:.0%}"] for row in rows if row.seconds
        ]
        parts += ["## Training", KEPT, table(training)]
        if missing := _missing_lines(self.verdicts, self.judged):
            parts += ["## Not measured", "\n".join(missing)]
        if self.failed:
            parts += ["## Not trained", "\n".join(f"- {cell}: {reason}" for cell, reason in self.failed.items())]
        return "\n\n".join(parts) + "\n"


VERDICTS = (
    "*Holds*: the whole 95 % interval of the paired difference, which resamples products within the mean over "
    "seeds, and every single seed lie above the margin (0 where none is said); *does not hold*: all lie below it; "
    "*not shown*: anything between. How sure each was beforehand: high, medium, low; *claimed*: a source "
    "says so. In round brackets the lowest and the highest seed."
)


def _verdict_lines(found: Sequence[Verdict]) -> list[list[str]]:
    lines = [["expected", "confidence", "difference", "verdict"]]
    for verdict in found:
        if verdict.word == MISSING:  # the end of the page says so
            continue
        said, metric = verdict.expected.said, verdict.difference
        said += f" (margin {verdict.expected.margin:+g})" if verdict.expected.margin else ""
        shown = "" if metric is None else f"{metric.value:+.3f} [{metric.low:+.3f}, {metric.high:+.3f}]"
        if len(verdict.seeds) > 1:
            shown += f" ({min(verdict.seeds):+.3f} to {max(verdict.seeds):+.3f})"
        lines.append([said, verdict.expected.confidence, shown, f"**{verdict.word}**"])
    return lines


def _missing_lines(found: Sequence[Verdict], judged: Rows) -> list[str]:
    """What was expected and could not be measured, and the rows that it needs and that are not there."""
    lines = []
    for expected in (verdict.expected for verdict in found if verdict.word == MISSING):
        absent = dict.fromkeys(s.row for s in (*expected.more, *expected.less) if s.row not in judged)
        reason = ", ".join(f"there is no row *{row}*" for row in absent) or "its figures were not taken"
        lines.append(f"- {expected.said}: {reason}")
    return lines


def _lines(wanted: Table, rows: Sequence[Row]) -> list[list[str]]:
    """A table's cells, the heading first; none where no row has any of its figures."""
    chosen = [row for row in rows if not wanted.rows or row.name in wanted.rows]
    has = [row for row in chosen if any(kind in row.figures for kind in wanted.columns.values())]
    columns = {name: kind for name, kind in wanted.columns.items() if any(kind in row.figures for row in has)}
    lines = [["", *columns]]
    for row in has:
        lines.append([row.name, *(said_figure(row.figures, kind, "") for kind in columns.values())])
    return lines if has else []


def ready(catalog: Catalog, asked: Asked) -> Catalog:
    """The catalogue with splits and groups. Raises NatviewsError where there is nothing to learn from or to judge,
    or an attribute cannot be probed."""
    catalog = with_split(pack(catalog, stored_size(PACKED_AT))).catalog
    check_natural_views(catalog)
    for name in asked.attributes:
        if not can_be_probed(catalog, name):
            raise NatviewsError(
                f"{name!r} cannot be probed: it must be a column with two values in train and one in val and test."
            )
    return catalog


def carry_out(design: Design, catalog: Catalog, out: Path, asked: Asked) -> Found:
    """Trains and judges every cell; run again it continues."""
    judged, failed = finish_all(design.cells, catalog, out, workers=asked.workers)
    rows: dict[str, dict[int, Judged]] = {}
    for cell in design.cells:
        if cell in judged:
            rows.setdefault(cell.row, {})[cell.seed] = judged[cell]
    reasons = {f"{cell.row}, seed {cell.seed}": reason for cell, reason in failed.items()}
    every: Rows = rows if design.derived is None else {**rows, **design.derived(rows)}
    return Found(design, asked, every, reasons, verdicts(design.expected, every))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
