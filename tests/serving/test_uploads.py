"""Hostile uploads: nothing but a sentence comes of them, whatever they hold and however they are called."""

import io
import os
import zlib

import numpy as np
import pytest
from broken_photos import broken_photos, encoded, good_photos, png_chunk, png_claiming
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from natviews.catalog import BadPhoto
from natviews.catalog.decode import decode
from natviews.serving import Limits
from natviews.serving.uploads import Decoders


@pytest.fixture(scope="module")
def decoders():
    made = Decoders(Limits(pixels=4_000_000, decode_seconds=20, decode_bytes=300 * 2**20), count=1)
    yield made
    made.close()


def bomb(side):
    """A PNG of a few kB that is (side, side) pixels of one colour."""
    import struct

    rows = zlib.compress(bytes((1 + 3 * side) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def polyglots():
    jpeg = encoded()
    return {
        "jpeg_then_zip": jpeg + b"PK\x03\x04" + b"\0" * 100,
        "gif_and_script": b"GIF89a/*" + b"\xff" * 40 + b"*/=1;alert(1)//",
        "html_in_comment": jpeg[:2] + b"\xff\xfe\x00\x20<script>alert(1)</script>\0\0\0\0\0" + jpeg[2:],
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file",
        "mpo_header": jpeg[:20] + b"MPF\0" + jpeg[20:],
    }


def hostile():
    held = {name: data for name, data in broken_photos().items() if isinstance(data, bytes)} | polyglots()
    return held | {"wide": png_claiming(2**31 - 1, 1), "bomb2300": bomb(2300)}


def test_good_photos_are_decoded_in_the_other_process_as_here(decoders):
    for name, (data, _) in good_photos().items():
        found = decoders.submit(data, 48).result()
        np.testing.assert_array_equal(found, decode(data, 48), err_msg=name)


def test_a_crop_is_cut_from_the_photo_at_its_full_size(decoders):
    whole = np.zeros((400, 600, 3), np.uint8)
    whole[100:300, 300:600] = (250, 10, 10)
    data = encoded("PNG", whole)
    cut = decoders.submit(data, 100, (0.5, 0.25, 1.0, 0.75)).result()
    assert cut.shape == (67, 100, 3) and (cut[2:-2, 2:-2] == (250, 10, 10)).all()


def test_every_hostile_photo_is_refused_with_a_reason_or_is_a_picture(decoders):
    for name, data in hostile().items():
        try:
            pixels = decoders.submit(data, 64).result()
            assert max(pixels.shape) <= 64 and pixels.dtype == np.uint8, name
        except BadPhoto as reason:
            assert 5 < len(str(reason)) < 300, name
    with pytest.raises(BadPhoto, match="2300 x 2300 pixels; at most 4000000"):
        decoders.submit(bomb(2300), 64).result()


def test_what_takes_too_long_or_too_much_memory_is_ended_and_the_next_photo_is_decoded():
    slow = Decoders(Limits(decode_seconds=0.02), count=1)
    try:
        slow._all[0].start()
        first = slow._all[0]._process.pid
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), np.uint8)).save(
            buffer, "PNG", compress_level=1
        )
        with pytest.raises(BadPhoto, match="takes longer than 0.02 s"):
            slow.submit(buffer.getvalue(), 64).result()
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
    finally:
        slow.close()
    tight = Decoders(Limits(decode_bytes=8 * 2**20), count=1)
    try:
        with pytest.raises(BadPhoto, match="memory"):
            tight.submit(bomb(2300), 64).result()
        assert tight.submit(encoded(), 32).result().shape[1] == 32
    finally:
        tight.close()


