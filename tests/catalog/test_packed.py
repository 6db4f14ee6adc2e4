import errno
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from broken_photos import encoded, picture, write_catalog

from natviews.catalog import Catalog, pack, read_photo, write_quarantine
from natviews.types import NatviewsError


def test_every_row_keeps_its_own_pixels_among_broken_photos(tmp_path):
    path, bad = write_catalog(tmp_path)
    packed = pack(Catalog.open(path), 64)
    assert [q.id for q in packed.quarantine] == bad
    assert all(q.reason for q in packed.quarantine)
    for row, photo in enumerate(packed.catalog.photos):
        assert np.array_equal(packed.pixels(row), read_photo(photo.path, 64)), photo.id


def test_a_selection_keeps_ids_and_pixels_together(catalog):
    packed = pack(catalog, 64)
    rows = np.array([7, 3, 50])
    some = packed.take(rows)
    for place, row in enumerate(rows):
        assert some.catalog.ids[place] == packed.catalog.ids[row]
        assert np.array_equal(some.pixels(place), packed.pixels(int(row)))


def test_packing_again_decodes_nothing(catalog, monkeypatch):
    first = pack(catalog, 48)
    monkeypatch.setattr("natviews.catalog.packed.read_photo", None)
    again = pack(catalog, 48)
    assert np.array_equal(first.pixels(5), again.pixels(5))


def test_a_changed_photo_is_decoded_anew(tmp_path):
    for name, seed in (("a.jpg", 1), ("b.jpg", 2)):
        (tmp_path / name).write_bytes(encoded(array=picture(seed=seed)))
    table = tmp_path / "catalog.csv"
    table.write_text("image,product_id\na.jpg,p\nb.jpg,q\n")
    before = pack(Catalog.open(table), 64).pixels(0).copy()
    (tmp_path / "a.jpg").write_bytes(encoded(array=picture(seed=9), quality=60))
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    assert not np.array_equal(before, pack(Catalog.open(table), 64).pixels(0))


def test_no_usable_photo_is_an_error_that_names_the_first(tmp_path):
    (tmp_path / "catalog.csv").write_text("image,product_id\nnowhere.jpg,p\n")
    with pytest.raises(NatviewsError, match=r"None of the 1 photos.*nowhere\.jpg: no such file"):
        pack(Catalog.open(tmp_path / "catalog.csv"), 64)


def test_a_pack_whose_index_was_never_written_is_made_again(catalog, cache):
    packed = pack(catalog, 40)
    pixels = packed.pixels(3).copy()
    for index in (cache / "packed").glob("*-40.parquet"):
        index.unlink()
    assert np.array_equal(pack(catalog, 40).pixels(3), pixels)


def test_the_quarantine_is_a_csv_with_reasons(tmp_path):
    path, bad = write_catalog(tmp_path)
    write_quarantine(pack(Catalog.open(path), 64).quarantine, tmp_path / "quarantine.csv")
    lines = (tmp_path / "quarantine.csv").read_text().splitlines()
    assert lines[0] == "image,product_id,reason"
    assert len(lines) == 1 + len(bad)


@pytest.mark.parametrize("budget", ["0", "40"])
def test_a_photo_that_a_passing_reason_kept_away_is_tried_again_when_the_pack_is_opened(
    budget, tmp_path, monkeypatch
):
    monkeypatch.setenv("NATVIEWS_PACK_GB", budget)
    monkeypatch.setenv("NATVIEWS_CACHE", str(tmp_path / "cache"))
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(encoded("PNG", picture(seed=ord(name))))
    (tmp_path / "c.png").write_bytes(b"damaged")
    (tmp_path / "again.png").hardlink_to(tmp_path / "b.png")
    rows = [f"{name}.png,p{i}" for i, name in enumerate(["a", "b", "c", "again", "d"])]
    (tmp_path / "catalog.csv").write_text("\n".join(["image,product_id", *rows, ""]))
    catalog, opened, read, locked = Catalog.open(tmp_path / "catalog.csv"), Path.open, [], {"b.png", "d.png"}

    def opening(path, *arguments, **named):
        if path.suffix == ".png":
            read.append(path.name)
        if path.name in locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", opening)
    first = pack(catalog, 64)
    assert [bad.id for bad in first.quarantine] == ["b.png", "c.png", "again.png", "d.png"]
    assert first.quarantine[0].reason == "cannot be read: Permission denied"
    pixels = first.pixels(0).copy()
    read.clear()
    locked.remove("b.png")
    second = pack(catalog, 64)
    assert sorted(read) == ["b.png", "d.png"]
    assert [bad.id for bad in second.quarantine] == ["c.png", "d.png"]
    locked.clear()
    third = pack(catalog, 64)
    read.clear()
    packed = pack(catalog, 64)
    assert read == []
    for some in (third, packed):
        assert [bad.id for bad in some.quarantine] == ["c.png"]
        assert some.catalog.ids.tolist() == ["a.png", "b.png", "again.png", "d.png"]
        for row, photo in enumerate(some.catalog.photos):
            assert np.abs(some.pixels(row).astype(int) - read_photo(photo.path, 64)).mean() < 3, photo.id
    assert np.array_equal(first.pixels(0), pixels)  # what was open stays as it was


