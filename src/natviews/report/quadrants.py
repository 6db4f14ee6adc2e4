"""The quadrant figure: a few products, and how similar their photos are to each other, as SVG."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from natviews.report.drawing import Point, data_uri, shortened, stroke, svg, written
from natviews.report.report import Quadrants, Shown

BANDS = 10
"""Steps of the fixed similarity scale; the page's CSS colours the classes b0 to b9."""
TOP = 5.0
"""The similarity that takes the last step: five standard deviations above photos of different products."""


def band(similarity: float) -> int:
    """The step of the similarity scale, 0 to BANDS - 1; what lies outside [0, TOP] takes the end steps."""
    return int(min(BANDS - 1, max(0, math.floor(similarity / TOP * BANDS + 1e-9))))


def quadrant_drawings(quadrants: Quadrants | None) -> list[tuple[str, str, Markup]]:
    """Heading, mean similarities and drawing before and after training; none without products to draw."""
    if quadrants is None or not quadrants.photos:
        return []
    both = {f"Before training ({quadrants.before_row})": quadrants.before, "After training": quadrants.after}
    return [
        (
            heading,
            _similarities(quadrants.photos, similarities),
            quadrants_figure(heading, quadrants.photos, similarities),
        )
        for heading, similarities in both.items()
    ]


def _similarities(photos: list[Shown], similarities: np.ndarray) -> str:
    named = zip(("within", "between"), means(photos, similarities), strict=True)
    said = [f"{name} products {mean:.1f}" for name, mean in named if mean is not None]
    return f"Mean similarity {', '.join(said)}" if said else ""


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
    return svg(title, 540, 580, parts)


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
        parts.append(stroke(f"link b{step}", (x + 3, 14), (x + width - 3, 14), _cue(step)))
        parts.append(written("tick", x, 38, f"{step * TOP / BANDS:.1f}"))
    parts.append(written("tick", 14 + BANDS * width, 38, f"{TOP:.1f}"))
    return svg(f"Similarity from 0 (thin, dashed, red) to {TOP:g} (thick, solid, green)", 468, 46, parts)


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
    caption = shortened(product, 18) + (f" · {np.mean(inside):.1f}" if inside else "")
    return Markup('<g><title>{}</title><rect class="ground" {}/>{}</g>').format(
        product,
        Markup('x="{}" y="{}" width="252" height="252" rx="14"').format(x - 126, y - 126),
        written("label", x, y - 133 if i < 2 else y + 145, caption),
    )


def _link(kind: str, start: Point, end: Point, similarity: float) -> Markup:
    step = band(similarity)
    spoken = Markup(
        "<title>{} products: {:.1f}</title>" if kind == "between" else "<title>{} a product: {:.1f}</title>"
    )
    return Markup("<g>{}{}</g>").format(
        spoken.format(kind, similarity), stroke(f"link b{step}", start, end, _cue(step))
    )


def _link_label(start: Point, end: Point, similarity: float) -> Markup:
    # Off the middle on the diagonals, which cross there.
    share = 0.5 if start[0] == end[0] or start[1] == end[1] else 0.32
    x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return written("on-link", x, y + 5, f"{similarity:.1f}")


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
