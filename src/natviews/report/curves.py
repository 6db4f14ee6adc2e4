"""How training went: what a run logged, as charts."""

import math

from markupsafe import Markup

from natviews.report.drawing import Point
from natviews.report.plots import Series, line_chart, thinned
from natviews.report.words import NAMES

HELD_OUT_CHARTS = {
    "Finding the product again": ("recall@1", "recall@5", "map@r"),
    "Similarity of photos": ("within", "between"),
}


def training_charts(curves: list[dict[str, float]]) -> list[tuple[str, Markup]]:
    """Headings and charts of what was logged: the loss over epochs, held-out figures over steps."""
    loss = _points(curves, "epoch", "loss")
    charts = []
    if loss:
        series = [Series("loss", thinned(loss))]
        charts.append(("Loss", line_chart("Loss over epochs", series, x_name="epoch")))
    for heading, names in HELD_OUT_CHARTS.items():
        measured = {name: _points(curves, "step", f"held_out_{name}") for name in names}
        series = [Series(NAMES[n], thinned(points)) for n, points in measured.items() if points]
        if series:
            charts.append((heading, line_chart(f"{heading}, over steps", series, x_name="step")))
    return charts


def _points(curves: list[dict[str, float]], x: str, y: str) -> list[Point]:
    entries = [(entry[x], entry[y]) for entry in curves if x in entry and y in entry]
    return [point for point in entries if all(map(math.isfinite, point))]
