"""Preparation: every step by itself and switched off, its name for caches, and the photo left as it was."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from natviews.config import check
from natviews.types import NatviewsError
from natviews.views.preparation import NotAProduct, Preparation

WHITE, RED = (250, 249, 248), (190, 40, 40)
NOTHING = {"text_cards": "keep", "crop": "keep", "pad": "keep", "watermarks": "keep"}


@pytest.fixture
def photo() -> np.ndarray:
    """A red product (80, 40) of a photo (240, 160), read-only, as a pack gives it."""
    picture = np.full((240, 160, 3), WHITE, np.uint8)
    picture[100:180, 60:100] = RED
    picture.setflags(write=False)
    return picture


@pytest.fixture
def card() -> np.ndarray:
    """Ten lines of text on a white page (256, 256)."""
    page = Image.new("RGB", (256, 256), "white")
    for line in range(10):
        words = ["wash", "dry", "cool", "iron", "fold", "keep", "warm", "wear"]
        text = " ".join(words[line % 5 : line % 5 + 4])
        ImageDraw.Draw(page).text((25, 20 + 22 * line), text, "black", ImageFont.load_default(14))
    return np.array(page)


def only(**settings) -> Preparation:
    return Preparation(**{**NOTHING, **settings})


def red(picture) -> np.ndarray:
    return (picture == RED).all(axis=2)


def test_without_any_step_the_photo_is_copied(photo):
    prepared = only().prepare(photo)
    assert np.array_equal(prepared, photo)
    assert not np.shares_memory(prepared, photo) and prepared.flags.writeable


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.25])
def test_the_crop_keeps_its_margin(photo, margin):
    prepared = only(crop="foreground", margin=margin).prepare(photo)
    assert np.abs(np.array(prepared.shape[:2]) - (80 + 160 * margin, 40 + 160 * margin)).max() <= 6
    assert red(prepared).sum() == 80 * 40


def test_a_margin_ends_where_the_photo_ends(photo):
    prepared = only(crop="foreground", margin=1.0).prepare(photo)
    assert 215 <= prepared.shape[0] <= 230
    assert np.array_equal(prepared, photo[-prepared.shape[0] :])


def test_padding_centres_the_photo_on_its_borders_colour(photo):
    prepared = only(pad="square").prepare(photo)
    assert prepared.shape == (240, 240, 3)
    assert np.array_equal(prepared[:, 40:200], photo)
    assert (prepared[:, :40] == WHITE).all() and (prepared[:, 200:] == WHITE).all()
    flat = only(pad="square").prepare(photo[100:180])
    assert flat.shape == (160, 160, 3) and np.array_equal(flat[40:120], photo[100:180])


def test_all_steps_together_give_a_square_with_the_product_in_the_middle(photo):
    prepared = Preparation().prepare(photo)
    assert prepared.shape[0] == prepared.shape[1] < 110
    assert red(prepared).sum() == 80 * 40
    rows, columns = np.nonzero(red(prepared))
    assert np.abs(np.array([rows.mean(), columns.mean()]) - (prepared.shape[0] - 1) / 2).max() <= 3


def test_a_photo_without_a_foreground_is_only_padded():
    noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    prepared = only(crop="foreground", pad="square").prepare(noise)
    assert prepared.shape == (60, 60, 3) and np.array_equal(prepared[:, 10:50], noise)


def test_a_text_card_is_no_product_unless_it_is_to_be_kept(card):
    with pytest.raises(NotAProduct, match="text card"):
        only(text_cards="drop").prepare(card)
    assert np.array_equal(only().prepare(card), card)
    assert issubclass(NotAProduct, ValueError)


@pytest.mark.parametrize("found", [True, False])
def test_a_watermark_is_removed_only_where_one_is_found(photo, monkeypatch, found):
    mask = np.zeros((240, 160), bool)
    mask[110:120, 70:90] = True
    marked = photo.copy()
    marked[mask] = (255, 255, 255)
    marked.setflags(write=False)
    monkeypatch.setattr("natviews.views.watermarks.detect_mark", lambda _: SimpleNamespace(mask=mask, found=found))
    assert np.array_equal(only().prepare(marked), marked)
    without = only(watermarks="remove").prepare(marked)
    assert (np.abs(without[mask].astype(int) - RED).max() <= 8) == found
    assert np.array_equal(without[:90], marked[:90])
    assert (marked[mask] == 255).all()


def test_text_laid_over_a_photo_is_removed(photo):
    marked = Image.fromarray(photo)
    ImageDraw.Draw(marked).text((20, 210), "NORDLANE SHOP", (120, 120, 120), ImageFont.load_default(16))
    without = only(watermarks="remove").prepare(np.array(marked))
    assert np.abs(without[200:].astype(int) - WHITE).max() <= 12
    assert np.abs(np.array(marked)[200:].astype(int) - WHITE).max() > 100


def test_every_setting_changes_the_key():
    other = {"text_cards": "keep", "crop": "keep", "margin": 0.2, "pad": "keep", "watermarks": "remove"}
    assert set(other) == {field.name for field in fields(Preparation)}
    keys = {Preparation(**{name: value}).key for name, value in other.items()} | {Preparation().key}
    assert len(keys) == len(other) + 1
    assert Preparation(margin=0.1).key == Preparation().key
    assert not set("".join(keys)) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_")


def test_settings_are_checked_in_words():
    with pytest.raises(
        NatviewsError, match=r"Preparation: crop = 'centre' does not fit: .*'keep' or 'foreground'"
    ):
        Preparation(crop="centre")
    for margin in (-0.1, 1.1, float("nan")):
        with pytest.raises(NatviewsError, match=r"Preparation: margin = .* must be within 0 to 1\."):
            Preparation(margin=margin)
    with pytest.raises(NatviewsError, match="margin = 'wide' does not fit"):
        Preparation(margin="wide")
    assert Preparation(margin="0.2") == Preparation(margin=0.2)
    with pytest.raises(NatviewsError, match=r"Preparation has no 'marginn'; did you mean 'margin'\?"):
        check(Preparation, {"marginn": 0.1}, "Preparation")


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (300, 1), (8, 8), (20, 700)])
def test_a_photo_of_any_shape_becomes_a_square(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    prepared = Preparation().prepare(picture)
    assert prepared.shape == (max(shape), max(shape), 3) and prepared.dtype == np.uint8
