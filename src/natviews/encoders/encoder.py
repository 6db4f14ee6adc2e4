"""The encoder: a backbone that carries its own preprocessing, and a head where one helps."""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from natviews import __version__
from natviews.config import check, did_you_mean
from natviews.encoders.colours import BINS, colours
from natviews.encoders.convolutions import quicken
from natviews.encoders.describing import Describe
from natviews.encoders.folding import fold
from natviews.encoders.head import Whitening
from natviews.encoders.memory import keep_freed_memory
from natviews.encoders.small import SmallNet
from natviews.encoders.stages import stages, stages_width
from natviews.encoders.tensors import save_tensors
from natviews.files import whole_file
from natviews.types import NatviewsError
from natviews.views import Preparation, View, Window, render
from natviews.views.ops import Op

OWN = {"small": SmallNet}
WEIGHTS, CARD = "encoder.safetensors", "encoder.json"
BATCH = 64
REFUSED = re.compile(
    r"checkpoint_path$|cache_dir$|pretrained|features_only$|feature_cfg$|out_indices$|model_cfg$|kwargs_filter$"
    r"|scriptable$|exportable$|no_jit$|num_classes$"
)
"""Options of timm that unpickle or fetch weights, or make something else of a network than what is saved."""
COLOUR = 0.5
"""The length of a photo's colours beside a stage's features, whose length is 1: chosen on real photos
(docs/measured.md)."""
Precision = Literal["float32", "bfloat16"]


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


