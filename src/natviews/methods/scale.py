"""Parameters that follow how much there is to learn from: what a recipe that says `auto` gets.

The published values are those of a million photos. Each rule meets them there and rests, below that, on
experiments of our own (docs/studies/small-data.md; `python benchmarks/small_data.py`).
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
    """The power of two next to a third of the photos, 256 to 65,536."""
    return _power_of_two(scale.photos / 3 * math.sqrt(2), least=256)


def momentum(scale: Scale) -> float:
    """A teacher that looks back over a twentieth of the run, 0.9 to 0.996."""
    return round(min(0.996, max(0.9, 1 - 20 / scale.steps)), 4)


def _power_of_two(most: float, *, least: int, greatest: int = 65536) -> int:
    return min(greatest, max(least, 2 ** math.floor(math.log2(max(1, most)))))


RULES: dict[str, Callable[[Scale], Any]] = {"queue": queue, "prototypes": prototypes, "momentum": momentum}
"""By the parameter's name, which means the same in every method that has it."""


def scalable(method: Callable[..., Any]) -> list[str]:
    """The parameters of a method that may be `auto`."""
    return [name for name in inspect.signature(method).parameters if name in RULES]
