"""What the operations draw, against what they declare."""

import math
import random

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from natviews.types import NatviewsError
from natviews.views import Shape, View, Window
from natviews.views.geometry import applied, inverse
from natviews.views.ops import (
    JPEG,
    Background,
    Blur,
    CentralCrop,
    Collage,
    Crops,
    Erase,
    Flip,
    Grey,
    Jitter,
    PatchZoom,
    Perspective,
    Planckian,
    Rotate,
    Solarise,
    Watermark,
    ZoomOut,
)
from natviews.views.ops.colouring import REFERENCE_SIZE, lamp_gains
from natviews.views.view import Drawn, Scene

DRAWS = 4000
CHANCE = 1e-3
"""A fixed seed makes every test of a distribution repeatable; this is how odd its draws may be. At 4,000 draws a
Kolmogorov-Smirnov test at this level finds, with a power of more than 0.99, a distribution function that is off by
0.05 anywhere, and a probability off by 0.04 from 0.5 or by 0.025 from 0.1 (normal approximation)."""


def plain(height: int = 100, width: int = 100, foreground: Window | None = None) -> View:
    return View.of(Scene([Shape(height, width, foreground)]), 0)


def drawn(op, height: int = 100, width: int = 100, seed: int = 0, foreground: Window | None = None) -> View:
    view = plain(height, width, foreground)
    op.draw(view, random.Random(seed))
    return view


def many(op, draws: int = DRAWS, **how) -> list[View]:
    rng = random.Random(0)
    views = []
    for _ in range(draws):
        view = plain(**how)
        op.draw(view, rng)
        views.append(view)
    return views


