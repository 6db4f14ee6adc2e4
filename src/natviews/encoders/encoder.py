"""The encoder: a backbone that carries its own preprocessing, and a head where one helps."""

import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews import __version__
from natviews.config import check
from natviews.encoders.architecture import Architecture, build_backbone, colour_statistics
from natviews.encoders.colours import BINS, colours
from natviews.encoders.describing import Describe
from natviews.encoders.head import Whitening
from natviews.encoders.memory import keep_freed_memory
from natviews.encoders.quantised import Quantised
from natviews.encoders.stages import stages, stages_width
from natviews.encoders.tensors import read_tensors, save_tensors
from natviews.files import whole_file
from natviews.types import NatviewsError
from natviews.views import View, Window, render
from natviews.views.ops import Op

WEIGHTS, CARD = "encoder.safetensors", "encoder.json"
BATCH = 64
COLOUR = 0.5
"""The length of a photo's colours beside a stage's features, whose length is 1: chosen on real photos
(docs/measured.md)."""


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
        self.backbone = build_backbone(architecture, pretrained)
        self.head: Whitening | None = None
        self.design: Whitening | None = None
        self.quantised: Quantised | None = None
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
        """`wide_features` in the encoder's precision, or by its network in 8 bits where it has one."""
        if self.quantised:
            return self.quantised(x)
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
        """SHA-256 over architecture and weights, and the network in 8 bits where there is one."""
        digest = self._digest_of_weights()
        if self.quantised is None:
            return digest
        return hashlib.sha256(json.dumps([digest, self.quantised.digests], sort_keys=True).encode()).hexdigest()

    def _digest_of_weights(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self.architecture), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path, *, card: dict[str, Any] | None = None) -> None:
        """Writes `encoder.safetensors` and `encoder.json`; `card` is kept in the latter for people. A network in
        8 bits is left out."""
        with whole_file(folder / WEIGHTS) as temporary:
            save_tensors(self.state_dict(), temporary)
        document = {
            "natviews": __version__,
            "architecture": asdict(self.architecture),
            "head": 0 if self.head is None else self.head.kept,
            "design": 0 if self.design is None else self.design.kept,
            "width": self.width,
            "digest": self._digest_of_weights(),
            "card": card or {},
        }
        with whole_file(folder / CARD) as temporary:
            temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Encoder":
        """The encoder in a folder that `save` wrote, or in a run's folder. Nothing is unpickled.

        Raises NatviewsError where it is absent, damaged, or not what its card says.
        """
        folder = encoder_folder(Path(path))
        try:
            document = json.loads((folder / CARD).read_text(encoding="utf-8"))
            values, digest = document["architecture"], document["digest"]
            head, design = int(document["head"]), int(document.get("design", 0))
            digests = {str(name): str(digest) for name, digest in document.get("quantised", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
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
            encoder.load_state_dict(read_tensors(folder / WEIGHTS))
        except RuntimeError:
            raise NatviewsError(
                f"{folder / WEIGHTS} does not fit {CARD}: one is another encoder's, or an earlier natviews "
                "saved them; train again, or take the encoder from where it was made."
            ) from None
        if encoder.digest() != digest:
            raise NatviewsError(f"{folder / WEIGHTS} is not the file its {CARD} was written with.")
        if digests:
            encoder.quantised = Quantised(
                folder, digests, encoder.width, reduced_precision=encoder.reduced_precision
            )
        return encoder.eval()


def encoder_folder(path: Path) -> Path:
    """The folder of a run's encoder, or the folder itself. Raises NatviewsError where there is no encoder."""
    folder = path / "encoder" if (path / "encoder" / CARD).is_file() else path
    if not (folder / CARD).is_file():
        raise NatviewsError(f"There is no encoder in {folder} (no {CARD}).")
    return folder


def _load_backbone(backbone: nn.Module, path: Path) -> None:
    """A timm state dict (its classifier is left out) or the backbone of a natviews encoder."""
    state = {name.removeprefix("backbone."): tensor for name, tensor in read_tensors(path).items()}
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
