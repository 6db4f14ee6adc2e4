"""Packs: pixels or JPEG, a file once however many rows show it, killed and continued, on a full disk."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from broken_photos import encoded, picture, write_catalog

from natviews.catalog import Catalog, pack, read_photo, stores, with_split
from natviews.catalog.stores import Form, chosen_form
from natviews.types import NatviewsError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache of each test's own."""
    monkeypatch.setenv("NATVIEWS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packed"


@pytest.fixture
def as_jpeg(monkeypatch):
    monkeypatch.setenv("NATVIEWS_PACK_GB", "0")


def photos(folder: Path, count: int, side: int = 40) -> Catalog:
    """A catalogue of so many photos, two for each product."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        (folder / f"{i}.png").write_bytes(encoded("PNG", picture(side, side + i % 5, seed=i)))
    rows = "".join(f"{i}.png,p{i // 2}\n" for i in range(count))
    (folder / "catalog.csv").write_text(f"image,product_id\n{rows}")
    return Catalog.open(folder / "catalog.csv")


def watch(monkeypatch, read: list[Path]) -> None:
    """Puts down in `read` which photos are read."""

    def reading(path, longest):
        read.append(path)
        return read_photo(path, longest)

    monkeypatch.setattr("natviews.catalog.packed.read_photo", reading)


def test_a_pack_of_jpeg_is_that_of_pixels_but_for_what_jpeg_loses(catalog, monkeypatch, own_cache):
    pixels = pack(catalog, 64)
    monkeypatch.setenv("NATVIEWS_PACK_GB", "0")
    for path in own_cache.iterdir():
        path.unlink()
    jpegs = pack(catalog, 64)
    assert {path.suffix for path in own_cache.iterdir()} == {".jpegs", ".parquet", ".lock"}
    assert jpegs.catalog.digest == pixels.catalog.digest
    assert np.array_equal(jpegs.hashes, pixels.hashes)
    differences = []
    for row in range(len(catalog)):
        one, other = jpegs.pixels(row), pixels.pixels(row)
        assert one.shape == other.shape == (*jpegs.size(row), 3) == (*pixels.size(row), 3)
        assert one.dtype == np.uint8 and one.flags.c_contiguous and not one.flags.writeable
        differences.append(np.abs(one.astype(int) - other).mean())
    assert max(differences) < 6 and 0 < np.mean(differences) < 2.5  # grey levels; a channel for another: about 20


def test_a_pack_of_jpeg_takes_a_fraction_of_the_room(tmp_path, as_jpeg, own_cache):
    shop = photos(tmp_path / "shop", 8, side=200)
    assert len(pack(shop, 200)) == 8
    [store] = own_cache.glob("*.jpegs")
    assert store.stat().st_size < 0.25 * 8 * 200 * 200 * 3


def test_a_pack_of_jpeg_quarantines_the_same_photos(tmp_path, as_jpeg):
    path, bad = write_catalog(tmp_path / "shop")
    packed = pack(Catalog.open(path), 64)
    assert [q.id for q in packed.quarantine] == bad
    for row, photo in enumerate(packed.catalog.photos):
        assert packed.pixels(row).shape == read_photo(photo.path, 64).shape, photo.id


def test_a_selection_of_a_pack_of_jpeg_keeps_ids_and_photos_together(tmp_path, as_jpeg):
    packed = pack(photos(tmp_path / "shop", 9), 64)
    rows = np.array([7, 2, 5])
    some = with_split(packed).take(rows)
    for place, row in enumerate(rows):
        assert some.catalog.ids[place] == packed.catalog.ids[row]
        assert np.array_equal(some.pixels(place), packed.pixels(int(row)))


def test_a_damaged_pack_of_jpeg_says_so(tmp_path, as_jpeg, own_cache):
    shop = photos(tmp_path / "shop", 3)
    pack(shop, 64)
    [store] = own_cache.glob("*.jpegs")
    store.write_bytes(bytes(store.stat().st_size))
    with pytest.raises(NatviewsError, match="is damaged; delete it"):
        pack(shop, 64).pixels(0)


@pytest.mark.parametrize("budget", ["0", "40"])
def test_a_file_that_several_rows_show_is_read_and_kept_once(budget, tmp_path, monkeypatch, own_cache):
    monkeypatch.setenv("NATVIEWS_PACK_GB", budget)
    folder = tmp_path / "shop"
    photos(folder, 4)
    (folder / "link").symlink_to(folder)
    names = [f"{link}{i}.png" for link in ("", "./", "link/", "link/../shop/") for i in (3, 1, 0, 2)]
    names.insert(2, "gone.png")
    rows = "".join(f"{name},p{i}\n" for i, name in enumerate(names))
    (folder / "catalog.csv").write_text(f"image,product_id\n{rows}")
    read = []
    watch(monkeypatch, read)
    packed = pack(Catalog.open(folder / "catalog.csv"), 64)
    assert len(read) == 5  # and the one that is not there
    assert [bad.id for bad in packed.quarantine] == ["gone.png"]
    assert len(packed) == 16
    for row, photo in enumerate(packed.catalog.photos):
        assert np.abs(packed.pixels(row).astype(int) - read_photo(photo.path, 64)).mean() < 3, photo.id
    [store] = {*own_cache.glob("*.pixels"), *own_cache.glob("*.jpegs")}
    assert store.stat().st_size <= 4 * 44 * 44 * 3


@pytest.mark.parametrize(
    ("given", "size", "form"),
    [("1", 10**9, Form.PIXELS), ("1", 10**9 + 1, Form.JPEG), ("0.5", 10**9, Form.JPEG), ("", 10**9, Form.PIXELS)],
)
def test_the_budget_decides_the_form(given, size, form, tmp_path, monkeypatch):
    monkeypatch.setenv("NATVIEWS_PACK_GB", given)
    assert chosen_form(tmp_path, "pack", size) == (form, tmp_path / f"pack.{form.value}")


def test_never_more_than_half_of_the_free_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    assert chosen_form(tmp_path, "pack", 50)[0] is Form.PIXELS
    assert chosen_form(tmp_path, "pack", 51)[0] is Form.JPEG


def test_a_budget_that_is_no_number_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NATVIEWS_PACK_GB", "much")
    with pytest.raises(NatviewsError, match="NATVIEWS_PACK_GB is 'much'; it must be a number of gigabytes"):
        chosen_form(tmp_path, "pack", 1)


def test_a_pack_that_is_there_is_used_whatever_the_budget(tmp_path, monkeypatch, own_cache):
    shop = photos(tmp_path / "shop", 3)
    before = pack(shop, 64).pixels(1).copy()
    monkeypatch.setenv("NATVIEWS_PACK_GB", "0")
    assert np.array_equal(pack(shop, 64).pixels(1), before)
    assert not list(own_cache.glob("*.jpegs"))


@pytest.mark.parametrize(("begun", "later", "form"), [("40", "0", "pixels"), ("0", "40", "jpegs")])
def test_a_failed_pack_is_continued_behind_its_last_part(begun, later, form, tmp_path, monkeypatch, own_cache):
    """Also in the form that it was begun in, and with what was written behind the last part cut off."""
    monkeypatch.setattr(stores, "PART", 4)
    monkeypatch.setenv("NATVIEWS_PACK_GB", begun)
    shop = photos(tmp_path / "shop", 15)
    read = []

    def failing(path, longest):
        read.append(int(Path(path).stem))
        if read[-1] == 10:
            raise RuntimeError("killed")
        return read_photo(path, longest)

    monkeypatch.setattr("natviews.catalog.packed.read_photo", failing)
    with pytest.raises(RuntimeError, match="killed"):
        pack(shop, 64)
    [store] = own_cache.glob(f"*.{form}")
    assert not list(own_cache.glob("*.parquet"))
    with store.open("ab") as file:
        file.write(b"half a part")
    read.clear()
    watch(monkeypatch, read)
    monkeypatch.setenv("NATVIEWS_PACK_GB", later)
    packed = pack(shop, 64)
    assert sorted(int(path.stem) for path in read) == list(range(8, 15))
    assert list(own_cache.glob(f"*.{form}")) == [store]
    lengths = packed._lengths if form == "jpegs" else [packed.pixels(row).size for row in range(15)]
    assert store.stat().st_size == sum(lengths)
    for row, photo in enumerate(shop.photos):
        wanted = read_photo(photo.path, 64)
        assert packed.pixels(row).shape == wanted.shape
        assert np.abs(packed.pixels(row).astype(int) - wanted).mean() < (3 if form == "jpegs" else 1e-9), photo.id
    assert not [path for path in own_cache.iterdir() if path.is_dir()]


SLOWLY = """
import sys, time
from natviews.catalog import Catalog, pack, packed, stores
stores.PART = 8
reading, calls = packed.read_photo, []
def slow(path, longest):
    calls.append(path)
    time.sleep(0.02)
    return reading(path, longest)
packed.read_photo = slow
pack(Catalog.open(sys.argv[1]), 64)
print(len(calls))
"""


def test_a_killed_pack_is_continued_and_becomes_the_same(tmp_path, own_cache, monkeypatch):
    shop = photos(tmp_path / "shop", 120)
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(tmp_path / "shop" / "catalog.csv")])
    patience = time.monotonic() + 60
    while len(list(own_cache.glob(".*.parts/*.parquet"))) < 2 and time.monotonic() < patience:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list(own_cache.glob("*.parquet"))
    read = []
    watch(monkeypatch, read)
    packed = pack(shop, 64)
    assert 0 < len(read) <= 120 - 16
    for row, photo in enumerate(shop.photos):
        assert np.array_equal(packed.pixels(row), read_photo(photo.path, 64)), photo.id


def test_a_pack_that_another_process_writes_is_waited_for(tmp_path, own_cache):
    photos(tmp_path / "shop", 60)
    command = [sys.executable, "-c", SLOWLY, str(tmp_path / "shop" / "catalog.csv")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split()[-1] for process in both]
    assert sorted(said, key=int) == ["0", "60"]


def test_a_full_disk_is_one_sentence_and_what_was_written_is_kept(tmp_path, monkeypatch, own_cache):
    monkeypatch.setattr(stores, "PART", 4)
    shop = photos(tmp_path / "shop", 12)
    synced, synchronise = [], os.fsync

    def full(handle):
        synced.append(handle)
        if len(synced) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        synchronise(handle)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NatviewsError, match=r"^The disk is full while writing .*; free some space and run again"):
        pack(shop, 64)
    assert not list(own_cache.glob("*.parquet"))
    assert list(own_cache.glob(".*.parts/*.parquet"))
    monkeypatch.setattr("os.fsync", synchronise)
    assert len(pack(shop, 64)) == 12


def test_a_catalogue_of_which_nothing_could_be_read_leaves_no_pack(tmp_path, own_cache):
    (tmp_path / "catalog.csv").write_text("image,product_id\nnowhere.jpg,p\n")
    for _ in range(2):
        with pytest.raises(NatviewsError, match="None of the 1 photos"):
            pack(Catalog.open(tmp_path / "catalog.csv"), 64)
        assert not list(own_cache.glob("*.parquet"))
