"""What a mark says and how it looks, drawn from one of two pools."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

PoolName = Literal["train", "test"]
Rgb = tuple[int, int, int]

T = TypeVar("T")


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
    if rng.random() < 0.6 or contrast(accent) != contrast(ink):
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


def contrast(ink: Rgb) -> Rgb:
    """Black or white, whichever sets the ink off."""
    return (15, 15, 15) if 0.299 * ink[0] + 0.587 * ink[1] + 0.114 * ink[2] > 110 else (250, 250, 250)


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]
