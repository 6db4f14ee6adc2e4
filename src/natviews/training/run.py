"""A run: from a catalogue and a recipe to a folder with an encoder that knows where it came from."""

import difflib
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric import Fabric

from natviews.catalog import Catalog, PackedPhotos, pack, with_split, write_quarantine
from natviews.encoders import CARD, Encoder, stored_size
from natviews.files import whole_file
from natviews.index.learnt import write_learnt
from natviews.progress import progress
from natviews.training.loop import MEASURED, fastest_precision, fit, sampler_of
from natviews.training.measuring import (
    RECOLOURED,
    HeadChoice,
    Known,
    choose_design_head,
    choose_head,
    features_of,
    has_natural_views,
    measure,
)
from natviews.training.processes import ending_together, launched
from natviews.training.recipe import Head, Recipe
from natviews.training.settling import allowed_by, epochs_within, is_sharded, scaled_to, with_epochs
from natviews.types import NatviewsError


@dataclass(frozen=True)
class Run:
    """A finished run's folder: `encoder/` (trained), `start/` (what it began from, with its own head)."""

    folder: Path

    @property
    def encoder(self) -> Path:
        return self.folder / "encoder"

    @property
    def is_finished(self) -> bool:
        return (self.encoder / CARD).exists()

    @property
    def start(self) -> Path:
        return self.folder / "start"

    @property
    def measured(self) -> list[Path]:
        """The encoders of all measurements in their order, where the recipe keeps them (`training.keep: all`)."""
        return sorted((self.folder / MEASURED).glob("*"))

    @property
    def recipe(self) -> Recipe:
        return Recipe.load(str(self.folder / "run.yaml"))

    @property
    def plan(self) -> str:
        """`run.yaml`: the recipe with nothing left open, and why it is as it is."""
        return (self.folder / "run.yaml").read_text(encoding="utf-8")

    def curves(self) -> list[dict[str, float]]:
        """What was logged, step by step."""
        log = self.folder / "metrics.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def train(catalog: Catalog, recipe: Recipe, out: Path, *, reasons: Sequence[str] = ()) -> Run:
    """Trains an encoder on the catalogue's `train` split and chooses it, and its head, on `val`.

    `reasons` why the recipe is as it is are kept in `run.yaml`. Run again with the same arguments it continues, or
    finds that it has finished. Raises NatviewsError where `out` holds a run of another recipe or catalogue.
    """
    began = time.monotonic()
    fabric = launched(some_rest=recipe.training.heads_first > 0, sharded=lambda: is_sharded(recipe))
    with ending_together(fabric):
        return _train(fabric, catalog, recipe, Run(out), began, reasons)


def _train(
    fabric: Fabric, catalog: Catalog, recipe: Recipe, run: Run, began: float, reasons: Sequence[str]
) -> Run:
    with fabric.rank_zero_first():  # the others find what process 0 made
        packed = with_split(pack(catalog, stored_size(max(recipe.encoder.sizes)), recipe.encoder.prepared_by()))
    recipe = _settle(fabric, run, recipe, packed, began, reasons)
    if run.is_finished:
        return run
    learn, held_out = packed.take(packed.catalog.splits == "train"), _held_out(packed)
    start = Encoder.create(recipe.encoder, weights=recipe.weights, seed=recipe.training.seed)
    with fabric.rank_zero_first():
        if not (run.start / CARD).exists():
            write_quarantine(packed.quarantine, run.folder / "quarantine.csv")
            card = _finish(start, learn, held_out, {"pretrained": recipe.weights is not None})
            _save(start, run.start, card, packed.catalog)
    start.head = None
    trained = fit(fabric, recipe, start, learn, held_out, run.folder)
    with fabric.rank_zero_first():
        if not run.is_finished:
            card = _finish(trained, learn, held_out, _card(recipe, learn, packed), recipe.heads)
            _save(trained, run.encoder, card, packed.catalog)
    return run


def _card(recipe: Recipe, learn: PackedPhotos, packed: PackedPhotos) -> dict[str, Any]:
    """What an encoder was made of and by."""
    return {
        "recipe": yaml.safe_load(recipe.to_yaml()),
        "catalog": packed.catalog.digest,
        "photos": len(learn),
        "products": len(learn.catalog.products),
        "share_with_two_photos": sampler_of(recipe, learn.catalog).share_with_two,
        "quarantined": len(packed.quarantine),
    }


