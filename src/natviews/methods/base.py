"""What every method is: a loss over views, an update rule of its own, and an encoder to keep."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Views(NamedTuple):
    """One batch: the views of B products, prepared for the encoder.

    `globals` are tensors (B, 3, S, S), one per global crop, and `locals` (B, 3, s, s), one per local
    crop; row i of each shows the same product. `products` (B,) are the products' numbers, no two alike.
    """

    globals: list[Tensor]
    products: Tensor
    locals: list[Tensor] = []  # noqa: RUF012 (never changed)
    distractors: Tensor | None = None
    """(B, N) numbers of other products that are seen beside the row's own in a collage, else -1."""


class Loss(NamedTuple):
    """What is minimised, named figures for the log, and the vectors (n, D) that tell whether it collapses."""

    total: Tensor
    parts: dict[str, Tensor] = {}  # noqa: RUF012 (never changed)
    vectors: Tensor | None = None


class Progress(NamedTuple):
    """How far training is: `step` of `steps`, the latter at least 1, and `epoch` as a fraction."""

    step: int
    steps: int
    epoch: float

    @property
    def fraction(self) -> float:
        return self.step / self.steps

    @property
    def next_fraction(self) -> float:
        """The fraction at the next step, for what is updated just before it."""
        return (self.step + 1) / self.steps


class Method(nn.Module, ABC):
    """A self-supervised method. A subclass is registered by existing, under its class name in lower case.

    The constructor takes the encoder, then keyword parameters that are the method's configuration. The
    loop calls `loss`, back-propagates, then `before_step`, the optimiser's step, and `after_step`.
    """

    registry: ClassVar[dict[str, type["Method"]]] = {}
    pairs: ClassVar[bool] = True
    """Whether it learns from which views belong together; if not, it looks at photos one by one."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        Method.registry[cls.__name__.lower()] = cls

    @abstractmethod
    def loss(self, views: Views, progress: Progress) -> Loss:
        """What this batch says should become smaller."""

    def before_step(self, progress: Progress) -> None:
        """After the gradients are there and before they are used: the place to clip or freeze."""

    def after_step(self, progress: Progress) -> None:
        """After the optimiser's step: the place to move a teacher."""

    @property
    @abstractmethod
    def encoder(self) -> nn.Module:
        """The encoder to keep and to measure."""

    @property
    def trained(self) -> nn.Module:
        """The encoder that gradients reach: the one to keep, unless that is a teacher's."""
        return self.encoder

    @property
    def constant_rate(self) -> nn.Module | None:
        """The part whose learning rate does not fall."""
        return None
