"""The colour histogram: a unit vector that knows colours and nothing of where they are."""

import cv2
import numpy as np
import pytest

from natviews.evaluation import colour_histogram


def noise(height: int = 60, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain(colour: tuple[int, int, int], height: int = 60, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (500, 1), (1, 500), (1000, 700)])
def test_every_photo_has_a_unit_vector_of_192_numbers(shape):
    vector = colour_histogram(noise(*shape))
    assert vector.shape == (192,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert (vector >= 0).all()


def test_the_cosine_is_the_bhattacharyya_coefficient():
    photos = plain((200, 30, 30)), plain((200, 30, 30))
    photos[1][:15] = (30, 30, 200)  # a quarter is blue
    photos[0][:30] = (30, 30, 200)  # a half is blue
    vectors = [colour_histogram(photo) for photo in photos]
    assert vectors[0] @ vectors[1] == pytest.approx(np.sqrt(0.5 * 0.25) + np.sqrt(0.5 * 0.75), abs=1e-5)


def test_a_photo_of_one_colour_fills_one_bin():
    assert sorted(colour_histogram(plain((200, 30, 30))))[-2:] == [0, 1]


def test_where_the_colours_are_does_not_matter():
    photo = noise()
    moved = np.random.default_rng(1).permutation(photo.reshape(-1, 3)).reshape(photo.shape)
    assert colour_histogram(moved) == pytest.approx(colour_histogram(photo))


def test_other_colours_are_far_and_the_same_are_near():
    red, dark_red, blue = (colour_histogram(plain(c)) for c in ((220, 20, 20), (210, 25, 22), (20, 20, 220)))
    assert red @ dark_red == pytest.approx(1)
    assert red @ blue == pytest.approx(0)


def test_red_and_blue_are_not_taken_for_each_other():
    # The channels are RGB: with R and B exchanged, orange is azure.
    orange = plain((250, 140, 20))
    assert colour_histogram(orange) @ colour_histogram(np.ascontiguousarray(orange[..., ::-1])) == pytest.approx(0)


def test_the_size_of_a_photo_hardly_matters():
    photo = cv2.GaussianBlur(noise(120, 90), (0, 0), 6)
    large = cv2.resize(photo, (900, 1200), interpolation=cv2.INTER_LINEAR)
    assert colour_histogram(photo) @ colour_histogram(large) > 0.98


def test_the_photo_is_not_changed_and_may_be_read_only():
    photo = noise(300, 200)
    before = photo.copy()
    photo.flags.writeable = False
    one, other = colour_histogram(photo[::2, ::2]), colour_histogram(before[::2, ::2].copy())
    assert np.array_equal(one, other)
    assert np.array_equal(photo, before)