def _settle(
    fabric: Fabric, run: Run, recipe: Recipe, packed: PackedPhotos, began: float, reasons: Sequence[str]
) -> Recipe:
    """Writes `run.yaml` with every choice in it, or checks that it is the same run as before."""
    recipe = recipe.as_written()
    path, asked, said = run.folder / "run.yaml", recipe.training, list(reasons)
    if asked.steps:
        learn = packed.catalog.part("train")
        recipe = with_epochs(recipe, asked.steps / sampler_of(recipe, learn).steps_per_epoch)
        said.append(f"epochs: {asked.steps} steps")
    if fabric.broadcast(path.exists()):
        earlier = run.recipe
        recipe = recipe.with_precision(earlier.encoder.precision if asked.precision == "auto" else asked.precision)
        if asked.minutes:  # how many epochs they allow depends on the hour: it keeps those that it began with
            recipe = with_epochs(recipe, earlier.training.epochs)
            if fabric.is_global_zero and allowed_by(asked.minutes) not in run.plan:
                warnings.warn(
                    f"{run.folder} keeps the length it began with, {earlier.training.epochs:.3g} epochs; for "
                    f"{asked.minutes:g} minutes choose another --out.",
                    stacklevel=2,
                )
        recipe = scaled_to(packed, recipe).recipe
        header = path.read_text(encoding="utf-8").split("\n", 1)[0]
        _refuse_other(run, earlier.to_yaml(), recipe.to_yaml(), header, _header(packed))
        return recipe
    if asked.precision == "auto":
        with progress("timing float32 and bfloat16"):
            precision = fastest_precision(Encoder.create(recipe.encoder), size=recipe.policy().size)
        recipe = recipe.with_precision(fabric.broadcast(precision))
        said.append("precision: the faster of float32 and bfloat16 here, by a few steps of each")
    else:
        recipe = recipe.with_precision(asked.precision)
    if asked.minutes:
        epochs, reason = epochs_within(fabric, scaled_to(packed, recipe).recipe, packed, began)
        recipe = with_epochs(recipe, epochs)
        said.append(reason)
    recipe, scaled = scaled_to(packed, recipe)
    said += scaled
    if fabric.is_global_zero:
        with whole_file(path) as temporary:
            lines = [_header(packed), *(f"# {reason}" for reason in said), recipe.to_yaml()]
            temporary.write_text("\n".join(lines), encoding="utf-8")
    fabric.barrier()
    return recipe


def _header(packed: PackedPhotos) -> str:
    return f"# catalogue {packed.catalog.digest}: {len(packed)} photos in {packed.catalog.folder}"


def _refuse_other(run: Run, earlier: str, now: str, earlier_catalog: str, catalog: str) -> None:
    if earlier_catalog.split(":")[0] != catalog.split(":")[0]:
        raise NatviewsError(f"{run.folder} holds a run on another catalogue; choose another --out.")
    changed = [
        line
        for line in difflib.unified_diff(earlier.splitlines(), now.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    if changed:
        raise NatviewsError(
            f"{run.folder} holds a run of another recipe (- then, + now): {'; '.join(changed)}. "
            "Choose another --out, or give the same settings to continue."
        )


def _held_out(packed: PackedPhotos) -> PackedPhotos | None:
    """The validation photos, if they have natural views to be measured by."""
    rows = packed.catalog.splits == "val"
    held_out = packed.take(rows) if rows.any() else None
    return held_out if held_out is not None and has_natural_views(held_out.catalog) else None


def _finish(
    encoder: Encoder,
    learn: PackedPhotos,
    held_out: PackedPhotos | None,
    card: dict[str, Any],
    heads: Sequence[Head] = ("identity",),
) -> dict[str, Any]:
    """Gives the encoder the heads that do best on held-out products; its card, with what they do there."""
    if held_out is not None and has_natural_views(learn.catalog):
        known = [
            _known(encoder, photos, label, recoloured="design" in heads)
            for photos, label in ((learn, "training"), (held_out, "held-out"))
        ]
        if "identity" in heads:
            choice = choose_head(*known)
            encoder.head = choice.head
            card |= _tried("head", choice)
        result = measure(encoder.through_head(known[1].features), held_out.catalog)
        card |= {"held_out": {name: float(values.mean()) for name, values in result.values.items()}}
        if "design" in heads:
            choice = choose_design_head(*known)
            encoder.design = choice.head
            card |= _tried("design", choice)
    return card


def _save(encoder: Encoder, folder: Path, card: dict[str, Any], catalog: Catalog) -> None:
    """The encoder's folder; last its card, without which the run has not finished."""
    write_learnt(catalog.product_ids, catalog.splits, encoder.digest(), folder)
    encoder.save(folder, card=card)


def _tried(name: str, choice: HeadChoice) -> dict[str, dict[str, float]]:
    return {
        f"{name}_map@r_by_shrinkage": {str(key): value for key, value in choice.tried.items()},
        f"{name}_map@r_by_kept": {str(key): value for key, value in choice.kept.items()},
    }


def _known(encoder: Encoder, packed: PackedPhotos, label: str, *, recoloured: bool) -> Known:
    features = features_of(encoder, packed, f"features of {label} photos")
    if not recoloured:
        return Known(packed.catalog, features)
    return Known(packed.catalog, features, features_of(encoder, packed, "the same recoloured", changed=RECOLOURED))