def test_a_decoder_that_dies_is_replaced(decoders):
    decoders.submit(encoded(), 32).result()
    process = decoders._all[0]._process
    process.kill()
    process.wait()
    assert decoders.submit(encoded(), 32).result().shape[1] == 32


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_photo_with_bytes_changed_is_a_picture_or_refused(decoders, data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]))
    photo = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(photo) - 1))
        photo[place] = data.draw(st.integers(0, 255))
    photo = photo[: data.draw(st.integers(1, len(photo)))]
    try:
        assert decoders.submit(bytes(photo), 64).result().ndim == 3
    except BadPhoto as reason:
        assert str(reason)


def test_hostile_uploads_give_sentences_and_never_a_fault(client):
    for name, data in hostile().items():
        answer = client.post("/v1/search/photo?k=1", files={"photo": (name, data)})
        assert answer.status_code in (200, 413, 422), name
        if answer.status_code == 422:
            assert answer.json()["detail"].startswith("The photo cannot be used: "), name
    for body in (b"", b"--x", b"--x\r\n\r\n", b"\0" * 1000):
        kind = {"content-type": "multipart/form-data; boundary=x"}
        assert client.post("/v1/search/photo", content=body, headers=kind).status_code in (400, 422)


def test_names_never_become_paths(writing, own_shop, photo_bytes):
    """Ids that climb, are absolute or hold odd bytes: taken or refused, no file but the server's own appears."""
    before = {path for path in own_shop.parent.rglob("*") if "store" not in path.parts}
    names = ["../" * depth + "escape.jpg" for depth in range(1, 12)]
    names += [
        "/tmp/natviews-escape.jpg",
        "a/../../b.jpg",
        "..\\..\\c.jpg",
        "%2e%2e%2fd.jpg",
        "file:///tmp/e.jpg",
        "x" * 512,
    ]
    for name in names:
        taken = writing.post(
            "/v1/items", data={"id": name, "product_id": name}, files={"photo": (name, photo_bytes(1))}
        )
        assert taken.status_code == 201, taken.text
        assert writing.get("/v1/photo", params={"id": name}).status_code == 200
    for name in ("a\0b", "a\nb", "", "x" * 513):
        refused = writing.post("/v1/items", data={"id": name, "product_id": "p"}, files={"photo": photo_bytes(1)})
        assert refused.status_code == 422
    assert {path for path in own_shop.parent.rglob("*") if "store" not in path.parts} == before
    kept = [path.name for path in (own_shop / "store" / "serving" / "photos").iterdir()]
    assert len(kept) == len(names) and all(len(name) == 68 and name.endswith(".jpg") for name in kept)
    assert writing.delete("/v1/items", params={"id": names}).json() == {"deleted": len(names)}


def test_only_photos_are_shown_and_only_from_the_catalogues_folder(writing, own_shop, catalog_path):
    (catalog_path.parent / "secret.txt").write_text("secret")
    outside = catalog_path.parent.parent / "outside.jpg"
    outside.write_bytes(encoded())
    (catalog_path.parent / "link.jpg").unlink(missing_ok=True)
    (catalog_path.parent / "link.jpg").symlink_to(outside)
    try:
        for name in (
            "secret.txt",
            "../outside.jpg",
            str(outside),
            "link.jpg",
            "http://127.0.0.1/x.jpg",
            "/etc/passwd",
        ):
            refused = writing.get("/v1/photo", params={"id": name})
            assert refused.status_code == 404 and b"secret" not in refused.content, name
    finally:
        for path in (catalog_path.parent / "secret.txt", catalog_path.parent / "link.jpg", outside):
            path.unlink()


def test_what_is_kept_of_a_photo_is_drawn_anew(writing, own_shop):
    data = polyglots()["jpeg_then_zip"]
    taken = writing.post("/v1/items", data={"id": "poly", "product_id": "poly"}, files={"photo": data})
    assert taken.status_code == 201
    (kept,) = (own_shop / "store" / "serving" / "photos").iterdir()
    assert b"PK\x03\x04" not in kept.read_bytes() and b"PK\x03\x04" not in writing.get("/v1/photo?id=poly").content
