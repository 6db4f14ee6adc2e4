"""What the operations draw, against what they declare."""

import numpy as np
import pytest
from scipy.stats import kstest

from natviews.types import NatviewsError
from natviews.views import View
from natviews.views.ops import REFERENCE_SIZE, Blur, Crops, Flip, Grey, Jitter, Rotate

DRAWS = 4000
CHANCE = 1e-3
"""A fixed seed makes every test of a distribution repeatable; this is how odd its draws may be."""


def plain(size: int = 100) -> View:
    return View(0, size, np.eye(3))


def boxes(crops: Crops, height: int, width: int, draws: int = DRAWS) -> np.ndarray:
    """(draws, 4): top, left, height and width of drawn crops, in px of the photo."""
    rng = np.random.default_rng(0)
    found = [crops.draw(0, (height, width), rng).homography for _ in range(draws)]
    return np.array([[h[1, 2], h[0, 2], h[1, 1] * crops.size, h[0, 0] * crops.size] for h in found])


def is_uniform(values: np.ndarray, low: float, high: float) -> bool:
    return kstest(values, "uniform", (low, high - low)).pvalue > CHANCE


def test_crops_have_the_declared_areas_and_aspects():
    # None of these crops can exceed the photo, so none is drawn again and the distributions are exact.
    top, left, height, width = boxes(Crops(count=1, size=64, area=(0.1, 0.4), aspect=(0.5, 1.5)), 300, 300).T
    assert is_uniform(height * width / 300**2, 0.1, 0.4)
    assert is_uniform(np.log(width / height), np.log(0.5), np.log(1.5))
    assert is_uniform(top / (300 - height), 0, 1)
    assert is_uniform(left / (300 - width), 0, 1)


def test_crops_that_would_exceed_the_photo_are_drawn_again_within_the_declared_ranges():
    top, left, height, width = boxes(Crops(count=1, size=64, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3)), 200, 300).T
    share, aspect = height * width / (200 * 300), width / height
    assert share.min() >= 0.08 - 1e-9 and share.max() <= 1 + 1e-9
    assert aspect.min() >= 3 / 4 - 1e-9 and aspect.max() <= 4 / 3 + 1e-9
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 200 + 1e-9).all() and (left + width <= 300 + 1e-9).all()
    assert share.min() < 0.1 and share.max() > 0.85  # 8/9 of this photo is the most that fits


def test_a_whole_crop_is_the_largest_centred_square():
    crops = Crops(count=1, size=64, area=(1, 1), aspect=(1, 1))
    assert np.allclose(boxes(crops, 200, 300, 5), [0, 50, 200, 200])
    assert np.allclose(boxes(crops, 300, 200, 5), [50, 0, 200, 200])
    assert np.allclose(boxes(crops, 200, 200, 5), [0, 0, 200, 200])


def test_a_photo_too_long_and_thin_for_a_crop_gives_a_square_of_its_short_side():
    for top, left, height, width in boxes(Crops(count=1, size=64, area=(0.5, 1.0)), 10, 500, 50):
        assert (height, width) == (10, 10)
        assert top == 0 and 0 <= left <= 490


def test_a_crop_shows_the_photo_it_was_drawn_for():
    view = Crops(count=1, size=64).draw(1, (50, 50), np.random.default_rng(0))
    assert (view.source, view.size, view.names) == (1, 64, ("crop",))


def test_a_flip_maps_the_left_edge_to_the_right():
    homography = Flip().draw(plain(100), np.random.default_rng(0)).homography
    assert np.allclose(homography @ [0, 30, 1], [100, 30, 1])
    assert np.allclose(homography @ [100, 30, 1], [0, 30, 1])


def test_a_rotation_keeps_the_centre_and_all_lengths():
    rng = np.random.default_rng(0)
    angles = []
    for _ in range(2000):
        homography = Rotate(degrees=20).draw(plain(100), rng).homography
        assert np.allclose(homography @ [50, 50, 1], [50, 50, 1])
        assert np.allclose(homography[:2, :2] @ homography[:2, :2].T, np.eye(2))
        assert np.linalg.det(homography) == pytest.approx(1)
        angles.append(np.rad2deg(np.arctan2(homography[1, 0], homography[0, 0])))
    assert is_uniform(np.array(angles), -20, 20)


def test_geometry_is_applied_to_the_view_and_not_to_the_photo():
    # The crop's centre stays the centre, whatever turns and mirrors follow, also where it is not square.
    rng = np.random.default_rng(0)
    for _ in range(20):
        view = Crops(count=1, size=64, area=(0.1, 0.2)).draw(0, (200, 300), rng)
        turned = Rotate(degrees=20).draw(Flip().draw(view, rng), rng)
        assert np.allclose(turned.homography @ [32, 32, 1], view.homography @ [32, 32, 1])


