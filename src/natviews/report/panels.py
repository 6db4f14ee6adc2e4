"""Small multiples: one panel for each kind, the same scale in all, values with their intervals. An SVG
document."""

from dataclasses import dataclass

from markupsafe import Markup

from natviews.report.drawing import svg, ticks
from natviews.types import Metric

WIDTH, HEIGHT, COLUMNS = 300, 222, 3
LEFT, RIGHT, TOP, BOTTOM = 40, 20, 30, 46
KEY = 24
"""Height in px of a line of the key."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #44413c }
.title { font-weight: 600; fill: #1d1c1a } .tick { font-size: 10.5px; fill: #66625b }
.grid { stroke: #dbd7cf } .ground { fill: #fbfaf8 }
.curve { fill: none; stroke-width: 1.6 } .emphasised { stroke-width: 3 } .bar { stroke-width: 1.6 }
.r0 { stroke: #8a857c } .r1 { stroke: #b4652a } .r2 { stroke: #2b6cb0 } .r3 { stroke: #7d4bb3 }
.r4 { stroke: #177a55 } .r5 { stroke: #b3305f }
@media (prefers-color-scheme: dark) {
  text { fill: #cfcac0 } .title { fill: #f2efe9 } .tick { fill: #a39e94 }
  .grid { stroke: #3b3935 } .ground { fill: #191816 }
  .r0 { stroke: #9b968c } .r1 { stroke: #e0925a } .r2 { stroke: #6aa9e9 } .r3 { stroke: #b48ae0 }
  .r4 { stroke: #4cc394 } .r5 { stroke: #ea7aa1 }
}
"""
COLOURS = 6
DASHES = ("none", "6 3", "2 3", "8 3 2 3", "none", "4 2")
"""A second cue for those who do not tell the colours apart."""


@dataclass(frozen=True)
class Panel:
    """`lines`: row -> one figure for each of `places`, which stand evenly spaced."""

    title: str
    places: list[str]
    lines: dict[str, list[Metric]]


def panels_figure(title: str, panels: list[Panel], *, emphasised: str = "trained") -> str:
    """An SVG document of the panels, with a key above them; bars are the figures' intervals."""
    rows = _rows(panels)
    across = min(COLUMNS, len(panels)) or 1
    down = -(-len(panels) // across)
    head = 30 + KEY * -(-len(rows) // across)
    scale = _scale(panels)
    width, height = across * WIDTH, head + down * HEIGHT
    parts = [
        Markup('<rect class="ground" width="{}" height="{}"/>').format(width, height),
        Markup('<text class="title" x="12" y="20">{}</text>').format(title),
        _key(rows, across, emphasised, top=40),
    ]
    for i, panel in enumerate(panels):
        place = Markup('<g transform="translate({} {})">{}</g>')
        drawn = _panel(panel, rows, scale, emphasised)
        parts.append(place.format(i % across * WIDTH, head + i // across * HEIGHT, drawn))
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}" role="img">'
        "<title>{}</title><style>{}</style>{}</svg>\n"
    ).format(width, height, width, height, title, Markup(STYLE), Markup("").join(parts))


def panel_drawings(panels: list[Panel], *, emphasised: str = "trained") -> tuple[Markup, list[Markup]]:
    """The key, and the same panels one by one, for a page whose own style colours them."""
    rows, scale = _rows(panels), _scale(panels)
    key = svg("The methods that are compared", WIDTH, KEY * len(rows), [_key(rows, 1, emphasised, top=12)])
    return key, [svg(_spoken(panel), WIDTH, HEIGHT, [_panel(panel, rows, scale, emphasised)]) for panel in panels]


def _spoken(panel: Panel) -> str:
    ends = [f"{row} {line[0].value:.2f} to {line[-1].value:.2f}" for row, line in panel.lines.items()]
    return f"{panel.title}, from {panel.places[0]} to {panel.places[-1]}: {'; '.join(ends)}"


def _rows(panels: list[Panel]) -> list[str]:
    return list(dict.fromkeys(row for panel in panels for row in panel.lines))


def _scale(panels: list[Panel]) -> list[float]:
    """Round numbers that enclose all figures of all panels."""
    metrics = [m for panel in panels for line in panel.lines.values() for m in line]
    return ticks(min((m.low for m in metrics), default=0.0), max((m.high for m in metrics), default=1.0))


def _key(rows: list[str], across: int, emphasised: str, *, top: float) -> Markup:
    parts = []
    for i, row in enumerate(rows):
        x, y = 12 + i % across * WIDTH, top + KEY * (i // across)
        parts.append(_stroke(row, rows, emphasised, [(x, y), (x + 30, y)]))
        parts.append(Markup('<text x="{}" y="{}">{}</text>').format(x + 38, y + 4, row))
    return Markup("").join(parts)


def _panel(panel: Panel, rows: list[str], scale: list[float], emphasised: str) -> Markup:
    low, high = scale[0], scale[-1]
    step = (WIDTH - LEFT - RIGHT - 20) / max(1, len(panel.places) - 1)
    floor = HEIGHT - BOTTOM

    def up(value: float) -> float:
        return floor - (value - low) / (high - low) * (floor - TOP)

    parts = [Markup('<text class="title" x="{}" y="18">{}</text>').format(LEFT, panel.title)]
    for value in scale:
        line = Markup('<line class="grid" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>')
        parts.append(line.format(LEFT, up(value), WIDTH - RIGHT, up(value)))
        text = Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{:g}</text>')
        parts.append(text.format(LEFT - 6, up(value) + 4, value))
    for i, place in enumerate(panel.places):
        text = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
        for down, words in enumerate(place.split(" ", 1)):  # side by side, long places would overlap
            parts.append(text.format(LEFT + 10 + i * step, floor + 16 + 13 * down, words))
    for i, (row, line_of) in enumerate(panel.lines.items()):
        aside = (i - (len(panel.lines) - 1) / 2) * 2.5  # intervals must not hide each other
        points = [(LEFT + 10 + j * step + aside, up(m.value)) for j, m in enumerate(line_of)]
        bars = [[(x, up(m.low)), (x, up(m.high))] for (x, _), m in zip(points, line_of, strict=True)]
        parts += [_stroke(row, rows, emphasised, bar, is_bar=True) for bar in bars]
        parts.append(_stroke(row, rows, emphasised, points))
    return Markup("").join(parts)


def _stroke(
    row: str, rows: list[str], emphasised: str, points: list[tuple[float, float]], *, is_bar: bool = False
) -> Markup:
    number = rows.index(row)
    kind = f"curve r{number % COLOURS}" + (" emphasised" if row == emphasised else "")
    dash = "none" if is_bar else DASHES[number % len(DASHES)]
    kind, more = (f"{kind} bar", ' opacity="0.45"') if is_bar else (kind, "")
    return Markup('<polyline class="{}" points="{}" stroke-dasharray="{}"{}/>').format(
        kind, " ".join(f"{x:.1f},{y:.1f}" for x, y in points), dash, Markup(more)
    )
