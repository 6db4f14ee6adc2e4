"""Pictures that are generated rather than given: plain colours, watermarks and grounds, by kind and number."""

from functools import lru_cache

import numpy as np

from natviews.views.grounds import ground
from natviews.views.marks import mark
from natviews.views.view import Drawn


def drawn(source: Drawn) -> np.ndarray:
    """The picture (h, w, 3) or (h, w, 4) uint8, read-only. Raises ValueError for an unknown kind."""
    if source.kind == "colour":
        return np.array([[[source.number >> shift & 15 for shift in (8, 4, 0)]]], np.uint8) * 17
    return _made(source)


@lru_cache(maxsize=1024)  # all that the operations draw from, about 100 MB: each takes milliseconds to make
def _made(source: Drawn) -> np.ndarray:
    if source.kind == "ground":
        return ground(source.number)
    if source.kind in ("train mark", "test mark"):
        return mark(source.number, "train" if source.kind == "train mark" else "test")
    raise ValueError(f"there is no kind {source.kind!r} of generated picture")
