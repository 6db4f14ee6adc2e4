"""All it takes to build an encoder's backbone, and building it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from natviews.config import check, did_you_mean
from natviews.encoders.convolutions import quicken
from natviews.encoders.folding import fold
from natviews.encoders.small import SmallNet
from natviews.types import NatviewsError
from natviews.views import Preparation

OWN = {"small": SmallNet}
Precision = Literal["float32", "bfloat16"]
REFUSED = re.compile(
    r"checkpoint_path$|cache_dir$|pretrained|features_only$|feature_cfg$|out_indices$|model_cfg$|kwargs_filter$"
    r"|scriptable$|exportable$|no_jit$|num_classes$"
)
"""Options of timm that unpickle or fetch weights, or make something else of a network than what is saved."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All it takes to build the backbone again and to prepare a photo for it.

    `name` is `small` or any timm name; `size` the side in px it is used at, and `also` further ones: features are
    then the mean direction of all, since what is small at one is large at another; `crop` the share of the
    photo's shorter side that is shown (0.875: shorter side to 256, centre 224); `mean` and `std` per RGB
    channel on a 0..1 scale, the backbone's own where not given; `features` whether a photo is embedded by the
    last stage's alone, which are what is trained, by all stages' (`natviews.encoders.stages`), or by these and the
    photo's colours (`natviews.encoders.colours`); `batchnorm` whether its statistics move in training;
    `preparation` what is done to a photo first (`natviews.views.Preparation`; None: nothing); `options` go to
    timm (such as `pad_type: same`).
    """

    name: str
    size: int = 224
    also: tuple[int, ...] = ()
    crop: float = 0.875
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    features: Literal["last", "stages", "stages+colours"] = "last"
    batchnorm: Literal["moving", "frozen"] = "moving"
    precision: Precision = "float32"
    preparation: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in check(Architecture, vars(self), "encoder").items():
            object.__setattr__(self, name, value)  # 1 as 1.0, as its card is read: the digest is of the values
        if self.name not in OWN and not timm.is_model(self.name):
            hint = did_you_mean(self.name, [*OWN, *timm.list_models()])
            hint = hint if hint.startswith("did") else "see `python -c 'import timm; print(timm.list_models())'`."
            raise NatviewsError(f"There is no encoder {self.name!r}; {hint}")
        if not all(16 <= size <= 2048 for size in self.sizes) or not 0.1 <= self.crop <= 1:
            sizes = " and ".join(map(str, self.sizes))
            raise NatviewsError(f"encoder: size {sizes} must be 16 to 2048, crop {self.crop} 0.1 to 1.")
        refused = [] if self.name in OWN else sorted(name for name in self.options if REFUSED.match(name))
        if refused:
            raise NatviewsError(
                f"encoder: options cannot hold {refused[0]!r}, with which timm loads a file or builds no plain "
                "backbone; leave it out, and give weights as a safetensors file (--weights FILE)."
            )
        if self.preparation is not None:
            self.prepared_by()

    @property
    def sizes(self) -> tuple[int, ...]:
        """All sides in px that a photo is looked at with."""
        return (self.size, *self.also)

    def prepared_by(self) -> Preparation | None:
        """What is done to a photo before it is shown."""
        if self.preparation is None:
            return None
        return Preparation(**check(Preparation, self.preparation, "encoder: preparation"))


def build_backbone(architecture: Architecture, pretrained: bool) -> nn.Module:
    """The network, which gives features (B, dim). Raises NatviewsError where timm has or can fetch none such."""
    options = dict(architecture.options)
    if architecture.name in OWN:
        if pretrained:
            raise NatviewsError(f"There are no pretrained weights of {architecture.name!r} to fetch.")
        make = OWN[architecture.name]
        backbone: nn.Module = make(**check(make, options, f"encoder {architecture.name}"))
    else:
        try:
            backbone = timm.create_model(architecture.name, pretrained=pretrained, num_classes=0, **options)
        except Exception as error:  # timm and its hub raise whatever they meet
            reason = " ".join(str(error).split())[:300]
            if pretrained:
                raise NatviewsError(
                    f"The pretrained weights of {architecture.name!r} could not be fetched ({reason}); "
                    "give a file with --weights FILE.safetensors."
                ) from None
            raise NatviewsError(f"timm cannot build {architecture.name!r} with {options}: {reason}") from None
    quicken(backbone)
    if architecture.batchnorm == "frozen":
        fold(backbone)
    return backbone.to(memory_format=torch.channels_last)


def colour_statistics(architecture: Architecture, backbone: nn.Module) -> tuple[Any, Any]:
    """Mean and standard deviation per RGB channel on a 0..1 scale: the architecture's, else the backbone's own."""
    own = getattr(backbone, "pretrained_cfg", None) or {}
    mean = architecture.mean or own.get("mean") or (0.5, 0.5, 0.5)
    return mean, architecture.std or own.get("std") or (0.5, 0.5, 0.5)


def described_by(weights: str | Path) -> dict[str, Any]:
    """What a weights file says of itself in its safetensors metadata, as values of `Architecture`.

    Known keys: `timm` (the name), `mean`, `std` (one number or three), `pad_type`. Others are ignored.
    """
    path = Path(weights)
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
        values: dict[str, Any] = {
            key: tuple((numbers * 3)[:3])
            for key in ("mean", "std")
            if (numbers := [float(number) for number in said.get(key, "").replace(",", " ").split()])
        }
    except (SafetensorError, OSError, ValueError) as error:
        raise NatviewsError(f"{path} is damaged or no safetensors file: {error}.") from None
    if "timm" in said:
        values["name"] = said["timm"]
    if "pad_type" in said:
        values["options"] = {"pad_type": said["pad_type"]}
    return values
