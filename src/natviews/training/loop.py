"""The training loop, on Lightning Fabric: it owns devices and precision, we own the steps."""

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from natviews.catalog import Catalog, PackedPhotos
from natviews.encoders import Encoder, Precision, add_adapters, keep_freed_memory, without_adapters
from natviews.evaluation import Retrieval
from natviews.methods import Method, Progress, Views
from natviews.progress import progress
from natviews.training.checkpoints import Checkpoints
from natviews.training.collapse import Watch
from natviews.training.loader import Batch, batches
from natviews.training.measuring import (
    HEADLINE,
    features_of,
    measure,
    measure_label_free,
    measure_through_heads,
)
from natviews.training.optimising import hold_encoder, optimiser_of, set_rates
from natviews.training.processes import normalise_together, random_states, set_random_states, shared_out, whole
from natviews.training.recipe import Recipe, Schedule
from natviews.training.sampler import PairSampler
from natviews.types import NatviewsError

CHECKPOINT_SECONDS = 60
ABSURD = 1e8
"""A loss or a gradient's norm above is no step of learning."""
MEASURED = Path("checkpoints") / "measured"
"""Where a run's folder has the encoder of each measurement, by its step, if all are kept."""
SHOWN = ("recall@1", "recall@5", "map@r", "auc", "within", "between")


class Folder:
    """What a run writes while it trains, and where. Process 0 alone writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._board = TensorBoardLogger(path, name="tensorboard", version="")

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints")

    @property
    def best(self) -> Path:
        return self.path / "checkpoints" / "best"

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a line to `metrics.jsonl`, and the same to TensorBoard."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self._board.log_metrics(values, step)

    def forget_log_after(self, step: int) -> None:
        """Leaves what was logged before a checkpoint: losses of steps done, measurements up to it."""
        log, kept = self.path / "metrics.jsonl", []
        if step and log.exists():
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            entries = [(line, json.loads(line)) for line in lines if line.endswith("\n")]  # a kill may leave half
            kept = [line for line, entry in entries if entry["step"] < step + ("loss" not in entry)]
        log.write_text("".join(kept), encoding="utf-8")


@dataclass(frozen=True)
class Best:
    """The best held-out figure so far, and how many measurements ago it was taken."""

    value: float = -1.0
    since: int = 0


def fit(
    fabric: Fabric, recipe: Recipe, start: Encoder, train: PackedPhotos, held_out: PackedPhotos | None, out: Path
) -> Encoder:
    """Trains the method around a copy of `start` and returns the encoder that did best on held-out products.

    Continues from the last checkpoint in `out`. Without products to hold out it returns the last encoder. All
    processes of the run call it, with the same arguments.
    """
    keep_freed_memory()
    schedule, folder = recipe.training, Folder(out)
    sampler = sampler_of(recipe, train.catalog, shared_by=fabric.world_size)
    steps = max(1, round(schedule.epochs * sampler.steps_per_epoch))
    measured = {round((i + 1) * steps / schedule.measures) for i in range(schedule.measures)}
    watch = Watch(steps)
    with progress("setting up"):
        method, optimiser = set_up(fabric, recipe, start)
        begun, best = _resume(fabric, folder, method.module, optimiser, watch)
    if begun == 0:
        best = _measure(fabric, recipe, folder, method.module, held_out, 0, best)
    saved_at = time.monotonic()
    stop = begun if _lost_patience(schedule, best) else steps
    stream = batches_of(fabric, recipe, train, sampler, start=begun, stop=stop)
    with progress("training", steps) as advance:
        advance(begun)
        asked = time.perf_counter()
        for step, batch in enumerate(stream, start=begun):
            waited = time.perf_counter() - asked
            now = Progress(step, steps, sampler.epoch(step))
            figures = step_once(fabric, method, optimiser, recipe, batch, now, watch)
            taken = time.perf_counter() - asked
            figures |= {"seconds": taken, "waiting": waited / taken}  # the latter: the share without views
            if fabric.is_global_zero:
                folder.log(step, figures)
            so_far = "" if held_out is None else f", held-out {HEADLINE} {best.value:.3f}"
            advance(note=f"loss {figures['loss']:.3f}{so_far}")
            done = step + 1
            if done in measured:
                best = _measure(fabric, recipe, folder, method.module, held_out, done, best)
            over = done == steps or _lost_patience(schedule, best)
            late = time.monotonic() - saved_at > CHECKPOINT_SECONDS
            if done in measured or over or fabric.broadcast(late):
                _save(fabric, folder, method.module, optimiser, done, best, watch)
                saved_at = time.monotonic()
            if over:
                break
            asked = time.perf_counter()
    fabric.barrier()  # the best encoder is whole
    return _whole_encoder(recipe, method.module) if held_out is None else Encoder.load(folder.best)


def _lost_patience(schedule: Schedule, best: Best) -> bool:
    return 0 < schedule.patience <= best.since


def sampler_of(recipe: Recipe, catalog: Catalog, *, shared_by: int = 1) -> PairSampler:
    """What a run of this recipe draws from a catalogue.

    Raises NatviewsError where a batch cannot be shared equally.
    """
    schedule, policy = recipe.training, recipe.policy()
    sampler = PairSampler(
        catalog,
        pairing=recipe.pairing,
        batch=schedule.batch,
        seed=schedule.seed,
        views=policy.globals.count,
        companions=policy.companions,
        within=schedule.within,
    )
    if sampler.batch % shared_by:
        raise NatviewsError(
            f"{shared_by} processes cannot share a batch of {sampler.batch} products equally; set training.batch "
            f"to a multiple, such as {max(1, sampler.batch // shared_by) * shared_by}."
        )
    return sampler


def batches_of(
    fabric: Fabric, recipe: Recipe, train: PackedPhotos, sampler: PairSampler, *, start: int, stop: int
) -> Iterator[Batch]:
    """This process's part of the batches of some steps, rendered where the recipe says."""
    schedule = recipe.training
    on_device = schedule.render == "device" or (schedule.render == "auto" and fabric.device.type != "cpu")
    return batches(
        train,
        sampler,
        recipe.policy(),
        start=start,
        stop=stop,
        threads=schedule.threads,
        accelerator=fabric.device if on_device else None,
        share=(fabric.global_rank, fabric.world_size),
    )


