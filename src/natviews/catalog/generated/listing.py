"""The words and numbers of a listing: title, price, sales, number of sellers."""

import numpy as np

from natviews.catalog.generated.palette import Palette
from natviews.catalog.generated.product import Design

_NOUNS: dict[str, tuple[str, ...]] = {
    "shirt": ("shirt", "top", "blouse", "tee"),
    "dress": ("dress", "summer dress", "day dress"),
    "jacket": ("jacket", "coat", "light jacket"),
    "skirt": ("skirt", "ladies' skirt"),
    "trousers": ("trousers", "pants", "bottoms"),
    "shoe": ("shoes", "shoe", "footwear"),
    "bag": ("bag", "carry bag", "shoulder bag"),
    "hat": ("hat", "headwear"),
    "mug": ("mug", "coffee mug", "cup"),
    "vase": ("vase", "flower vase", "ceramic vase"),
    "lamp": ("lamp", "table lamp", "bedside lamp"),
    "cushion": ("cushion", "throw pillow", "sofa cushion"),
    "chair": ("chair", "dining chair", "kitchen chair"),
}
_PATTERN_WORDS = {
    "solid": "plain", "horizontal stripes": "striped", "vertical stripes": "pinstripe",
    "diagonal stripes": "diagonal stripe", "gingham": "checked", "tartan": "tartan", "dots": "polka dot",
    "leopard": "leopard print", "zebra": "zebra print", "motif": "graphic print", "gradient": "ombre",
}  # fmt: skip
_SLEEVE_WORDS = {
    "sleeveless": "sleeveless", "short": "short sleeve", "elbow": "elbow sleeve", "long": "long sleeve",
}  # fmt: skip
_NECK_WORDS = {
    "round": "crew neck", "v": "V-neck", "boat": "boat neck", "square": "square neck",
    "collar": "with collar", "roll": "roll neck",
}  # fmt: skip
_LOUD = ("NEW", "HOT", "2024", "Fashion", "Premium", "Best Quality", "Free Gift", "Trend", "Casual", "Sale")
_CALM = ("everyday", "classic", "relaxed", "favourite", "modern", "soft")
_PRICES = {
    "shirt": 24, "dress": 45, "jacket": 79, "skirt": 34, "trousers": 44, "shoe": 64, "bag": 52, "hat": 22,
    "mug": 13, "vase": 27, "lamp": 48, "cushion": 19, "chair": 95,
}  # fmt: skip


def write_title(design: Design, palette: Palette, shop: str, loud: bool, rng: np.random.Generator) -> str:
    """A title from the attributes, some of them left out as sellers do; `loud` is the bazaar's style."""
    noun = str(rng.choice(_NOUNS[design.product_type]))
    make = getattr(design.shape, "make", "")
    words = [
        _PATTERN_WORDS.get(design.pattern.name, design.pattern.name) if rng.random() < 0.75 else "",
        _SLEEVE_WORDS.get(design.sleeve, "") if rng.random() < 0.6 else "",
        _NECK_WORDS.get(design.neckline, "") if rng.random() < 0.5 else "",
        str(make) if rng.random() < 0.5 else "",
    ]
    words = [word for word in words if word]
    colour = palette.main if rng.random() < 0.8 else ""
    if loud:
        extra = [str(word) for word in rng.choice(_LOUD, int(rng.integers(1, 4)), replace=False)]
        words = [
            extra[0],
            *rng.permutation([*words, noun, *([colour] if colour else [])]).tolist(),
            *extra[1:],
        ]
        return " ".join(word if word.isupper() else word.title() for word in words)
    calm = str(rng.choice(_CALM)) if rng.random() < 0.35 else ""
    name = " ".join(word for word in (calm, *words, noun) if word)
    start = f"{shop} " if rng.random() < 0.3 else ""
    return start + name[0].upper() + name[1:] + (f", {colour}" if colour else "")


def draw_design_price(design: Design, rng: np.random.Generator) -> float:
    """The usual price of a design, the same for all its colourways."""
    return float(_PRICES[design.product_type] * np.exp(rng.normal(0, 0.3)))


def shop_price(usual: float, noise: float, rng: np.random.Generator) -> float:
    """What one shop asks: the usual price give or take `noise` (a share), ending in .90 or .99."""
    return float(int(max(usual * np.exp(rng.normal(0, noise)), 3))) + float(rng.choice([0.9, 0.99]))


def draw_demand(rng: np.random.Generator, high: bool) -> tuple[int, int]:
    """Pieces sold per month and number of sellers: few of most things, many of a few."""
    sales = int(np.exp(rng.normal(3.2, 1.1)))
    return (
        (sales + int(rng.integers(1200, 6000)), int(rng.integers(25, 90)))
        if high
        else (sales, int(1 + sales**0.45))
    )