class NoDark(ValueError):
    pass


@dataclass(frozen=True)
class Halves:
    """Keeps a photo's upper half, on a canvas of `side` px; refuses dark photos."""

    key: str
    darkest: float = 0
    side: int = 40

    def prepare(self, photo: np.ndarray) -> np.ndarray:
        if photo.mean() < self.darkest:
            raise NoDark("too dark")
        canvas = np.zeros((self.side, self.side, 3), np.uint8)
        upper = photo[: photo.shape[0] // 2, : self.side][: self.side]
        canvas[: upper.shape[0], : upper.shape[1]] = upper
        return canvas


@pytest.fixture
def three_photos(tmp_path):
    """Photos a, b and c of two products; b is dark."""
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        photo = picture(seed=seed) // (8 if name == "b" else 1)
        (tmp_path / f"{name}.png").write_bytes(encoded("PNG", photo))
    (tmp_path / "catalog.csv").write_text("image,product_id\na.png,p\nb.png,p\nc.png,q\n")
    return Catalog.open(tmp_path / "catalog.csv")


def test_a_photo_that_preparation_refuses_is_quarantined_and_the_rest_keep_their_ids(three_photos):
    halves = Halves("halves", darkest=40)
    packed = pack(three_photos, 64, halves)
    assert [(bad.id, bad.product_id, bad.reason) for bad in packed.quarantine] == [("b.png", "p", "too dark")]
    assert list(packed.catalog.ids) == ["a.png", "c.png"]
    for row, photo in enumerate(packed.catalog.photos):
        assert np.array_equal(packed.pixels(row), halves.prepare(read_photo(photo.path, 2 * 64))), photo.id


def test_the_hashes_are_those_of_the_photos_as_they_came(three_photos):
    assert np.array_equal(pack(three_photos, 64, Halves("halves")).hashes, pack(three_photos, 64).hashes)


def test_every_preparation_has_its_own_pack_that_is_found_again(three_photos, monkeypatch):
    plain = pack(three_photos, 64).pixels(0)
    one = pack(three_photos, 64, Halves("one")).pixels(0)
    other = pack(three_photos, 64, Halves("other", side=30)).pixels(0)
    assert plain.shape != one.shape == (40, 40, 3) != other.shape == (30, 30, 3)
    monkeypatch.setattr("natviews.catalog.packed.read_photo", None)
    assert np.array_equal(pack(three_photos, 64, Halves("one")).pixels(0), one)
    assert np.array_equal(pack(three_photos, 64).pixels(0), plain)


def test_what_preparation_made_larger_is_brought_back_to_size(three_photos):
    large = Halves("large", side=200)
    pixels = pack(three_photos, 50, large).pixels(0)
    reference = large.prepare(read_photo(three_photos.photos[0].path, 2 * 50))
    assert pixels.shape == (50, 50, 3)
    assert np.array_equal(pixels, cv2.resize(reference, (50, 50), interpolation=cv2.INTER_AREA))


def test_an_error_of_the_preparation_itself_is_not_hidden(three_photos):
    class Broken(Halves):
        def prepare(self, photo):
            raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        pack(three_photos, 64, Broken("broken"))
