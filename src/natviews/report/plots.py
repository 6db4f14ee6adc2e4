"""Figures with their intervals, and what changes over time: pure functions of the figures, as SVG."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from natviews.report.drawing import Axis, Point, number, shortened, stroke, svg, ticks, written
from natviews.types import Metric


@dataclass(frozen=True)
class Series:
    """A line of a chart: `points` (x, y) in the order of x."""

    name: str
    points: list[Point]


def interval_plot(title: str, metrics: list[Metric], *, emphasised: str = "trained") -> Markup:
    """One line per row of figures: a dot for the value and a bar for its 95 % interval."""
    gap, top, left, right = 32, 30, 124, 308
    labels = ticks(min(m.low for m in metrics), max(m.high for m in metrics), 4)
    scale = Axis(labels[0], labels[-1], left, right)
    bottom = top + gap * len(metrics)
    parts = [written("plot-title", 0, 14, title, anchor="start")]
    for label in labels:
        x = scale(label)
        parts.append(stroke("grid", (x, top), (x, bottom)))
        parts.append(written("tick", x, bottom + 17, number(label)))
    for i, metric in enumerate(metrics):
        kind = "row emphasised" if metric.row == emphasised else "row"
        parts.append(_interval(metric, kind, scale, top + gap * i + gap / 2))
    return svg(_spoken(title, metrics), 360, bottom + 26, parts)


def _interval(metric: Metric, kind: str, scale: Axis, y: float) -> Markup:
    low, value, high = scale(metric.low), scale(metric.value), scale(metric.high)
    ends = [stroke("interval", (x, y - 5), (x, y + 5)) for x in (low, high)]
    return Markup('<g class="{}"><title>{}: {}</title>{}{}{}{}{}</g>').format(
        kind,
        metric.row,
        str(metric),
        written("label", 114, y + 4, shortened(metric.row, 17), anchor="end"),
        stroke("interval", (low, y), (high, y)),
        Markup("").join(ends),
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4"/>').format(value, y),
        written("value", 358, y + 4, f"{metric.value:.3f}", anchor="end"),
    )


def _spoken(title: str, metrics: list[Metric]) -> str:
    return f"{title}: " + "; ".join(f"{m.row} {m}" for m in metrics)


def line_chart(title: str, series: list[Series], *, x_name: str) -> Markup:
    """Lines over a common axis, each with its own class (s0, s1, ...) and a key above the drawing."""
    left, right, top, bottom = 44, 390, 42, 220
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    y_ticks = ticks(min(ys), max(ys), 5)
    across = Axis(0, max(xs) or 1, left, right)  # epochs and steps begin at 0
    up = Axis(y_ticks[0], y_ticks[-1], bottom, top)
    parts = []
    for y in y_ticks:
        parts.append(stroke("grid", (left, up(y)), (right, up(y))))
        parts.append(written("tick", left - 8, up(y) + 4, number(y), anchor="end"))
    for x in (x for x in ticks(0, across.high, 6) if x <= across.high):
        parts.append(stroke("notch", (across(x), bottom), (across(x), bottom + 5)))
        parts.append(written("tick", across(x), bottom + 20, number(x)))
    parts.append(written("tick", (left + right) / 2, bottom + 40, x_name))
    for i, line in enumerate(series):
        parts.append(_curve(line, i, across, up))
        key = left + i * (right - left) / len(series)
        parts.append(stroke(f"curve s{i % 4}", (key, 16), (key + 22, 16)))
        parts.append(written("label", key + 29, 20, line.name, anchor="start"))
    return svg(title, 400, bottom + 48, parts)


def _curve(line: Series, i: int, across: Axis, up: Axis) -> Markup:
    places = [(across(x), up(y)) for x, y in line.points]
    path = Markup('<polyline class="curve s{}" points="{}"/>').format(
        i % 4, " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    )
    if len(places) > 40:
        return path
    # Few points are measurements of their own; a line alone would not show where they lie.
    dots = [Markup('<circle class="dot s{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(i % 4, *p) for p in places]
    return Markup("").join([path, *dots])


def thinned(points: list[Point], most: int = 400) -> list[Point]:
    """At most `most` points: the means of neighbours, so that no single noisy step stands for many."""
    size = math.ceil(len(points) / most) if points else 1
    groups = [np.array(points[start : start + size]) for start in range(0, len(points), size)]
    return [(float(group[:, 0].mean()), float(group[:, 1].mean())) for group in groups]
