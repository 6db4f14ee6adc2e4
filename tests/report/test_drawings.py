"""Drawings say what the figures say, are well formed, and stay small."""

import base64
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest
from made_reports import NOTHING, drawings, full, metrics, quadrants

from natviews.report import drawing as drawn
from natviews.report import plots
from natviews.report import quadrants as quadrant_figure
from natviews.report.page import page
from natviews.report.report import Report


def test_every_drawing_is_well_formed_and_named() -> None:
    found = drawings(page(full()))
    assert len(found) == 3 + 2 + 2 + 1 + 1 + 1 + 3  # and the map, a pair, a key and two kinds
    for drawing in found:
        assert drawing[0].tag == "title" and drawing[0].text
        assert drawing.get("role") == "img"


def test_a_dot_lies_within_its_interval_and_further_right_when_larger() -> None:
    drawing = ElementTree.fromstring(plots.interval_plot("Recall@1", metrics()[:2] + metrics()[6:8]))
    dots = []
    for group in drawing.iter("g"):
        ends = [float(line.get(end, "")) for line in group.iter("line") for end in ("x1", "x2")]
        dot = next(group.iter("circle"))
        dots.append(float(dot.get("cx", "")))
        assert min(ends) < dots[-1] < max(ends)
    assert dots == sorted(dots) and len(set(dots)) == 4


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.34), (-0.2, 0.9), (0, 5999), (0.5, 0.5), (0, 0)])
def test_ticks_enclose_the_data_evenly(low: float, high: float) -> None:
    for most in (3, 4, 5, 6):
        found = drawn.ticks(low, high, most)
        assert found[0] <= low and high <= found[-1]
        assert 2 <= len(found) <= most + 1
        assert np.allclose(np.diff(found), found[1] - found[0])


def test_long_curves_are_thinned_to_means_and_gaps_left_out() -> None:
    points = [(float(i), float(i % 2)) for i in range(4000)]
    thin = plots.thinned(points)
    assert len(thin) == 400 and {y for _, y in thin} == {0.5}
    assert plots.thinned(points[:400]) == points[:400]
    curves = [{"epoch": i, "loss": float("nan") if i == 2 else 1.0} for i in range(5)]
    text = page(Report("", [], NOTHING, curves=curves))
    assert "nan" not in text and text.count('class="dot s0"') == 4


def test_a_single_measurement_makes_a_chart() -> None:
    assert drawings(page(Report("", [], NOTHING, curves=[{"step": 0, "held_out_map@r": 0.3}])))


def test_quadrants_link_photos_by_one_scale() -> None:
    before, after = (
        [line.get("class") for line in ElementTree.fromstring(text).iter("line")]
        for text in (
            quadrant_figure.quadrants_figure("before", quadrants().photos, quadrants().before),
            quadrant_figure.quadrants_figure("after", quadrants().photos, quadrants().after),
        )
    )
    within = 1 + 3 + 0 + 6
    assert before == ["link b4"] * within + ["link b2"] * 6
    assert after == ["link b9"] * within + ["link b0"] * 6
    assert quadrant_figure.means(quadrants().photos, quadrants().after) == pytest.approx((4.6, 0.2))


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2,), (5, 9), (1, 2, 3, 4)])
def test_any_number_of_products_and_photos_can_be_drawn(sizes: tuple[int, ...]) -> None:
    text = page(Report("", [], NOTHING, quadrants=quadrants(sizes=sizes)))
    assert "After training" in text
    assert ("within products 4.6" in text) == (max(sizes) > 1)
    assert ("between products 0.2" in text) == (len(sizes) > 1)


@pytest.mark.parametrize(
    ("similarity", "step"), [(-0.4, 0), (0.0, 0), (0.499, 0), (1.5, 3), (3.5, 7), (4.9, 9), (5.0, 9), (7, 9)]
)
def test_the_similarity_scale_is_fixed_from_nought_to_five(similarity: float, step: int) -> None:
    assert quadrant_figure.band(similarity) == step


def test_an_embedded_photo_is_small_and_keeps_its_colours() -> None:
    red = np.full((900, 300, 3), (220, 20, 20), np.uint8)
    head, data = drawn.data_uri(red).split(",")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert head == "data:image/jpeg;base64"
    assert decoded.shape == (192, 64, 3)
    assert np.abs(decoded[96, 32, ::-1].astype(int) - (220, 20, 20)).max() < 6
