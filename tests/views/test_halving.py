import cv2
import numpy as np
import pytest

from natviews.views.halving import halved_evenly
from natviews.views.pictures import Picture


def noise(height: int, width: int) -> np.ndarray:
    """(height, width, 3), read-only as a memory-mapped pack hands photos out."""
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    photo.flags.writeable = False
    return photo


@pytest.mark.parametrize("shape", [(2, 2), (2, 500), (500, 2), (8, 6), (64, 130), (600, 600)], ids=str)
def test_a_half_is_the_mean_of_four_pixels(shape):
    photo = noise(*shape)
    expected = (photo.reshape(shape[0] // 2, 2, shape[1] // 2, 2, 3).sum(axis=(1, 3)) + 2) // 4
    assert np.array_equal(halved_evenly(photo, 3), expected)
    assert np.array_equal(halved_evenly(photo, 4)[..., :3], expected)
    assert (halved_evenly(photo, 4)[..., 3] == 255).all()


@pytest.mark.parametrize("shape", [(2, 2), (2, 500), (500, 2), (64, 130), (300, 300)], ids=str)
def test_a_half_of_four_channels_is_too(shape):
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 4), dtype=np.uint8)
    expected = (pixels.reshape(shape[0] // 2, 2, shape[1] // 2, 2, 4).sum(axis=(1, 3)) + 2) // 4
    assert np.array_equal(halved_evenly(pixels, 4), expected)


@pytest.mark.parametrize("shape", [(64, 48), (63, 48), (64, 47), (63, 47)], ids=str)
def test_all_levels_of_a_photo_are_opencvs_areas_whatever_its_sides(shape):
    picture, expected = Picture(noise(*shape)), noise(*shape)
    for number in range(1, 4):
        expected = cv2.resize(expected, (shape[1] >> number, shape[0] >> number), interpolation=cv2.INTER_AREA)
        assert np.array_equal(picture.level(number), expected)
        rgba = picture.rgba(number)[..., None].view(np.uint8)
        assert np.array_equal(rgba[..., :3], expected) and (rgba[..., 3] == 255).all()
