"""Parameters that follow how much there is to learn from: what a recipe that says `auto` gets.

The published values are those of a million photos. Each rule meets them there and rests, below that, on
experiments of our own (docs/studies/small-data.md; `python benchmarks/small_data.py`). A teacher's temperature
needs no rule: 0.04 was best at both sizes tried, and 0.07 collapsed at once.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

AUTO = "auto"


class Scale(NamedTuple):
    """How much there is to learn from: the `photos` that are trained on, and the `steps` of the run."""

    photos: int
    steps: int


def queue(scale: Scale) -> int:
    """The largest power of two that is at most a tenth of the photos, 64 to 65,536.

    In a longer queue a query meets old keys of its own photo: of N photos, m of each product, K m / N of its K
    keys show the query's product.
    """
    return _power_of_two(scale.photos / 10, least=64)


def prototypes(scale: Scale) -> int:
    """The power of two next to a third of the photos, 1,024 to 65,536: too few cost more than too many."""
    return _power_of_two(scale.photos / 3 * math.sqrt(2), least=1024)


def momentum(scale: Scale) -> float:
    """1 - 15 / steps, from 0.97 to the 0.996 of BYOL and DINO: a teacher that looks back over a few hundredths of
    the run, and over thirty steps at least.
    """
    return round(min(0.996, max(0.97, 1 - 15 / scale.steps)), 4)


def _power_of_two(most: float, *, least: int, greatest: int = 65536) -> int:
    return min(greatest, max(least, 2 ** math.floor(math.log2(max(1, most)))))


RULES: dict[str, Callable[[Scale], Any]] = {"queue": queue, "prototypes": prototypes, "momentum": momentum}
"""By the parameter's name, which means the same in every method that has it."""


def scalable(method: Callable[..., Any]) -> list[str]:
    """The parameters of a method that may be `auto`."""
    return [name for name in inspect.signature(method).parameters if name in RULES]
