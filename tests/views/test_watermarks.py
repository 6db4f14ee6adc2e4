"""Watermarks found and taken away, on photos whose marks are known."""

import cv2
import numpy as np
import pytest

from natviews.views.grounds import ground
from natviews.views.marks import mark
from natviews.views.watermarks import FEWEST, detect_mark, find_shared_mark, fit_mask, photos_with, remove

SIZE = (160, 200)
"""Height and width of the photos, px."""


def product_photo(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A made photo: patches of one ground standing on another, (H, W, 3) uint8."""
    rng = np.random.default_rng([5, number])
    height, width = size
    photo = cv2.resize(ground(number), (width, height))
    other = cv2.resize(ground(1000 + 5 * number), (width, height))
    for _ in range(3):
        centre = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.8) * height))
        shape = np.zeros(size, np.uint8)
        cv2.ellipse(
            shape,
            centre,
            (int(rng.integers(12, 60)), int(rng.integers(12, 60))),
            rng.uniform(0, 180),
            0,
            360,
            1,
            -1,
        )
        photo = np.where(shape[..., None] > 0, other, photo)
    return photo


def cover(
    photo: np.ndarray, width: int, place: tuple[int, int], number: int = 29, opacity: float = 0.6
) -> np.ndarray:
    """How much of each pixel a mark `width` px wide covers that is `place` (up, right) off the lower left."""
    alpha = mark(number, "train")[..., 3]
    alpha = cv2.resize(alpha, (width, max(1, round(alpha.shape[0] * width / 256))), interpolation=cv2.INTER_AREA)
    covered = np.zeros(photo.shape[:2])
    top, left = photo.shape[0] - place[0] - len(alpha), place[1]
    covered[top : top + len(alpha), left : left + width] = opacity * alpha / 255
    return covered


def white(photo: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """The photo under a white mark with a dark rim."""
    rim = 0.6 * np.roll(covered, (1, 1), (0, 1))[..., None]
    rimmed = photo * (1 - rim)
    return np.round(rimmed + (255 - rimmed) * covered[..., None]).astype(np.uint8)


PLACE = (12, 60)
COVER = cover(np.zeros((*SIZE, 3)), 90, PLACE)
TRUE = (COVER > 0.05) | (np.roll(COVER, (1, 1), (0, 1)) > 0.05)


@pytest.fixture(scope="module")
def shop():
    """60 photos, every third with the mark at the same place; and which."""
    marked = np.arange(60) % 3 == 0
    photos = [product_photo(n) for n in range(60)]
    photos = [white(photo, COVER) if has else photo for photo, has in zip(photos, marked, strict=True)]
    for photo in photos:
        photo.setflags(write=False)
    return photos, marked


@pytest.fixture(scope="module")
def found(shop):
    mask = find_shared_mark(shop[0])
    assert mask is not None
    return mask


def test_a_mark_on_a_third_of_the_photos_is_found_where_it_is(found):
    assert found.shape == SIZE and found.dtype == bool
    assert (found & TRUE).sum() > 0.8 * TRUE.sum()
    assert (found & TRUE).sum() > 0.5 * (found | TRUE).sum()


def test_the_photos_that_bear_the_mark_are_known(shop, found):
    photos, marked = shop
    assert (photos_with(found, photos) == marked).mean() > 0.95


def test_a_mask_is_of_use_on_other_photos_of_the_shop(found):
    others = [product_photo(n, (320, 400)) for n in range(200, 230)]
    large = cv2.resize(COVER, (400, 320))
    marked = np.arange(30) % 2 == 0
    photos = [white(photo, large) if has else photo for photo, has in zip(others, marked, strict=True)]
    assert (photos_with(found, photos) == marked).mean() > 0.9


def test_no_photo_bears_the_mark_only_because_it_is_like_itself(found):
    assert photos_with(found, [product_photo(n) for n in range(400, 412)]).sum() <= 3


def test_photos_without_a_mark_share_nothing():
    assert find_shared_mark([product_photo(n) for n in range(300, 360)]) is None


def test_a_mark_that_wanders_is_not_shared():
    rng = np.random.default_rng(0)
    photos = [product_photo(n) for n in range(60)]
    photos = [white(p, cover(p, 90, (int(rng.integers(0, 100)), int(rng.integers(0, 100))))) for p in photos]
    assert find_shared_mark(photos) is None


def test_products_that_stand_nearly_alike_are_not_a_mark():
    # As faces and necklines do: the same form, but some px off from photo to photo.
    rng = np.random.default_rng(0)
    photos = [product_photo(n) for n in range(60)]
    for photo in photos:
        centre = (100 + int(rng.integers(-4, 5)), 70 + int(rng.integers(-4, 5)))
        cv2.circle(photo, centre, 25, (60, 40, 30), -1, cv2.LINE_AA)
    assert find_shared_mark(photos) is None


def test_a_few_photos_show_nothing(shop):
    photos, marked = shop
    bearing = [photo for photo, has in zip(photos, marked, strict=True) if has]
    assert find_shared_mark(bearing[: FEWEST - 1]) is None
    assert find_shared_mark([]) is None
    assert find_shared_mark(bearing) is not None


@pytest.mark.parametrize("align", ["bottom", "top"])
def test_photos_of_differing_height_are_laid_edge_on_edge(align):
    # The mark is a share of the photo's width, at that share of the width from the edge.
    rng = np.random.default_rng(1)
    photos, truths = [], []
    for number in range(45):
        photo = product_photo(number, (int(rng.integers(110, 300)), 200))
        covered = cover(photo, 90, PLACE)
        if align == "top":
            covered = np.flipud(covered)
        truths.append(covered > 0.05)
        photos.append(white(photo, covered))
    mask = find_shared_mark(photos, align)
    assert mask is not None
    for photo, true in zip(photos, truths, strict=True):
        fitted = fit_mask(mask, photo.shape, align)
        assert fitted.shape == photo.shape[:2]
        assert (fitted & true).sum() > 0.8 * true.sum()
    wrong = find_shared_mark(photos, "top" if align == "bottom" else "bottom")
    assert wrong is None


def test_a_mask_is_fitted_to_other_sizes():
    mask = np.zeros((100, 200), bool)
    mask[90:, :50] = True  # lower left
    assert np.array_equal(fit_mask(mask, mask.shape), mask)
    doubled = fit_mask(mask, (400, 400))
    assert doubled.shape == (400, 400) and doubled[360:, :100].all() and doubled.sum() == 40 * 100
    low = fit_mask(mask, (400, 400, 3), "bottom")
    assert low[380:, :100].all() and low.sum() == 20 * 100
    high = fit_mask(mask, (400, 400), "top")
    assert high[180:200, :100].all() and high.sum() == 20 * 100
    cut = fit_mask(mask, (50, 200), "bottom")
    assert cut[40:, :50].all() and cut.sum() == 10 * 50
    assert not fit_mask(mask, (50, 200), "top").any()


def test_the_mark_is_gone_where_it_is_taken_away(shop):
    photos, marked = shop
    for number in np.flatnonzero(marked)[:8]:
        before, clean = photos[number].copy(), product_photo(number).astype(float)
        mended = remove(photos[number], TRUE)
        assert np.array_equal(photos[number], before)
        assert np.abs(mended - clean)[TRUE].mean() < 0.8 * np.abs(before - clean)[TRUE].mean()


def test_on_a_smooth_ground_nothing_is_left_of_the_mark():
    clean = cv2.resize(ground(1), SIZE[::-1])  # a gradient
    mended = remove(white(clean, COVER), TRUE)
    assert np.abs(mended.astype(int) - clean)[TRUE].mean() < 3


def test_nothing_is_changed_away_from_the_mask():
    photo = product_photo(4)
    mask = np.zeros(SIZE, bool)
    mask[50:60, 70:90] = True
    for grow in (0, 1, 3):
        changed = (remove(photo, mask, grow) != photo).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert (rows.min(), rows.max() + 1) == (50 - grow, 60 + grow)
        assert (columns.min(), columns.max() + 1) == (70 - grow, 90 + grow)


def test_an_empty_mask_gives_an_equal_photo_that_is_another_array():
    photo = product_photo(4)
    same = remove(photo, np.zeros(SIZE, bool))
    assert np.array_equal(same, photo) and not np.shares_memory(same, photo)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="as large as the photo"):
        remove(product_photo(4), np.zeros((10, 10), bool))


def text_on(photo: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The photo with a line of text below its middle, and the text's own pixels."""
    ink = np.zeros(photo.shape[:2], np.uint8)
    cv2.putText(ink, "moda store", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    share = ink[..., None] / 255
    return np.round(photo * (1 - share) + np.array(colour) * share).astype(np.uint8), ink > 128


@pytest.mark.parametrize("colour", [(255, 255, 255), (20, 20, 20)])
def test_text_on_a_plain_ground_is_found_in_one_photo(colour):
    photo, ink = text_on(np.full((*SIZE, 3), 130, np.uint8), colour)
    photo.setflags(write=False)
    detection = detect_mark(photo)
    assert detection.found and detection.score > 1
    assert detection.mask.shape == SIZE and detection.mask.dtype == bool
    assert (detection.mask & ink).sum() > 0.8 * ink.sum()
    rows = np.flatnonzero(detection.mask.any(axis=1))
    assert rows.min() > 95 and rows.max() < 135


def test_there_is_no_text_on_a_plain_ground():
    for number in range(0, 90, 9):
        detection = detect_mark(ground(number))
        assert not detection.found and detection.score < 0.3
        assert not detection.mask.any()


def test_a_pattern_full_of_small_pieces_is_not_text():
    # Dots of a letter's size in level rows: each row by itself would be a line of text.
    photo = np.full((256, 256, 3), 200, np.uint8)
    for y in range(10, 256, 18):
        for x in range(10, 98, 8):
            cv2.circle(photo, (x, y), 2, (40, 40, 40), -1, cv2.LINE_AA)
    detection = detect_mark(photo)
    assert not detection.found and not detection.mask.any()


def test_the_same_text_counts_for_less_among_many_pieces():
    plain, _ = text_on(np.full((*SIZE, 3), 130, np.uint8), (255, 255, 255))
    busy = np.full((*SIZE, 3), 130, np.uint8)
    rng = np.random.default_rng(0)
    for x, y in rng.integers(0, 90, (25, 2)):
        cv2.circle(busy, (int(2 * x), int(y)), 2, (255, 255, 255), -1, cv2.LINE_AA)
    busy, _ = text_on(busy, (255, 255, 255))
    assert detect_mark(busy).score < 0.7 * detect_mark(plain).score


def test_marks_of_the_test_pool_are_found_more_often_than_chance():
    # Honest, not good: benchmarks/watermarks.py has the figures.
    photos = [product_photo(number, (256, 256)) for number in range(60)]
    marked = [white(p, cover(p, 150, (20, 50), number, 0.9)) for number, p in enumerate(photos)]
    hits, alarms = (sum(detect_mark(p).found for p in group) for group in (marked, photos))
    assert hits > alarms + 15
