"""The arms of a source's study: ways of training that are compared, and the cells that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from natviews.config import choose
from natviews.studies.asked import Asked
from natviews.studies.cells import Cell
from natviews.studies.methods import ENCODER, SIZE, TRAINING
from natviews.training import Recipe

UNTRAINED = "untrained"
"""The row of the networks as they are before training, with the network's name where there are several."""


@dataclass(frozen=True)
class Arm:
    """One row: `recipe` are the blocks of its recipe, `length` its epochs over those asked for, `share` the part
    of the training products that it learns from. What `--only` asks for is the row's first word."""

    row: str
    recipe: Mapping[str, Any]
    length: float = 1.0
    share: float = 1.0

    @property
    def name(self) -> str:
        return self.row.partition(",")[0]


@dataclass(frozen=True)
class Judging:
    """How the cells of a study are looked at: see `Cell`."""

    looks: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    vectors: int = 0


def blocks(method: str, values: Mapping[str, Any], *, pairing: str = "natural") -> dict[str, Any]:
    """A recipe's blocks from those of `settings`, what all arms have in common included."""
    return {
        "pairing": pairing,
        "method": {"name": method, **values.get("method", {})},
        "views": {"size": SIZE, **values["views"]},
        "encoder": values.get("encoder", ENCODER),
        "training": {**TRAINING, **values.get("training", {})},
    }


def chosen(arms: Sequence[Arm], asked: Asked) -> list[Arm]:
    """Those asked for. Raises NatviewsError where a name is none of them."""
    names = {arm.name: arm.name for arm in arms}
    wanted = {choose(name, names, "row") for name in asked.only} or set(names)
    return [arm for arm in arms if arm.name in wanted]


def cells_of(arms: Sequence[Arm], judging: Judging, asked: Asked, epochs: float) -> list[Cell]:
    """The cells of the arms that are asked for, the histogram's and the untrained networks' first."""
    made: list[Cell] = []
    untrained: dict[str, Any] = {}
    for arm in chosen(arms, asked):
        for seed in range(asked.seeds):
            recipe = asked.recipe(arm.recipe, seed, (asked.epochs or epochs) * arm.length)
            if recipe.encoder.preparation is None:
                untrained.setdefault(recipe.encoder.name, recipe.encoder)
            made.append(_cell(arm.row, seed, recipe, judging, arm.share))
    first = [_cell("histogram", 0, None, judging)]
    for name, architecture in untrained.items():
        row = UNTRAINED if len(untrained) == 1 else f"{UNTRAINED}, {name}"
        first += [_cell(row, seed, architecture, judging) for seed in range(asked.seeds)]
    return [*first, *made]


def _cell(row: str, seed: int, made_by: Any, judging: Judging, share: float = 1.0) -> Cell:
    return Cell(row, seed, made_by, judging.looks, judging.attributes, share, judging.vectors)


def recipe_of(cell: Cell) -> Recipe:
    """The recipe of a trained cell."""
    assert isinstance(cell.made_by, Recipe)
    return cell.made_by
