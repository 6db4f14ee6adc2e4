"""What every operation is: a frozen dataclass that declares what may be drawn, and draws it into a view."""

import random
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from natviews.types import NatviewsError
from natviews.views.view import View

Range = tuple[float, float]


@dataclass(frozen=True)
class Op(ABC):
    """An operation, applied with probability `p`. A subclass is registered by existing, under its name in
    lower case; keyword parameters are its configuration.
    """

    _: KW_ONLY
    p: float = 1.0

    registry: ClassVar[dict[str, type["Op"]]] = {}
    name: ClassVar[str]
    weak_to_strong: ClassVar[Range] = (0.0, 1.0)
    """The part of what is drawn that leads from the weakest to the strongest: upwards from the middle (0.5)
    where the middle changes nothing."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__name__.lower()
        Op.registry[cls.name] = cls

    def __post_init__(self) -> None:
        self._within("p", 0, 1)

    @abstractmethod
    def draw(self, view: View, rng: random.Random) -> None:
        """Draws parameters and changes the view. All chance comes from `rng`."""

    def apply(self, view: View, rng: random.Random) -> None:
        """With probability `p`, draws; the view then bears the operation's name."""
        if self.p == 1 or rng.random() < self.p:
            self.draw(view, rng)
            view.names.append(self.name)

    def _within(self, name: str, lowest: float, highest: float) -> None:
        check_range(type(self).__name__, name, getattr(self, name), lowest, highest)


def check_range(kind: str, name: str, value: float | Range, lowest: float, highest: float) -> None:
    """Refuses a number, or a range (low, high), that is not within bounds. NaN is refused as well."""
    low, high = value if isinstance(value, tuple) else (value, value)
    if not lowest <= low <= high <= highest:
        what = "a rising range" if isinstance(value, tuple) else "a number"
        raise NatviewsError(f"{kind}: {name} = {value} must be {what} within {lowest} to {highest}.")
