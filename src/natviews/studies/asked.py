"""What is asked of a study: how often, how long, of what, and on how many processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from natviews.config import with_settings
from natviews.training import Recipe

SHARED, OWN = "shared", "own"
NETWORKS = (SHARED, OWN)
"""All methods on one network, or each on its paper's own kind."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`epochs` 0 are the study's own; `only` are rows (methods) to train, `attributes` columns to probe,
    `settings` are laid over every recipe as `block.name=value`, `networks` is one of NETWORKS, `weights` are what
    stands for pretrained ones, `vectors` how many are searched where a gallery is crowded, `command` what was
    typed.
    """

    seeds: int = 3
    epochs: int = 0
    only: Sequence[str] = ()
    workers: int = 1
    attributes: Sequence[str] = ()
    settings: Sequence[str] = ()
    networks: str = SHARED
    weights: str | None = None
    vectors: int = 100_000
    command: str = "natviews study"

    def recipe(self, blocks: Mapping[str, Any], seed: int, epochs: float) -> Recipe:
        """The recipe of plain values for one cell: so long, at that seed, with the settings over it."""
        training = {**blocks["training"], "epochs": epochs, "seed": seed}
        return Recipe.of(with_settings({**blocks, "training": training}, list(self.settings)))
