"""Watermarks as pictures, for standing on photos: shop names, seller numbers, claims and logos.

There are two pools. What a network has learnt to ignore is only known when it meets marks it has never seen,
so the pools share no word, no number, no logo's shape, no typeface and no treatment of letters: see POOLS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

PoolName = Literal["train", "test"]
Rgb = tuple[int, int, int]
Layer = tuple[np.ndarray, Rgb]
"""How much of each pixel is covered, (h, w) float32 from 0 to 1, and with which colour."""

T = TypeVar("T")

LONGEST = 256
"""The longest side of a mark in px."""

_MARGIN = 10
"""Room around the ink, in px, for shadows, glows and plates."""

_LETTERS = 48
"""Height in px at which letters are drawn, before the mark is brought to its size."""

_LOGO = 192
"""Side in px of the square on which logos are drawn."""


@dataclass(frozen=True)
class Pool:
    """What marks are made of. Text holds `{name}`, `{NAME}`, `{site}`, `{number}`, `{share}`, `{year}`.

    `first` and `second` are the parts of shop names, `numbers`, `shares` and `years` half-open ranges;
    `faces`, `finishes`, `plates` and `logos` name functions and styles below.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    texts: tuple[str, ...]
    taglines: tuple[str, ...]
    ending: str
    numbers: range
    shares: range
    years: range
    faces: tuple[str, ...]
    finishes: tuple[str, ...]
    plates: tuple[str, ...]
    logos: tuple[str, ...]


POOLS: dict[PoolName, Pool] = {
    "train": Pool(
        first=("Moda", "Velvet", "Blue", "Urban", "Silk", "Casa", "Olive", "Amber", "Little", "Royal", "Luna"),
        second=("Lane", "House", "Store", "Loom", "Corner", "Market", "Studio", "Nest", "Barn", "Trend", "Line"),
        texts=(
            "{name}", "{NAME}", "{site}", "www.{site}", "© {name}", "© {year} {NAME}", "s-{number}", "id {number}",
            "+4{number}", "SALE -{share}%", "100% original", "FREE DELIVERY", "photo by {name}",
        ),
        taglines=("since {year}", "fashion", "official", "{site}", "tel. {number}"),
        ending=".example",
        numbers=range(1_000_000, 5_000_000),
        shares=range(5, 45, 5),
        years=range(1990, 2012),
        faces=("aileron", "aileron bold", "aileron condensed", "aileron spaced"),
        finishes=("flat", "shadow", "outline"),
        plates=("box", "rounded"),
        logos=("ring", "shield", "star", "burst", "badge"),
    ),
    "test": Pool(
        first=("Kora", "Nova", "Green", "Pixel", "Cotton", "Villa", "Cherry", "Cobalt", "Happy", "Orion"),
        second=("Boutique", "Depot", "Bazaar", "Outlet", "Gallery", "Works", "Emporium", "Closet", "Attic"),
        texts=(
            "{name}", "{NAME}", "{site}", "visit {site}", "(c) {name}", "(c) {NAME} {year}", "no. {number}",
            "art {number}", "({number})", "{share}% OFF", "GENUINE", "do not copy", "TOP QUALITY",
            "property of {name}",
        ),
        taglines=("est. {year}", "style", "trusted seller", "{site}", "call {number}"),
        ending=".test",
        numbers=range(5_000_000, 10_000_000),
        shares=range(45, 95, 5),
        years=range(2012, 2030),
        faces=("opencv", "opencv heavy", "opencv slanted", "opencv wide"),
        finishes=("emboss", "hollow", "glow", "cutout"),
        plates=("pill", "bar"),
        logos=("monogram", "diamond", "leaf", "hexagon", "bag"),
    ),
}  # fmt: skip

