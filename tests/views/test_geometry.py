import math

import numpy as np
import pytest

from natviews.views.geometry import MIRROR, Window, after, applied, in_pixels, inverse, onto, quad, rotation

TILTED = (1.1, 0.2, 3.0, -0.1, 0.9, 5.0, 0.001, -0.002, 1.3)


def matrix(homography):
    return np.array(homography).reshape(3, 3)


def test_a_product_is_the_matrices_product():
    other = (0.5, 0.1, -2.0, 0.3, 1.5, 1.0, 0.0, 0.004, 0.7)
    assert np.allclose(matrix(after(TILTED, other)), matrix(TILTED) @ matrix(other))


def test_an_inverse_leads_back():
    product = matrix(after(inverse(TILTED), TILTED))
    assert np.allclose(product / product[2, 2], np.eye(3))
    assert inverse(TILTED)[8] == 1


def test_a_point_goes_where_its_homogeneous_coordinates_say():
    x, y, w = matrix(TILTED) @ [7, 11, 1]
    assert applied(TILTED, 7, 11) == pytest.approx((x / w, y / w))


def test_a_transform_in_pixels_does_the_same_as_in_the_unit_square():
    in_px = in_pixels(TILTED, (200, 300))
    for x, y in ((0, 0), (0.5, 0.2), (1, 1)):
        u, v = applied(TILTED, x, y)
        assert applied(in_px, x * 300, y * 200) == pytest.approx((u * 300, v * 200))


def test_the_mirror_exchanges_left_and_right_and_nothing_else():
    assert applied(MIRROR, 0.0, 0.3) == (1.0, 0.3)


def test_a_window_is_where_the_unit_square_goes():
    assert applied(onto(Window(2, 3, 10, 7)), 0, 0) == (2, 3)
    assert applied(onto(Window(2, 3, 10, 7)), 1, 1) == (10, 7)


@pytest.mark.parametrize("size", [(200, 300), (300, 200)])
def test_a_rotation_keeps_lengths_in_pixels_and_the_middle(size):
    height, width = size
    turn = in_pixels(rotation(math.radians(30), size), size)
    assert applied(turn, width / 2, height / 2) == pytest.approx((width / 2, height / 2))
    x, y = applied(turn, width / 2 + 100, height / 2)
    assert math.hypot(x - width / 2, y - height / 2) == pytest.approx(100)
    assert math.degrees(math.atan2(y - height / 2, x - width / 2)) == pytest.approx(30)


def test_a_quadrilateral_is_where_the_unit_squares_corners_go():
    corners = ((0.1, 0.05), (0.9, 0.2), (0.8, 0.95), (0.15, 0.7))
    for corner, (x, y) in zip(corners, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        assert applied(quad(corners), x, y) == pytest.approx(corner)
