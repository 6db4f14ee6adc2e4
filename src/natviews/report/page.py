"""The report's page: one HTML file that needs nothing else, written for whoever looks after the shop."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from natviews.files import whole_file
from natviews.report.colour_shares import Share, shares_of
from natviews.report.curves import training_charts
from natviews.report.drawing import data_uri
from natviews.report.embedding_map import map_drawing
from natviews.report.kinds import kind_panels
from natviews.report.panels import panel_drawings
from natviews.report.plots import interval_plot
from natviews.report.quadrants import quadrant_drawings, similarity_legend
from natviews.report.report import VERDICT_METRICS, Cluster, Report, write_metrics
from natviews.report.saliency_figure import saliency_figure
from natviews.report.tables import mark, photos_per_product, product_types, table_of
from natviews.report.words import HEADLINES, MEANINGS, NAMES, ROW_NOTES, SIGNS, SPLIT_NAMES
from natviews.types import Metric

SHOWN_TYPES = 12
SHOWN_BAD_PHOTOS = 50
LONG_FACT = 200
"""Characters from which a fact is folded away."""


@dataclass(frozen=True)
class Verdict:
    """What a slice shows: `outcome` is a key of HEADLINES."""

    slice: str
    outcome: str
    text: str


def write_report(report: Report, folder: Path) -> Path:
    """Writes `metrics.json`, `report.html` and, where the report has them, `queries.parquet`; the page's path."""
    write_metrics(report.metrics, folder / "metrics.json")
    if report.queries:
        report.queries.write(folder)
    with whole_file(folder / "report.html") as temporary:
        temporary.write_text(page(report), encoding="utf-8")
    return folder / "report.html"


def page(report: Report) -> str:
    """The report as an HTML page. Photos, drawings and styles are inside it; it asks for nothing."""
    parts = _parts(report)
    first = next(iter(parts))
    types = product_types(report.statistics)
    return rendered(
        "report.html.j2",
        report=report,
        title=report.title,
        facts=report.facts,
        plainly=plainly(parts[first], first),
        verdicts=[
            Verdict(name, part.outcome(name), part.verdict(name))
            for name, part in parts.items()
            if name == first or part.differences(name)
        ],
        tables=[table_of(part, name) for name, part in parts.items() if part.metrics],
        panels=_panels(parts[first], first),
        curves=training_charts(report.curves),
        drawings=quadrant_drawings(report.quadrants),
        legend=similarity_legend(),
        map=map_drawing(report.map) if report.map else None,
        clusters=_clusters(report.clusters),
        saliency=_saliency(report),
        robustness=_robustness(report.robustness),
        per_product=photos_per_product(report.statistics),
        types=types[:SHOWN_TYPES],
        more_types=max(0, len(types) - SHOWN_TYPES),
        bad=report.quarantine[:SHOWN_BAD_PHOTOS],
        more_bad=max(0, len(report.quarantine) - SHOWN_BAD_PHOTOS),
    )


def rendered(template: str, **said: Any) -> str:
    """A page made of a template of this package."""
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"picture": data_uri, "mark": mark, "is_long": _is_long}
    environment.globals |= {"NAMES": NAMES, "MEANINGS": MEANINGS, "ROW_NOTES": ROW_NOTES, "SIGNS": SIGNS}
    environment.globals |= {"HEADLINES": HEADLINES, "SPLIT_NAMES": SPLIT_NAMES}
    text = environment.get_template(template).render(**said)
    # A path may hold bytes that are no text (lone surrogates), which could not be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_long(text: str) -> bool:
    return len(text) > LONG_FACT or "\n" in text


def _clusters(clusters: list[Cluster]) -> list[tuple[Cluster, list[Share], str]]:
    """Each cluster with its bar of colours and its most frequent style, '' where none is known."""
    order = list(clusters[0].colours) if clusters else []
    return [(cluster, shares_of(cluster, order), _style(cluster)) for cluster in clusters]


def _style(cluster: Cluster) -> str:
    if not cluster.styles:
        return ""
    name, count = next(iter(cluster.styles.items()))  # the most frequent comes first
    return f"most often {name}, {100 * count / sum(cluster.styles.values()):.0f}\N{NO-BREAK SPACE}%"


def _saliency(report: Report) -> list[Markup]:
    strongest = max((float(abs(found.fall).max()) for found in report.saliency), default=0.0)
    return [saliency_figure(found, strongest) for found in report.saliency]


def _robustness(metrics: list[Metric]) -> tuple[Markup, list[Markup]] | None:
    """The key and a drawing for each kind of disturbance; None where no kind was measured."""
    panels = kind_panels(metrics)
    return panel_drawings(panels) if panels else None


def plainly(report: Report, slice: str) -> str:
    """The headline figure in a sentence, or '' where there is none."""
    trained = report.metric("trained", "recall@1", slice)
    baseline = report.strongest_baseline("recall@1", slice)
    if trained is None:
        return ""
    share = _percent(trained.value)
    said = f"After training, {share} of the photos find another photo of their product first"
    if baseline is None:
        return f"{said}."
    return f"{said}; with the best other method ({baseline.row}), {_percent(baseline.value)}."


def _percent(share: float) -> str:
    return f"{share * 100:.1f}\N{NO-BREAK SPACE}%"


def _parts(report: Report) -> dict[str, Report]:
    """The report of each slice, `all` first: a report looks a figure up among all it has."""
    slices = sorted(report.slices, key=lambda name: name != "all") or ["all"]
    metrics: dict[str, list[Metric]] = {name: [] for name in slices}
    for metric in report.metrics:
        metrics[metric.slice].append(metric)
    return {name: replace(report, metrics=metrics[name]) for name in slices}


def _panels(part: Report, slice: str) -> list[Markup]:
    """The headline figures, one drawing each."""
    drawings = []
    for name in VERDICT_METRICS:
        metrics = [m for row in part.rows if (m := part.metric(row, name, slice))]
        if metrics:
            drawings.append(interval_plot(NAMES[name], metrics))
    return drawings
