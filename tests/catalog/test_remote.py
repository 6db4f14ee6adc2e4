"""Photos at URLs: read as those on the disk are, tried again, bounded, and never before they are packed."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from broken_photos import encoded, picture

from natviews.catalog import BadPhoto, Catalog, pack, read_photo, remote, stores
from natviews.catalog.decode import decode
from natviews.catalog.remote import Unreachable, fetched
from natviews.types import NatviewsError

PHOTO = encoded(array=picture(50, 40, seed=3))


class Shop(BaseHTTPRequestHandler):
    """Answers by the path: /good/ at once, /twice/ after two failures, /short/ in full the second time, /slow/
    late, /never/ never, /endless/ for ever, /404/ by that status."""

    asked: Counter
    given: Counter
    release: threading.Event

    def do_GET(self):
        self.asked[self.path] += 1
        kind = self.path.split("/")[1]
        if kind == "never" or (kind == "twice" and self.asked[self.path] <= 2):
            return self.answer(503, b"busy")
        if kind.isdigit():
            return self.answer(int(kind), b"no")
        if kind == "endless":
            return self.endless()
        if kind == "slow":
            self.release.wait(20)
        if kind == "short" and self.asked[self.path] == 1:
            return self.answer(200, PHOTO[:300], length=len(PHOTO))
        return self.answer(200, PHOTO)

    def answer(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(2**16))
                self.given[self.path] += 2**16
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def shop(monkeypatch):
    """A server on this machine; attempts follow each other at once."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0, 0.0))
    Shop.asked, Shop.given, Shop.release = Counter(), Counter(), threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Shop.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def catalogue(images: list[str], folder: Path) -> Catalog:
    return Catalog(pa.table({"image": images, "product_id": [f"p{i}" for i in range(len(images))]}), folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NATVIEWS_CACHE", str(tmp_path / "cache"))


def test_photos_on_the_disk_in_memory_and_on_a_server_are_packed_alike(shop, tmp_path):
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    memory = fsspec.filesystem("memory")
    memory.pipe("/natviews/b.jpg", PHOTO)
    images = ["a.jpg", "memory://natviews/b.jpg", f"{shop}/good/c d.jpg?x=1", f"file://{tmp_path}/a.jpg"]
    packed = pack(catalogue([*images, "memory://natviews/gone.jpg", f"{shop}/404/gone.jpg"], tmp_path), 64)
    assert packed.catalog.ids.tolist() == images
    assert [(bad.id, bad.reason) for bad in packed.quarantine] == [
        ("memory://natviews/gone.jpg", "no such file"),
        (f"{shop}/404/gone.jpg", "no such file"),
    ]
    for row in range(len(packed)):
        assert np.array_equal(packed.pixels(row), decode(PHOTO, 64))


def test_relative_paths_keep_their_meaning_beside_urls(tmp_path):
    catalog = catalogue(
        ["a:b/c.jpg", "s3:/x.jpg", "s3://bucket/x.jpg", "HTTPS://x.org/y.jpg", "c://d.jpg"], tmp_path
    )
    assert [photo.path for photo in catalog.photos] == [
        tmp_path / "a:b/c.jpg",
        tmp_path / "s3:/x.jpg",
        "s3://bucket/x.jpg",
        "HTTPS://x.org/y.jpg",
        tmp_path / "c://d.jpg",  # a drive's letter is no protocol
    ]


def test_nothing_is_fetched_before_packing_and_nothing_twice(shop, tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_text(f"image,product_id\n{shop}/good/1.jpg,a\n{shop}/good/2.jpg,a\n")
    catalog = Catalog.open(path)
    assert len(catalog.photos) == 2 and catalog.digest and catalog.statistics()
    assert not Shop.asked
    pack(catalog, 64)
    assert Shop.asked == {"/good/1.jpg": 1, "/good/2.jpg": 1}
    pack(catalog, 64)
    assert sum(Shop.asked.values()) == 2


def test_a_server_that_fails_twice_is_asked_a_third_time(shop):
    assert fetched(f"{shop}/twice/1.jpg", 10**6) == PHOTO
    assert Shop.asked["/twice/1.jpg"] == 3


def test_an_answer_that_breaks_off_is_asked_for_again(shop):
    assert fetched(f"{shop}/short/1.jpg", 10**6) == PHOTO
    assert Shop.asked["/short/1.jpg"] == 2


def test_a_server_that_always_fails_is_asked_four_times_and_is_one_reason(shop):
    with pytest.raises(Unreachable, match=r"^cannot be fetched, tried 4 times: 503 Service Unavailable$"):
        read_photo(f"{shop}/never/1.jpg")
    assert Shop.asked["/never/1.jpg"] == 4


@pytest.mark.parametrize(("status", "times"), [(401, 1), (403, 1), (410, 1), (429, 4), (500, 4)])
def test_what_another_attempt_cannot_mend_is_not_tried_again(shop, status, times):
    with pytest.raises(BadPhoto, match=f"{status}") as refused:
        read_photo(f"{shop}/{status}/1.jpg")
    assert Shop.asked[f"/{status}/1.jpg"] == times
    assert isinstance(refused.value, Unreachable) == (times > 1)


def test_pauses_grow_between_attempts(shop, monkeypatch):
    slept = []
    monkeypatch.setattr(remote, "PAUSES", (0.5, 2.0, 8.0))
    monkeypatch.setattr("time.sleep", slept.append)
    with pytest.raises(Unreachable):
        fetched(f"{shop}/never/2.jpg", 10**6)
    assert [pause for pause in slept if pause] == [0.5, 2.0, 8.0]


def test_endless_bytes_are_cut_off_and_refused(shop, monkeypatch):
    monkeypatch.setattr("natviews.catalog.reading.MAX_BYTES", 2**22)
    with pytest.raises(BadPhoto, match="larger than"):
        read_photo(f"{shop}/endless/1.jpg")
    assert Shop.asked["/endless/1.jpg"] == 1
    assert Shop.given["/endless/1.jpg"] < 2**22 + 2**24  # what lies in buffers between the two


def test_a_large_file_elsewhere_is_cut_off_too(monkeypatch):
    fsspec.filesystem("memory").pipe("/natviews/large.jpg", bytes(5000))
    assert len(fetched("memory://natviews/large.jpg", 1000)) == 1001
    monkeypatch.setattr("natviews.catalog.reading.MAX_BYTES", 1000)
    with pytest.raises(BadPhoto, match="larger than"):
        read_photo("memory://natviews/large.jpg")


def test_a_server_that_does_not_answer_is_given_up(shop, monkeypatch):
    monkeypatch.setattr(remote, "TIMEOUT", 0.3)
    remote._http_system.cache_clear()
    try:
        with pytest.raises(Unreachable, match=r"tried 4 times: no answer within 0 s"):
            fetched(f"{shop}/slow/1.jpg", 10**6)
    finally:
        remote._http_system.cache_clear()
    assert Shop.asked["/slow/1.jpg"] == 4


def test_nobody_listening_is_unreachable(shop):
    with pytest.raises(Unreachable, match="tried 4 times"):
        fetched("http://127.0.0.1:9/1.jpg", 10**6)


@pytest.mark.parametrize("url", ["nothing-known://x/y.jpg", "http://"])
def test_a_url_that_cannot_be_one_is_refused_at_once(url, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda pause: pause and pytest.fail("tried again"))
    with pytest.raises(BadPhoto, match="cannot be fetched: "):
        read_photo(url)


def test_a_missing_package_is_named(monkeypatch):
    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(remote, "_opened", missing)
    with pytest.raises(BadPhoto, match="^cannot be fetched: Install s3fs to access S3$"):
        read_photo("s3://bucket/x.jpg")


def test_what_is_fetched_is_checked_as_a_file_is(shop):
    fsspec.filesystem("memory").pipe("/natviews/page.jpg", b"<!DOCTYPE html><html>")
    with pytest.raises(BadPhoto, match="HTML"):
        read_photo("memory://natviews/page.jpg")


def test_a_photo_that_was_lost_is_quarantined_and_the_rest_are_packed(shop, tmp_path):
    packed = pack(catalogue([f"{shop}/good/1.jpg", f"{shop}/never/1.jpg", f"{shop}/good/2.jpg"], tmp_path), 64)
    assert len(packed) == 2
    [bad] = packed.quarantine
    assert (bad.id, bad.product_id) == (f"{shop}/never/1.jpg", "p1") and "503" in bad.reason


def test_a_network_that_is_gone_stops_packing_and_costs_no_photo(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "LOST", 5)
    monkeypatch.setattr(stores, "PART", 4)
    images = [f"{shop}/good/{i}.jpg" for i in range(6)] + [f"{shop}/twice/{i}.jpg" for i in range(6)]
    monkeypatch.setattr(remote, "PAUSES", ())
    with pytest.raises(NatviewsError, match=r"^The last 5 photos could not be fetched .*503.*run again"):
        pack(catalogue(images, tmp_path), 64)
    assert Shop.asked["/good/0.jpg"] == 1
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    packed = pack(catalogue(images, tmp_path), 64)
    assert len(packed) == 12 and not packed.quarantine
    assert Shop.asked["/good/0.jpg"] == 1  # its part was kept


def test_lost_photos_are_asked_for_again_and_a_network_that_is_gone_then_stops_nothing(
    shop, tmp_path, monkeypatch
):
    monkeypatch.setattr(remote, "LOST", 2)
    monkeypatch.setattr(remote, "PAUSES", ())
    kinds = ["good", "never", "good", "403", "404", "never", "good", "twice", "good", "twice"]
    catalog = catalogue([f"{shop}/{kind}/{i}.jpg" for i, kind in enumerate(kinds)], tmp_path)
    assert len(pack(catalog, 64)) == 4
    assert len(pack(catalog, 64)) == 4  # two in a row are lost again
    for _ in range(3):
        packed = pack(catalog, 64)
    assert [kinds[int(bad.id[-5])] for bad in packed.quarantine] == ["never", "403", "404", "never"]
    assert Shop.asked["/403/3.jpg"] == 5
    assert Shop.asked["/404/4.jpg"] == Shop.asked["/good/0.jpg"] == 1


def test_urls_that_all_failed_are_asked_again_the_next_time(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PAUSES", ())
    catalog = catalogue([f"{shop}/twice/{i}.jpg" for i in range(3)], tmp_path)
    for _ in range(2):
        with pytest.raises(NatviewsError, match="None of the 3 photos"):
            pack(catalog, 64)
    assert len(pack(catalog, 64)) == 3
