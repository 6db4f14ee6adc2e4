"""The report's page: one HTML file that needs nothing else, written for whoever looks after the shop."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from natviews.catalog import Statistics
from natviews.files import whole_file
from natviews.report import figures
from natviews.report.report import VERDICT_METRICS, Quadrants, Report, Shown, write_metrics
from natviews.types import Metric

SHOWN_TYPES = 12
SHOWN_BAD_PHOTOS = 50
MOST_BARS = 10
"""Photos per product are counted one by one up to here, then together."""
LONG_FACT = 120
"""Characters from which a fact is folded away."""

NAMES = {
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "map@r": "MAP@R",
    "r_precision": "R-precision",
    "auc": "AUC",
    "within": "Within",
    "between": "Between",
    "gap": "Gap",
    "d_prime": "d'",
}
MEANINGS = {
    "Recall@k": "The share of photos that find another photo of their product among the first k results.",
    "MAP@R": "How well all the other photos of the product come first: 1 when nothing else is mixed in.",
    "R-precision": "A product with R other photos: the share of the first R results that are of that product.",
    "AUC": "How often another photo of the product is rated more similar than a photo of another product; "
    "0.5 is chance.",
    "Within, between": "The mean similarity of photos of the same product, and of different products. "
    "The wider apart the two, the easier to tell products from one another.",
    "Gap, d'": "Within less between, as it is and in standard deviations.",
    "Interval": "The range in which the figure lies with 95 % confidence, found by resampling products. "
    "A difference counts only when its interval leaves out zero.",
}
ROW_NOTES = {
    "histogram": "colours only, no network",
    "untrained": "the network with random weights",
    "frozen": "the network as it was before training",
    "frozen+whitening": "the same, with its vectors evened out",
    "trained, no head": "after training, without its last step",
    "trained": "after training on these photos",
}
HEADLINES = {
    "won": "Training helped",
    "lost": "Training made it worse",
    "mixed": "Better in part, worse in part",
    "unclear": "No difference can be told",
    "none": "Nothing to compare with",
}
SIGNS = {"better": "▲", "worse": "▼", "differs": "◆", "open": "○"}
SPLIT_NAMES = {"train": "photos to learn from", "val": "photos to choose by", "test": "photos to measure with"}
NO_DIRECTION = ("within", "between")
"""Figures of which neither more nor less is better by itself."""
HELD_OUT_CHARTS = {
    "Finding the product again": ("recall@1", "recall@5", "map@r"),
    "Similarity of photos": ("within", "between"),
}


@dataclass(frozen=True)
class Verdict:
    """What a slice shows: `outcome` is a key of HEADLINES."""

    slice: str
    outcome: str
    text: str


@dataclass(frozen=True)
class Line:
    """A row of a table of figures: a figure, or None where it was not measured, for each column."""

    row: str
    cells: list[Metric | None]

    @property
    def queries(self) -> str:
        counts = sorted({cell.n for cell in self.cells if cell})
        return " to ".join(f"{n:,}" for n in counts[:1] + counts[1:][-1:])


@dataclass(frozen=True)
class Table:
    """All figures of a slice, and the differences paired with them. `columns` are metrics' names."""

    slice: str
    columns: list[str]
    lines: list[Line]
    differences: list[Line]


@dataclass(frozen=True)
class Bar:
    """A named count with its `share` of the largest, from 0 to 1."""

    name: str
    count: int
    share: float


def write_report(report: Report, folder: Path) -> Path:
    """Writes `metrics.json` and `report.html`, and returns the page's path."""
    write_metrics(report.metrics, folder / "metrics.json")
    with whole_file(folder / "report.html") as temporary:
        temporary.write_text(page(report), encoding="utf-8")
    return folder / "report.html"


