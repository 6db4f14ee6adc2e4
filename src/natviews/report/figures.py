"""The drawings of the report as SVG: pure functions of the figures, coloured by the page's CSS classes.

Every text passes through `Markup.format`, which escapes it: ids and names come from users' files.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup

from natviews.report.report import Shown
from natviews.types import Metric

JPEG_QUALITY = 82
LONGEST_SHOWN = 192
"""Longest side in px of an embedded photo: sharp at twice the size at which the page shows it."""
BANDS = 10
TOP = 5.0
"""The similarity that takes the last step: five standard deviations above photos of different products."""
"""Steps of the fixed similarity scale from 0 to 1; the page's CSS colours the classes b0 to b9."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A line of a chart: `points` (x, y) in the order of x."""

    name: str
    points: list[Point]


def data_uri(picture: np.ndarray) -> str:
    """A photo (H, W, 3) uint8 RGB as a JPEG inside an address, shrunk to at most LONGEST_SHOWN px."""
    height, width = picture.shape[:2]
    scale = LONGEST_SHOWN / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` + 1 round numbers that enclose [low, high], evenly spaced by 1, 2 or 5 times 10^k."""
    span = high - low if high > low else max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (1, 2, 5, 10, 20):
        first, last = math.floor(low / (step * power) + 1e-9), math.ceil(high / (step * power) - 1e-9)
        if last - first <= most:
            break
    last = max(last, first + 1)
    return [round(i * step * power, 12) for i in range(first, last + 1)]


def interval_plot(title: str, metrics: list[Metric], *, emphasised: str = "trained") -> Markup:
    """One line per row of figures: a dot for the value and a bar for its 95 % interval."""
    gap, top, left, right = 32, 30, 124, 308
    labels = ticks(min(m.low for m in metrics), max(m.high for m in metrics), 4)
    scale = _Axis(labels[0], labels[-1], left, right)
    bottom = top + gap * len(metrics)
    parts = [_text("plot-title", 0, 14, title, anchor="start")]
    for label in labels:
        x = scale(label)
        parts.append(_line("grid", (x, top), (x, bottom)))
        parts.append(_text("tick", x, bottom + 17, _number(label)))
    for i, metric in enumerate(metrics):
        kind = "row emphasised" if metric.row == emphasised else "row"
        parts.append(_interval(metric, kind, scale, top + gap * i + gap / 2))
    return _svg(_spoken(title, metrics), 360, bottom + 26, parts)


def _interval(metric: Metric, kind: str, scale: "_Axis", y: float) -> Markup:
    low, value, high = scale(metric.low), scale(metric.value), scale(metric.high)
    ends = [_line("interval", (x, y - 5), (x, y + 5)) for x in (low, high)]
    return Markup('<g class="{}"><title>{}: {}</title>{}{}{}{}{}</g>').format(
        kind,
        metric.row,
        str(metric),
        _text("label", 114, y + 4, _shortened(metric.row, 17), anchor="end"),
        _line("interval", (low, y), (high, y)),
        Markup("").join(ends),
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4"/>').format(value, y),
        _text("value", 358, y + 4, f"{metric.value:.3f}", anchor="end"),
    )


def _spoken(title: str, metrics: list[Metric]) -> str:
    return f"{title}: " + "; ".join(f"{m.row} {m}" for m in metrics)


def line_chart(title: str, series: list[Series], *, x_name: str) -> Markup:
    """Lines over a common axis, each with its own class (s0, s1, ...) and a key above the drawing."""
    left, right, top, bottom = 44, 390, 42, 220
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    y_ticks = ticks(min(ys), max(ys), 5)
    across = _Axis(0, max(xs) or 1, left, right)  # epochs and steps begin at 0
    up = _Axis(y_ticks[0], y_ticks[-1], bottom, top)
    parts = []
    for y in y_ticks:
        parts.append(_line("grid", (left, up(y)), (right, up(y))))
        parts.append(_text("tick", left - 8, up(y) + 4, _number(y), anchor="end"))
    for x in (x for x in ticks(0, across.high, 6) if x <= across.high):
        parts.append(_line("notch", (across(x), bottom), (across(x), bottom + 5)))
        parts.append(_text("tick", across(x), bottom + 20, _number(x)))
    parts.append(_text("tick", (left + right) / 2, bottom + 40, x_name))
    for i, line in enumerate(series):
        parts.append(_curve(line, i, across, up))
        key = left + i * (right - left) / len(series)
        parts.append(_line(f"curve s{i % 4}", (key, 16), (key + 22, 16)))
        parts.append(_text("label", key + 29, 20, line.name, anchor="start"))
    return _svg(title, 400, bottom + 48, parts)


def _curve(line: Series, i: int, across: "_Axis", up: "_Axis") -> Markup:
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


def band(similarity: float) -> int:
    """The step of the similarity scale, 0 to BANDS - 1; what lies outside [0, TOP] takes the end steps."""
    return int(min(BANDS - 1, max(0, math.floor(similarity / TOP * BANDS + 1e-9))))


def quadrants_figure(title: str, photos: Sequence[Shown], similarities: np.ndarray) -> Markup:
    """Up to four products, one in each quadrant, their photos linked by similarity.

    `similarities` (P, P) are those of `photos`, product by product. All photos of a product are linked;
    between products, the innermost photo of each quadrant is linked with the innermost of the others.
    """
    groups = _grouped([photo.product_id for photo in photos])[:4]
    places = {row: place for i, rows in enumerate(groups) for row, place in _ring(rows, _centre(i)).items()}
    parts = [_panel(photos[rows[0]].product_id, rows, i, similarities) for i, rows in enumerate(groups)]
    pairs = [(a, b) for rows in groups for a in rows for b in rows if a < b]
    parts += [_link("within", places[a], places[b], float(similarities[a, b])) for a, b in pairs]
    inner = [rows[0] for rows in groups]  # the ring places the first photo of a product innermost
    crossings = [(a, b) for a in inner for b in inner if a < b]
    parts += [_link("between", places[a], places[b], float(similarities[a, b])) for a, b in crossings]
    for rows in groups:
        side = _side(len(rows))
        parts += [_thumbnail(photos[row], places[row], side) for row in rows]
    parts += [_link_label(places[a], places[b], float(similarities[a, b])) for a, b in crossings]
    return _svg(title, 540, 580, parts)


def means(photos: Sequence[Shown], similarities: np.ndarray) -> tuple[float | None, float | None]:
    """Mean similarity over the pairs of photos of one product, and of different products; None without a pair."""
    products = np.array([photo.product_id for photo in photos])
    same = products[:, None] == products[None, :]
    upper = np.triu(np.ones_like(same), 1)
    within, between = similarities[same & upper], similarities[~same & upper]
    return _mean(within), _mean(between)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def similarity_legend() -> Markup:
    """The fixed scale: a sample of every step's line with its bounds."""
    width = 44
    parts = []
    for step in range(BANDS):
        x = 14 + step * width
        parts.append(_line(f"link b{step}", (x + 3, 14), (x + width - 3, 14), _cue(step)))
        parts.append(_text("tick", x, 38, f"{step * TOP / BANDS:.1f}"))
    parts.append(_text("tick", 14 + BANDS * width, 38, f"{TOP:.1f}"))
    return _svg(f"Similarity from 0 (thin, dashed, red) to {TOP:g} (thick, solid, green)", 468, 46, parts)


def _grouped(products: list[str]) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, product in enumerate(products):
        rows.setdefault(product, []).append(row)
    return list(rows.values())


def _centre(i: int) -> Point:
    return (130 + 280 * (i % 2), 150 + 280 * (i // 2))


def _ring(rows: list[int], centre: Point) -> dict[int, Point]:
    """Where the photos of a quadrant lie: on a ring, the first nearest to the middle of the drawing."""
    inwards = math.atan2(290 - centre[1], 270 - centre[0])
    radius = 0 if len(rows) == 1 else 80
    turns = [inwards + 2 * math.pi * i / len(rows) for i in range(len(rows))]
    return {
        row: (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        for row, turn in zip(rows, turns, strict=True)
    }


def _side(count: int) -> float:
    """The side of a thumbnail: as large as leaves room for the links between `count` on a ring."""
    return min(72.0, 0.62 * 160 * math.sin(math.pi / count)) if count > 1 else 90.0


def _panel(product: str, rows: list[int], i: int, similarities: np.ndarray) -> Markup:
    """A quadrant's ground with the product's id and mean similarity on its outer edge."""
    x, y = _centre(i)
    inside = [float(similarities[a, b]) for a in rows for b in rows if a < b]
    caption = _shortened(product, 18) + (f" · {np.mean(inside):.1f}" if inside else "")
    return Markup('<g><title>{}</title><rect class="ground" {}/>{}</g>').format(
        product,
        Markup('x="{}" y="{}" width="252" height="252" rx="14"').format(x - 126, y - 126),
        _text("label", x, y - 133 if i < 2 else y + 145, caption),
    )


def _link(kind: str, start: Point, end: Point, similarity: float) -> Markup:
    step = band(similarity)
    spoken = Markup(
        "<title>{} products: {:.1f}</title>" if kind == "between" else "<title>{} a product: {:.1f}</title>"
    )
    return Markup("<g>{}{}</g>").format(
        spoken.format(kind, similarity), _line(f"link b{step}", start, end, _cue(step))
    )


def _link_label(start: Point, end: Point, similarity: float) -> Markup:
    # Off the middle on the diagonals, which cross there.
    share = 0.5 if start[0] == end[0] or start[1] == end[1] else 0.32
    x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return _text("on-link", x, y + 5, f"{similarity:.1f}")


def _thumbnail(photo: Shown, place: Point, side: float) -> Markup:
    box = Markup('x="{:.1f}" y="{:.1f}" width="{s:.1f}" height="{s:.1f}"').format(
        place[0] - side / 2, place[1] - side / 2, s=side
    )
    return Markup('<g><title>{}</title><rect class="mount" {} rx="5"/><image {} href="{}"/></g>').format(
        photo.id, box, box, data_uri(photo.picture)
    )


def _cue(step: int) -> Markup:
    """Width and dashes of a link: the second cue for those who do not tell red from green."""
    dash = "2 5" if step < 3 else "8 4" if step < 5 else "none"
    return Markup(' stroke-width="{:.1f}" stroke-dasharray="{}"').format(1.4 + 0.45 * step, dash)


@dataclass(frozen=True)
class _Axis:
    """Maps [low, high] onto the drawing's [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _line(kind: str, start: Point, end: Point, more: Markup | str = "") -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"{}/>').format(
        kind, *start, *end, more
    )


def _text(kind: str, x: float, y: float, text: str, *, anchor: str = "middle") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def _svg(title: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {:g} {:g}" role="img"><title>{}</title>{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
