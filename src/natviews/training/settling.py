"""What is left to the catalogue and the machine, settled once, each choice with its reason.

Precision and the length of a run in minutes depend on how fast this machine is and are settled when a run begins;
everything else is a function of the catalogue, so that the same command finds the same run again.
"""

import os
import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.config import load_recipe, with_settings
from natviews.encoders import Encoder, stored_size
from natviews.methods import Progress, Scale
from natviews.progress import progress
from natviews.training.collapse import Watch
from natviews.training.loop import batches_of, sampler_of, set_up, step_once
from natviews.training.measuring import features_of, has_natural_views
from natviews.training.recipe import Recipe
from natviews.types import NatviewsError

SIZES = (64, 96, 128, 160)
"""Sides in px to train at: the largest that photos have without being enlarged."""
LARGER, LARGEST = 1.4, 1.8
"""Pretrained networks see photos at so many times the side that they are trained at: 224 and 288 for 160."""
PRODUCTS, EPOCHS = 1400, 48
"""Chosen on the real photos' `val`. Other catalogues get as many more steps as the root of their size."""
TRIED, LOOKED_AT = (3, 8), 128
"""Steps that are not timed and that are; photos that are described to time it."""
BYTES, FILLED = 20, 0.3
"""For a parameter in training: itself, its gradient, AdamW's two averages, a teacher's, all in float32. Above this
share of a device's memory they are shared out; activations need the rest."""


class Choice(NamedTuple):
    """A recipe, and a sentence for each choice that was made for the user."""

    recipe: Recipe
    reasons: list[str]


def recommended(catalog: Catalog, settings: list[str], *, weights: str | None) -> Choice:
    """What suits a catalogue where the user names no recipe, with `block.name=value` settings laid over it."""
    packed = with_split(pack(catalog, stored_size(_rounded(LARGEST * SIZES[-1]))))
    values, reasons = _suited(packed, weights)
    return Choice(Recipe.of(with_settings(values, settings)), reasons)


