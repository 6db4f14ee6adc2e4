"""What shops add: watermarks on photos, and photos of a parcel or a size table instead of the product."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from natviews.catalog.generated.pixels import SUBPIXELS, Mask, Pixels, Plane, fill, fill_disc, fixed

_FONTS = (
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SIMPLEX,
)


@dataclass(frozen=True)
class Shop:
    """A seller with its own mark.

    `figure` is the number of sides of its logo (0 none, 1 a ring), `place` where the watermark goes: corner,
    centre, tiled or band; `opacity` in [0, 1]; `font` an index; `hue` the logo's colour, blue-green-red.
    """

    name: str
    figure: int
    place: str
    opacity: float
    font: int
    dark: bool
    hue: tuple[int, int, int]


def _shop(index: int, name: str) -> Shop:
    rng = np.random.default_rng([64, index])
    hue = rng.integers(40, 200, 3)
    places = ("corner", "centre", "tiled", "band")
    return Shop(
        name=name,
        figure=(1, 0, 4, 3, 6, 0, 1, 5)[index % 8],
        place=places[(index + index // 4) % 4],
        opacity=float(rng.uniform(0.3, 0.65)),
        font=index % len(_FONTS),
        dark=bool(index % 3 == 0),
        hue=(int(hue[0]), int(hue[1]), int(hue[2])),
    )


_OUR_NAMES = (
    "Ostvale",
    "Brambly",
    "Kettle & Pine",
    "Nordlane",
    "Maravel",
    "Tuckwell",
    "Solbrook",
    "Fennimore",
)
_THEIR_NAMES = (
    "EasyDeal24",
    "TopFind",
    "MegaKorb",
    "LuckyLane",
    "Pronto.Shop",
    "BuyBuddy",
    "Zentro",
    "HappyMart",
)
OUR_SHOPS = tuple(_shop(index, name) for index, name in enumerate(_OUR_NAMES))
THEIR_SHOPS = tuple(_shop(index + 8, name) for index, name in enumerate(_THEIR_NAMES))


def _write(plane: Mask, text: str, x: float, y: float, height: float, font: int, value: int = 255) -> None:
    """Text centred on (x, y) whose capitals are `height` pixels tall."""
    face = _FONTS[font]
    scale = height / 22
    (width, tall), _ = cv2.getTextSize(text, face, scale, 1)
    spot = (round(x - width / 2), round(y + tall / 2))
    cv2.putText(plane, text, spot, face, scale, value, max(1, round(height / 14)), cv2.LINE_AA)


def _logo(plane: Mask, shop: Shop, x: float, y: float, radius: float) -> None:
    thick = max(2, round(radius / 5))
    if shop.figure == 1:
        cv2.circle(plane, (round(x), round(y)), round(radius), (255,), thick, cv2.LINE_AA)
        fill_disc(plane, x, y, 0.4 * radius)
        return
    turn = np.arange(shop.figure) * 2 * np.pi / shop.figure - np.pi / 2
    ring = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)
    cv2.polylines(plane, [fixed(ring)], True, (255,), thick, cv2.LINE_AA, SUBPIXELS)
    fill_disc(plane, x, y, 0.3 * radius)


@lru_cache(maxsize=64)
def watermark_cover(shop: Shop, size: int) -> Plane:
    """Where the shop's watermark lies on a photo, shape (size, size, 1), in [0, opacity]."""
    plane: Mask = np.zeros((size, size), np.uint8)
    if shop.place == "corner":
        if shop.figure:
            _logo(plane, shop, 0.86 * size, 0.84 * size, 0.055 * size)
        _write(plane, shop.name, 0.8 * size, 0.94 * size, 0.05 * size, shop.font)
    elif shop.place == "centre":
        _write(plane, shop.name, 0.5 * size, 0.58 * size, 0.085 * size, shop.font)
        if shop.figure:
            _logo(plane, shop, 0.5 * size, 0.42 * size, 0.09 * size)
    elif shop.place == "tiled":
        for row in range(6):
            for column in range(3):
                _write(
                    plane,
                    shop.name,
                    (column * 0.42 + 0.2 * (row % 2)) * size,
                    (row * 0.19 + 0.05) * size,
                    0.042 * size,
                    shop.font,
                )
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), 24, 1.25)
        plane = cv2.warpAffine(plane, turn, (size, size))
    else:
        plane[round(0.9 * size) :] = 255  # the name is cut out of the band, so it reads on any ground
        _write(plane, shop.name, 0.5 * size, 0.95 * size, 0.05 * size, shop.font, 0)
    return plane[:, :, None].astype(np.float32) * np.float32(shop.opacity / 255)


