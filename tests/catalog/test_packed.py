import os

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
