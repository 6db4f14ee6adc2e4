"""The contact sheet shows every picture whole, in its place, with words that can be read."""

import numpy as np
import pytest

from natviews.report.sheet import CAPTION, GAP, GROUND, MARGIN, contact_sheet, wrapped
from natviews.report.sheet import _length as length

RED, BLUE = (220, 20, 20), (20, 20, 220)


def plain(height: int, width: int, colour: tuple[int, int, int] = RED) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_a_ragged_sheet_is_as_wide_as_its_longest_row() -> None:
    one = contact_sheet([[plain(20, 20)]], [["a"]], [""], cell=64)
    ragged = contact_sheet([[plain(20, 20)], [plain(9, 70)] * 3, []], [["a"], ["a"] * 3, []], [""] * 3, cell=64)
    assert one.dtype == ragged.dtype == np.uint8 and one.shape[2] == ragged.shape[2] == 3
    assert one.shape[1] == 2 * MARGIN + 64
    assert ragged.shape[1] == 2 * MARGIN + 3 * 64 + 2 * GAP
    assert ragged.shape[0] > 2 * 64 + one.shape[0] - 64


def test_pictures_lie_whole_on_white_in_their_cells() -> None:
    sheet = contact_sheet([[plain(10, 40), plain(300, 100, BLUE)]], [["", ""]], [""], cell=80)
    first, second = sheet[MARGIN:, MARGIN : MARGIN + 80], sheet[MARGIN:, MARGIN + 80 + GAP :]
    assert tuple(first[40, 2]) == tuple(first[40, 77]) == RED
    assert tuple(first[5, 40]) == tuple(first[70, 40]) == (255, 255, 255)
    assert tuple(second[2, 40]) == tuple(second[77, 40]) == BLUE
    assert tuple(second[40, 27]) == tuple(second[40, 51]) == BLUE
    assert tuple(second[40, 24]) == tuple(second[40, 54]) == (255, 255, 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (500, 499)])
def test_pictures_of_any_size_fit(size: tuple[int, int]) -> None:
    assert contact_sheet([[plain(*size)]], [["x"]], ["row"]).shape[2] == 3


def test_captions_stand_under_their_pictures_and_row_labels_beside_them() -> None:
    bare = contact_sheet([[plain(20, 20)]], [[""]], [""], cell=64)
    told = contact_sheet([[plain(20, 20)]], [["jitter"]], ["product 1"], cell=64)
    left = told.shape[1] - MARGIN - 64
    under, beside = told[MARGIN + 66 :, left:], told[MARGIN : MARGIN + 64, : left - 2]
    assert (under != GROUND).any() and (beside != GROUND).any()
    assert (bare[MARGIN + 66 :] == GROUND).all() and bare.shape[1] < told.shape[1]


def test_a_title_has_room_of_its_own() -> None:
    row = [[plain(20, 20)] * 3], [["a"] * 3], ["row"]
    untitled, titled = contact_sheet(*row), contact_sheet(*row, title="Views")
    taller = len(titled) - len(untitled)
    assert taller > 0
    assert np.array_equal(titled[taller + MARGIN :], untitled[MARGIN:])


def test_a_sheet_of_nothing_is_only_its_ground() -> None:
    assert (contact_sheet([], [], []) == GROUND).all()


def test_the_same_sheet_is_drawn_again_and_pictures_are_left_alone() -> None:
    picture = plain(30, 50)
    picture.setflags(write=False)
    sheets = [contact_sheet([[picture]], [["a"]], ["b"], title="c") for _ in range(2)]
    assert np.array_equal(*sheets)


@pytest.mark.parametrize(
    ("labels", "row_labels"), [([["a"]], ["row"]), ([["a", "b"]], []), ([["a", "b"], []], ["row", "row"])]
)
def test_labels_must_pair_off_with_pictures(labels: list[list[str]], row_labels: list[str]) -> None:
    with pytest.raises(ValueError, match="label"):
        contact_sheet([[plain(9, 9), plain(9, 9)]], labels, row_labels)


@pytest.mark.parametrize(
    "text", ["crop, jitter, grey, blur, flip", "crop+jitter+grey+blur+flip+rotate", "x" * 90, "a " + "y" * 40]
)
def test_long_captions_are_broken_to_their_width_and_ended(text: str) -> None:
    lines = wrapped(text, CAPTION, 60, 2)
    assert len(lines) == 2 and lines[-1].endswith("…")
    assert all(0 < length(line, CAPTION) <= 60 for line in lines)
    whole = wrapped(text, CAPTION, 60, 99)
    assert "".join(whole).replace(" ", "") == text.replace(" ", "")


def test_line_ends_are_kept_and_empty_text_takes_no_room() -> None:
    assert wrapped("inst100\nshirt", CAPTION, 200, 3) == ["inst100", "shirt"]
    assert wrapped("", CAPTION, 200, 3) == wrapped("  \n ", CAPTION, 200, 3) == []
    assert wrapped("crop, jitter", CAPTION, 200, 3) == ["crop, jitter"]
