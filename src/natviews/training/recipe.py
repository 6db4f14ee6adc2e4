"""A recipe: one choice on each of the three axes (pairing, views, method), an encoder and a schedule."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import torch
import yaml

from natviews.config import check, choose, did_you_mean, load_recipe, resolved, with_settings
from natviews.encoders import Architecture, described_by
from natviews.methods import AUTO, METHODS, RULES, Method, Scale, scalable
from natviews.types import NatviewsError
from natviews.views import POLICIES, Policy, policy

Pairing = Literal["natural", "augmented", "both"]
Head = Literal["identity", "design"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    `batch` is in products, of one kind where `within` names a column (`product_type` for SkiLL; a shop's for
    negatives that are hard); `epochs` passes over all products, or instead so many `steps`, or what `minutes`
    allow at the pace of a few steps (both are settled as epochs when a run begins); `lr` is the peak, reached
    linearly over `warmup_epochs` and then falling to zero on a cosine; `weight_decay` goes from its first to its
    second value on a cosine and spares biases and norms; `head_lr` multiplies the rate of all that is not the
    encoder; `clip` bounds the gradient's norm (0: not); `measures` is how often held-out products are
    measured (`keep: all` keeps the encoder of each, not only the best), and training ends once `patience` of them
    in a row were no better than the best (0: never);
    `threads` make views, which are rendered on the CPU or, with `render: device`, where the network
    is (`auto`: where that is an accelerator). With `shard: true` each of several processes keeps a share of the
    weights and of what training adds to them, instead of all (`auto`: where all would fill too much of a device's
    memory).

    Three ways to change a pretrained encoder less. `layer_decay` multiplies the rate of a layer once for every
    layer between it and the encoder's last, so that the stem moves least (Clark et al., ICLR 2020,
    arXiv:2003.10555; Bao et al., ICLR 2022, arXiv:2106.08254; 1: all move alike). For `heads_first` epochs the
    encoder is kept as it is; then its rate rises linearly over `warmup_epochs`, or half of what is left where that
    is less, to the cosine that the others are on. With `lora` above 0 each linear layer learns an addition of this
    rank and the rest of the encoder nothing (Hu et al., ICLR 2022, arXiv:2106.09685; needs `natviews[lora]`).
    """

    epochs: float = 100.0
    steps: int = 0
    minutes: float = 0.0
    batch: int = 128
    within: str = ""
    optimiser: Literal["adamw", "sgd", "lars"] = "adamw"
    lr: float = 1e-3
    head_lr: float = 1.0
    layer_decay: float = 1.0
    heads_first: float = 0.0
    lora: int = 0
    warmup_epochs: float = 5.0
    weight_decay: tuple[float, float] = (0.05, 0.05)
    clip: float = 0.0
    measures: int = 10
    patience: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0
    threads: int = 2
    render: Literal["auto", "cpu", "device"] = "auto"
    shard: Literal["auto"] | bool = "auto"
    keep: Literal["best", "all"] = "best"

    def __post_init__(self) -> None:
        least = min(self.batch - 1, self.measures, self.threads)
        if least < 1 or not 0 < self.lr < math.inf or not 0 < self.epochs < math.inf:
            raise NatviewsError(
                "training: measures and threads must be at least 1, batch at least 2, epochs and lr above 0."
            )
        if min(self.steps, self.minutes, self.patience) < 0 or (self.steps and self.minutes):
            raise NatviewsError(
                "training: give steps or minutes, not both, and neither they nor patience may be below 0."
            )
        if not 0 < self.layer_decay <= 1:
            raise NatviewsError(
                f"training: layer_decay must be above 0 and at most 1 (all layers alike), not {self.layer_decay}."
            )
        if not 0 <= self.heads_first < self.epochs:
            raise NatviewsError(
                f"training: heads_first must be 0 to less than all {self.epochs:g} epochs, "
                f"not {self.heads_first:g}."
            )
        if self.shard is True and self.heads_first:
            raise NatviewsError(
                "training: an encoder that waits cannot be in shares; set heads_first to 0, or shard to false."
            )
        if self.lora < 0:
            raise NatviewsError(f"training: lora must be a rank, or 0 for no adapters, not {self.lora}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Checked when it is made, before a photo is opened. `views`, `method` are a name and its parameters; a
    method's queue, prototypes and momentum may be `auto`, to follow how much there is to learn from.

    `heads` are the closed-form heads that the encoder gets: `identity`, which item it is, and `design`, what it
    looks like whatever its colour.

    `weights` are what the encoder starts from: a safetensors file, an encoder's folder, `pretrained`
    (fetched by timm), or nothing.
    """

    pairing: Pairing = "natural"
    views: Mapping[str, Any] = field(default_factory=lambda: {"name": "simclr"})
    method: Mapping[str, Any] = field(default_factory=lambda: {"name": "simclr"})
    encoder: Architecture = field(default_factory=lambda: Architecture(name="small", size=64))
    weights: str | None = None
    heads: tuple[Head, ...] = ("identity",)
    training: Schedule = field(default_factory=Schedule)

    @classmethod
    def load(cls, name: str, settings: list[str] | None = None, *, weights: str | None = None) -> "Recipe":
        """The recipe of that name (or in a YAML file), with `block.name=value` settings laid over it."""
        values = load_recipe(name) | ({"weights": weights} if weights else {})
        return cls.of(with_settings(values, settings or []))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe of plain values. Raises NatviewsError naming what does not exist or fit."""
        known = [f.name for f in fields(cls)]
        for block in values:
            if block not in known:
                raise NatviewsError(f"A recipe has no {block!r}; {did_you_mean(block, known)}")
        values = {key: value for key, value in values.items() if value is not None}
        encoder = _named(values.get("encoder", {"name": "small", "size": 64}), "encoder")
        if not isinstance(values.get("weights", ""), str):
            raise NatviewsError(f"weights must be a path or `pretrained`, not {values['weights']!r}.")
        if "weights" in values:  # what a weights file says of itself, unless the recipe says otherwise
            encoder = described_by(values["weights"]) | encoder
        architecture = Architecture(**check(Architecture, encoder, "encoder"))
        schedule = Schedule(**check(Schedule, values.get("training", {}), "training"))
        size = {"size": architecture.size}
        views = _completed(values.get("views", "simclr"), "views", POLICIES, size)
        given = _named(values.get("method", "simclr"), "method")
        may_be_open = scalable(choose(given["name"], METHODS, "method"))
        left_open = {name: AUTO for name in may_be_open if given.get(name) == AUTO}
        given = {name: value for name, value in given.items() if name not in left_open}
        method = _completed(given, "method", METHODS, {}) | left_open
        rest = check(cls, {key: values[key] for key in ("pairing", "weights", "heads") if key in values}, "recipe")
        recipe = cls(views=views, method=method, encoder=architecture, training=schedule, **rest)
        recipe.policy()
        return recipe

    def policy(self) -> Policy:
        """The view policy."""
        return policy(self.views["name"], **_without_name(self.views))

    def build_method(self, encoder: torch.nn.Module) -> Method:
        """The method around an encoder. Raises NatviewsError where `scaled_to` has yet to settle some of it."""
        if self.left_open:
            raise NatviewsError(f"method: {self.left_open[0]} is still {AUTO}; see Recipe.scaled_to.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.training.seed)
            return METHODS[self.method["name"]](encoder, **_without_name(self.method))

    @property
    def left_open(self) -> list[str]:
        """The method's parameters that are `auto`."""
        return [name for name, value in self.method.items() if value == AUTO]

    def scaled_to(self, scale: Scale) -> "Recipe":
        """The recipe with what its method left open settled by how much there is to learn from."""
        return replace(self, method={**self.method, **{name: RULES[name](scale) for name in self.left_open}})

    def with_precision(self, precision: Literal["float32", "bfloat16"]) -> "Recipe":
        """The recipe with the numbers' precision settled."""
        return replace(
            self,
            encoder=replace(self.encoder, precision=precision),
            training=replace(self.training, precision=precision),
        )

    def to_yaml(self) -> str:
        """All of it, defaults included; `Recipe.load` of this text gives the recipe again."""
        values = asdict(self) | {"views": dict(self.views), "method": dict(self.method)}
        return yaml.safe_dump(_as_plain(values), sort_keys=False, allow_unicode=True)

    def as_written(self) -> "Recipe":
        """The recipe as its text is read back: a program's 14 epochs are 14.0, as in `run.yaml`."""
        return Recipe.of(yaml.safe_load(self.to_yaml()))


def _named(block: Any, kind: str) -> dict[str, Any]:
    """A block given by its name alone (`views: simclr`) or as a mapping with one."""
    values = {"name": block} if isinstance(block, str) else block
    if not isinstance(values, Mapping):
        raise NatviewsError(f"The block `{kind}` must be a name or a mapping, not {block!r}.")
    if kind != "encoder" and not isinstance(values.get("name"), str):
        raise NatviewsError(f"The block `{kind}` needs a name.")
    return dict(values)


def _completed(
    block: Any, kind: str, choices: Mapping[str, Callable[..., Any]], unless_given: dict[str, Any]
) -> dict[str, Any]:
    """The block with every parameter of what it names: as given, else `unless_given`, else the default."""
    values = _named(block, kind)
    make = choose(values["name"], choices, "view policy" if kind == "views" else kind)
    given = check(make, unless_given | _without_name(values), f"{kind} {values['name']}")
    # The defaults go through the check as well: 0 for a float is written 0.0, as it will be read again.
    return {"name": values["name"], **check(make, resolved(make, given), kind)}


def _without_name(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "name"}


def _as_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_as_plain(inner) for inner in value]
    return value