def test_a_jitter_draws_its_factors_uniformly_and_in_every_order():
    rng = np.random.default_rng(0)
    jitter = Jitter(brightness=0.4, contrast=0.3, saturation=1.5, hue=0.1)
    drawn = [jitter.draw(plain(), rng).colour for _ in range(DRAWS)]
    orders, counts = np.unique([" ".join(name for name, _ in steps) for steps in drawn], return_counts=True)
    assert len(orders) == 24
    assert counts.min() > DRAWS / 24 - 6 * np.sqrt(DRAWS / 24) and counts.max() < DRAWS / 24 + 6 * np.sqrt(
        DRAWS / 24
    )
    ranges = {"brightness": (0.6, 1.4), "contrast": (0.7, 1.3), "saturation": (0.0, 2.5), "hue": (-0.1, 0.1)}
    for name, (low, high) in ranges.items():
        assert is_uniform(np.array([dict(steps)[name] for steps in drawn]), low, high), name


def test_a_jitter_without_strength_leaves_that_step_out():
    view = Jitter(brightness=0.4, contrast=0, saturation=0, hue=0).draw(plain(), np.random.default_rng(0))
    assert [name for name, _ in view.colour] == ["brightness"]
    assert (
        Jitter(brightness=0, contrast=0, saturation=0, hue=0).draw(plain(), np.random.default_rng(0)).colour == ()
    )


def test_grey_is_one_step():
    assert Grey().draw(plain(), np.random.default_rng(0)).colour == (("grey", 1.0),)


@pytest.mark.parametrize("size", [64, 224, 448])
def test_a_blur_grows_with_the_view(size):
    rng = np.random.default_rng(0)
    widths = np.array([Blur(sigma=(0.5, 2.0)).draw(plain(size), rng).blur for _ in range(1000)])
    assert is_uniform(widths, 0.5 * size / REFERENCE_SIZE, 2.0 * size / REFERENCE_SIZE)


def test_two_blurs_are_one_whose_variances_add():
    assert plain().with_blur(3.0, "blur").with_blur(4.0, "blur").blur == pytest.approx(5.0)


def test_operations_in_a_row_keep_each_others_work():
    rng = np.random.default_rng(0)
    view = plain()
    for op in (Flip(), Grey(), Blur(), Jitter(), Rotate()):
        view = op.draw(view, rng)
    assert view.names == ("flip", "grey", "blur", "jitter", "rotate")
    assert view.colour[0] == ("grey", 1.0) and len(view.colour) == 5
    assert view.blur > 0
    assert not np.allclose(view.homography, np.eye(3))


def test_views_with_the_same_numbers_are_equal():
    assert plain() == plain()


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Crops, {"count": 0, "size": 64}),
        (Crops, {"count": 1, "size": 4}),
        (Crops, {"count": 1, "size": 64, "area": (0.5, 0.2)}),
        (Crops, {"count": 1, "size": 64, "area": (0.5, 1.2)}),
        (Crops, {"count": 1, "size": 64, "area": (-0.1, 1.0)}),
        (Crops, {"count": 1, "size": 64, "area": (np.nan, 1.0)}),
        (Crops, {"count": 1, "size": 64, "aspect": (2.0, 0.5)}),
        (Jitter, {"hue": 0.6}),
        (Jitter, {"hue": -0.1}),
        (Jitter, {"brightness": -0.1}),
        (Jitter, {"contrast": -0.1}),
        (Jitter, {"saturation": -0.1}),
        (Blur, {"sigma": (2.0, 0.1)}),
        (Blur, {"sigma": (-1.0, 0.1)}),
    ],
)
def test_an_impossible_declaration_is_refused(make, values):
    with pytest.raises(NatviewsError, match=make.__name__):
        make(**values)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Crops, {"count": 1, "size": 64, "area": (0.0, 0.0)}),
        (Crops, {"count": 1, "size": 64, "aspect": (0.0, 1.0)}),
        (Rotate, {"degrees": -20.0}),
        (Rotate, {"degrees": np.nan}),
        (Jitter, {"brightness": np.nan}),
        (Flip, {"p": 1.5}),
        (Grey, {"p": -0.1}),
        (Blur, {"p": np.nan}),
    ],
)
def test_a_declaration_that_cannot_be_drawn_is_refused(make, values):
    with pytest.raises(NatviewsError, match=make.__name__):
        make(**values)
