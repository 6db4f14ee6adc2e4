"""Disturbances of photos: exact strengths, the same bytes for the same seed, and never what is to be found."""

import random

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.report.disturbing import DISTURBANCES, KINDS, chosen_disturbances, disturbed_photos
from natviews.types import NatviewsError
from natviews.views.view import Scene, Shape, View


@pytest.fixture(scope="module")
def packed(catalog):
    return with_split(pack(catalog, 96))


def named(name):
    return next(d for d in DISTURBANCES if d.name == name)


def shown(packed, rows, name, seed=0):
    return list(disturbed_photos(packed, np.asarray(rows), named(name), seed=seed))


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda d: d.name)
def test_each_changes_the_photo_reproducibly(packed, disturbance):
    [one] = disturbed_photos(packed, np.array([3]), disturbance, seed=1)
    *_, again = disturbed_photos(packed, np.array([0, 3]), disturbance, seed=1)  # whatever stands before it
    assert np.array_equal(one, again)
    photo = packed.pixels(3)
    assert one.dtype == np.uint8 and one.shape[2] == 3
    assert one.shape != photo.shape or np.abs(one.astype(int) - photo).mean() > 0.05


def test_a_quarter_turn_loses_nothing(packed):
    photo = packed.pixels(2)
    [turned] = shown(packed, [2], "rotation 90°")
    assert turned.shape == (photo.shape[1], photo.shape[0], 3)
    either = [np.abs(turned.astype(int) - np.rot90(photo, k)).mean() for k in (1, 3)]
    assert min(either) < 2 < max(either)


@pytest.mark.parametrize("degrees", [15, 30])
def test_turns_are_exactly_so_far_to_either_side(packed, degrees):
    turns = []
    for number in range(12):
        view = View.of(Scene([Shape(80, 120)]), 0)
        named(f"rotation {degrees}°").draw(view, random.Random(number))
        a, _, _, d, *_ = view.anchor.homography
        turns.append(round(float(np.degrees(np.arctan2(d, a))), 3))
    assert set(turns) == {degrees, -degrees}


@pytest.mark.parametrize("area", ["5%", "15%"])
def test_marks_take_the_area_they_say(area):
    for number in range(20):
        view = View.of(Scene([Shape(200, 150)]), 0)
        named(f"watermark {area} at 0.8").draw(view, random.Random(number))
        [_, mark] = view.layers
        assert mark.source.kind == "test mark" and mark.opacity == 0.8
        width, height = 1 / mark.clip[0] / 150, 1 / mark.clip[4] / 200
        assert width <= 1.0001 and height <= 1.0001
        is_bounded = max(width, height) > 0.999
        assert width * height == pytest.approx(float(area[:-1]) / 100, rel=1e-6) or is_bounded


def test_hue_moves_by_the_strength_and_grey_takes_all_colour(packed):
    steps = []
    for number in range(8):
        view = View.of(Scene([Shape(20, 20)]), 0)
        named("hue 0.25").draw(view, random.Random(number))
        steps += view.steps
    assert set(steps) == {("hue", 0.25), ("hue", -0.25)}
    [grey] = shown(packed, [0], "grey whole")
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_a_collage_shows_as_many_other_products_and_not_one_of_the_query(packed):
    seen = set()

    class Watched:
        def __getattr__(self, name):
            return getattr(packed, name)

        def __len__(self):
            return len(packed)

        def pixels(self, row):
            seen.add(int(row))
            return packed.pixels(row)

    groups = packed.catalog.column("dup_group")
    [collage] = disturbed_photos(Watched(), np.array([5]), named("collage 6 cells"))
    assert len(seen) == 6 and 5 in seen
    assert all(groups[row] != groups[5] for row in seen - {5})
    assert collage.shape == packed.pixels(5).shape


def test_a_collage_needs_other_products(packed):
    rows = packed.catalog.products[packed.catalog.product_ids[0]]
    with pytest.raises(NatviewsError, match="other products"):
        list(disturbed_photos(packed.take(rows), np.array([0]), named("collage 2 cells")))


def test_kinds_are_chosen_by_name_and_trained_ones_are_told_from_others():
    assert {d.kind for d in chosen_disturbances(["blur", "jpeg"])} == {"blur", "jpeg"}
    assert chosen_disturbances([]) == DISTURBANCES
    with pytest.raises(NatviewsError, match="no disturbance 'blurr'; there are .*blur"):
        chosen_disturbances(["blurr"])
    untrained = {d.kind for d in DISTURBANCES if not d.is_trained}
    assert untrained == {"blur", "jpeg", "occlusion"} < set(KINDS)
