"""Policies: how a photo may look while it remains the same product. Data, not code.

A policy draws the parameters of all views of one training step; a renderer makes the pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from natviews.config import check, choose
from natviews.types import NatviewsError
from natviews.views.ops import Blur, Crops, Flip, Grey, Jitter, Op, Rotate
from natviews.views.view import View

LOCAL_SHARE = 96 / 224
"""Local crops are this much smaller than global ones in DINO; sizes are rounded to multiples of 8."""


@dataclass(frozen=True)
class Policy:
    """What is drawn for one step.

    Global crops take turns over the step's photos (with natural views the first shows x', the second x");
    local crops show x' alone (SkiLL, equation 2). To each, the operations of its product type
    (`by_type`, else `by_type['']`) are applied first, then `colour`, then `after`: G o A in SkiLL's
    notation. Every operation is applied with its own probability.
    """

    _: KW_ONLY
    globals: Crops
    locals: Crops | None = None
    by_type: Mapping[str, tuple[Op, ...]] = field(default_factory=dict)
    colour: tuple[Op, ...] = ()
    after: tuple[Op, ...] = ()

    def draw(
        self, photo_sizes: Sequence[tuple[int, int]], product_type: str, rng: np.random.Generator
    ) -> list[View]:
        """The step's views, global ones first. `photo_sizes` are (H, W) in px of the photos x', x"..."""
        views = [
            self.globals.draw(i % len(photo_sizes), photo_sizes[i % len(photo_sizes)], rng)
            for i in range(self.globals.count)
        ]
        if self.locals:
            views += [self.locals.draw(0, photo_sizes[0], rng) for _ in range(self.locals.count)]
        ops = (*self.by_type.get(product_type, self.by_type.get("", ())), *self.colour, *self.after)
        return [_apply(ops, view, rng) for view in views]

    @property
    def size(self) -> int:
        """The side of a global view in px."""
        return self.globals.size


def _apply(ops: Sequence[Op], view: View, rng: np.random.Generator) -> View:
    for op in ops:
        if rng.random() < op.p:
            view = op.draw(view, rng)
    return view


def _local_size(size: int) -> int:
    return max(16, round(size * LOCAL_SHARE / 8) * 8)


def none(*, size: int = 224) -> Policy:
    """The largest centred square, unchanged."""
    return Policy(globals=Crops(count=2, size=size, area=(1, 1), aspect=(1, 1)))


def simclr(*, size: int = 224, strength: float = 1.0, area: tuple[float, float] = (0.08, 1.0)) -> Policy:
    """SimCLR's: small crops, strong colour (Chen et al., ICML 2020, appendix A).

    `strength` scales the colour jitter (0.8, 0.8, 0.8, 0.2).
    """
    jitter = Jitter(
        brightness=0.8 * strength, contrast=0.8 * strength, saturation=0.8 * strength, hue=0.2 * strength
    )
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        by_type={"": (Flip(),)},
        colour=(jitter, Grey(p=0.2)),
        after=(Blur(p=0.5),),
    )


def identity(*, size: int = 224, area: tuple[float, float] = (0.2, 1.0), colour: float = 0.2) -> Policy:
    """For same-item matching: colour is kept, because another colour is another item.

    `colour` scales SimCLR's colour jitter; there is neither grey nor blur.
    """
    jitter = Jitter(brightness=0.8 * colour, contrast=0.8 * colour, saturation=0.8 * colour, hue=0.2 * colour)
    return Policy(globals=Crops(count=2, size=size, area=area), by_type={"": (Flip(),)}, colour=(jitter,))


def skill(*, size: int = 224, locals: int = 8, area: tuple[float, float] = (0.4, 1.0)) -> Policy:
    """SkiLL's colour-agnostic views: grey p 0.5, jitter p 0.8, blur p 0.5, and DINO's multi-crop.

    Verma et al., "SkiLL", section 6 gives the probabilities; strengths and crop areas are DINO's.
    """
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        locals=Crops(count=locals, size=_local_size(size), area=(0.05, area[0])) if locals else None,
        by_type={"": (Flip(), Rotate(degrees=20, p=0.5))},
        colour=(Jitter(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, p=0.8), Grey(p=0.5)),
        after=(Blur(sigma=(0.1, 2.0), p=0.5),),
    )


POLICIES: dict[str, Callable[..., Policy]] = {
    "identity": identity,
    "none": none,
    "simclr": simclr,
    "skill": skill,
}


def policy(name: str, **values: Any) -> Policy:
    """The policy of that name, with its parameters checked: `policy('skill', size=96, locals=6)`."""
    make = choose(name, POLICIES, "policy")
    try:
        return make(**check(make, values, f"policy {name}"))
    except NatviewsError as error:
        raise NatviewsError(f"views {name}: {error}") from None
