"""How the loops over pixels are compiled."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled for this machine when first called and kept beside the source (or in the user's cache, where that
    may not be written); runs without the GIL. Arithmetic may be reordered: no pixel is infinite or NaN."""
    made: Callable[..., Any] = njit(nogil=True, cache=True, error_model="numpy", fastmath=True)(function)
    return made