def page(report: Report) -> str:
    """The report as an HTML page. Photos, drawings and styles are inside it; it asks for nothing."""
    template = resources.files(__package__).joinpath("template.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    parts = _parts(report)
    first = next(iter(parts))
    types = product_types(report.statistics)
    text = environment.from_string(template).render(
        report=report,
        plainly=plainly(parts[first], first),
        verdicts=[
            Verdict(name, part.outcome(name), part.verdict(name))
            for name, part in parts.items()
            if name == first or part.differences(name)
        ],
        tables=[_table(part, name) for name, part in parts.items() if part.metrics],
        panels=_panels(parts[first], first),
        curves=_curves(report),
        drawings=_drawings(report.quadrants),
        legend=figures.similarity_legend(),
        per_product=photos_per_product(report.statistics),
        types=types[:SHOWN_TYPES],
        more_types=max(0, len(types) - SHOWN_TYPES),
        bad=report.quarantine[:SHOWN_BAD_PHOTOS],
        more_bad=max(0, len(report.quarantine) - SHOWN_BAD_PHOTOS),
        picture=figures.data_uri,
        mark=mark,
        is_long=lambda text: len(text) > LONG_FACT or "\n" in text,
        NAMES=NAMES,
        MEANINGS=MEANINGS,
        ROW_NOTES=ROW_NOTES,
        HEADLINES=HEADLINES,
        SIGNS=SIGNS,
        SPLIT_NAMES=SPLIT_NAMES,
    )
    # A path may hold bytes that are no text (lone surrogates), which could not be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


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


def mark(difference: Metric) -> str:
    """What a paired difference shows: `better`, `worse`, `differs` or, with zero in its interval, `open`."""
    if not difference.excludes_zero:
        return "open"
    if difference.name in NO_DIRECTION:
        return "differs"
    return "better" if difference.value > 0 else "worse"


def photos_per_product(statistics: Statistics) -> list[Bar]:
    """How many products have 1, 2, 3, ... photos; from MOST_BARS on, together."""
    counts: dict[str, int] = {}
    for photos, products in sorted(statistics.photos_per_product.items()):
        name = str(photos) if photos < MOST_BARS else f"{MOST_BARS}+"
        counts[name] = counts.get(name, 0) + products
    return _bars(counts)


def product_types(statistics: Statistics) -> list[Bar]:
    """The types by falling number of photos; none where the catalogue names no type."""
    if not any(statistics.types):
        return []
    ranked = sorted(statistics.types.items(), key=lambda item: -item[1])
    return _bars({name or "(no type)": count for name, count in ranked})


def _bars(counts: dict[str, int]) -> list[Bar]:
    most = max(counts.values(), default=0)
    return [Bar(name, count, count / most if most else 0.0) for name, count in counts.items()]


def _parts(report: Report) -> dict[str, Report]:
    """The report of each slice, `all` first: a report looks a figure up among all it has."""
    slices = sorted(report.slices, key=lambda name: name != "all") or ["all"]
    metrics: dict[str, list[Metric]] = {name: [] for name in slices}
    for metric in report.metrics:
        metrics[metric.slice].append(metric)
    return {name: replace(report, metrics=metrics[name]) for name in slices}


def _table(part: Report, slice: str) -> Table:
    measured = dict.fromkeys(m.name for m in part.metrics)
    columns = [name for name in NAMES if name in measured] + [name for name in measured if name not in NAMES]
    rows = part.rows
    paired = dict.fromkeys(m.row for m in part.metrics if m.row not in rows)

    def lines(names: Iterable[str]) -> list[Line]:
        return [Line(row, [part.metric(row, column, slice) for column in columns]) for row in names]

    return Table(slice, columns, lines(rows), lines(paired))


def _panels(part: Report, slice: str) -> list[Markup]:
    """The headline figures, one drawing each."""
    drawings = []
    for name in VERDICT_METRICS:
        metrics = [m for row in part.rows if (m := part.metric(row, name, slice))]
        if metrics:
            drawings.append(figures.interval_plot(NAMES[name], metrics))
    return drawings


def _curves(report: Report) -> list[tuple[str, Markup]]:
    """Headings and charts of what was logged: the loss over epochs, held-out figures over steps."""
    loss = _points(report, "epoch", "loss")
    charts = []
    if loss:
        series = [figures.Series("loss", figures.thinned(loss))]
        charts.append(("Loss", figures.line_chart("Loss over epochs", series, x_name="epoch")))
    for heading, names in HELD_OUT_CHARTS.items():
        measured = {name: _points(report, "step", f"held_out_{name}") for name in names}
        series = [figures.Series(NAMES[n], figures.thinned(points)) for n, points in measured.items() if points]
        if series:
            charts.append((heading, figures.line_chart(f"{heading}, over steps", series, x_name="step")))
    return charts


def _points(report: Report, x: str, y: str) -> list[figures.Point]:
    entries = [(entry[x], entry[y]) for entry in report.curves if x in entry and y in entry]
    return [point for point in entries if all(map(math.isfinite, point))]


def _drawings(quadrants: Quadrants | None) -> list[tuple[str, str, Markup]]:
    """Heading, mean similarities and drawing before and after training; none without products to draw."""
    if quadrants is None or not quadrants.photos:
        return []
    both = {f"Before training ({quadrants.before_row})": quadrants.before, "After training": quadrants.after}
    return [
        (
            heading,
            _similarities(quadrants.photos, similarities),
            figures.quadrants_figure(heading, quadrants.photos, similarities),
        )
        for heading, similarities in both.items()
    ]


def _similarities(photos: list[Shown], similarities: np.ndarray) -> str:
    named = zip(("within", "between"), figures.means(photos, similarities), strict=True)
    said = [f"{name} products {mean:.1f}" for name, mean in named if mean is not None]
    return f"Mean similarity {', '.join(said)}" if said else ""
