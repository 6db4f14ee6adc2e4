"""The generated catalogue: deterministic, true to its ground truth, and not solvable by colour alone."""

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from natviews.catalog.generated import COLUMNS, VIEW_KINDS, generate_catalog, generate_marketplaces
from natviews.catalog.generated.orders import draw_items, draw_splits
from natviews.catalog.generated.patterns import PATTERN_NAMES, draw_pattern
from natviews.catalog.generated.pixels import Pixels
from natviews.catalog.generated.scenes import BACKGROUNDS
from natviews.catalog.generated.shapes import PRODUCT_TYPES, SHAPES
from natviews.types import NatviewsError

SIZE = 96


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_catalog(tmp_path_factory.mktemp("catalog"), products=150, seed=3, size=SIZE, workers=2)


@pytest.fixture(scope="module")
def rows(catalog: Path) -> list[dict[str, str]]:
    return rows_of(catalog)


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("markets")
    return generate_marketplaces(folder, products=60, overlap=0.4, seed=5, size=64, workers=2)


class TestDeterminism:
    def test_same_seed_gives_same_bytes_with_one_and_with_two_workers(self, tmp_path: Path) -> None:
        for workers in (1, 2):
            generate_catalog(tmp_path / str(workers), products=15, seed=8, size=64, workers=workers)
        assert digests(tmp_path / "1") == digests(tmp_path / "2")

    def test_other_seed_gives_other_photos(self, tmp_path: Path) -> None:
        for seed in (1, 2):
            generate_catalog(tmp_path / str(seed), products=4, seed=seed, size=64, workers=1)
        assert not set(digests(tmp_path / "1").values()) & set(digests(tmp_path / "2").values())

    def test_a_larger_catalogue_begins_with_the_smaller_one(self) -> None:
        assert draw_items(30, seed=4) == draw_items(90, seed=4)[:30]

    def test_threads_of_opencv_are_as_before(self, tmp_path: Path) -> None:
        before = cv2.getNumThreads()
        cv2.setNumThreads(3)
        try:
            generate_catalog(tmp_path, products=1, size=64, workers=1)
            assert cv2.getNumThreads() == 3
        finally:
            cv2.setNumThreads(before)


class TestGroundTruth:
    def test_columns_are_complete(self, rows: list[dict[str, str]]) -> None:
        assert tuple(rows[0]) == COLUMNS
        blank = {"sleeve", "neckline", "watermark"}
        assert all(row[column] for row in rows for column in COLUMNS if column not in blank)

    def test_values_are_known_names(self, rows: list[dict[str, str]]) -> None:
        assert {row["product_type"] for row in rows} <= set(PRODUCT_TYPES)
        assert {row["pattern"] for row in rows} <= set(PATTERN_NAMES)
        assert {row["view_kind"] for row in rows} <= set(VIEW_KINDS)
        assert {row["background"] for row in rows} <= set(BACKGROUNDS)
        assert all(float(row["price"]) > 0 and int(row["sellers"]) >= 1 for row in rows)

    def test_sleeve_and_neckline_only_where_they_have_sense(self, rows: list[dict[str, str]]) -> None:
        for row in rows:
            assert bool(row["sleeve"]) == (row["product_type"] in {"shirt", "dress", "jacket"})
            assert bool(row["neckline"]) == (row["product_type"] in {"shirt", "dress"})

    def test_colourways_share_their_design_and_differ_in_colour(self, rows: list[dict[str, str]]) -> None:
        designs: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        for row in rows:
            designs[row["design_id"]][row["product_id"]] = row
        assert max(len(products) for products in designs.values()) >= 3
        for products in designs.values():
            colours = [row["colour"] for row in products.values()]
            assert len(set(colours)) == len(colours) <= 4
            for column in ("product_type", "pattern", "sleeve", "neckline", "split"):
                assert len({row[column] for row in products.values()}) == 1, column

    def test_columns_of_a_product_are_the_same_for_all_its_photos(self, rows: list[dict[str, str]]) -> None:
        of_photo = {"image", "watermark", "view_kind", "background"}
        seen: dict[str, dict[str, str]] = {}
        for row in rows:
            known = {column: value for column, value in row.items() if column not in of_photo}
            assert seen.setdefault(row["product_id"], known) == known

    def test_watermark_is_that_of_the_shop(self, rows: list[dict[str, str]]) -> None:
        marked = [row for row in rows if row["watermark"]]
        assert 0.1 < len(marked) / len(rows) < 0.5
        assert all(row["watermark"] == row["shop"] for row in marked)

    def test_number_of_photos(self, rows: list[dict[str, str]]) -> None:
        counts = np.unique([row["product_id"] for row in rows], return_counts=True)[1]
        assert len(counts) == 150
        assert counts.min() == 1 and counts.max() == 6
        assert 3.0 < counts.mean() < 4.0

    def test_split_shares(self) -> None:
        items = draw_items(400, seed=0)
        splits = draw_splits(items, seed=0)
        shares = [
            [splits[item.design.design_id] for item in items].count(name) / 400
            for name in ("train", "val", "test")
        ]
        assert shares == pytest.approx([0.6, 0.15, 0.25], abs=0.02)

    def test_many_types_patterns_and_shapes(self) -> None:
        items = draw_items(900, seed=0)
        assert len({item.design.product_type for item in items}) == len(PRODUCT_TYPES) >= 10
        assert len({item.design.pattern.name for item in items}) == len(PATTERN_NAMES) >= 14
        designs = {item.design.design_id: item.design for item in items}
        assert len({repr(design.shape) for design in designs.values()}) == len(designs)


