"""Watermarks: the same everywhere, whole, and of two pools that share nothing."""

import hashlib
import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from natviews.catalog.generated.marks import OUR_SHOPS, THEIR_SHOPS
from natviews.views.marks import POOLS, lettering, logos, mark, painting, plan
from natviews.views.marks.plans import contrast

MANY = 1500
FACES = [face for pool in POOLS.values() for face in pool.faces]
LOGOS = [logo for pool in POOLS.values() for logo in pool.logos]
PLAIN = plan(0, "train")


def plans(pool):
    return [plan(number, pool) for number in range(MANY)]


def words(pool):
    return {
        word.lower() for drawn in plans(pool) for line in drawn.lines for word in re.findall(r"[^\W\d_]{2,}", line)
    }


def numbers(pool):
    return {number for drawn in plans(pool) for line in drawn.lines for number in re.findall(r"\d+", line)}


@pytest.mark.parametrize("pool", POOLS)
def test_a_mark_is_rgba_of_256_px_that_nobody_can_change(pool):
    for number in range(60):
        picture = mark(number, pool)
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 4
        assert max(picture.shape) == 256
        assert not picture.flags.writeable
        assert picture[..., 3].max() > 200, "alpha is the shape at full strength"
        assert 0.005 < (picture[..., 3] > 128).mean() < 1


def test_a_mark_is_the_same_in_another_process_and_in_another_order():
    code = (
        "import hashlib; from natviews.views.marks import mark\n"
        "pictures = [mark(n, p).tobytes() for p in ('test', 'train') for n in (7, 3, 40)]\n"
        "print(hashlib.sha256(b''.join(pictures)).hexdigest())"
    )
    digests = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        digests.add(done.stdout)
    mark.cache_clear()
    [mark(n, p) for p in ("train", "test") for n in (40, 7, 3)]
    ours = b"".join(mark(n, p).tobytes() for p in ("test", "train") for n in (7, 3, 40))
    assert digests == {hashlib.sha256(ours).hexdigest() + "\n"}


@pytest.mark.parametrize("pool", POOLS)
def test_marks_differ(pool):
    pictures = {mark(number, pool).tobytes() for number in range(100)}
    assert len(pictures) == 100
    assert mark(3, "train").tobytes() != mark(3, "test").tobytes()


def test_the_pools_share_no_word():
    # Of a domain name ("velvetlane") its whole is looked at, and the names it is made of by the next test.
    train, test = words("train"), words("test")
    assert len(train) > 40 and len(test) > 40
    assert not train & test


def test_no_name_of_one_pool_is_part_of_a_word_of_the_other():
    parts = {pool: {word.lower() for word in (*POOLS[pool].first, *POOLS[pool].second)} for pool in POOLS}
    for ours, theirs in (("train", "test"), ("test", "train")):
        assert not [(part, word) for part in parts[ours] for word in words(theirs) if part in word]


def test_the_pools_share_no_number():
    train, test = numbers("train"), numbers("test")
    assert len(train) > 100 and len(test) > 100
    assert not train & test
    for field in ("numbers", "shares", "years"):
        ranges = [set(getattr(pool, field)) for pool in POOLS.values()]
        assert not ranges[0] & ranges[1]


def test_the_pools_are_drawn_independently():
    pairs = [(plan(number, "train"), plan(number, "test")) for number in range(200)]
    assert np.mean([ours.ink == theirs.ink for ours, theirs in pairs]) < 0.3
    assert not any(ours.strength == theirs.strength for ours, theirs in pairs)


@pytest.mark.parametrize("trait", ["logo", "face", "finish", "plate"])
def test_the_pools_share_no_shape_typeface_or_treatment(trait):
    train, test = ({getattr(drawn, trait) for drawn in plans(pool)} - {""} for pool in ("train", "test"))
    assert len(train) >= 2 and len(test) >= 2
    assert not train & test


def test_no_mark_names_a_shop_of_the_generated_catalogue():
    names = {word.lower() for shop in OUR_SHOPS + THEIR_SHOPS for word in re.findall(r"[A-Za-z]{3,}", shop.name)}
    assert not names & (words("train") | words("test"))


@pytest.mark.parametrize("pool", POOLS)
def test_there_is_text_alone_a_logo_alone_and_both(pool):
    kinds = [(bool(drawn.lines), bool(drawn.logo)) for drawn in plans(pool)]
    assert (False, False) not in kinds
    for kind in ((True, False), (False, True), (True, True)):
        assert kinds.count(kind) > MANY / 10