def _suited(packed: PackedPhotos, weights: str | None) -> tuple[dict[str, Any], list[str]]:
    """A recipe's plain values for packed photos, whose catalogue has splits, and a sentence for each choice."""
    learn = packed.catalog.splits == "train"
    catalog, rows = packed.catalog.take(learn), np.flatnonzero(learn)
    products = len(catalog.products)
    side = float(np.median([min(packed.size(int(row))) for row in rows[:: max(1, len(rows) // 1000)]]))
    size = max([of for of in SIZES if of <= side] or SIZES[:1])
    epochs = float(np.clip(round(EPOCHS * (PRODUCTS / max(1, products)) ** 0.5), 5, 200))
    if weights:
        values = load_recipe("natural-twoheads") | {"weights": weights}
        encoder = {name: value for name, value in values["encoder"].items() if name != "name"}
        values["encoder"] = encoder | {"size": _rounded(LARGER * size), "also": [_rounded(LARGEST * size)]}
        begun = (
            "method, rates: a careful fine-tune by two heads, since weights are given; of what was tried on real "
            "photos it did best (docs/studies/real-photos.md)"
        )
    else:
        values = load_recipe("demo")
        values["encoder"] = values["encoder"] | {"size": size}
        begun = "method, rates: the small network by SimCLR from nothing, since no weights are given"
    natural = has_natural_views(catalog)
    values["pairing"] = "natural" if natural else "augmented"
    values["views"] = values["views"] | {"size": size}
    batch = max(2, min(values["training"]["batch"], products // 4))
    values["training"] = values["training"] | {"batch": batch, "epochs": epochs}
    several = np.mean([len(rows) > 1 for rows in catalog.products.values()])
    reasons = [
        begun,
        f"pairing: {several:.0%} of the products have several photos" + ("" if natural else " that differ"),
        f"sizes: half of the photos have a shorter side of {side:.0f} px or more, as they are stored",
        f"batch, epochs: {products} products to learn from",
    ]
    return values, reasons


def scaled_to(packed: PackedPhotos, recipe: Recipe) -> Choice:
    """The recipe with what its method left open settled by its length and the photos of `train`."""
    if not recipe.left_open:
        return Choice(recipe, [])
    learn = packed.catalog.part("train")
    steps = round(recipe.training.epochs * sampler_of(recipe, learn).steps_per_epoch)
    scaled = recipe.scaled_to(Scale(len(learn), max(1, steps)))
    reason = f"of {len(learn)} photos and {steps} steps; what follows how much there is to learn from"
    return Choice(scaled, [f"method.{name}: {scaled.method[name]}, {reason}" for name in recipe.left_open])


def is_sharded(recipe: Recipe) -> bool:
    """Whether each of several processes is to keep a share of the weights: as the recipe says, or where the
    encoder's training state would fill too much of this process's part of the memory."""
    schedule = recipe.training
    if schedule.shard != "auto":
        return schedule.shard
    needed = BYTES * sum(parameter.numel() for parameter in Encoder.create(recipe.encoder).parameters())
    return not schedule.heads_first and needed > FILLED * _memory()


def _memory() -> float:
    """Bytes of an accelerator, or of this process's part of the machine."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _rounded(size: float) -> int:
    """To a multiple of 32, the stride of most networks."""
    return round(size / 32) * 32


def epochs_within(fabric: Fabric, recipe: Recipe, packed: PackedPhotos, began: float) -> tuple[float, str]:
    """Passes over the products for which the recipe's minutes, counted from `began`, suffice; and why.

    A few real steps are timed, and how long it takes to describe photos: held-out ones at every measurement,
    all of them before and after. Raises NatviewsError where there is no time for a single step.
    """
    learn = packed.take(packed.catalog.splits == "train")
    held_out = int((packed.catalog.splits == "val").sum())
    encoder = Encoder.create(recipe.encoder, weights=recipe.weights, seed=recipe.training.seed)
    with progress("timing a few steps"):
        a_step = _seconds_per_step(fabric, recipe, encoder, learn)
        begun = time.monotonic()
        features_of(encoder, learn.take(np.arange(len(learn)) < LOOKED_AT), "timing features")
        a_photo = (time.monotonic() - begun) / min(len(learn), LOOKED_AT)
    ends = 2 + ("design" in recipe.heads)  # what it began with, what came of it, and that recoloured
    described = ends * (len(learn) + held_out) + (recipe.training.measures + 1) * held_out
    left = 60 * recipe.training.minutes - (time.monotonic() - began) - described * a_photo
    a_step, left = fabric.broadcast((a_step, left))
    steps = int(left / a_step)
    if steps < 1:
        raise NatviewsError(
            f"{recipe.training.minutes:g} minutes are too few: describing the photos before, between and after "
            f"takes {described * a_photo / 60:.1f} of them and one step {a_step:.1f} s; give more with --minutes."
        )
    epochs = steps / sampler_of(recipe, learn.catalog, shared_by=fabric.world_size).steps_per_epoch
    return epochs, f"epochs: {steps} steps of {a_step:.2f} s are {allowed_by(recipe.training.minutes)}"


def allowed_by(minutes: float) -> str:
    """How `run.yaml` says that a length comes from minutes."""
    return f"what {minutes:g} minutes allow"


def _seconds_per_step(fabric: Fabric, recipe: Recipe, encoder: Encoder, learn: PackedPhotos) -> float:
    """What a step takes with its wait for views, the median of a few, on a method that is thrown away."""
    sampler = sampler_of(recipe, learn.catalog, shared_by=fabric.world_size)
    method, optimiser = set_up(fabric, recipe, encoder)
    untimed, timed = TRIED
    stream = batches_of(fabric, recipe, learn, sampler, start=0, stop=untimed + timed)
    seconds = []
    asked = time.monotonic()
    for step, batch in enumerate(stream):
        now = Progress(step, untimed + timed, sampler.epoch(step))
        step_once(fabric, method, optimiser, recipe, batch, now, Watch(untimed + timed))
        seconds.append(time.monotonic() - asked)
        asked = time.monotonic()
    return float(np.median(seconds[untimed:]))


def with_epochs(recipe: Recipe, epochs: float) -> Recipe:
    """The recipe with its length settled in epochs."""
    return replace(recipe, training=replace(recipe.training, epochs=epochs, steps=0, minutes=0.0))
