"""Cards and what is like a card: drawn tables and pages, and products with letters on them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from natviews.views.text_cards import CARD, is_text_card, text_card_score

TEXT = "gently wash with similar colours dry flat do not bleach iron on low heat and keep away from fire"
WORDS = TEXT.split()
SIDES = (256, 384, 800)


def page(side, ground="white"):
    picture = Image.new("RGB", (side, side), ground)
    return picture, ImageDraw.Draw(picture)


def font(side, share):
    return ImageFont.load_default(round(side * share))


def table(side, ink="black", ground="white", rules=True) -> np.ndarray:
    picture, draw = page(side, ground)
    letters = font(side, 0.045)
    rows = ["Size Chest Waist Hips", *(f"{name} {84 + i} {66 + i} {92 + i}" for i, name in enumerate("SMLXY"))]
    for i, row in enumerate(rows):
        y = side * (0.16 + 0.12 * i)
        if rules:
            draw.line((0.08 * side, y - 0.02 * side, 0.92 * side, y - 0.02 * side), "grey", 1)
        for j, cell in enumerate(row.split()):
            draw.text((side * (0.1 + 0.21 * j), y), cell, ink, letters)
    return np.array(picture)


def prose(side, box=(0.08, 0.1, 0.92, 0.9), ground="white", ink="black") -> np.ndarray:
    picture, draw = page(side, ground)
    write(draw, side, box, ink)
    return np.array(picture)


def write(draw, side, box, ink) -> None:
    left, top, right, bottom = (side * share for share in box)
    letters, x, y, i = font(side, 0.045), left, top, 0
    while y < bottom - 0.05 * side:
        word = WORDS[i % len(WORDS)]
        if x + letters.getlength(word) > right:
            x, y = left, y + 0.065 * side
            continue
        draw.text((x, y), word, ink, letters)
        x, i = x + letters.getlength(word + " "), i + 1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("rules", [True, False])
def test_a_table_of_sizes_is_a_card(side, rules):
    assert is_text_card(table(side, rules=rules))


@pytest.mark.parametrize("side", SIDES)
def test_a_page_of_text_is_a_card_on_any_ground(side):
    assert is_text_card(prose(side))
    assert is_text_card(prose(side, ground=(20, 60, 130), ink="white"))


def test_a_page_on_a_pale_surround_is_a_card():
    photo = prose(384, (0.14, 0.12, 0.86, 0.88))
    surround = np.ones((384, 384), bool)
    surround[38:346, 46:338] = False
    photo[surround] = (225, 230, 238)
    assert is_text_card(photo)


def shirt(side=384, body=(40, 60, 120)) -> np.ndarray:
    picture, draw = page(side)
    points = [(0.3, 0.1), (0.7, 0.1), (0.95, 0.3), (0.85, 0.42), (0.75, 0.35), (0.75, 0.92)]
    points += [(0.25, 0.92), (0.25, 0.35), (0.15, 0.42), (0.05, 0.3)]
    draw.polygon([(x * side, y * side) for x, y in points], body, outline=(205, 205, 205))
    write(draw, side, (0.3, 0.35, 0.7, 0.8), "white" if sum(body) < 400 else "black")
    return np.array(picture)


@pytest.mark.parametrize("body", [(40, 60, 120), (245, 225, 90), (228, 228, 228), (255, 255, 255)])
def test_a_shirt_with_words_is_no_card(body):
    assert not is_text_card(shirt(body=body))


def test_a_box_with_text_is_no_card():
    photo = np.full((384, 384, 3), 250, np.uint8)
    photo[50:340, 80:300] = prose(384, (0, 0.02, 0.56, 0.75), ground=(200, 60, 50), ink="white")[:290, :220]
    assert not is_text_card(photo)


def test_a_product_with_notes_beside_it_is_no_card():
    photo = prose(384, (0.5, 0.1, 0.95, 0.9))
    assert is_text_card(photo)
    photo[60:150, 60:150] = (120, 140, 60)
    assert not is_text_card(photo)


def test_a_drawing_with_notes_beside_it_is_no_card():
    picture = Image.fromarray(prose(384, (0.5, 0.1, 0.95, 0.9)))
    ImageDraw.Draw(picture).ellipse((40, 60, 160, 180), outline=(60, 60, 60), width=3)
    assert not is_text_card(np.array(picture))


def test_stripes_dots_and_checks_are_no_cards():
    y, x = np.mgrid[:384, :384]
    dots = (y % 16 - 8) ** 2 + (x % 16 - 8) ** 2 < 20
    nearer = (y % 16 - 8) ** 2 + (x % 16 - 8) ** 2 < 12 + x / 24
    for pattern in (y // 6 % 2, x // 9 % 2, (y // 12 + x // 12) % 2, dots, dots & (y // 16 % 2 == 0), nearer):
        assert text_card_score((255 - 200 * pattern[..., None].repeat(3, axis=2)).astype(np.uint8)) < CARD


def test_a_title_alone_and_pale_lettering_are_no_cards():
    picture, draw = page(384)
    draw.text((60, 170), "A small brand", "black", font(384, 0.09))
    assert not is_text_card(np.array(picture))
    assert not is_text_card(prose(384, ink=(185, 190, 195)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (8, 8), (20, 2000), (64, 64)])
def test_a_photo_of_any_shape_has_a_score(shape):
    rng = np.random.default_rng(0)
    for photo in (rng.integers(0, 256, (*shape, 3), dtype=np.uint8), np.full((*shape, 3), 255, np.uint8)):
        photo.setflags(write=False)
        assert 0 <= text_card_score(photo) < CARD


def test_real_photographs_are_no_cards():
    from sklearn.datasets import load_sample_image

    for name in ("china.jpg", "flower.jpg"):
        assert text_card_score(load_sample_image(name)) < 0.1
