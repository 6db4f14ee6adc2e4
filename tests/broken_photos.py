"""Twenty kinds of broken photos, and ten of odd but good ones, written from scratch."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(width=60, height=40, seed=0):
    """A smooth coloured picture, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(format="JPEG", array=None, mode="RGB", **options):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(picture() if array is None else array).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width, height):
    """A well-formed PNG header that claims a size, with next to nothing behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def bmp_of_length(length):
    """A BMP header with a lying size, padded."""
    return (b"BM" + struct.pack("<IHHI", length, 0, 0, 54) + struct.pack("<I", 40)).ljust(length, b"\0")


def broken_photos():
    """Name -> bytes, None for a file that is not there, or ... for a folder in its place."""
    jpeg, png, gif = encoded(), encoded("PNG"), encoded("GIF")
    webp, tiff = encoded("WEBP"), encoded("TIFF")
    return {
        "missing.jpg": None,
        "folder.jpg": ...,
        "empty.jpg": b"",
        "one_byte.jpg": b"\xff",
        "html.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "html_indented.png": b"\n\n   <html><head></head></html>",
        "json.jpg": b'{"error": "rate limit"}',
        "text.jpg": b"this is not a photo at all, sorry",
        "svg.jpg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "pdf.jpg": b"%PDF-1.7 and so on",
        "zip.jpg": b"PK\x03\x04" + b"\0" * 200,
        "zeros.jpg": b"\0" * 5000,
        "truncated_start.jpg": jpeg[:30],
        "truncated_half.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "truncated.gif": gif[: len(gif) // 3],
        "truncated.webp": webp[: len(webp) // 2],
        "truncated.tif": tiff[: len(tiff) // 2],
        "header_only.png": png[:33],
        "corrupt_checksum.png": png[:60] + bytes([png[60] ^ 255]) + png[61:],
        "bomb.png": png_claiming(60_000, 60_000),
        "large_claim.png": png_claiming(9_000, 9_000),
        "lying.bmp": bmp_of_length(80),
        "executable.jpg": b"\x7fELF" + b"\1" * 300,
    }


def good_photos():
    """Name -> (bytes, the RGB value near its middle, or None)."""
    red = np.full((40, 60, 3), (200, 30, 40), np.uint8)
    half = np.dstack([red, np.full((40, 60), 0, np.uint8)])
    buffer = io.BytesIO()
    Image.fromarray(half, "RGBA").save(buffer, "PNG")
    transparent = buffer.getvalue()
    frames = [Image.fromarray(red), Image.fromarray(255 - red)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    animated = buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 2400).reshape(40, 60).astype(np.uint16)).save(buffer, "PNG")
    sixteen = buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60)).save(buffer, "TIFF")
    floating = buffer.getvalue()
    return {
        "cmyk.jpg": (encoded(array=red, mode="CMYK", quality=95), (200, 30, 40)),
        "palette.png": (encoded("PNG", red, "P"), (204, 51, 51)),
        "grey.jpg": (encoded(array=red, mode="L", quality=95), (82, 82, 82)),
        "bilevel.png": (encoded("PNG", np.full((40, 60, 3), 255, np.uint8), "1"), (255, 255, 255)),
        "transparent.png": (transparent, (255, 255, 255)),
        "animated.gif": (animated, (200, 30, 40)),
        "sixteen_bit.png": (sixteen, (128, 128, 128)),
        "float.tif": (floating, (128, 128, 128)),
        "png_named.jpg": (encoded("PNG", red), (200, 30, 40)),
        "webp.webp": (encoded("WEBP", red, quality=95), (200, 30, 40)),
        "one_pixel_wide.png": (encoded("PNG", np.full((300, 1, 3), 90, np.uint8)), (90, 90, 90)),
        "progressive.jpg": (encoded(array=red, progressive=True, quality=95), (200, 30, 40)),
    }


def write_catalog(folder: Path, good_products=12):
    """A catalogue of good photos with every broken one among them; returns its CSV and the broken ids."""
    images = folder / "images"
    images.mkdir(parents=True)
    rows, bad = [], []
    broken = list(broken_photos().items())
    for product in range(good_products):
        for view in range(3):
            name = f"images/p{product}_{view}.jpg"
            (folder / name).write_bytes(encoded(array=picture(64, 64, seed=10 * product + view)))
            rows.append((name, f"p{product}"))
        for name, data in broken[product::good_products]:
            path = images / name
            if data is ...:
                path.mkdir()
            elif data is not None:
                path.write_bytes(data)
            rows.append((f"images/{name}", f"p{product}"))
            bad.append(f"images/{name}")
    for name, (data, _) in good_photos().items():
        (images / name).write_bytes(data)
        rows.append((f"images/{name}", "odd"))
    table = folder / "catalog.csv"
    table.write_text("image,product_id\n" + "".join(f"{image},{product}\n" for image, product in rows))
    return table, bad
