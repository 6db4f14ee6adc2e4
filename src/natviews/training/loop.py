"""The training loop, on Lightning Fabric: it owns devices and precision, we own the steps."""

import copy
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from torch import Tensor, nn

from natviews.catalog import PackedPhotos
from natviews.encoders import Encoder, Precision, add_adapters, keep_freed_memory, without_adapters
from natviews.evaluation import Retrieval
from natviews.methods import Method, Progress, Views
from natviews.progress import progress
from natviews.training.checkpoints import load_checkpoint, save_checkpoint
from natviews.training.collapse import Watch
from natviews.training.loader import Batch, batches
from natviews.training.measuring import HEADLINE, features_of, measure
from natviews.training.optimising import hold_encoder, optimiser_of, set_rates
from natviews.training.recipe import Recipe, Schedule
from natviews.training.sampler import PairSampler
from natviews.types import NatviewsError

CHECKPOINT_SECONDS = 60
ABSURD = 1e8
"""A loss or a gradient's norm above is no step of learning."""
SHOWN = ("recall@1", "recall@5", "map@r", "auc", "within", "between")


@dataclass(frozen=True)
class Folder:
    """What a run writes, and where."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        return self.path / "checkpoints" / "best"

    @property
    def log(self) -> Path:
        return self.path / "metrics.jsonl"


def fit(recipe: Recipe, start: Encoder, train: PackedPhotos, held_out: PackedPhotos | None, out: Path) -> Encoder:
    """Trains the method around a copy of `start` and returns the encoder that did best on held-out products.

    Continues from the last checkpoint in `out`. Without products to hold out it returns the last encoder.
    """
    keep_freed_memory()
    schedule, folder = recipe.training, Folder(out)
    policy = recipe.policy()
    sampler = PairSampler(
        train.catalog,
        pairing=recipe.pairing,
        batch=schedule.batch,
        seed=schedule.seed,
        views=policy.globals.count,
        companions=policy.companions,
        within=schedule.within,
    )
    steps = schedule.epochs * sampler.steps_per_epoch
    measured = {round((i + 1) * steps / schedule.measures) for i in range(schedule.measures)}
    with progress("setting up"):
        fabric, method, optimiser = _set_up(recipe, start, out)
        begun, best = _resume(folder, method.module, optimiser)
    if begun == 0 and held_out is not None:
        best = _measure(fabric, folder, method.module, held_out, 0, best)
    saved_at, watch = time.monotonic(), Watch(steps)
    on_device = schedule.render == "device" or (schedule.render == "auto" and fabric.device.type != "cpu")
    accelerator = fabric.device if on_device else None
    stream = batches(
        train, sampler, policy, start=begun, stop=steps, threads=schedule.threads, accelerator=accelerator
    )
    with progress("training", steps) as advance:
        advance(begun)
        asked = time.perf_counter()
        for step, batch in enumerate(stream, start=begun):
            waited = time.perf_counter() - asked
            now = Progress(step, steps, sampler.epoch(step))
            figures = _step(fabric, method, optimiser, schedule, batch, now, watch)
            taken = time.perf_counter() - asked
            figures |= {"seconds": taken, "waiting": waited / taken}  # the latter: the share without views
            _log(fabric, folder, step, figures)
            advance(note=f"loss {figures['loss']:.3f}, held-out {HEADLINE} {best:.3f}")
            done = step + 1
            if done in measured and held_out is not None:
                best = _measure(fabric, folder, method.module, held_out, done, best)
            if done in measured or done == steps or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                _save(folder, method.module, optimiser, done, best)
                saved_at = time.monotonic()
            asked = time.perf_counter()
    return without_adapters(_kept(method.module)) if held_out is None else Encoder.load(folder.best)


def _set_up(recipe: Recipe, start: Encoder, out: Path) -> tuple[Fabric, Any, Any]:
    """Fabric, and the method and its optimiser as Fabric runs them."""
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # what it does by itself is in run.yaml
    torch.manual_seed(recipe.training.seed)
    encoder = copy.deepcopy(start)
    if recipe.training.lora:
        add_adapters(encoder, recipe.training.lora)
    method = recipe.build_method(encoder)
    fabric = Fabric(
        devices=1,
        precision="bf16-mixed" if recipe.encoder.precision == "bfloat16" else "32-true",
        loggers=TensorBoardLogger(out, name="tensorboard", version=""),
    )
    wrapped, optimiser = fabric.setup(method, optimiser_of(method, recipe.training))
    wrapped.mark_forward_method("loss")
    return fabric, wrapped, optimiser


def _step(
    fabric: Fabric, method: Any, optimiser: Any, schedule: Schedule, batch: Batch, now: Progress, watch: Watch
) -> dict[str, float]:
    """One step of training; returns the figures to log."""
    set_rates(optimiser, schedule, now)
    method.train()
    hold_encoder(method.module, optimiser, schedule, now)
    loss = method.loss(_prepared(batch, method.module, fabric.device), now)
    _check_sane("loss", loss.total, now.step)
    fabric.backward(loss.total)
    gradient = nn.utils.get_total_norm([p.grad for p in method.parameters() if p.grad is not None])
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


def _check_sane(name: str, value: Tensor, step: int) -> None:
    """An optimiser's averages never recover from one gradient of memory's junk, which some kernels return."""
    if not value.abs() < ABSURD:
        raise NatviewsError(
            f"The {name} became {value.item():.3g} at step {step}; try a tenth of the learning rate "
            "(--set training.lr=...) or --set training.precision=float32."
        )


def _measure(
    fabric: Fabric, folder: Folder, method: Method, held_out: PackedPhotos, step: int, best: float
) -> float:
    """Measures the encoder on held-out products, keeps it if it is the best so far, and returns the best."""
    encoder = without_adapters(_kept(method))
    result: Retrieval = measure(features_of(encoder, held_out, "measuring"), held_out.catalog)
    means = {name: float(result.values[name].mean()) for name in SHOWN}
    _log(fabric, folder, step, {f"held_out_{name}": value for name, value in means.items()})
    if means[HEADLINE] > best:
        encoder.save(folder.best, card={"step": step, **means})
        return means[HEADLINE]
    return best


def _log(fabric: Fabric, folder: Folder, step: int, values: dict[str, float]) -> None:
    with folder.log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")
    fabric.log_dict(values, step)


def _save(folder: Folder, method: Method, optimiser: Any, step: int, best: float) -> None:
    state = {
        "method": method.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "best": best,
        "rng": torch.get_rng_state(),
    }
    save_checkpoint(folder.checkpoint, state)


def _resume(folder: Folder, method: Method, optimiser: Any) -> tuple[int, float]:
    """The step to go on from and the best held-out figure so far; the log forgets what came after."""
    state = load_checkpoint(folder.checkpoint)
    if state is None:
        folder.log.unlink(missing_ok=True)
        return 0, -1.0
    method.load_state_dict(state["method"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["rng"])
    kept = [line for line in _lines(folder.log) if _belongs(json.loads(line), state["step"])]
    folder.log.write_text("".join(kept), encoding="utf-8")
    return state["step"], state["best"]


def _belongs(entry: dict[str, float], steps_done: int) -> bool:
    """Whether a log entry is from before a checkpoint: losses of steps done, measurements up to it."""
    return entry["step"] < steps_done + ("loss" not in entry)


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.endswith("\n"))  # a kill may leave half a line


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