class Encoder(nn.Module):
    """Prepared photos (B, 3, S, S) -> features (B, dim) to train. Photos -> unit vectors with `encode`.

    `head` makes the vectors that say which item it is; `design`, where there is one, those that say what it looks
    like whatever its colour. Without a head the features are the vectors.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture, *, pretrained: bool = False) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = _backbone(architecture, pretrained)
        self.head: Whitening | None = None
        self.design: Whitening | None = None
        statistics = colour_statistics(architecture, self.backbone)
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1) * 255, persistent=False)

    @classmethod
    def create(cls, architecture: Architecture, *, weights: str | Path | None = None, seed: int = 0) -> "Encoder":
        """A new encoder: random by `seed`, or with `weights`: a safetensors file, a folder that `save`
        wrote, or `pretrained` for those that timm fetches from its hub.

        Raises NatviewsError where the weights cannot be had or do not fit.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if weights == "pretrained":
                return cls(architecture, pretrained=True)
            encoder = cls(architecture)
        if weights is not None:
            path = Path(weights)
            _load_backbone(encoder.backbone, path / WEIGHTS if path.is_dir() else path)
        return encoder

    @property
    def size(self) -> int:
        return self.architecture.size

    @property
    def device(self) -> torch.device:
        return next(self.backbone.parameters()).device

    @property
    def dim(self) -> int:
        """The number of features that `forward` gives and methods train."""
        return cast(int, self.backbone.num_features)

    @property
    def width(self) -> int:
        """The number of features that a photo is described by; without a head, of its vector as well."""
        kind = self.architecture.features
        if kind == "last":
            return self.dim
        return stages_width(self.backbone) + (BINS if kind == "stages+colours" else 0)

    @property
    def widths(self) -> dict[str, int]:
        """How many numbers a photo's `vector` has, and its `design` where there is that head."""
        vector = self.width if self.head is None else self.head.kept
        return {"vector": vector} if self.design is None else {"vector": vector, "design": self.design.kept}

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def wide_features(self, x: Tensor) -> Tensor:
        """Prepared photos (B, 3, S, S) -> the features (B, width) that they are embedded by."""
        kind = self.architecture.features
        if kind == "last":
            return self.backbone(x)
        seen = stages(self.backbone, x)
        if kind == "stages":
            return seen
        return torch.cat([seen, COLOUR * colours((x * self.std + self.mean) / 255)], dim=1)

    def describe(self, x: Tensor) -> Tensor:
        """`wide_features` in the encoder's precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced_precision):
            return self.wide_features(x)

    def train(self, mode: bool = True) -> "Encoder":
        """Training mode; batch norm keeps its statistics where the architecture says `frozen`."""
        super().train(mode)
        if self.architecture.batchnorm == "frozen":
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def prepare(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8 RGB -> (B, 3, S, S) float, normalised, channels last in memory."""
        return (pictures.to(self.device).permute(0, 3, 1, 2).float() - self.mean) / self.std

    def view(self, photo_size: tuple[int, int], size: int) -> View:
        """How a photo of (H, W) px is shown at `size` px when it is measured: the centre of its shorter side."""
        height, width = photo_size
        side = min(height, width) * self.architecture.crop
        left, top = (width - side) / 2, (height - side) / 2
        view = View(0, (height, width))
        view.crop(Window(left, top, left + side, top + side), (size, size))
        return view

    @torch.inference_mode()
    def features(
        self, photos: Iterable[np.ndarray], *, changed: Op | None = None, describe: Describe | None = None
    ) -> Iterator[np.ndarray]:
        """Unit features, (b, width) float32 a batch, of photos (H, W, 3) uint8, in their order.

        With `changed` each photo is shown changed by that operation, the same for the same place in the order.
        `describe` (`natviews.encoders.describer`) computes what `Encoder.describe` does in a quicker way.
        """
        keep_freed_memory()
        was_training = self.training
        self.eval()
        describe = describe or self.describe
        try:
            pictures = (self.pictures(photo, changed, number) for number, photo in enumerate(photos))
            while batch := list(islice(pictures, BATCH)):
                looks = [self.prepare(torch.from_numpy(np.stack(look))) for look in zip(*batch, strict=True)]
                directions = [F.normalize(describe(look).float(), dim=1) for look in looks]
                yield F.normalize(torch.stack(directions).sum(dim=0), dim=1).cpu().numpy()
        finally:
            self.train(was_training)

    def pictures(self, photo: np.ndarray, changed: Op | None = None, number: int = 0) -> list[np.ndarray]:
        """A photo (H, W, 3) uint8 RGB as the network sees it: (S, S, 3) uint8 for each size.

        With `changed` it is shown changed by that operation, the same for the same `number`.
        """
        views = [self.view(photo.shape[:2], size) for size in self.architecture.sizes]
        if changed:
            for view in views:
                changed.apply(view, random.Random(number))
        return render([photo], views)

    @property
    def reduced_precision(self) -> bool:
        return self.architecture.precision == "bfloat16"

    def through_head(self, features: np.ndarray) -> np.ndarray:
        """Unit features (N, width) -> the encoder's vectors: through its head, or as they are."""
        return features if self.head is None else self.head.vectors(features)

    def further_vectors(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """What is kept beside the vectors: `features` where there is a head, `design` where there is that head."""
        kept = {} if self.head is None else {"features": features}
        return kept if self.design is None else kept | {"design": self.design.vectors(features)}

    def encode(self, photos: Iterable[np.ndarray]) -> np.ndarray:
        """Unit vectors (N, widths["vector"]) float32 of photos (H, W, 3) uint8 RGB."""
        batches = [self.through_head(batch) for batch in self.features(photos)]
        return np.concatenate(batches) if batches else np.empty((0, self.widths["vector"]), np.float32)

    def digest(self) -> str:
        """SHA-256 over architecture and weights."""
        digest = hashlib.sha256(json.dumps(asdict(self.architecture), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path, *, card: dict[str, Any] | None = None) -> None:
        """Writes `encoder.safetensors` and `encoder.json`; `card` is kept in the latter for people."""
        with whole_file(folder / WEIGHTS) as temporary:
            save_tensors(self.state_dict(), temporary)
        document = {
            "natviews": __version__,
            "architecture": asdict(self.architecture),
            "head": 0 if self.head is None else self.head.kept,
            "design": 0 if self.design is None else self.design.kept,
            "width": self.width,
            "digest": self.digest(),
            "card": card or {},
        }
        with whole_file(folder / CARD) as temporary:
            temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Encoder":
        """The encoder in a folder that `save` wrote, or in a run's folder. Nothing is unpickled.

        Raises NatviewsError where it is absent, damaged, or not what its card says.
        """
        folder = Path(path)
        folder = folder / "encoder" if (folder / "encoder" / CARD).is_file() else folder
        if not (folder / CARD).is_file():
            raise NatviewsError(f"There is no encoder in {folder} (no {CARD}).")
        try:
            document = json.loads((folder / CARD).read_text(encoding="utf-8"))
            values, digest = document["architecture"], document["digest"]
            head, design = int(document["head"]), int(document.get("design", 0))
        except (ValueError, KeyError, TypeError) as error:
            raise NatviewsError(f"{folder / CARD} is damaged: {error}.") from None
        encoder = cls(Architecture(**check(Architecture, values, str(folder / CARD))))
        if not all(0 <= kept <= encoder.width for kept in (head, design)):
            raise NatviewsError(
                f"{folder / CARD} is damaged: a head keeps 1 to {encoder.width} numbers, not {max(head, design)}."
            )
        if head:
            encoder.head = Whitening(encoder.width, head)
        if design:
            encoder.design = Whitening(encoder.width, design)
        try:
            encoder.load_state_dict(_read_tensors(folder / WEIGHTS))
        except RuntimeError:
            raise NatviewsError(
                f"{folder / WEIGHTS} does not fit {CARD}: one is another encoder's, or an earlier natviews "
                "saved them; train again, or take the encoder from where it was made."
            ) from None
        if encoder.digest() != digest:
            raise NatviewsError(f"{folder / WEIGHTS} is not the file its {CARD} was written with.")
        return encoder.eval()


def _backbone(architecture: Architecture, pretrained: bool) -> nn.Module:
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


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise NatviewsError(f"There is no weights file {path}.")
    if path.suffix != ".safetensors":
        raise NatviewsError(
            f"{path} is not read: only safetensors files are, since others can run code when opened."
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NatviewsError(f"{path} is damaged or no safetensors file: {error}.") from None


def _load_backbone(backbone: nn.Module, path: Path) -> None:
    """A timm state dict (its classifier is left out) or the backbone of a natviews encoder."""
    state = {name.removeprefix("backbone."): tensor for name, tensor in _read_tensors(path).items()}
    wanted = backbone.state_dict()
    missing = sorted(set(wanted) - set(state))
    misshapen = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing or misshapen:
        fault = f"lacks {missing[0]}" if missing else f"has another shape of {misshapen[0]}"
        raise NatviewsError(
            f"{path} does not fit the encoder: it {fault} "
            f"({len(missing) + len(misshapen)} of {len(wanted)} tensors). Is encoder.name the right one?"
        )
    backbone.load_state_dict({name: state[name] for name in wanted})
