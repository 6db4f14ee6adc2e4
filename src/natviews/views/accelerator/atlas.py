"""The pictures of a batch on the device: every photo once, with as many levels as are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from natviews.views.accelerator.arithmetic import channels, whole
from natviews.views.pictures import Picture, drawn_picture, picture_of, sampled
from natviews.views.view import Drawn, Layer, View

MOST_PIXELS = 1 << 22
"""How many pixels are made at a time, so that a large batch needs no more memory than a small one."""
Key = tuple[int, int] | Drawn
"""A picture: its scene and its number there, or what is drawn."""


@dataclass(frozen=True)
class Read:
    """A layer, the picture that it shows, and the level of it that is read."""

    layer: Layer
    key: Key
    picture: Picture
    level: int
    is_crop: bool

    @property
    def by_alpha(self) -> bool:
        return self.layer.cut_out or self.picture.pixels.shape[2] == 4


class Planned(NamedTuple):
    """A view with its layers; `border` (a uint32 of bytes) lies beneath them."""

    view: View
    layers: list[Read]
    border: int


class Place(NamedTuple):
    """Where a level of a picture lies among the atlas's pixels."""

    begin: int
    height: int
    width: int


class Atlas(NamedTuple):
    """All pictures of a batch: `pixels` (P,) int32 RGBA, one level after another, and where each lies."""

    pixels: Tensor
    places: dict[tuple[Key, int], Place]

    def place(self, read: Read) -> Place:
        return self.places[read.key, read.level]


def plan(scene: int, photos: Sequence[np.ndarray | Picture], views: Sequence[View]) -> list[Planned]:
    pictures = [picture_of(photo) for photo in photos]
    planned = []
    for view in views:
        layers = [_read(scene, pictures, layer, view.size, i == 0) for i, layer in enumerate(view.layers)]
        border = 0 if layers[0].is_crop else pictures[view.source].border
        planned.append(Planned(view, layers, border))
    return planned


def _read(scene: int, pictures: Sequence[Picture], layer: Layer, size: tuple[int, int], undermost: bool) -> Read:
    source = layer.source
    key: Key = source if isinstance(source, Drawn) else (scene, source)
    picture = drawn_picture(source) if isinstance(source, Drawn) else pictures[source]
    level, is_crop = sampled(layer, picture, size, undermost=undermost)
    return Read(layer, key, picture, level, is_crop)


def atlas_of(layers: Sequence[Read], device: torch.device) -> Atlas:
    """Every picture that is shown, with as many levels as are read. Each goes to the device once."""
    pictures = {layer.key: layer.picture for layer in layers}
    by_alpha = {layer.key for layer in layers if layer.by_alpha}
    deepest = dict.fromkeys(pictures, 0)
    for layer in layers:
        deepest[layer.key] = max(deepest[layer.key], layer.level)
    # Those of one size that are halved equally often lie side by side, at every level: they are halved together.
    kinds = {key: (key not in by_alpha, picture.size) for key, picture in pictures.items()}
    ordered = sorted(pictures, key=lambda key: (*kinds[key], -deepest[key]))
    places, total = _laid_out({key: pictures[key].size for key in ordered}, deepest)
    pixels = torch.empty(total, dtype=torch.int32, device=device)
    alphas = [pictures[key].alpha for key in ordered if key in by_alpha]
    _upload([pictures[key].pixels for key in ordered], alphas, pixels)
    for number in range(1, max(deepest.values()) + 1):
        halved = [key for key in ordered if deepest[key] >= number]
        for _, some in groupby(halved, lambda key: (kinds[key], places[key, number].begin // MOST_PIXELS)):  # noqa: B023
            keys = list(some)
            _halve(pixels, places[keys[0], number - 1], places[keys[0], number], len(keys))
    return Atlas(pixels, places)


def _laid_out(
    sizes: dict[Key, tuple[int, int]], deepest: dict[Key, int]
) -> tuple[dict[tuple[Key, int], Place], int]:
    """Level 0 of all pictures in their order, then level 1, and so on; and how many px that makes."""
    places, begin = {}, 0
    for number in range(max(deepest.values()) + 1):
        for key, (height, width) in sizes.items():
            if deepest[key] >= number:
                place = places[key, number] = Place(begin, height >> number, width >> number)
                begin += place.height * place.width
    return places, begin


def _upload(pictures: Sequence[np.ndarray], alphas: Sequence[np.ndarray], pixels: Tensor) -> None:
    """The pictures themselves, to the first of `pixels`; the alphas are the first pictures', the others opaque."""
    colours = torch.from_numpy(np.concatenate([picture[..., :3].reshape(-1, 3) for picture in pictures]))
    rgba = channels(pixels[: len(colours)])
    rgba[:, :3] = colours.to(pixels.device)
    rgba[:, 3] = 255
    if alphas:
        alpha = torch.from_numpy(np.concatenate([alpha.ravel() for alpha in alphas]))
        rgba[: len(alpha), 3] = alpha.to(pixels.device)


def _halve(pixels: Tensor, above: Place, below: Place, count: int) -> None:
    """Halves `count` pictures that follow each other, from a level to the next."""
    begin, height, width = above
    pictures = channels(pixels[begin : begin + count * height * width]).view(count, height, width, 4).float()
    half = _half(_half(pictures).transpose(1, 2)).transpose(1, 2)
    end = below.begin + count * below.height * below.width
    channels(pixels)[below.begin : end] = whole(half).to(torch.uint8).reshape(-1, 4)


def _half(lines: Tensor) -> Tensor:
    """Means of equal parts of lines (n, L, ...), as OpenCV's INTER_AREA: (n, L // 2, ...)."""
    long, short = lines.shape[1], lines.shape[1] // 2
    first, second = lines[:, : 2 * short : 2], lines[:, 1::2]
    if long % 2 == 0:
        return (first + second) / 2
    behind = torch.arange(1, short + 1, device=lines.device)[:, None, None]  # of the third, in parts of `short`
    return (first * (short + 1 - behind) + second * short + lines[:, 2::2] * behind) / long