def set_up(fabric: Fabric, recipe: Recipe, start: Encoder) -> tuple[Any, Any]:
    """The method and its optimiser as Fabric runs them."""
    torch.manual_seed(recipe.training.seed)
    encoder = copy.deepcopy(start)
    if recipe.training.lora:
        add_adapters(encoder, recipe.training.lora)
    method = recipe.build_method(encoder)
    if fabric.world_size > 1:
        torch.manual_seed(recipe.training.seed + 1_000_003 * fabric.global_rank)  # no two hide the same patches
        if fabric.device.type == "cuda":
            normalise_together(method)
    # Before the optimiser: where weights are in shares, they are other parameters then.
    wrapped: Any = fabric.setup_module(method)
    wrapped.mark_forward_method("loss")
    return wrapped, fabric.setup_optimizers(optimiser_of(wrapped.module, recipe.training))


def step_once(
    fabric: Fabric, method: Any, optimiser: Any, recipe: Recipe, batch: Batch, now: Progress, watch: Watch
) -> dict[str, float]:
    """One step of training; returns the figures to log."""
    schedule = recipe.training
    set_rates(optimiser, schedule, now)
    method.train()
    hold_encoder(method.module, optimiser, schedule, now)
    with torch.autocast(fabric.device.type, torch.bfloat16, enabled=recipe.encoder.precision == "bfloat16"):
        loss = method.loss(_prepared(batch, method.module, fabric.device), now)
    _check_sane("loss", loss.total, now.step)
    fabric.backward(loss.total)
    gradient = whole(nn.utils.get_total_norm([p.grad for p in method.parameters() if p.grad is not None]))
    _check_sane("gradient", gradient, now.step)
    method.module.before_step(now)
    if schedule.clip:
        fabric.clip_gradients(method, optimiser, max_norm=schedule.clip, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    method.module.after_step(now)
    parts = {name: value.item() for name, value in loss.parts.items()}
    parts |= watch.look(now.step, loss)
    parts |= {"gradient": gradient.item()}
    return {"epoch": now.epoch, "loss": loss.total.item(), "lr": optimiser.param_groups[0]["lr"], **parts}


def _prepared(batch: Batch, method: Method, device: torch.device) -> Views:
    prepare = _kept(method).prepare
    crops = [[prepare(pictures) for pictures in pictured] for pictured in (batch.globals, batch.locals)]
    return Views(crops[0], batch.products.to(device), crops[1], batch.distractors.to(device))


def _kept(method: Method) -> Encoder:
    encoder = method.encoder
    assert isinstance(encoder, Encoder)
    return encoder


def _whole_encoder(recipe: Recipe, method: Method) -> Encoder:
    """The encoder to keep, without adapters. All processes call it: one in shares is put together in a new one."""
    kept, state = _kept(method), _kept(method).state_dict()
    if any(isinstance(value, DTensor) for value in state.values()):
        kept = Encoder.create(kept.architecture).to(kept.device)
        if recipe.training.lora:
            add_adapters(kept, recipe.training.lora)
        kept.load_state_dict(whole(state))
    return without_adapters(kept)


def _check_sane(name: str, value: Tensor, step: int) -> None:
    """An optimiser's averages never recover from one gradient of memory's junk, which some kernels return."""
    if not value.abs() < ABSURD:
        raise NatviewsError(
            f"The {name} became {value.item():.3g} at step {step}; try a tenth of the learning rate "
            "(--set training.lr=...) or --set training.precision=float32."
        )


def _measure(
    fabric: Fabric,
    recipe: Recipe,
    folder: Folder,
    method: Method,
    held_out: PackedPhotos | None,
    step: int,
    best: Best,
) -> Best:
    """Process 0 measures the encoder on held-out products and keeps it if it is the best; all learn of it.

    The best as it will be used: through a head where the recipe asks for one.
    """
    if held_out is None:
        return best
    encoder = _whole_encoder(recipe, method)
    if fabric.is_global_zero:
        features = features_of(encoder, held_out, "measuring")
        result: Retrieval = measure(features, held_out.catalog)
        means = {name: float(result.values[name].mean()) for name in SHOWN}
        choice = means[HEADLINE]
        if "identity" in recipe.heads:
            choice = measure_through_heads(features, held_out.catalog)
        means |= {"choice": choice, **measure_label_free(features, held_out.catalog)}
        folder.log(step, {f"held_out_{name}": value for name, value in means.items()})
        if recipe.training.keep == "all":
            encoder.save(folder.path / MEASURED / f"{step:08d}", card={"step": step, **means})
        better = choice > best.value
        if better:
            encoder.save(folder.best, card={"step": step, **means})
        best = Best(choice) if better else replace(best, since=best.since + 1)
    return fabric.broadcast(best)


def _save(
    fabric: Fabric, folder: Folder, method: Method, optimiser: Any, step: int, best: Best, watch: Watch
) -> None:
    weights = {"method": whole(method.state_dict()), "optimiser": whole(optimiser.state_dict())}
    rng = random_states(fabric)
    if fabric.is_global_zero:
        state = weights | {"step": step, "best": best.value, "since": best.since, "rng": rng, "dead": watch.since}
        folder.checkpoints.save(step, state)


def _resume(fabric: Fabric, folder: Folder, method: Method, optimiser: Any, watch: Watch) -> tuple[int, Best]:
    """The step to go on from and the best held-out figure so far; the log forgets what came after."""
    state = folder.checkpoints.load()
    if state is not None:
        method.load_state_dict(shared_out(state["method"], method.state_dict()))
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        averages = {
            number: shared_out(values, dict.fromkeys(values, parameters[number]))
            for number, values in state["optimiser"]["state"].items()
        }
        optimiser.load_state_dict(state["optimiser"] | {"state": averages})
        set_random_states(fabric, state["rng"])
        watch.since = state.get("dead", {})  # checkpoints of earlier versions have none
    if fabric.is_global_zero:
        folder.forget_log_after(0 if state is None else state["step"])
    fabric.barrier()
    return (0, Best()) if state is None else (state["step"], Best(state["best"], state["since"]))


def fastest_precision(encoder: Encoder, *, size: int, batch: int = 64) -> Precision:
    """float32 or bfloat16, whichever trains this encoder faster here: a few steps of each are timed.

    Networks differ: bf16 made a ResNet-18 7 times faster and a network of depthwise convolutions 2.4 times
    on AVX-512 cores, and is slower where the processor has to emulate it.
    """
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    keep_freed_memory()
    pictures = torch.zeros(batch, size, size, 3, dtype=torch.uint8)
    seconds: dict[Precision, list[float]] = {"float32": [], "bfloat16": []}
    copied = copy.deepcopy(encoder).train()
    for _ in range(3):
        for precision, taken in seconds.items():
            begun = time.perf_counter()
            with torch.autocast(copied.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                features = copied(copied.prepare(pictures))
            features.float().square().mean().backward()
            taken.append(time.perf_counter() - begun)
    # The first round of each also sets up kernels.
    return min(seconds, key=lambda precision: np.median(seconds[precision][1:]))
