"""Grounds: the same everywhere, and each kind what its name says."""

import hashlib
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from natviews.views.grounds import KINDS, ground

NAMES = [kind.__name__ for kind in KINDS]
EACH = 12


def of_kind(name: str) -> list[np.ndarray]:
    """Grounds of one kind, (256, 256, 3) float."""
    first = NAMES.index(name)
    return [ground(first + len(KINDS) * turn).astype(float) for turn in range(EACH)]


def detail(picture: np.ndarray) -> float:
    """Mean difference in grey levels from the surroundings of some 3 px."""
    return float(np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 3)).mean())


def smooth(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), 6)


def test_a_ground_is_rgb_of_256_px_that_nobody_can_change():
    for number in range(3 * len(KINDS)):
        picture = ground(number)
        assert picture.shape == (256, 256, 3) and picture.dtype == np.uint8
        assert not picture.flags.writeable


def test_a_ground_is_the_same_in_another_process():
    code = (
        "import hashlib; from natviews.views.grounds import ground\n"
        "print(hashlib.sha256(b''.join(ground(n).tobytes() for n in range(18))).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "5"}
    )
    ground.cache_clear()
    ours = [ground(n).tobytes() for n in reversed(range(18))]
    assert done.stdout == hashlib.sha256(b"".join(reversed(ours))).hexdigest() + "\n"


def test_grounds_differ():
    assert len({ground(number).tobytes() for number in range(90)}) == 90


def test_kinds_take_turns():
    assert len(set(NAMES)) == len(NAMES) == 9
    means = [[picture.mean() for picture in of_kind(name)] for name in NAMES]
    assert all(np.std(values) > 3 for values in means), "each kind comes light and dark, or at least in tones"


def test_a_studio_is_plain_and_light():
    for picture in of_kind("studio"):
        assert np.ptp(smooth(picture), axis=(0, 1)).max() < 3
        assert picture.mean() > 150


def test_a_gradient_is_smooth_and_goes_somewhere():
    for picture in of_kind("gradient"):
        assert detail(picture) < 2
        assert np.ptp(smooth(picture), axis=(0, 1)).max() > 15


def test_a_floor_lies_below_a_wall():
    steps = []
    for picture in of_kind("floor"):
        rows = smooth(picture).mean(axis=1)
        steps.append(np.abs(rows[10] - rows[-10]).max())
        # Across, only the vignette darkens, the same to the left and to the right.
        assert np.abs(smooth(picture)[:, 20] - smooth(picture)[:, -21]).mean() < 6
    assert np.median(steps) > 20


def test_wood_has_grain_along_its_planks():
    lying = 0
    for picture in of_kind("wood"):
        grey = picture.mean(axis=2)
        across, down = np.abs(np.diff(grey, axis=1)).mean(), np.abs(np.diff(grey, axis=0)).mean()
        assert max(across, down) > 1.5 * min(across, down)
        lying += down > across
    assert 0 < lying < EACH


def test_cloth_repeats_every_few_pixels():
    for picture in of_kind("cloth"):
        row = picture.mean(axis=2) - smooth(picture.mean(axis=2))
        likeness = [np.mean(row[:, :-shift] * row[:, shift:]) for shift in range(1, 25)]
        assert max(likeness[5:]) > 0.25 * np.mean(row**2)


def test_marble_is_light_with_dark_veins():
    for picture in of_kind("marble"):
        grey = picture.mean(axis=2)
        assert np.median(grey) - grey.min() > 2 * (grey.max() - np.median(grey))
        assert np.median(grey) > 150


def test_carpet_is_rougher_than_plaster_is_rougher_than_a_room():
    carpet, plaster, room = (
        np.median([detail(p) for p in of_kind(name)]) for name in ("carpet", "plaster", "room")
    )
    assert carpet > plaster > 1.3 * room


def test_a_room_has_blotches_without_edges():
    for picture in of_kind("room"):
        assert smooth(picture).std(axis=(0, 1)).max() > 10
        assert np.abs(np.diff(cv2.GaussianBlur(picture, (0, 0), 2), axis=1)).max() < 25


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_drowned_in_black_or_white(name):
    for picture in of_kind(name):
        assert (picture < 2).all(axis=2).mean() < 0.1
        if name != "studio":
            assert (picture > 253).all(axis=2).mean() < 0.5


def test_a_ground_takes_less_than_fifteen_milliseconds():
    ground.cache_clear()
    taken = []
    for number in range(10 * len(KINDS)):
        start = time.thread_time()
        ground(9000 + number)
        taken.append(time.thread_time() - start)
    assert np.median(np.reshape(taken, (10, len(KINDS))), axis=0).max() < 0.015