class TestDrawing:
    @pytest.mark.parametrize("kind", PRODUCT_TYPES)
    def test_every_shape_lies_in_the_unit_square(self, kind: str) -> None:
        for seed in range(60):
            shape = SHAPES[kind].draw(np.random.default_rng(seed))
            for back in (False, True):
                layers = shape.layers(back)
                points = np.concatenate(
                    [layer.outline if hasattr(layer, "outline") else layer.points for layer in layers]
                )
                assert points.min() > -0.03 and points.max() < 1.03, (seed, back)

    @pytest.mark.parametrize("name", PATTERN_NAMES)
    def test_every_pattern_is_a_share(self, name: str) -> None:
        for seed in range(4):
            coverage = draw_pattern(np.random.default_rng(seed), (name,)).coverage(64)
            assert coverage.shape == (2, 64, 64) and coverage.dtype == np.float32
            assert coverage.min() >= 0 and coverage.max() <= 1
            assert (coverage[0].max() > 0.1) == (name != "solid")


class TestPhotos:
    def test_files_are_jpeg_of_the_right_size_and_not_flat(
        self, catalog: Path, rows: list[dict[str, str]]
    ) -> None:
        for row in rows:
            path = catalog.parent / row["image"]
            assert path.read_bytes()[:3] == b"\xff\xd8\xff"
            photo = cv2.imread(str(path))
            assert photo is not None and photo.shape == (SIZE, SIZE, 3)
            assert photo.std() > 3, row

    def test_no_photo_twice(self, catalog: Path) -> None:
        values = list(digests(catalog.parent / "images").values())
        assert len(set(values)) == len(values)

    def test_no_temporary_file_is_left(self, catalog: Path) -> None:
        assert sorted(path.name for path in catalog.parent.iterdir()) == ["catalog.csv", "images"]

    def test_colour_and_background_do_not_tell_products_apart(
        self, catalog: Path, rows: list[dict[str, str]]
    ) -> None:
        histograms = np.stack([histogram(cv2.imread(str(catalog.parent / row["image"]))) for row in rows])
        # Measured over seeds: 0.05 to 0.08. Chance is below 0.01, so colour helps, but far from enough.
        assert recall_at_1(histograms, [row["product_id"] for row in rows]) < 0.2

    def test_progress_counts_every_product(self, tmp_path: Path) -> None:
        calls: list[tuple[int, int]] = []
        generate_catalog(tmp_path, products=7, size=64, progress=lambda done, total: calls.append((done, total)))
        assert calls == [(done, 7) for done in range(1, 8)]

    def test_an_interrupted_run_leaves_no_csv(self, tmp_path: Path) -> None:
        generate_catalog(tmp_path, products=2, size=64)

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            generate_catalog(tmp_path, products=40, size=64, progress=interrupt)
        assert not (tmp_path / "catalog.csv").exists()

    def test_nonsense_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NatviewsError, match="at least one"):
            generate_catalog(tmp_path, products=0)
        with pytest.raises(NatviewsError, match="overlap"):
            generate_marketplaces(tmp_path, products=4, overlap=1.5)


