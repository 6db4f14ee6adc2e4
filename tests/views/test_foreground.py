"""The foreground of drawn photos, whose truth is known, and of photos that have none."""

import cv2
import numpy as np
import pytest

from natviews.views import Window
from natviews.views.foreground import foreground

RED = (190, 40, 40)


def studio(shape=(240, 200), colour=(245, 245, 245), noise=1.0, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(colour, noise, (*shape, 3)), 0, 255).astype(np.uint8)


def disc(shape, centre, radius) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    found = found > 127
    return (found & truth).sum() / (found | truth).sum()


@pytest.fixture
def plain_only(monkeypatch):
    """Without GrabCut, which finds much by itself."""
    monkeypatch.setattr("natviews.views.foreground._on_busy", lambda photo, lab: None)


def test_a_product_on_a_plain_background_is_found_to_the_pixel(plain_only):
    photo, truth = studio(), disc((240, 200), (110, 100), 50)
    photo[truth] = RED
    found = foreground(photo)
    assert overlap(found.matte, truth) > 0.96
    assert np.abs(np.array(found.box) - (60, 50, 161, 151)).max() <= 2
    assert 0.8 < found.clearness <= 1
    assert found.matte.dtype == np.uint8 and found.matte.shape == (240, 200)


def test_a_gradient_is_background(plain_only):
    photo, truth = studio(), disc((240, 200), (100, 120), 45)
    shade = np.linspace(0.45, 1, 240)[:, None, None] * np.linspace(1, 0.8, 200)[None, :, None]
    photo = (photo * shade).astype(np.uint8)
    photo[truth] = RED
    assert overlap(foreground(photo).matte, truth) > 0.95


def test_a_soft_shadow_is_background(plain_only):
    photo, truth = studio(noise=0.5), disc((240, 200), (100, 90), 45)
    shadow = cv2.GaussianBlur(disc((240, 200), (112, 108), 45).astype(np.float32), (0, 0), 12)
    photo = (photo * (1 - 0.25 * shadow[..., None])).astype(np.uint8)
    photo[truth] = RED
    assert overlap(foreground(photo).matte, truth) > 0.9


def test_a_white_product_on_white_is_no_shadow(plain_only):
    photo, truth = studio(colour=(255, 255, 255), noise=0), disc((240, 200), (100, 120), 60)
    photo[truth] = 236
    photo[105:125, 90:110] = (60, 60, 60)
    assert overlap(foreground(photo).matte, truth) > 0.9


def test_holes_belong_to_the_product(plain_only):
    photo, truth = studio(), disc((240, 200), (100, 120), 60)
    photo[truth & ~disc((240, 200), (100, 120), 35)] = RED
    assert overlap(foreground(photo).matte, truth) > 0.95


def test_a_stamped_number_does_not_widen_the_box(plain_only):
    photo = studio()
    photo[60:180, 60:140] = RED
    photo[228:234, 4:30] = 90
    assert np.abs(np.array(foreground(photo).box) - (60, 60, 140, 180)).max() <= 2


def test_a_product_that_reaches_over_the_border_is_found(plain_only):
    photo = studio()
    photo[80:, 50:150] = RED
    assert np.abs(np.array(foreground(photo).box) - (50, 80, 150, 240)).max() <= 2


def test_a_product_before_a_busy_background_is_found_by_its_colours():
    rng = np.random.default_rng(1)
    tiles = rng.choice([30, 90, 160, 220], (24, 20)).astype(np.uint8)
    photo = cv2.resize(tiles, (200, 240), interpolation=cv2.INTER_NEAREST)[..., None].repeat(3, axis=2)
    truth = disc((240, 200), (100, 120), 60)
    photo[truth] = RED
    assert overlap(foreground(photo).matte, truth) > 0.75


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_can_be_told_apart_the_answer_is_the_whole_photo(seed):
    found = foreground(studio(seed=seed))
    assert found.box == Window(0, 0, 200, 240)
    assert found.matte.min() == 255 and not found.found


def test_a_dot_is_no_product():
    photo = studio()
    photo[100:104, 100:104] = RED
    assert not foreground(photo).found


def test_clearness_says_how_clear_the_outline_is():
    clear, faint = studio(), studio()
    clear[60:180, 60:140], faint[60:180, 60:140] = RED, (225, 228, 225)
    assert foreground(faint).clearness < 0.5 < foreground(clear).clearness


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (300, 1), (2, 2), (8, 8), (9, 500), (20, 2000), (64, 64)])
@pytest.mark.parametrize("kind", ["noise", "flat", "spot"])
def test_a_photo_of_any_shape_has_a_matte_and_a_box(shape, kind):
    height, width = shape
    photo = np.full((*shape, 3), 250, np.uint8)
    if kind == "noise":
        photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    if kind == "spot":
        photo[height // 3 : 2 * height // 3 + 1, width // 3 : 2 * width // 3 + 1] = RED
    photo.setflags(write=False)
    found = foreground(photo)
    assert found.matte.shape == shape
    left, top, right, bottom = found.box
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    if shape not in [(8, 8), (64, 64)]:  # too thin at the scale of judging, or nothing there
        assert not found.found
    elif kind == "spot":
        assert found.found and (right - left) * (bottom - top) < 0.3 * height * width


def test_the_same_photo_has_the_same_matte():
    rng = np.random.default_rng(5)
    tiles = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    photo = cv2.resize(tiles, (160, 160), interpolation=cv2.INTER_LINEAR)
    inside = cv2.resize(rng.integers(90, 256, (8, 8, 3), dtype=np.uint8), (160, 160))
    photo = np.where(disc((160, 160), (80, 80), 45)[..., None], inside, photo)
    mattes = []
    for seed in range(6):
        cv2.setRNGSeed(seed)
        mattes.append(foreground(photo).matte)
    assert mattes[0].min() == 0
    assert all(np.array_equal(mattes[0], other) for other in mattes)


def test_a_busy_photo_may_be_left_whole():
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8), (0, 0), 3)
    photo = cv2.normalize(photo, None, 0, 255, cv2.NORM_MINMAX)
    cv2.circle(photo, (80, 80), 40, (250, 20, 20), -1)
    assert foreground(photo).found
    assert not foreground(photo, busy="keep").found
    plain = np.full((160, 160, 3), 240, np.uint8)
    cv2.circle(plain, (80, 80), 40, (250, 20, 20), -1)
    assert foreground(plain, busy="keep").found
