import numpy as np
import pytest
from PIL import Image

from natviews.catalog import BadPhoto, read_photo, read_prepared


class Middle:
    """Keeps the middle of a photo; refuses small ones."""

    key = "middle"

    def prepare(self, photo):
        height, width = photo.shape[:2]
        if height < 20:
            raise ValueError("too small")
        return photo[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4].copy()


@pytest.fixture
def path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_without_preparation_it_is_the_photo(path):
    assert np.array_equal(read_prepared(path, 100, None), read_photo(path, 100))


def test_cropping_does_not_cost_resolution(path):
    prepared = read_prepared(path, 100, Middle())
    assert prepared.shape == (100, 100, 3)
    assert np.array_equal(prepared, read_photo(path, 200)[50:150, 50:150])


def test_the_preparations_reason_is_the_photos(path, tmp_path):
    Image.new("RGB", (30, 10)).save(tmp_path / "small.png")
    with pytest.raises(BadPhoto, match="too small"):
        read_prepared(tmp_path / "small.png", 100, Middle())