@pytest.mark.parametrize(("face", "other"), combinations(FACES, 2))
def test_every_typeface_looks_its_own_way(face, other):
    first, second = lettering.written("Shop 42", face), lettering.written("Shop 42", other)
    assert first.max() == second.max() == 255
    assert first.shape != second.shape or np.abs(first.astype(int) - second).mean() > 5


@pytest.mark.parametrize("face", FACES)
def test_letters_are_not_cut_off(face):
    # 'M' and 'p' reach farthest to the left, the right and below: two of them are twice one of them.
    for letter in "Mp":
        one, two = lettering.written(letter, face), lettering.written(2 * letter, face)
        assert two.shape[1] > 1.9 * one.shape[1]
        assert abs(two.shape[0] - one.shape[0]) <= 2


@pytest.mark.parametrize(("logo", "other"), combinations(LOGOS, 2))
def test_every_logo_has_its_own_outline(logo, other):
    first, second = logos.filled(logo, 1.0) > 128, logos.filled(other, 1.0) > 128
    assert (first & second).sum() / (first | second).sum() < 0.95


@pytest.mark.parametrize("logo", LOGOS)
def test_a_logo_bears_its_letter_solid_or_in_outline(logo):
    filled = {
        solid: logos.logo_of(replace(PLAIN, logo=logo, initial="", solid=solid)).mean() for solid in (True, False)
    }
    assert filled[True] > 1.3 * filled[False]
    lettered = logos.logo_of(replace(PLAIN, logo=logo, initial="K", solid=False)).astype(int)
    other = logos.logo_of(replace(PLAIN, logo=logo, initial="T", solid=False))
    for axis in (0, 1):
        changed = np.flatnonzero(np.abs(lettered - other).max(axis=axis) > 128)
        assert len(changed) and changed.min() > 40 and changed.max() < 152, "the letter stands in the middle"


@pytest.mark.parametrize("pool", POOLS)
def test_no_mark_is_cut_off_at_its_edge(pool):
    for number in range(200):
        if not plan(number, pool).plate:
            alpha = mark(number, pool)[..., 3]
            edge = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
            assert edge.max() < 30, number  # a soft shadow may end there


@pytest.mark.parametrize("pool", POOLS)
def test_a_plate_ends_outside_its_letters(pool):
    for number in range(60):
        drawn = replace(plan(number, pool), finish="flat", plate=POOLS[pool].plates[number % 2])
        text, logo = painting._lay_out(drawn)
        ink = cv2.resize(np.maximum(text, logo), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        ink = np.pad(ink, 10) > 128
        plate = painting._plate(drawn.plate, ink.shape)
        assert plate[ink].mean() > 0.99


def test_every_finish_is_another_picture():
    text = {"train": plan(2, "train"), "test": plan(2, "test")}
    for pool, drawn in text.items():
        letters = lettering.written("Shop", POOLS[pool].faces[0])
        ink = np.pad(letters, 20).astype(np.float32) / 255
        pictures = {
            finish: painting._paint(
                replace(drawn, finish=finish, plate=POOLS[pool].plates[0]), ink, np.zeros_like(ink)
            ).tobytes()
            for finish in POOLS[pool].finishes
        }
        assert len(set(pictures.values())) == len(POOLS[pool].finishes)


def test_cut_out_letters_show_what_is_behind_them():
    ink = np.zeros((60, 120), np.float32)
    ink[20:40, 40:80] = 1
    drawn = replace(PLAIN, finish="cutout", plate="bar", ink=(200, 30, 40))
    picture = painting._paint(drawn, ink, np.zeros_like(ink))
    assert picture[30, 60, 3] == 0
    assert picture[30, 20].tolist() == [200, 30, 40, 255]


def test_what_is_bare_has_the_colour_of_the_ink():
    # Or shrinking a white mark would draw grey into its edges.
    ink = np.zeros((60, 120), np.float32)
    ink[20:40, 40:80] = 1
    picture = painting._paint(replace(PLAIN, finish="flat", plate="", ink=(200, 30, 40)), ink, np.zeros_like(ink))
    assert picture[0, 0].tolist() == [200, 30, 40, 0]
    assert picture[30, 60].tolist() == [200, 30, 40, 255]


def test_the_plate_sets_off_the_ink():
    for ink in ((255, 255, 255), (20, 20, 20), (205, 165, 60)):
        ground = contrast(ink)
        assert abs(np.mean(ground) - np.mean(ink)) > 90


def test_an_unknown_pool_is_refused():
    with pytest.raises(KeyError):
        mark(0, "validation")


def test_a_mark_takes_less_than_ten_milliseconds():
    mark.cache_clear()
    taken = []
    for number in range(60):
        start = time.thread_time()
        mark(5000 + number, ("train", "test")[number % 2])
        taken.append(time.thread_time() - start)
    assert np.median(taken) < 0.010