def stamp(photo: Pixels, shop: Shop) -> Pixels:
    """The photo with the shop's watermark on it."""
    cover = watermark_cover(shop, photo.shape[0])
    shade = np.float32(25 if shop.dark else 252)
    # A rim of the opposite shade below and to the right, or a white mark would vanish on a white ground.
    rim = np.zeros_like(cover)
    rim[1:, 1:] = np.float32(0.6) * cover[:-1, :-1]
    rimmed = photo + (255 - shade - photo) * rim
    return (rimmed + (shade - rimmed) * cover).astype(np.uint8)


def draw_parcel(shop: Shop, scene: Plane, rng: np.random.Generator) -> Plane:
    """A scene with a cardboard box that bears the shop's logo: a photo that does not show the product."""
    size = scene.shape[0]
    pixels = np.clip(scene, 0, 255).astype(np.uint8)  # OpenCV softens the edges of bytes only
    x, y, w, h = (
        rng.uniform(0.14, 0.26),
        rng.uniform(0.34, 0.46),
        rng.uniform(0.4, 0.52),
        rng.uniform(0.34, 0.44),
    )
    depth, lift = rng.uniform(0.08, 0.18), rng.uniform(0.06, 0.14)
    front = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    top = np.array([[x, y], [x + depth, y - lift], [x + w + depth, y - lift], [x + w, y]])
    side = np.array([[x + w, y], [x + w + depth, y - lift], [x + w + depth, y + h - lift], [x + w, y + h]])
    card = np.array([98, 146, 188], np.float64) * rng.uniform(0.88, 1.08)
    for face, tone in ((front, 0.95), (top, 1.12), (side, 0.72)):
        fill(pixels, face * size, tuple((card * tone).tolist()))
    tape = np.array(
        [
            [x + 0.45 * w, y],
            [x + 0.45 * w + depth, y - lift],
            [x + 0.55 * w + depth, y - lift],
            [x + 0.55 * w, y],
        ]
    )
    fill(pixels, tape * size, (150, 190, 215))
    ink = np.zeros((size, size), np.uint8)
    if shop.figure:
        _logo(ink, shop, (x + w / 2) * size, (y + 0.38 * h) * size, 0.07 * size)
    _write(ink, shop.name, (x + w / 2) * size, (y + 0.74 * h) * size, 0.055 * size, shop.font)
    cover = ink[:, :, None].astype(np.float32) / np.float32(255)
    return pixels + (np.array(shop.hue, np.float32) - pixels) * cover


def draw_size_chart(shop: Shop, size: int, rng: np.random.Generator) -> Plane:
    """A white page with the shop's name and a table of sizes in centimetres."""
    page = np.full((size, size), 250, np.uint8)
    _write(page, "SIZE CHART", 0.5 * size, 0.1 * size, 0.065 * size, shop.font, 40)
    _write(page, shop.name, 0.5 * size, 0.93 * size, 0.04 * size, shop.font, 110)
    rows, columns = int(rng.integers(4, 8)), int(rng.integers(3, 5))
    left, top, width, height = 0.08 * size, 0.2 * size, 0.84 * size, 0.65 * size
    cv2.rectangle(page, (round(left), round(top)), (round(left + width), round(top + height / rows)), 205, -1)
    start = rng.integers(30, 90, columns)
    for row in range(rows):
        for column in range(columns):
            text = (
                ("XS", "S", "M", "L", "XL", "XXL", "3XL")[row - 1] if column == 0 else str(start[column] + 3 * row)
            )
            text = ("SIZE", "CHEST", "WAIST", "HIP")[column] if row == 0 else text
            spot = (left + (column + 0.5) * width / columns, top + (row + 0.5) * height / rows)
            _write(page, text, *spot, 0.034 * size, shop.font, 60)
    for row in range(rows + 1):
        y = round(top + row * height / rows)
        cv2.line(page, (round(left), y), (round(left + width), y), 150, 1)
    return np.repeat(page[:, :, None], 3, 2).astype(np.float32)
