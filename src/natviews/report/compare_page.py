"""The page that shows runs side by side: one HTML file that needs nothing else."""

from pathlib import Path

from natviews.files import whole_file
from natviews.report.compare import CHOSEN_BY, Comparison
from natviews.report.page import rendered
from natviews.report.plots import interval_plot
from natviews.report.report import VERDICT_METRICS, write_metrics
from natviews.report.tables import Line, columns_of
from natviews.report.words import NAMES


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Writes `metrics.json` and `compare.html`, and returns the page's path."""
    write_metrics(comparison.metrics, folder / "metrics.json")
    with whole_file(folder / "compare.html") as temporary:
        temporary.write_text(comparison_page(comparison), encoding="utf-8")
    return folder / "compare.html"


def comparison_page(comparison: Comparison) -> str:
    """The comparison as an HTML page."""
    columns = columns_of(comparison.metrics)
    best, runs = comparison.ranked[0], comparison.runs

    def line(row: str) -> Line:
        return Line(row, [comparison.metric(row, name) for name in columns])

    return rendered(
        "compare.html.j2",
        title=comparison.title,
        comparison=comparison,
        chosen_by=NAMES[CHOSEN_BY],
        best=best,
        columns=columns,
        panels=[
            interval_plot(NAMES[name], [m for run in runs if (m := comparison.metric(run, name))], emphasised=best)
            for name in VERDICT_METRICS
        ],
        lines=[line(run) for run in runs],
        differences=[line(row) for row in comparison.differences],
    )