class TestMarketplaces:
    def test_truth_pairs_are_the_same_design_in_the_same_colour(self, markets: tuple[Path, Path, Path]) -> None:
        ours, theirs = ({row["product_id"]: row for row in rows_of(path)} for path in markets[:2])
        truth = rows_of(markets[2])
        assert len(ours) == len(theirs) == 60 and len(truth) == 24
        key = ("design_id", "colour", "split")
        for pair in truth:
            our, their = ours[pair["ours_product_id"]], theirs[pair["theirs_product_id"]]
            assert [our[column] for column in key] == [their[column] for column in key]

    def test_truth_is_complete_and_there_are_near_misses(self, markets: tuple[Path, Path, Path]) -> None:
        ours, theirs = ({row["product_id"]: row for row in rows_of(path)}.values() for path in markets[:2])
        same = {(o["product_id"], t["product_id"]) for o in ours for t in theirs
                if o["design_id"] == t["design_id"] and o["colour"] == t["colour"]}  # fmt: skip
        truth = {(row["ours_product_id"], row["theirs_product_id"]) for row in rows_of(markets[2])}
        assert same == truth
        assert any(o["design_id"] == t["design_id"] and o["colour"] != t["colour"] for o in ours for t in theirs)
        assert any(
            o["product_type"] == t["product_type"]
            and o["colour"] == t["colour"]
            and o["design_id"] != t["design_id"]
            for o in ours
            for t in theirs
        )

    def test_habits_differ(self, markets: tuple[Path, Path, Path]) -> None:
        ours, theirs = (rows_of(path) for path in markets[:2])
        assert not {row["shop"] for row in ours} & {row["shop"] for row in theirs}
        assert share(ours, "background", "white") > 2 * share(theirs, "background", "white")
        assert share(ours, "watermark", "") > share(theirs, "watermark", "")

    def test_high_demand_items_are_only_theirs(self, markets: tuple[Path, Path, Path]) -> None:
        matched = {row["theirs_product_id"] for row in rows_of(markets[2])}
        wanted = {
            row["product_id"]
            for row in rows_of(markets[1])
            if int(row["sales"]) > 1000 and int(row["sellers"]) >= 25
        }
        assert wanted and not wanted & matched


def share(rows: list[dict[str, str]], column: str, value: str) -> float:
    return sum(row[column] == value for row in rows) / len(rows)


def histogram(photo: Pixels) -> np.ndarray:
    """Hue and saturation, and lightness apart, as a unit vector of square roots."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_BGR2HSV)
    colour = cv2.calcHist([hsv], [0, 1], None, [16, 8], [0, 180, 0, 256]).ravel()
    lightness = cv2.calcHist([hsv], [2], None, [8], [0, 256]).ravel()
    return np.sqrt(np.concatenate([colour, lightness]) / (2 * photo.shape[0] * photo.shape[1]))


def recall_at_1(vectors: np.ndarray, labels: list[str]) -> float:
    """How often the nearest other photo shows the same product, over photos whose product has another."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    names = np.array(labels)
    several = (names[:, None] == names).sum(1) > 1
    return float((names[similarity.argmax(1)] == names)[several].mean())
