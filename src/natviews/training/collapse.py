"""Collapse: the ways in which a run dies while its loss looks well, told apart, with what mends each.

Healthy unit vectors of D dimensions deviate by 1 / sqrt(D) in each (Chen and He, CVPR 2021, section 4.1), and use
many directions (RankMe: Garrido et al., ICML 2023). DINO's teacher fails in two ways more, towards the uniform
distribution and towards one prototype (Caron et al., ICCV 2021, section 5.3).
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from natviews.methods import Loss
from natviews.types import NatviewsError

EVERY = 10
"""Steps between two looks."""
PATIENCE = 0.2
"""The share of the run during which all looks must agree before it is stopped, and..."""
LEAST = 100
"""...the fewest steps: DINO begins uniform, and finds its prototypes in time."""
SPREAD, RANK, UNIFORM, ONE = 0.05, 1.5, 0.995, 0.02
"""A spread or rank below, a teacher's entropy above, an entropy of the prototypes' use below: dead."""


@dataclass(frozen=True)
class Kind:
    """A kind of collapse and its mend."""

    name: str
    sign: str
    mend: str


COMPLETE = Kind(
    "complete collapse",
    "all vectors are the same one",
    "lower the learning rate; BYOL and SimSiam also need at least 64 products a batch",
)
DIMENSIONAL = Kind(
    "dimensional collapse",
    "all vectors lie on one line",
    "lower the learning rate, or take a method that spreads dimensions (vicreg, visreg)",
)
UNIFORM_TEACHER = Kind(
    "uniform collapse of the teacher",
    "it gives every prototype the same share, and the loss stays at the logarithm of their number",
    "lower method.teacher_temperature (0.02), or take fewer prototypes",
)
ONE_PROTOTYPE = Kind(
    "collapse to one prototype",
    "the teacher puts every photo under the same one",
    "raise method.teacher_temperature (to 0.07 at most), or check that the centre moves (method.centre_momentum)",
)


@dataclass
class Watch:
    """Looks at the losses of a run of so many steps, every few steps, and stops one that is dead.

    `since` maps the kind of collapse that was seen at the last look, if any, to the step since which it is: what a
    run that is continued must know.
    """

    steps: int
    since: dict[str, int] = field(default_factory=dict)

    def look(self, step: int, loss: Loss) -> dict[str, float]:
        """Figures for the log, `spread` (1 is healthy, 0 dead) and `effective_rank`, on every tenth step.

        Raises NatviewsError once a kind of collapse was seen at all looks of a fifth of the run.
        """
        if step % EVERY or loss.vectors is None:
            return {}
        figures = {"spread": spread(loss.vectors), "effective_rank": effective_rank(loss.vectors)}
        kind = diagnosis(figures | {name: value.item() for name, value in loss.parts.items()})
        self.since = {kind.name: self.since.get(kind.name, step)} if kind else {}
        if kind and step - self.since[kind.name] >= max(LEAST, PATIENCE * self.steps):
            raise NatviewsError(
                f"Stopped at step {step}: {kind.name}. Since step {self.since[kind.name]} {kind.sign}. "
                f"To mend it, {kind.mend}."
            )
        return figures


def diagnosis(figures: dict[str, float]) -> Kind | None:
    """The collapse that figures of a step show, if any."""
    if figures.get("teacher_entropy", 0.0) > UNIFORM:
        return UNIFORM_TEACHER
    if figures.get("prototypes_entropy", 1.0) < ONE:
        return ONE_PROTOTYPE
    if figures["spread"] < SPREAD:
        return COMPLETE
    return DIMENSIONAL if figures["effective_rank"] < RANK else None


def spread(vectors: Tensor) -> float:
    """The deviation of unit vectors (n, D) about their mean: 1 in all directions, 0 where all are the same."""
    return math.sqrt(max(0.0, 1 - vectors.float().mean(dim=0).square().sum().item()))


def effective_rank(vectors: Tensor) -> float:
    """RankMe of vectors (n, D): the exponential of the entropy of their centred singular values."""
    centred = vectors.float() - vectors.float().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    share = values / values.sum().clamp_min(1e-12)
    return math.exp(-(share * share.clamp_min(1e-12).log()).sum().item())
