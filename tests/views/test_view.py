import pytest

from natviews.views import Shape, View
from natviews.views.geometry import MIRROR, Window, applied, onto
from natviews.views.view import Drawn, Scene

SCENE = Scene([Shape(200, 300), Shape(120, 80)], [Shape(50, 60)], [Shape(70, 90)])


def test_photos_are_numbered_anchors_first_then_siblings_then_others():
    assert [shape.height for shape in SCENE.photos] == [200, 120, 50, 70]


def test_a_view_of_a_photo_begins_as_the_photo():
    view = View.of(SCENE, 1)
    assert view.size == (120, 80)
    assert applied(view.anchor.homography, 30, 40) == (30, 40)
    assert view.shape == Shape(120, 80)


def test_a_crop_shows_its_window_at_its_size():
    view = View.of(SCENE, 0)
    view.crop(Window(100, 50, 200, 150), (64, 32))
    assert view.size == (64, 32)
    assert applied(view.anchor.homography, 0, 0) == (100, 50)
    assert applied(view.anchor.homography, 32, 64) == (200, 150)


def test_what_is_done_later_is_done_to_what_is_seen():
    view = View.of(SCENE, 0)
    view.crop(Window(100, 50, 200, 150), (64, 64))
    view.transform(MIRROR)
    assert applied(view.anchor.homography, 0, 0) == pytest.approx((200, 50))
    view.crop(Window(0, 0, 32, 32), (64, 64))
    assert applied(view.anchor.homography, 64, 64) == pytest.approx((150, 100))


def test_a_painted_picture_moves_with_the_view():
    view = View.of(SCENE, 0)
    half = onto(Window(0, 0, 1 / 150, 1 / 200))  # the unit square over the left half
    view.paint(Drawn("colour", 3), half, (10, 20), opacity=0.5)
    mark = view.layers[1]
    assert applied(mark.homography, 150, 200) == pytest.approx((20, 10))
    view.crop(Window(75, 100, 150, 200), (50, 50))
    assert applied(mark.homography, 0, 0) == pytest.approx((10, 5))
    assert applied(mark.clip, 50, 50) == pytest.approx((1, 1))
    assert view.shown == [0]


def test_views_with_the_same_numbers_are_equal_whatever_they_are_called():
    one, other = View.of(SCENE, 0), View(0, (200, 300), names=["flip"])
    assert one == other
    other.steps.append(("grey", 1.0))
    assert one != other