_OPENCV_FACES = {
    "opencv": cv2.FONT_HERSHEY_SIMPLEX,
    "opencv heavy": cv2.FONT_HERSHEY_TRIPLEX,
    "opencv slanted": cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    "opencv wide": cv2.FONT_HERSHEY_SIMPLEX,
}
_INKS: tuple[Rgb, ...] = (
    (255, 255, 255), (255, 255, 255), (255, 255, 255), (236, 236, 236), (20, 20, 20), (20, 20, 20),
    (120, 120, 120), (176, 176, 176), (200, 30, 40), (30, 80, 170), (25, 130, 80), (225, 120, 20),
    (120, 50, 130), (205, 165, 60),
)  # fmt: skip
"""Most shops write in white, black or grey, some in a colour."""


@dataclass(frozen=True)
class Plan:
    """What one mark shows, before it is drawn.

    `lines` are its lines of text (none: a logo alone), `logo` its shape ('': text alone) with `initial` on
    it, `solid` or in outline; `beside` sets the logo to the left of the text, else it stands above. `plate`
    '' is no plate. `ink` colours the letters and `accent` the logo.
    """

    lines: tuple[str, ...]
    face: str
    finish: str
    plate: str
    logo: str
    initial: str
    solid: bool
    beside: bool
    ink: Rgb
    accent: Rgb
    strength: float
    """How opaque the plate is, from 0 to 1."""


def plan(number: int, pool: PoolName) -> Plan:
    """The plan of mark `number` (0 or more) of the pool. Raises KeyError for an unknown pool."""
    parts = POOLS[pool]
    rng = np.random.default_rng([81, list(POOLS).index(pool), number])
    first, second = _pick(rng, parts.first), _pick(rng, parts.second)
    words = {
        "name": f"{first} {second}",
        "NAME": f"{first} {second}".upper(),
        "site": _pick(rng, (f"{first}-{second}", f"{first}{second}")).lower() + parts.ending,
        "number": str(_pick(rng, parts.numbers)),
        "share": str(_pick(rng, parts.shares)),
        "year": str(_pick(rng, parts.years)),
    }
    kind = _pick(rng, ("text", "text", "logo", "both", "both"))
    lines: list[str] = []
    if kind != "logo":
        # Beside a logo stands the shop's name far more often than a number or a claim.
        named = kind == "both" and rng.random() < 0.7
        lines.append(_pick(rng, parts.texts[:4] if named else parts.texts).format(**words))
        if rng.random() < 0.25:
            lines.append(_pick(rng, parts.taglines).format(**words))
    finish = _pick(rng, parts.finishes)
    # Letters are cut out of a plate, and hardly anyone puts one behind a logo alone.
    plated = finish == "cutout" or (kind != "logo" and rng.random() < 0.2)
    ink, accent = _pick(rng, _INKS), _pick(rng, _INKS)
    if rng.random() < 0.6 or _contrast(accent) != _contrast(ink):
        accent = ink  # one rim, shadow or plate has to set off both
    return Plan(
        lines=tuple(lines),
        face=_pick(rng, parts.faces),
        finish=finish,
        plate=_pick(rng, parts.plates) if plated else "",
        logo=_pick(rng, parts.logos) if kind != "text" else "",
        initial=_pick(rng, (first[0], first[0] + second[0], "")) if kind != "text" else "",
        solid=bool(rng.random() < 0.5),
        beside=bool(rng.random() < 0.5),
        ink=ink,
        accent=accent,
        strength=float(rng.uniform(0.35, 0.8)),
    )