def window(view: View) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what an upright view shows of its photo, in px."""
    height, width = view.size
    return (*applied(view.anchor.homography, 0, 0), *applied(view.anchor.homography, width, height))


def is_uniform(values, low: float, high: float) -> bool:
    return kstest(values, "uniform", (low, high - low)).pvalue > CHANCE


def boxes(crops: Crops, height: int, width: int, draws: int = DRAWS) -> np.ndarray:
    """(4, draws): top, left, height and width of drawn crops, in px of the photo."""
    places = np.array([window(view) for view in many(crops, draws, height=height, width=width)]).T
    left, top, right, bottom = places
    return np.array([top, left, bottom - top, right - left])


def test_crops_have_the_declared_areas_and_aspects():
    # None of these crops can exceed the photo, so none is drawn again and the distributions are exact.
    top, left, height, width = boxes(Crops(count=1, size=64, area=(0.1, 0.4), aspect=(0.5, 1.5)), 300, 300)
    assert is_uniform(height * width / 300**2, 0.1, 0.4)
    assert is_uniform(np.log(width / height), np.log(0.5), np.log(1.5))
    assert is_uniform(top / (300 - height), 0, 1)
    assert is_uniform(left / (300 - width), 0, 1)


def test_crops_that_would_exceed_the_photo_are_drawn_again_within_the_declared_ranges():
    top, left, height, width = boxes(Crops(count=1, size=64, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3)), 200, 300)
    share, aspect = height * width / (200 * 300), width / height
    assert share.min() >= 0.08 - 1e-9 and share.max() <= 1 + 1e-9
    assert aspect.min() >= 3 / 4 - 1e-9 and aspect.max() <= 4 / 3 + 1e-9
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 200 + 1e-9).all() and (left + width <= 300 + 1e-9).all()
    assert share.min() < 0.1 and share.max() > 0.85  # 8/9 of this photo is the most that fits


def test_a_whole_crop_is_the_largest_centred_square():
    crops = Crops(count=1, size=64, area=(1, 1), aspect=(1, 1))
    assert window(drawn(crops, 200, 300)) == pytest.approx((50, 0, 250, 200))
    assert window(drawn(crops, 300, 200)) == pytest.approx((0, 50, 200, 250))


def test_a_photo_too_long_and_thin_for_a_crop_gives_a_square_of_its_short_side():
    top, left, height, width = boxes(Crops(count=1, size=64, area=(0.5, 1.0)), 10, 500, 50)
    assert height == pytest.approx(10) and width == pytest.approx(10)
    assert top == pytest.approx(0) and left.min() >= 0 and left.max() <= 490


def test_a_flip_maps_the_left_edge_to_the_right():
    homography = drawn(Flip()).anchor.homography
    assert applied(homography, 0, 30) == (100, 30)
    assert applied(homography, 100, 30) == (0, 30)


def test_a_rotation_turns_by_all_angles_within_its_range():
    angles = []
    for view in many(Rotate(degrees=20), height=100, width=160):
        x, y = applied(view.anchor.homography, 80 + 50, 50)
        assert math.hypot(x - 80, y - 50) == pytest.approx(50)
        angles.append(math.degrees(math.atan2(y - 50, x - 80)))
    assert is_uniform(angles, -20, 20)


def test_a_perspective_moves_every_corner_inwards_by_up_to_half_the_distortion():
    moved = []
    for view in many(Perspective(distortion=0.4), height=100, width=200):
        there = inverse(view.anchor.homography)  # from the photo to the view
        corners = [applied(there, x, y) for x in (0, 200) for y in (0, 100)]
        moved.append(
            [(abs(x - 200 * (i > 1)) / 200, abs(y - 100 * (i % 2)) / 100) for i, (x, y) in enumerate(corners)]
        )
    for place in np.array(moved).reshape(DRAWS, 8).T:
        assert is_uniform(place, 0, 0.2)


def test_zooming_out_shows_the_whole_view_smaller_at_any_place():
    places = np.array([window(view) for view in many(ZoomOut(factor=(1.2, 2.0)))])
    left, top, right, bottom = places.T
    assert is_uniform((right - left) / 100, 1.2, 2.0)
    assert np.allclose(right - left, bottom - top)
    assert (left <= 0).all() and (top <= 0).all() and (right >= 100).all() and (bottom >= 100).all()
    assert is_uniform(-left / (right - left - 100), 0, 1)


def test_a_central_crop_is_the_middle_of_the_products_box():
    box = Window(20, 10, 60, 90)
    assert window(drawn(CentralCrop(share=0.5), foreground=box)) == pytest.approx((30, 30, 50, 70))
    assert window(drawn(CentralCrop(share=0.5))) == pytest.approx(
        (25, 25, 75, 75)
    )  # the photo's, where none is known


def test_a_central_crop_of_a_mirrored_photo_is_the_same_part_of_it():
    view = plain(foreground=Window(20, 10, 60, 90))
    Flip().draw(view, random.Random(0))
    CentralCrop(share=0.5).draw(view, random.Random(0))
    left, top, right, bottom = window(view)
    assert (right, top, left, bottom) == pytest.approx((30, 30, 50, 70))


def test_a_patch_is_a_share_of_the_products_box_in_its_middle_half():
    box = Window(20, 10, 60, 90)
    places = np.array([window(view) for view in many(PatchZoom(share=(0.3, 0.6)), foreground=box)])
    left, top, right, bottom = places.T
    assert is_uniform((right - left) / 40, 0.3, 0.6)
    assert is_uniform((bottom - top) / 80, 0.3, 0.6)
    assert is_uniform((left + right) / 2, 30, 50)
    assert is_uniform((top + bottom) / 2, 30, 70)


def test_a_patch_does_not_shrink_with_what_was_narrowed_before():
    view = plain(foreground=Window(20, 10, 60, 90))
    CentralCrop(share=0.5).draw(view, random.Random(0))
    PatchZoom(share=(0.5, 0.5)).draw(view, random.Random(0))
    left, top, right, bottom = window(view)
    assert (right - left, bottom - top) == pytest.approx((20, 40))


def test_a_jitter_draws_its_factors_uniformly_and_in_every_order():
    steps = [view.steps for view in many(Jitter(brightness=0.4, contrast=0.3, saturation=1.5, hue=0.1))]
    _, counts = np.unique([" ".join(name for name, _ in done) for done in steps], return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > CHANCE
    ranges = {"brightness": (0.6, 1.4), "contrast": (0.7, 1.3), "saturation": (0.0, 2.5), "hue": (-0.1, 0.1)}
    for name, (low, high) in ranges.items():
        assert is_uniform([dict(done)[name] for done in steps], low, high), name


def test_a_jitter_without_strength_leaves_that_step_out():
    view = drawn(Jitter(brightness=0.4, contrast=0, saturation=0, hue=0))
    assert [name for name, _ in view.steps] == ["brightness"]
    assert drawn(Jitter(brightness=0, contrast=0, saturation=0, hue=0)).steps == []


def test_a_lamp_is_red_when_cool_and_blue_when_hot_and_white_by_day():
    assert lamp_gains(6500) == pytest.approx((1, 1, 1))
    assert lamp_gains(3000)[0] > 1.2 and lamp_gains(3000)[2] < 0.7
    assert lamp_gains(15000)[0] < 0.95 and lamp_gains(15000)[2] > 1.1
    reds = [lamp_gains(kelvin)[0] for kelvin in range(1700, 25000, 100)]
    assert all(a > b for a, b in zip(reds, reds[1:], strict=False))  # no jump where the splines meet


def test_a_lamps_temperature_is_drawn_in_even_steps_of_its_reciprocal():
    gains = [view.steps[0][1] for view in many(Planckian(kelvin=(3000, 15000)))]
    middle = lamp_gains(2 / (1 / 3000 + 1 / 15000))[0]
    assert np.mean(np.array(gains) > middle) == pytest.approx(0.5, abs=0.04)


def test_grey_is_one_step():
    assert drawn(Grey()).steps == [("grey", 1.0)]


def test_amounts_are_drawn_from_their_ranges():
    assert is_uniform([view.steps[0][1] for view in many(Solarise(threshold=(100, 200)))], 100, 200)
    qualities = [view.steps[0][1] for view in many(JPEG(quality=(30, 39)))]
    assert set(qualities) == set(range(30, 40))


@pytest.mark.parametrize("size", [64, 224, 448])
def test_a_blur_grows_with_the_view(size):
    widths = [view.steps[0][1] for view in many(Blur(sigma=(0.5, 2.0)), 1000, height=size, width=size)]
    assert is_uniform(widths, 0.5 * size / REFERENCE_SIZE, 2.0 * size / REFERENCE_SIZE)


def covered(view: View, layer: int = -1) -> tuple[float, float, float, float]:
    """The left, top, width and height of a layer, as shares of an upright view."""
    back = inverse(view.layers[layer].clip)
    (left, top), (right, bottom) = applied(back, 0, 0), applied(back, 1, 1)
    height, width = view.size
    return left / width, top / height, (right - left) / width, (bottom - top) / height


def test_an_erased_box_has_the_declared_areas_and_lies_within_the_view():
    left, top, width, height = np.array([covered(view) for view in many(Erase(area=(0.02, 0.2)))]).T
    assert is_uniform(width * height, 0.02, 0.2)
    assert left.min() >= 0 and top.min() >= 0
    assert (left + width).max() <= 1 + 1e-9 and (top + height).max() <= 1 + 1e-9
    assert is_uniform(left / (1 - width), 0, 1)


def test_a_ground_lies_behind_the_product_alone():
    view = drawn(Background(), foreground=Window(20, 20, 80, 80))
    assert [layer.source for layer in view.layers][1:] == [0]
    assert view.layers[0].source.kind == "ground"
    assert view.anchor.cut_out and not view.layers[0].cut_out


def test_a_ground_is_not_put_behind_a_product_that_was_not_found():
    assert drawn(Background()) == plain()


def test_a_watermark_has_the_declared_sizes_and_opacities():
    views = many(Watermark(scale=(0.1, 0.4), opacity=(0.3, 0.8), places=("corner", "centre")))
    sides = np.array([max(covered(view)[2:]) for view in views])
    assert is_uniform(sides, 0.1, 0.4)
    assert is_uniform([view.layers[1].opacity for view in views], 0.3, 0.8)


def test_a_watermark_stands_at_a_corner_or_in_the_middle_or_everywhere():
    views = many(Watermark(places=("corner",)))
    left, top, width, height = np.array([covered(view) for view in views]).T
    right, below = 1 - left - width, 1 - top - height
    assert np.minimum(left, right).max() <= 0.06 + 1e-9 and np.minimum(top, below).max() <= 0.06 + 1e-9
    at = np.unique(2 * (left > right) + (top > below), return_counts=True)[1]
    assert len(at) == 4 and chisquare(at).pvalue > CHANCE
    left, top, width, height = covered(drawn(Watermark(places=("centre",))))
    assert (left + width / 2, top + height / 2) == pytest.approx((0.5, 0.5))
    tiled = drawn(Watermark(places=("tiled",))).layers[1]
    assert tiled.repeat and tiled.clip is None


def test_watermarks_come_from_the_declared_pool_and_from_all_of_it():
    kinds = {pool: {v.layers[1].source for v in many(Watermark(pool=pool), 300)} for pool in ("train", "test")}
    assert {source.kind for source in kinds["train"]} == {"train mark"}
    assert {source.kind for source in kinds["test"]} == {"test mark"}
    assert len(kinds["train"]) > 180  # of 300 draws from 500, 226 are expected to differ


def collages(op: Collage, siblings: int = 6, others: int = 6, draws: int = DRAWS) -> list[View]:
    scene = Scene([Shape(100, 100)] * 2, [Shape(80, 60)] * siblings, [Shape(60, 80)] * others)
    rng, views = random.Random(0), []
    for _ in range(draws):
        view = View.of(scene, 0)
        op.draw(view, rng)
        views.append(view)
    return views


def test_a_collage_has_one_to_six_cells_equally_often_and_the_view_in_one():
    views = collages(Collage(cells=(1, 6)))
    counts = np.unique([len(view.layers) for view in views], return_counts=True)
    assert counts[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert chisquare(counts[1]).pvalue > CHANCE
    assert all(view.shown.count(0) == 1 for view in views)


def test_the_view_is_in_every_cell_of_a_collage_equally_often():
    places = [covered(view, 0)[:2] for view in collages(Collage(cells=(4, 4)))]
    counts = np.unique(np.round(places, 3), axis=0, return_counts=True)[1]
    assert len(counts) == 4 and chisquare(counts).pvalue > CHANCE


def test_half_of_a_collages_companions_are_of_the_same_product():
    shown = [view.shown[1] for view in collages(Collage(cells=(2, 2)))]
    of_same = np.mean([number < 2 + 6 for number in shown])
    assert of_same == pytest.approx(0.5, abs=0.04)


def test_a_collage_takes_what_there_is():
    assert {len(view.layers) for view in collages(Collage(cells=(6, 6)), siblings=0, others=2, draws=200)} == {4}
    alone = Scene([Shape(100, 100)])
    view = View.of(alone, 0)
    Collage(cells=(6, 6)).draw(view, random.Random(0))
    assert view.shown == [0]


def test_no_photo_is_twice_in_a_collage_and_none_is_distorted():
    for view in collages(Collage(cells=(6, 6)), draws=300):
        assert len(set(view.shown)) == len(view.shown)
        for i, layer in enumerate(view.layers):
            shape = view.scene.photos[layer.source]
            _, _, width, height = covered(view, i)
            assert width / height == pytest.approx(shape.width / shape.height)


def test_cells_of_a_collage_do_not_overlap():
    for view in collages(Collage(cells=(2, 6)), draws=300):
        cells = np.zeros((60, 60), int)
        for i in range(len(view.layers)):
            left, top, width, height = (round(60 * share) for share in covered(view, i))
            cells[top : top + height, left : left + width] += 1
        assert cells.max() == 1


def test_what_was_painted_before_moves_into_the_cell():
    view = View.of(Scene([Shape(100, 100)]), 0)
    Erase(area=(1, 1), aspect=(1, 1)).draw(view, random.Random(0))
    Collage(cells=(1, 1)).draw(view, random.Random(0))
    assert covered(view, 1) == pytest.approx(covered(view, 0))
    assert isinstance(view.layers[1].source, Drawn)


def test_operations_in_a_row_keep_each_others_work():
    view, rng = plain(), random.Random(0)
    for op in (Flip(p=1.0), Grey(p=1.0), Blur(p=1.0), Jitter(p=1.0), Rotate(p=1.0)):
        op.apply(view, rng)
    assert view.names == ["flip", "grey", "blur", "jitter", "rotate"]
    assert [step[0] for step in view.steps][:2] == ["grey", "blur"] and len(view.steps) == 6
    assert view != plain()


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Crops, {"count": 0, "size": 64}),
        (Crops, {"count": 1, "size": 4}),
        (Crops, {"count": 1, "size": 5000}),
        (Crops, {"count": 1, "size": 64, "area": (0.5, 0.2)}),
        (Crops, {"count": 1, "size": 64, "area": (0.5, 1.2)}),
        (Crops, {"count": 1, "size": 64, "area": (0.0, 0.0)}),
        (Crops, {"count": 1, "size": 64, "area": (np.nan, 1.0)}),
        (Crops, {"count": 1, "size": 64, "aspect": (2.0, 0.5)}),
        (Crops, {"count": 1, "size": 64, "aspect": (0.0, 1.0)}),
        (Rotate, {"degrees": -20.0}),
        (Rotate, {"degrees": np.nan}),
        (Perspective, {"distortion": 1.0}),
        (ZoomOut, {"factor": (0.5, 1.0)}),
        (CentralCrop, {"share": 0.0}),
        (PatchZoom, {"share": (0.0, 0.5)}),
        (Jitter, {"hue": 0.6}),
        (Jitter, {"hue": -0.1}),
        (Jitter, {"brightness": np.nan}),
        (Jitter, {"contrast": -0.1}),
        (Jitter, {"saturation": -0.1}),
        (Planckian, {"kelvin": (100.0, 5000.0)}),
        (Solarise, {"threshold": (10.0, 300.0)}),
        (Blur, {"sigma": (2.0, 0.1)}),
        (Blur, {"sigma": (-1.0, 0.1)}),
        (Blur, {"p": np.nan}),
        (JPEG, {"quality": (0.0, 50.0)}),
        (Erase, {"area": (0.5, 0.1)}),
        (Watermark, {"opacity": (0.5, 1.5)}),
        (Watermark, {"places": ()}),
        (Watermark, {"places": ("edge",)}),
        (Collage, {"cells": (0, 6)}),
        (Flip, {"p": 1.5}),
        (Grey, {"p": -0.1}),
    ],
)
def test_an_impossible_declaration_is_refused(make, values):
    with pytest.raises(NatviewsError, match=make.__name__):
        make(**values)
