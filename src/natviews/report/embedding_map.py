"""The embedding map: photos in the plane, those that the encoder finds alike near each other."""

import math
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup

from natviews.catalog import PackedPhotos
from natviews.evaluation import planes
from natviews.progress import progress
from natviews.report.drawing import jpeg_uri, svg
from natviews.report.pictures import shown
from natviews.report.report import EmbeddingMap

MOST = 1500
"""Photos on the map, drawn by chance where there are more."""
FEWEST = 8
TILE = 64
"""Side in px of a thumbnail."""
BUDGET = 2_500_000
"""Bytes that all thumbnails of a map may take as one JPEG; its quality is what gives way."""
QUALITIES = (80, 65, 50, 35, 20)
COLOURS = 9
"""Types with a colour of their own; all others share one."""
SIDE, MARGIN = 600, 10


def embedding_map(vectors: np.ndarray, packed: PackedPhotos) -> EmbeddingMap | None:
    """The map of unit vectors (N, D) of packed photos, of at most MOST of them; None for a handful.

    The same vectors give the same map.
    """
    rows = np.arange(len(vectors))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    if len(rows) < FEWEST:
        return None
    with progress("drawing the map"):
        *_, plane = planes(vectors[rows])
    types = packed.catalog.product_types[rows].tolist()
    photos = [shown(packed, int(row), TILE) for row in rows]
    return EmbeddingMap(plane.places, photos, types, plane.made, len(vectors))


@dataclass(frozen=True)
class MapDrawing:
    """What a page needs to show a map: the `drawing`; the `kinds` of photos, each with its class and count; all
    thumbnails in one picture (`sheet`, an address) of so many `columns` of tiles, in the order of the photos."""

    drawing: Markup
    kinds: list[tuple[str, str, int]]
    sheet: str
    columns: int
    rows: int


def map_drawing(drawn: EmbeddingMap) -> MapDrawing:
    """The drawing of a map. A point's title names its product, photo and type, for those who have no script."""
    named = Counter(kind for kind in drawn.types if kind)
    known = [kind for kind, _ in named.most_common()] if len(named) > 1 else []
    own = known[:COLOURS]
    class_of = {kind: f"t{i}" for i, kind in enumerate(own)}
    points = []
    scale = SIDE - 2 * MARGIN
    classes = [class_of.get(kind, "t-other" if known else "t0") for kind in drawn.types]
    for (x, y), photo, kind, name in zip(drawn.places.tolist(), drawn.photos, drawn.types, classes, strict=True):
        said = f"{photo.product_id}: {photo.id}" + (f" ({kind})" if kind else "")
        point = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
        points.append(point.format(name, MARGIN + x * scale, MARGIN + (1 - y) * scale, said))
    counts = Counter(classes)
    kinds = [(name, kind, counts[name]) for kind, name in class_of.items()]
    if known and counts["t-other"]:
        kinds.append(
            ("t-other", "other types" if "" not in drawn.types else "other or no type", counts["t-other"])
        )
    sheet, columns = _sheet([photo.picture for photo in drawn.photos])
    title = f"Map of {len(drawn.photos)} photos by {drawn.made}: photos that the encoder finds alike lie together"
    return MapDrawing(svg(title, SIDE, SIDE, points), kinds, sheet, columns, -(-len(drawn.photos) // columns))


def _sheet(pictures: list[np.ndarray]) -> tuple[str, int]:
    """All pictures on white tiles, TILE px each, as the address of one JPEG, and how many stand in a row."""
    columns = math.ceil(math.sqrt(len(pictures)))
    sheet = np.full((-(-len(pictures) // columns) * TILE, columns * TILE, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        scale = min(1.0, TILE / max(picture.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        top = i // columns * TILE + (TILE - height) // 2
        left = i % columns * TILE + (TILE - width) // 2
        sheet[top : top + height, left : left + width] = small
    for quality in QUALITIES:
        address = jpeg_uri(sheet, quality)
        if len(address) <= BUDGET * 4 / 3:
            break
    return address, columns