@lru_cache(maxsize=256)
def mark(number: int, pool: PoolName) -> np.ndarray:
    """Mark `number` (0 or more) of the pool: (h, w, 4) uint8 RGBA, longest side 256 px, read-only.

    Alpha is the mark's shape at full strength; how opaque, how large and where it stands on a photo is for
    the caller to choose. The same number and pool give the same picture wherever Pillow and OpenCV have the
    same versions (OpenCV 5 draws other letters than OpenCV 4). Raises KeyError for an unknown pool.
    """
    drawn = plan(number, pool)
    text, logo = _lay_out(drawn)
    scale = (LONGEST - 2 * _MARGIN) / max(text.shape)
    height, width = (max(1, round(side * scale)) for side in text.shape)
    text, logo = (
        np.pad(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), _MARGIN) for part in (text, logo)
    )
    picture = _paint(drawn, text.astype(np.float32) / 255, logo.astype(np.float32) / 255)
    picture.setflags(write=False)
    return picture


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _lay_out(drawn: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The letters and the logo, each by itself on one canvas: two (h, w) uint8 masks."""
    text = _stack([_letters(line, drawn.face) for line in drawn.lines])
    if not drawn.logo:
        return text, np.zeros_like(text)
    logo = _logo(drawn)
    if not drawn.lines:
        return np.zeros_like(logo), logo
    if drawn.beside:
        side = round(1.5 * text.shape[0])
        logo = cv2.resize(logo, (side, side), interpolation=cv2.INTER_AREA)
        canvas = np.zeros((side, side + _LETTERS // 3 + text.shape[1]), np.uint8)
        top, left, logo_left = (side - text.shape[0]) // 2, side + _LETTERS // 3, 0
    else:
        gap = _LETTERS // 4
        canvas = np.zeros((_LOGO + gap + text.shape[0], max(_LOGO, text.shape[1])), np.uint8)
        top, left, logo_left = _LOGO + gap, (canvas.shape[1] - text.shape[1]) // 2, (canvas.shape[1] - _LOGO) // 2
    letters, shape = canvas, canvas.copy()
    letters[top : top + text.shape[0], left : left + text.shape[1]] = text
    shape[: logo.shape[0], logo_left : logo_left + logo.shape[1]] = logo
    return letters, shape


def _stack(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Lines of text below each other, centred; all but the first at half their size."""
    if not lines:
        return np.zeros((1, 1), np.uint8)
    first, *rest = lines
    smaller = [cv2.resize(line, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for line in rest]
    gap = _LETTERS // 4
    width = max(line.shape[1] for line in (first, *smaller))
    rows = []
    for line in (first, *smaller):
        left = (width - line.shape[1]) // 2
        rows.append(np.pad(line, ((0, gap), (left, width - line.shape[1] - left))))
    return np.vstack(rows)[:-gap]


def _letters(text: str, face: str) -> np.ndarray:
    """A line of text as an (h, w) uint8 mask that ends where its ink ends."""
    mask = _opencv_letters(text, face) if face in _OPENCV_FACES else _aileron_letters(text, face)
    left, top, width, height = cv2.boundingRect(mask)
    mask = mask[top : top + height, left : left + width]
    stretch = {"aileron condensed": 0.62, "opencv wide": 1.4}.get(face, 1.0)
    return cv2.resize(mask, (max(1, round(width * stretch)), height), interpolation=cv2.INTER_AREA)


def _aileron_letters(text: str, face: str) -> np.ndarray:
    font = ImageFont.load_default(_LETTERS)
    spacing = 0.3 * _LETTERS if face == "aileron spaced" else 0.0
    steps = [font.getlength(letter) + spacing for letter in text]
    bold = 2 if face == "aileron bold" else 0
    page = Image.new("L", (round(sum(steps)) + _LETTERS, 2 * _LETTERS))
    draw = ImageDraw.Draw(page)
    if spacing:
        for i, letter in enumerate(text):
            draw.text((_LETTERS // 2 + round(sum(steps[:i])), _LETTERS // 4), letter, 255, font)
    else:
        draw.text((_LETTERS // 2, _LETTERS // 4), text, 255, font, stroke_width=bold)
    return np.asarray(page)


def _opencv_letters(text: str, face: str) -> np.ndarray:
    font, thickness = _OPENCV_FACES[face], 5 if face == "opencv heavy" else 3
    scale = cv2.getFontScaleFromHeight(font, round(0.75 * _LETTERS), thickness)
    (width, height), below = cv2.getTextSize(text, font, scale, thickness)
    page = np.zeros((height + below + _LETTERS, width + 2 * _LETTERS), np.uint8)
    cv2.putText(page, text, (_LETTERS, height + _LETTERS // 2), font, scale, 255, thickness, cv2.LINE_AA)
    return page


def _logo(drawn: Plan) -> np.ndarray:
    """The logo as a (192, 192) uint8 mask."""
    outer = _shape(drawn.logo, 1.0)
    inner = _shape(drawn.logo, 0.84)
    if not drawn.solid:
        return cv2.add(cv2.subtract(outer, inner), _initial(drawn))
    rim = cv2.subtract(outer, _shape(drawn.logo, 0.92))
    return cv2.add(rim, cv2.subtract(inner, _initial(drawn)))


def _initial(drawn: Plan) -> np.ndarray:
    """What stands in a logo: a letter or two, or the logo's own shape once more, small. (192, 192) uint8."""
    if not drawn.initial:
        return _shape(drawn.logo, 0.35)
    letters = _letters(drawn.initial, drawn.face)
    scale = min(0.36 * _LOGO / letters.shape[0], 0.44 * _LOGO / letters.shape[1])
    letters = cv2.resize(letters, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height, width = letters.shape
    page = np.zeros((_LOGO, _LOGO), np.uint8)
    top, left = (_LOGO - height) // 2, (_LOGO - width) // 2
    page[top : top + height, left : left + width] = letters
    return page


def _shape(logo: str, scale: float) -> np.ndarray:
    """A logo's outline, filled, shrunk about the centre: (192, 192) uint8."""
    page = np.zeros((_LOGO, _LOGO), np.uint8)
    points = _LOGO / 2 + (_LOGO / 2 - 3) * scale * _outline(logo)
    cv2.fillPoly(page, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    if logo == "bag" and scale == 1:
        cv2.ellipse(page, (_LOGO // 2, round(0.26 * _LOGO)), (32, 40), 0, 180, 360, (255,), 9, cv2.LINE_AA)
    return page


def _outline(logo: str) -> np.ndarray:
    """A logo's outline: (N, 2) points x, y from -1 to 1, y downwards."""
    turn = np.linspace(0, 2 * np.pi, 144, endpoint=False)
    ring = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    if logo == "ring":
        return ring
    if logo == "badge":
        return ring * (0.93 + 0.07 * np.cos(12 * turn))[:, None]
    if logo == "star":
        return ring[:: 144 // 10][:10] * np.where(np.arange(10) % 2, 0.45, 1.0)[:, None]
    if logo == "burst":
        return ring[::4] * np.where(np.arange(36) % 2, 0.8, 1.0)[:, None]
    if logo == "hexagon":
        return ring[::24]
    if logo == "diamond":
        return ring[::36] * (0.75, 1.0)
    if logo == "monogram":  # a square with round corners: a superellipse
        return 0.95 * np.sign(ring) * np.abs(ring) ** 0.35
    if logo == "shield":
        sides = np.linspace(0, np.pi, 24)
        bottom = np.stack([0.85 * np.cos(sides), 0.1 + 0.9 * np.sin(sides) ** 0.8], axis=1)
        return np.vstack([[(-0.85, -0.8), (0, -1), (0.85, -0.8)], bottom])
    if logo == "leaf":
        half = np.linspace(0, np.pi, 40)
        right = np.stack([0.62 * np.sin(half) ** 2, -np.cos(half)], axis=1)
        return np.vstack([right, right[::-1] * (-1, 1)]) @ np.array([[0.87, 0.5], [-0.5, 0.87]])
    if logo == "bag":
        return np.array([(-0.7, -0.5), (0.7, -0.5), (0.88, 1), (-0.88, 1)])
    raise ValueError(f"there is no logo {logo!r}")


def _paint(drawn: Plan, text: np.ndarray, logo: np.ndarray) -> np.ndarray:
    """The mark's (h, w, 4) uint8 RGBA from its letters and its logo, (h, w) float32 from 0 to 1."""
    layers: list[Layer] = []
    if drawn.plate and drawn.finish != "cutout":
        layers.append((drawn.strength * _plate(drawn.plate, text.shape), _contrast(drawn.ink)))
    layers += _finish(drawn, text, logo)
    covered = np.zeros(text.shape, np.float32)
    colour = np.zeros((*text.shape, 3), np.float32)
    for cover, paint in layers:
        colour = colour * (1 - cover[..., None]) + cover[..., None] * np.array(paint, np.float32)
        covered = covered * (1 - cover) + cover
    # Where nothing is, the ink's colour stands: shrinking the mark must not draw black into its edges.
    bare = covered[..., None] < 1 / 255
    colour = np.where(bare, np.array(drawn.ink, np.float32), colour / np.maximum(covered[..., None], 1 / 255))
    return np.dstack([np.round(colour), np.round(255 * covered)]).clip(0, 255).astype(np.uint8)


def _finish(drawn: Plan, text: np.ndarray, logo: np.ndarray) -> list[Layer]:
    """The layers of the mark's letters and logo, from below."""
    both = np.maximum(text, logo)
    inks: list[Layer] = [(text, drawn.ink), (logo, drawn.accent)]
    rim = _contrast(drawn.ink)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    if drawn.finish == "flat":
        return inks
    if drawn.finish == "shadow":
        return [(0.75 * cv2.GaussianBlur(_moved(both, 3), (0, 0), 1.6), rim), *inks]
    if drawn.finish == "outline":
        return [(cv2.dilate(both, disc), rim), *inks]
    if drawn.finish == "emboss":
        return [(0.8 * _moved(both, -1), rim), (0.8 * _moved(both, 1), rim), *inks]
    if drawn.finish == "hollow":
        edge = cv2.dilate(both, disc[1:4, 1:4]) - cv2.erode(both, disc[1:4, 1:4])
        return [(_moved(edge, 1) * 0.5, rim), (edge, drawn.ink)]
    if drawn.finish == "glow":
        return [(0.7 * cv2.GaussianBlur(cv2.dilate(both, disc), (0, 0), 3), rim), *inks]
    if drawn.finish == "cutout":
        return [(_plate(drawn.plate, text.shape) * (1 - both), drawn.ink)]
    raise ValueError(f"there is no finish {drawn.finish!r}")


def _moved(cover: np.ndarray, by: int) -> np.ndarray:
    """The cover `by` px to the right and down. The margin is wider than any move, so nothing comes round."""
    return np.roll(cover, (by, by), (0, 1))


def _plate(plate: str, shape: tuple[int, ...]) -> np.ndarray:
    """The ground behind a mark that fills (h, w) `shape`: float32 from 0 to 1."""
    height, width = shape
    lean = float(_MARGIN) if plate == "bar" else 0.0
    # On a tall mark, rounder corners would cut off the ends of its lowest line.
    radius = {"rounded": min(9.0, 0.2 * height), "pill": min(26.0, 0.5 * height - 1)}.get(plate, 0.0)
    page = np.zeros((height, width), np.uint8)
    if radius:
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        centres = np.array([(width - 1 - radius, height - 1 - radius), (radius + 1, height - 1 - radius),
                            (radius + 1, radius + 1), (width - 1 - radius, radius + 1)])  # fmt: skip
        corner = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        points = np.repeat(centres, 16, axis=0) + corner
    else:
        points = np.array([(lean, 1), (width - 1, 1), (width - 1 - lean, height - 1), (1, height - 1)], float)
        points = points if lean else np.array([(1, 1), (width - 1, 1), (width - 1, height - 1), (1, height - 1)])
    cv2.fillPoly(page, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    return page.astype(np.float32) / 255


def _contrast(ink: Rgb) -> Rgb:
    """Black or white, whichever sets the ink off."""
    return (15, 15, 15) if 0.299 * ink[0] + 0.587 * ink[1] + 0.114 * ink[2] > 110 else (250, 250, 250)
