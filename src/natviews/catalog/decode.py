"""Photos as they come from shops, decoded safely: bounded, upright, RGB, 8 bit, over white."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from natviews.types import NatviewsError

MAX_PIXELS = 80_000_000
"""A camera's largest photos have 50 to 60 megapixels; what claims more is refused before it is decoded."""
MAX_BYTES = 64 * 2**20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


class BadPhoto(NatviewsError):
    """A photo that cannot be used; its text is the reason, for `quarantine.csv`."""


class Unavailable(BadPhoto):
    """A photo that cannot be had now, though nothing may be wrong with it: it is worth another try later."""


def decode(data: bytes, longest: int | None = None) -> np.ndarray:
    """Bytes of an image file as (H, W, 3) uint8 RGB, upright, transparency over white, first frame.

    Raises BadPhoto for what is no image, is damaged, or has more than MAX_PIXELS pixels.
    """
    if not data:
        raise BadPhoto("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadPhoto(f"{image.width} x {image.height} pixels; at most {MAX_PIXELS} are decoded")
            if longest:
                image.draft("RGB", (longest, longest))  # JPEG decodes at 1/2, 1/4 or 1/8 for free
            image.load()
            return np.asarray(_shrunk(_rgb(_upright(image)), longest))  # in this order: `_rgb` drops the EXIF
    except BadPhoto:
        raise
    except Image.DecompressionBombError:
        raise BadPhoto(f"claims far more than {MAX_PIXELS} pixels (a decompression bomb?)") from None
    except UnidentifiedImageError:
        raise BadPhoto(_what_else(data)) from None
    except MemoryError:
        raise Unavailable("needs more memory to decode than there is") from None
    except Exception as error:  # every decoder has errors of its own: AVIF's are RuntimeErrors
        raise BadPhoto(f"damaged: {' '.join(str(error).split()) or type(error).__name__}") from None


def _what_else(data: bytes) -> str:
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<script")):
        return "holds an HTML page, not a photo (a failed download?)"
    if start.startswith((b"<svg", b"<?xml")):
        return "holds an SVG drawing or XML, not a photo"
    if start.startswith(b"%pdf"):
        return "holds a PDF document, not a photo"
    return f"no image format known here ({', '.join(FORMATS)})"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey, 32-bit integer or float grey
        return Image.fromarray(_eight_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(canvas, image).convert("RGB")
    return image.convert("RGB")


def _eight_bit(grey: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(grey.astype(np.float64))
    if grey.dtype.kind == "f":  # float images have no agreed white: 1, 255, or whatever is brightest
        white = 1.0 if values.max() <= 1 else max(255.0, values.max())
    else:
        white = 65535.0 if values.max() > 255 else 255.0
    return (values.clip(0, white) / white * 255).round().astype(np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF says nothing about the pixels: the photo stays as it is
        return image


def _shrunk(image: Image.Image, longest: int | None) -> Image.Image:
    if not longest or max(image.size) <= longest:
        return image
    scale = longest / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=None)
