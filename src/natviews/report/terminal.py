"""What a terminal shows: tables for people, or JSON for programs."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from natviews.catalog import Quarantined, Statistics
from natviews.report.attributes import HEADLINES, AttributeReport
from natviews.report.report import SPOKEN, VERDICT_METRICS, Report
from natviews.types import Matches

if TYPE_CHECKING:
    from natviews.report.compare import Comparison

OUT = Console() if sys.stdout.isatty() else Console(width=120)  # a log has room for whole rows


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def print_report(report: Report) -> None:
    """The headline figures of each slice with their intervals, and the verdict."""
    for slice in report.slices:
        queries = next(m.n for m in report.metrics if m.slice == slice)
        table = Table(title=f"{slice}: {queries} queries", title_justify="left")
        measured = dict.fromkeys(m.name for m in report.metrics if m.slice == slice)
        if not set(VERDICT_METRICS) <= set(measured):
            OUT.print(_by_figure(report, slice, list(measured), table))
            continue
        table.add_column("")
        for name in VERDICT_METRICS:
            table.add_column(SPOKEN[name])
        for row in report.rows:
            if report.metric(row, VERDICT_METRICS[0], slice):
                table.add_row(row, *(str(report.metric(row, name, slice) or "") for name in VERDICT_METRICS))
        OUT.print(table)
        OUT.print(report.verdict(slice), highlight=False)


def print_comparison(comparison: "Comparison") -> None:
    """The headline figures of each run, the paired differences, and which run is best."""
    for heading, rows in (("", comparison.runs), ("paired differences", comparison.differences)):
        table = Table(heading, *(SPOKEN[name] for name in VERDICT_METRICS))
        for row in rows:
            table.add_row(row, *(str(comparison.metric(row, name) or "") for name in VERDICT_METRICS))
        OUT.print(table)
    for run, gain in comparison.gains.items():
        OUT.print(f"{run}: {SPOKEN[gain.name]} {gain} over {comparison.baselines[run].row}", highlight=False)
    OUT.print(comparison.verdict(), highlight=False)


def print_attributes(report: AttributeReport) -> None:
    """The headline figures of each attribute and probe with their intervals, and the paired differences."""
    for attribute in report.attributes:
        for probe in report.probes:
            table = Table(title=f"{attribute}, {probe} probe", title_justify="left")
            for heading in ("", *HEADLINES):
                table.add_column(heading)
            for row, cells in report.lines(attribute, [f"{probe}_{name}" for name in HEADLINES]):
                table.add_row(row, *cells)
            OUT.print(table)


def _by_figure(report: Report, slice: str, names: list[str], table: Table) -> Table:
    """The table filled with a line for each figure: there are more of them than rows."""
    rows = list(dict.fromkeys(m.row for m in report.metrics if m.slice == slice))
    table.title = slice
    for column in ("", *rows):
        table.add_column(column)
    for name in names:
        values = [report.metric(row, name, slice) for row in rows]
        table.add_row(name, *(f"{metric.value:.2f}" if metric else "" for metric in values))
    return table


def print_statistics(
    statistics: Statistics, groups: int, copies: int, quarantine: list[Quarantined], as_json: bool
) -> None:
    """What a catalogue holds. `groups` of products share a near-identical photo, `copies` are within one."""
    if as_json:
        print_json(
            asdict(statistics)
            | {"near_identical_groups": groups, "near_copies_within": copies}
            | {"quarantined": [asdict(bad) for bad in quarantine]}
        )
        return
    table = Table(show_header=False)
    table.add_row("photos that can be used", str(statistics.photos))
    table.add_row("photos in quarantine", str(len(quarantine)))
    table.add_row("products", str(statistics.products))
    table.add_row("products with two or more photos", f"{statistics.share_with_two:.0%}")
    table.add_row("photos per product", _counts(statistics.photos_per_product))
    table.add_row("types", _counts({name or "(none)": n for name, n in statistics.types.items()}))
    table.add_row("splits", _counts(statistics.splits))
    table.add_row("groups of products with near-identical photos", str(groups))
    table.add_row("near-copies within a product", str(copies))
    OUT.print(table)


def _counts(counts: dict[Any, int], most: int = 12) -> str:
    shown = ", ".join(f"{name}: {count}" for name, count in list(counts.items())[:most])
    return shown + (f" and {len(counts) - most} more" if len(counts) > most else "")


def print_matches(matches: Matches, product_of: dict[str, str], as_json: bool) -> None:
    """What the first query found."""
    found = [
        {"rank": rank + 1, "score": round(float(score), 4), "product_id": product_of[match], "id": match}
        for rank, (match, score) in enumerate(zip(matches.ids[0].tolist(), matches.scores[0], strict=True))
        if match
    ]
    if as_json:
        print_json(found)
        return
    table = Table("rank", "score", "product", "photo")
    for entry in found:
        table.add_row(*(str(value) for value in entry.values()))
    OUT.print(table)
