import io
import os

import numpy as np
import pytest
from broken_photos import broken_photos, encoded, good_photos, picture
from PIL import Image

from natviews.catalog import BadPhoto, decode, read_photo

BROKEN, GOOD = broken_photos(), good_photos()


def test_there_are_at_least_twenty_kinds_of_broken_photos():
    assert len(BROKEN) >= 20


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_photo_is_refused_with_a_reason(name, tmp_path):
    path, data = tmp_path / name, BROKEN[name]
    if data is ...:
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(BadPhoto) as refused:
        read_photo(path)
    reason = str(refused.value)
    assert reason and "\n" not in reason and len(reason) < 300


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.jpg", "no such file"),
        ("empty.jpg", "empty"),
        ("html.jpg", "HTML"),
        ("pdf.jpg", "PDF"),
        ("svg.jpg", "SVG"),
        ("truncated_half.jpg", "damaged"),
        ("bomb.png", "pixels"),
        ("large_claim.png", "9000 x 9000 pixels"),
    ],
)
def test_the_reason_says_what_is_wrong(name, said, tmp_path):
    path = tmp_path / name
    if BROKEN[name] is not None:
        path.write_bytes(BROKEN[name])
    with pytest.raises(BadPhoto, match=said):
        read_photo(path)


def test_a_damaged_avif_is_one_bad_photo():
    data = encoded("AVIF")
    start = data.index(b"mdat") + 4
    with pytest.raises(BadPhoto, match="damaged: "):
        decode(data[:start] + bytes(len(data) - start))


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError(), "needs more memory"), (ArithmeticError("odd"), "^damaged: odd$")]
)
def test_whatever_a_decoder_raises_is_one_bad_photo(error, said, monkeypatch):
    data = encoded()
    monkeypatch.setattr(Image.Image, "convert", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(BadPhoto, match=said):
        decode(data)


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_before_it_is_opened(name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadPhoto, match="a folder, a device or a pipe"):
        read_photo(tmp_path / name)


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_photo_is_decoded_to_eight_bit_rgb(name):
    data, colour = GOOD[name]
    pixels = decode(data)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].astype(int)
    assert np.abs(middle - colour).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation):
    upright = picture(60, 40)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(array=np.ascontiguousarray(turned), quality=98, exif=exif.tobytes()))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("kind", ["RGBA PNG", "RGBA WEBP", "RGBA AVIF", "P PNG", "I;16 PNG", "RGB JPEG"])
def test_a_photo_of_every_kind_is_turned_upright(kind):
    mode, format = kind.split()
    upright = np.full((40, 60), 255, np.uint8)
    upright[:20, :30] = 0
    grey = np.ascontiguousarray(np.rot90(upright))
    turned = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    if mode == "RGBA":
        turned.putalpha(Image.fromarray(255 - grey))  # what is white is transparent
    elif mode != "I;16":
        turned = turned.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif.tobytes(), "quality": 95} | ({"transparency": 255} if mode == "P" else {})
    file = io.BytesIO()
    turned.save(file, format, **options)
    pixels = decode(file.getvalue())
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels[..., 0].astype(int) - upright).mean() < 4


def test_damaged_exif_does_not_lose_the_photo():
    data = encoded(exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    assert decode(data).shape == (40, 60, 3)


@pytest.mark.parametrize(("width", "height"), [(400, 300), (3000, 20), (1, 900), (16, 16)])
def test_the_longest_side_is_bounded_and_never_enlarged(width, height):
    pixels = decode(encoded("PNG", picture(width, height)), longest=100)
    assert max(pixels.shape[:2]) == min(100, max(width, height))
    assert min(pixels.shape[:2]) >= 1


def test_shrinking_keeps_the_picture():
    whole = picture(512, 384)
    small = decode(encoded(array=whole, quality=97), longest=128)
    expected = np.asarray(Image.fromarray(whole).resize((128, 96), Image.Resampling.BOX))
    assert np.abs(small.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_give_a_photo_or_a_reason_never_anything_else(seed):
    rng = np.random.default_rng(seed)
    format = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")[seed % 6]
    data = bytearray(encoded(format))
    for place in rng.integers(0, len(data), 5):
        data[place] = rng.integers(256)
    try:
        assert decode(bytes(data)).shape[2] == 3
    except BadPhoto as bad:
        assert str(bad)
