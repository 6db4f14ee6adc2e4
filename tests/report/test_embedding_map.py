"""The map keeps neighbours together, its thumbnails are those of its points, and it stays small."""

import base64
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.report import embedding_map as maps
from natviews.report.embedding_map import BUDGET, TILE, embedding_map, map_drawing
from natviews.report.report import EmbeddingMap, Shown


@pytest.fixture(scope="module")
def packed(catalog):
    return with_split(pack(catalog, 64))


def grouped(count, groups, seed=0):
    """Unit vectors (count, 80) in groups that lie far apart, and each one's group."""
    rng = np.random.default_rng(seed)
    group = np.arange(count) % groups
    vectors = np.eye(groups, 80)[group] * 4 + 0.2 * rng.normal(size=(count, 80))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), group


@pytest.mark.parametrize(("count", "made"), [(120, "t-SNE"), (30, "principal components")])
def test_photos_that_are_alike_lie_together(packed, count, made):
    vectors, group = grouped(count, 3)
    drawn = embedding_map(vectors, packed.take(np.arange(count)))
    assert drawn.made == made and drawn.total == count and drawn.places.min() == 0 and drawn.places.max() == 1
    far = np.linalg.norm(drawn.places[:, None] - drawn.places[None], axis=2) + 9 * np.eye(count)
    assert (group[far.argmin(axis=1)] == group).mean() > 0.95
    again = embedding_map(vectors, packed.take(np.arange(count)))
    assert np.array_equal(drawn.places, again.places)


def test_few_photos_make_no_map_and_equal_ones_do_no_harm(packed):
    vectors, _ = grouped(7, 2)
    assert embedding_map(vectors, packed.take(np.arange(7))) is None
    same = np.tile(vectors[:1], (60, 1))
    assert np.isfinite(embedding_map(same, packed.take(np.arange(60))).places).all()


def test_of_many_photos_some_are_drawn_by_chance(packed, monkeypatch):
    monkeypatch.setattr(maps, "MOST", 20)
    vectors, _ = grouped(60, 3)
    drawn = embedding_map(vectors, packed.take(np.arange(60)))
    assert len(drawn.photos) == len(drawn.places) == len(drawn.types) == 20 and drawn.total == 60
    ids = [photo.id for photo in drawn.photos]
    assert len(set(ids)) == 20 and ids != packed.catalog.ids[:20].tolist()


def photo(i, picture=None):
    solid = np.full((40, 64, 3), (i * 40 % 256, 80, 200 - i * 30 % 200), np.uint8)
    return Shown(f"{i}.jpg", f"p{i}", solid if picture is None else picture)


def drawn_of(types, pictures=None):
    count = len(types)
    places = np.stack([np.linspace(0, 1, count), np.linspace(1, 0, count)], axis=1)
    photos = [photo(i, pictures[i] if pictures else None) for i in range(count)]
    return EmbeddingMap(places, photos, types, "t-SNE", count)


def test_each_tile_is_the_thumbnail_of_its_point():
    drawing = map_drawing(drawn_of(["a"] * 7))
    assert (drawing.columns, drawing.rows) == (3, 3)
    data = base64.b64decode(drawing.sheet.split(",")[1])
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert sheet.shape == (3 * TILE, 3 * TILE, 3)
    for i in range(7):
        middle = sheet[i // 3 * TILE + TILE // 2, i % 3 * TILE + TILE // 2]
        assert np.abs(middle - photo(i).picture[0, 0]).max() < 12
    points = list(ElementTree.fromstring(drawing.drawing).iter("circle"))
    assert [point[0].text for point in points] == [f"p{i}: {i}.jpg (a)" for i in range(7)]
    assert float(points[0].get("cx")) < float(points[6].get("cx"))
    assert float(points[0].get("cy")) < float(points[6].get("cy"))  # y grows upwards in the plane


def test_colours_are_types_where_there_are_several():
    many = [f"type {i}" for i in range(12) for _ in range(12 - i)] + [""]
    kinds = map_drawing(drawn_of(many)).kinds
    assert kinds[0] == ("t0", "type 0", 12) and len(kinds) == 10
    assert kinds[-1] == ("t-other", "other or no type", 3 + 2 + 1 + 1)
    assert map_drawing(drawn_of(["", "", ""])).kinds == map_drawing(drawn_of(["a", "a"])).kinds == []
    two = map_drawing(drawn_of(["a", "b", "b"])).kinds
    assert two == [("t0", "b", 2), ("t1", "a", 1)]


def test_thumbnails_stay_within_their_budget_whatever_they_show():
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (TILE, TILE, 3), dtype=np.uint8) for _ in range(40)] * 38
    drawing = map_drawing(drawn_of(["a"] * len(noise), noise))
    assert len(drawing.sheet) + len(drawing.drawing) < BUDGET * 4 / 3 + 500_000
