"""DINO's sets of 2 x 224 + 6 x 96 as lightly, torchvision, albumentations and kornia make them at their fastest.

What cannot be made equal is listed in `UNLIKE`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

import albumentations
import cv2
import kornia.augmentation
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from lightly.transforms import DINOTransform
from PIL import Image
from torch import nn
from torchvision.transforms import v2

AT_ONCE = 8
"""Photos that kornia gets as one batch: the fastest of 8 and 24."""
KERNEL = 13
"""The side of torchvision's and kornia's blur, which must be given: 3 sigma of the widest, as natviews has it."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNLIKE = (
    "albumentations with INTER_LINEAR and kornia do not anti-alias when they shrink; all others do.",
    "lightly shrinks with bicubic weights, the others with linear ones or areas.",
    f"torchvision and kornia blur with {KERNEL} x {KERNEL} weights always; albumentations and natviews with as "
    "many as sigma asks for; lightly (Pillow) with boxes that come near.",
    "albumentations' perspective zooms in, by normal distances of the corners (deviation .125); the others move "
    "them uniformly by up to .2. Around that torchvision and kornia are black; natviews shows the photo's rest.",
    "Here natviews blurs local views as widely as the peers do; its own DINO scales sigma with the view.",
    "kornia starts from float32 photos, whose conversion is not timed.",
)


@dataclass(frozen=True)
class Contender:
    """`make` makes the next `items` sets (or reads as many photos). What follows a comma in the name is a variant:
    a library is judged by its fastest."""

    name: str
    make: Callable[[], object]
    items: int = 1


class Kind(NamedTuple):
    """The views of one kind in a DINO set."""

    count: int
    size: int
    area: tuple[float, float]
    blur: float
    solarise: float


KINDS = (
    Kind(1, 224, (0.4, 1.0), 1.0, 0.0),
    Kind(1, 224, (0.4, 1.0), 0.1, 0.2),
    Kind(6, 96, (0.05, 0.4), 0.5, 0.0),
)


class Ending(NamedTuple):
    """What a race's sets are: with or without rotation and perspective, as floats or in 8 bits."""

    tilted: bool
    floats: bool


def peers(photos: Sequence[np.ndarray], ending: Ending) -> Iterator[Contender]:
    """Who takes part: lightly has no perspective, and it and kornia end in floats only."""
    if ending.floats and not ending.tilted:
        yield of_lightly(photos)
    yield of_torchvision(photos, ending)
    yield of_albumentations(photos, ending, "linear", cv2.INTER_LINEAR)
    yield of_albumentations(photos, ending, "area", cv2.INTER_AREA)
    if ending.floats:
        yield of_kornia(photos, ending, 1)
        yield of_kornia(photos, ending, AT_ONCE)


def peer(name: str, inputs: Sequence[Any], transforms: Sequence[Callable], items: int = 1) -> Contender:
    """A library whose transforms, one for each kind, take a photo (or `items` at once) and give one view of it."""
    turn = cycle(inputs)

    def make() -> list[Any]:
        photo = next(turn)
        return [
            transform(photo) for kind, transform in zip(KINDS, transforms, strict=True) for _ in range(kind.count)
        ]

    return Contender(name, make, items)


def of_lightly(photos: Sequence[np.ndarray]) -> Contender:
    turn, transform = cycle([Image.fromarray(photo) for photo in photos]), DINOTransform(n_local_views=6)
    return Contender("lightly", lambda: transform(next(turn)))


def of_torchvision(photos: Sequence[np.ndarray], ending: Ending) -> Contender:
    inputs = [torch.from_numpy(photo).permute(2, 0, 1).contiguous() for photo in photos]
    return peer("torchvision", inputs, [in_torchvision(kind, ending) for kind in KINDS])


def in_torchvision(kind: Kind, ending: Ending) -> Callable:
    tilts = [v2.RandomRotation(30, v2.InterpolationMode.BILINEAR), v2.RandomPerspective(0.4, p=1.0)]
    return v2.Compose(
        [
            v2.RandomResizedCrop(kind.size, kind.area, antialias=True),
            *(tilts if ending.tilted else []),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(KERNEL, (0.1, 2.0))], kind.blur),
            *([v2.RandomSolarize(128, kind.solarise)] if kind.solarise else []),
            *([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)] if ending.floats else []),
        ]
    )


def of_albumentations(photos: Sequence[np.ndarray], ending: Ending, name: str, sampling: int) -> Contender:
    composed = [in_albumentations(kind, ending, sampling) for kind in KINDS]
    transforms = [lambda photo, each=each: each(image=photo)["image"] for each in composed]
    return peer(f"albumentations, {name}", photos, transforms)


def in_albumentations(kind: Kind, ending: Ending, sampling: int) -> Callable:
    a = albumentations
    tilts = [a.Rotate((-30, 30), p=1.0), a.Perspective((0.125, 0.125), p=1.0)]
    return a.Compose(
        [
            a.RandomResizedCrop((kind.size, kind.size), kind.area, interpolation=sampling),
            *(tilts if ending.tilted else []),
            a.HorizontalFlip(p=0.5),
            a.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1), p=0.8),
            a.ToGray(p=0.2),
            a.GaussianBlur(sigma_limit=(0.1, 2.0), p=kind.blur),
            *([a.Solarize(p=kind.solarise)] if kind.solarise else []),
            *([a.Normalize(MEAN, STD), ToTensorV2()] if ending.floats else []),
        ],
        seed=KINDS.index(kind),
    )


def of_kornia(photos: Sequence[np.ndarray], ending: Ending, at_once: int) -> Contender:
    floats = torch.stack([torch.from_numpy(photo).permute(2, 0, 1) for photo in photos]).float() / 255
    name = "kornia, one photo" if at_once == 1 else f"kornia, {at_once} photos at once"
    return peer(name, floats.split(at_once), [in_kornia(kind, ending) for kind in KINDS], at_once)


def in_kornia(kind: Kind, ending: Ending) -> Callable:
    k = kornia.augmentation
    tilts = [k.RandomRotation(30.0, p=1.0), k.RandomPerspective(0.4, p=1.0)]
    solarise = k.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=kind.solarise)
    return torch.no_grad()(
        nn.Sequential(
            k.RandomResizedCrop((kind.size, kind.size), kind.area),
            *(tilts if ending.tilted else []),
            k.RandomHorizontalFlip(p=0.5),
            k.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8),
            k.RandomGrayscale(p=0.2),
            k.RandomGaussianBlur((KERNEL, KERNEL), (0.1, 2.0), p=kind.blur),
            *([solarise] if kind.solarise else []),
            k.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        )
    )
