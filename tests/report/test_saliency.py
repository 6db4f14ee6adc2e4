"""What covering a part of a photo costs is laid on that part, and on no other."""

import warnings
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.encoders import Architecture, Encoder
from natviews.evaluation import covering
from natviews.evaluation.covering import PARTS, fall_of_parts
from natviews.report.report import Saliency, Shown
from natviews.report.saliency import saliency_of
from natviews.report.saliency_figure import saliency_figure


@pytest.fixture(scope="module")
def packed(catalog):
    packed = with_split(pack(catalog, 64))
    return packed.take(packed.catalog.splits == "test")


class OneCorner:
    """Sees but whether the upper left eighth of what it is shown has the photo's own pixels."""

    architecture = SimpleNamespace(crop=1.0)

    def __init__(self):
        self.seen = []

    def encode(self, photos):
        photos = list(photos)
        if len(photos) == 1:
            return np.array([[1.0, 0.0]], np.float32)
        first = photos[0]
        left, top = (first.shape[1] - min(first.shape[:2])) // 2, (first.shape[0] - min(first.shape[:2])) // 2
        side = max(1, min(first.shape[:2]) // PARTS)
        part = np.s_[top : top + side, left : left + side]
        hidden = [bool((photo[part] != first[part]).any()) for photo in photos]
        self.seen.append(sum(hidden))
        return np.array([[0.5, 0.0] if one else [0.9, 0.0] for one in hidden], np.float32)


def test_the_part_that_is_looked_at_is_found(packed):
    encoder = OneCorner()
    found = saliency_of(encoder, packed)
    assert len(found) == 4 and len({one.photo.product_id for one in found}) == 4
    for one, hidden in zip(found, encoder.seen, strict=True):
        assert one.photo.product_id == one.other.product_id and one.photo.id != one.other.id
        assert one.similarity == pytest.approx(0.9)
        assert one.fall.shape == (PARTS, PARTS)
        if hidden == 1:  # not where the corner has the photo's mean colour already
            assert one.fall[0, 0] == pytest.approx(0.4) and one.fall.argmax() == 0
            assert one.fall[2:].max() == one.fall[:, 2:].max() == 0
    assert 1 in encoder.seen


@pytest.mark.parametrize("shape", [(1, 1), (1, 100), (100, 1), (2, 3), (9, 5)])
def test_photos_of_a_few_pixels_are_covered_too(shape):
    photo = np.full((*shape, 3), 9, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = covering(photo, np.ones(1), lambda photos: np.array([[one.mean()] for one in photos]), 0.875)
    assert found.similarity == 9 and not found.fall.any()  # the cover has the mean colour of what is seen


def test_a_part_gets_the_mean_of_the_squares_that_cover_it():
    falls = np.array([[4.0, 0.0], [0.0, 8.0]])
    assert np.array_equal(fall_of_parts(falls), [[4, 2, 0], [2, 3, 4], [0, 4, 8]])
    assert np.array_equal(fall_of_parts(np.ones((3, 3))), np.ones((4, 4)))


@pytest.mark.parametrize("architecture", [
    Architecture(name="small", size=32, options={"width": 16}),
    Architecture(name="vit_tiny_patch16_224", size=32, options={"img_size": 32, "depth": 2}),
], ids=["CNN", "ViT"])  # fmt: skip
def test_it_is_the_similarity_of_the_vectors_themselves(packed, architecture):
    encoder = Encoder.create(architecture)
    found = saliency_of(encoder, packed)[0]
    row, other = (packed.catalog.ids.tolist().index(photo.id) for photo in (found.photo, found.other))
    one, two = encoder.encode([packed.pixels(row), packed.pixels(other)])
    assert found.similarity == pytest.approx(float(one @ two), abs=1e-4)
    assert np.abs(found.fall).max() > 0
    left, top, right, bottom = found.window
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1 and min(left, top) == pytest.approx(0.0625, abs=0.05)


def one_map(fall, window=(0.0, 0.0, 1.0, 1.0)):
    photos = [Shown(f"{i}.jpg", "p", np.full((50, 100, 3), 60 * i, np.uint8)) for i in (1, 2)]
    return Saliency(*photos, 0.8, np.asarray(fall, float), window)


def test_shades_tell_what_holds_from_what_hinders_on_one_scale():
    text = saliency_figure(one_map([[0.4, -0.2], [0.0, 0.1]], (0.25, 0.0, 0.75, 1.0)), 0.8)
    parts = list(ElementTree.fromstring(text).iter("rect"))
    assert [(part.get("class"), part.get("opacity")) for part in parts] == [
        ("holds", "0.36"), ("hinders", "0.18"), ("holds", "0.09"),
    ]  # fmt: skip
    assert [part[0].text for part in parts] == ["-0.400", "+0.200", "-0.100"]
    across = [float(part.get("x")) - 164 for part in parts]
    assert across == pytest.approx([37.5, 75.0, 75.0]) and {part.get("width") for part in parts} == {"37.5"}
    assert "covering the part that matters most: -0.40" in text


def test_a_photo_on_which_nothing_depends_has_no_shade():
    assert "<rect" not in saliency_figure(one_map(np.zeros((2, 2))), 0.0)
