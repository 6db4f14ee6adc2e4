"""Which family of products a product type belongs to, by the words in its name."""

import re
from functools import lru_cache

FAMILIES: dict[str, tuple[str, ...]] = {
    "dress": ("dress", "gown", "skirt", "saree", "sari", "kurta", "kurti", "jumpsuit", "robe", "nightdress"),
    "shirt": (
        "shirt", "tshirt", "tee", "top", "blouse", "tank", "polo", "sweater", "sweatshirt", "hoodie", "jacket",
        "coat", "vest", "cardigan", "jumper", "bra", "pullover", "blazer",
    ),
    "trousers": ("trousers", "trouser", "pants", "pant", "jeans", "shorts", "leggings", "legging", "tights",
                 "joggers", "capris"),
    "shoes and bags": (
        "shoe", "shoes", "sneaker", "sneakers", "boot", "boots", "sandal", "sandals", "heels", "flats", "slipper",
        "slippers", "flip", "trainer", "trainers", "bag", "bags", "handbag", "handbags", "backpack", "backpacks",
        "purse", "wallet", "wallets", "suitcase", "clutch",
    ),
    "hard goods": (
        "furniture", "chair", "table", "sofa", "couch", "bed", "desk", "shelf", "cabinet", "lamp", "mug", "cup",
        "bottle", "phone", "case", "box", "toy", "toys", "figure", "keyboard", "mouse", "headset", "cooler",
        "memory", "watch", "watches", "clock", "vase", "bowl", "pan", "tool", "helmet", "bike", "bicycle", "ball",
        "game", "pillow", "cushion", "rug", "curtain",
    ),
}  # fmt: skip
"""Words, in lower case, that put a product type into a family; a name may hold several words."""


@lru_cache(maxsize=4096)
def family(product_type: str) -> str:
    """The family of a product type such as "Women's Dress" or "running-shoes", or '' where no word tells.

    The last telling word counts: a shirt dress is a dress, a dress shirt a shirt.
    """
    for word in reversed(re.findall(r"[a-z]+", product_type.lower())):
        for name, words in FAMILIES.items():
            if {word, word.removesuffix("s"), word.removesuffix("es")} & set(words):
                return name
    return ""
