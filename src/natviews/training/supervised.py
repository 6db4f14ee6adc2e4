"""Training on labels, to compare with: a network from scratch, or fine-tuned, instead of features that stay.

How few labels are enough is only known beside what the same network learns from the same labels.
"""

import copy
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.catalog import PackedPhotos
from natviews.encoders import Encoder
from natviews.evaluation import Probed
from natviews.methods import Progress
from natviews.progress import progress
from natviews.training.optimising import hold_encoder, optimiser_of, set_rates
from natviews.training.recipe import Recipe
from natviews.types import NatviewsError
from natviews.views import Policy, Shape, render

LEAST_STEPS = 100
"""A few labels are passed over more often than the schedule says."""
SCORED = 64
"""Photos that are classified at a time."""


@dataclass(frozen=True)
class Supervised:
    """The network as it did best on `val`: its encoder, without a head, and what its classifier says.

    In `answers`, `chosen` is the number of steps after which it was kept, and `tried` maps steps to accuracy.
    """

    encoder: Encoder
    answers: Probed


class Classifier(nn.Module):
    """Prepared photos (B, 3, S, S) -> logits (B, C): an encoder and one linear layer."""

    constant_rate = None

    def __init__(self, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.head = self.encoder.design = None  # what they were fitted to is about to change
        self.layer = nn.Linear(encoder.dim, classes)

    @property
    def trained(self) -> nn.Module:
        """The encoder."""
        return self.encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.encoder(x))


def from_scratch(recipe: Recipe) -> Encoder:
    """The recipe's network with random weights; batch norm learns its statistics, which it has none of yet."""
    return Encoder.create(replace(recipe.encoder, batchnorm="moving"), seed=recipe.training.seed)


@dataclass(frozen=True)
class _Task:
    """What is to be learnt: packed photos, their `labels` (N,), the `classes` (C,), and the rows of each part."""

    packed: PackedPhotos
    labels: np.ndarray
    classes: np.ndarray
    learn: np.ndarray
    val: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, packed: PackedPhotos, attribute: str, rows: np.ndarray | None) -> "_Task":
        labels, splits = packed.catalog.column(attribute), packed.catalog.splits
        learn, val, test = (np.flatnonzero((splits == name) & (labels != "")) for name in ("train", "val", "test"))
        learn = learn if rows is None else np.intersect1d(learn, rows)
        classes = np.unique(labels[learn])
        if len(classes) < 2 or not len(val):
            raise NatviewsError(f"{attribute!r} needs two different labels in the split train and one in val.")
        return cls(packed, labels, classes, learn, val, test)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """(B,) the places of some photos' labels among the classes."""
        return np.searchsorted(self.classes, self.labels[rows])

    def accuracy(self, scores: np.ndarray) -> float:
        """On `val`, from scores (V, C)."""
        return float((self.classes[scores.argmax(axis=1)] == self.labels[self.val]).mean())

    def answers(
        self, scores: np.ndarray, val_scores: np.ndarray, chosen: float, tried: dict[float, float]
    ) -> Probed:
        """What was said of `test` (Q, C) and of `val`."""
        asked = np.flatnonzero(self.labels[self.packed.catalog.splits == "test"] != "")
        labels = self.labels[self.test], self.labels[self.val]
        return Probed(asked, labels[0], self.classes, scores, labels[1], val_scores, chosen, tried)


def train_supervised(
    start: Encoder, recipe: Recipe, packed: PackedPhotos, attribute: str, *, rows: np.ndarray | None = None
) -> Supervised:
    """Trains a copy of `start` by cross entropy on the labels that `attribute` has in `train`, chosen on `val`.

    `recipe` gives views (the first global one of each photo), rates and length; `rows`, where given, are the only
    photos of `train` whose labels may be used. The catalogue needs splits. Photos without a label are left out.
    Raises NatviewsError where `train` has fewer than two labels or `val` none.
    """
    task, fabric = _Task.of(packed, attribute, rows), Fabric(devices=1)
    # Dropout and dropped paths take torch's own chance: the seed decides it, and the caller's stays as it was.
    with torch.random.fork_rng(devices=[fabric.device] if fabric.device.type == "cuda" else []):
        torch.manual_seed(recipe.training.seed)
        return _trained(fabric, start, recipe, task, f"training on labels, {attribute}")


def _trained(fabric: Fabric, start: Encoder, recipe: Recipe, task: _Task, label: str) -> Supervised:
    schedule = recipe.training
    classifier = Classifier(copy.deepcopy(start), len(task.classes))
    network, optimiser = fabric.setup(classifier, optimiser_of(classifier, schedule))
    batch = min(schedule.batch, len(task.learn))
    steps = max(LEAST_STEPS, round(schedule.epochs * (len(task.learn) // batch)))
    measured = {round((i + 1) * steps / schedule.measures) for i in range(schedule.measures)}
    tried: dict[float, float] = {}
    kept: tuple[dict[str, Tensor], np.ndarray] | None = None
    with progress(label, steps) as advance:
        for step, (chosen, pictures) in enumerate(_batches(task, recipe, batch, steps)):
            now = Progress(step, steps, step * batch / len(task.learn))
            loss = _step(fabric, network, optimiser, recipe, pictures, task.numbers(chosen), now)
            advance(note=f"loss {loss:.3f}")
            if step + 1 in measured:
                scores = _scores(classifier, task, task.val)
                accuracy = task.accuracy(scores)
                if accuracy > max(tried.values(), default=-1.0):
                    kept = copy.deepcopy(classifier.state_dict()), scores
                tried[step + 1.0] = accuracy
    assert kept is not None  # the last step is always measured
    classifier.load_state_dict(kept[0])
    best = max(tried, key=lambda step: (tried[step], -step))
    answers = task.answers(_scores(classifier, task, task.test), kept[1], best, tried)
    return Supervised(classifier.encoder.eval(), answers)


def _batches(task: _Task, recipe: Recipe, batch: int, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each step rows (B,) and one view of each photo (B, S, S, 3); all photos in turn, shuffled anew."""
    policy, seed = recipe.policy(), recipe.training.seed
    each = len(task.learn) // batch  # the last batch of a pass is whole or not taken
    with ThreadPoolExecutor(recipe.training.threads, thread_name_prefix="views") as pool:
        for step in range(steps):
            if step % each == 0:
                order = np.random.default_rng([seed, step // each]).permutation(task.learn)
            rows = order[step % each * batch : (step % each + 1) * batch]
            keys = [(seed, step, place) for place in range(batch)]
            yield rows, np.stack(list(pool.map(partial(_view, task.packed, policy), rows.tolist(), keys)))


def _view(packed: PackedPhotos, policy: Policy, row: int, key: tuple[int, ...]) -> np.ndarray:
    views = policy.draw(
        [Shape(*packed.size(row))], str(packed.catalog.product_types[row]), random.Random(repr(key))
    )
    return render([packed.pixels(row)], views[:1])[0]


def _step(
    fabric: Fabric,
    network: Any,
    optimiser: Any,
    recipe: Recipe,
    pictures: np.ndarray,
    wanted: np.ndarray,
    now: Progress,
) -> float:
    """One step on pictures (B, S, S, 3) uint8 and the numbers of their classes (B,); the loss."""
    set_rates(optimiser, recipe.training, now)
    network.train()
    hold_encoder(network.module, optimiser, recipe.training, now)
    encoder = network.module.encoder
    with torch.autocast(fabric.device.type, torch.bfloat16, enabled=encoder.reduced_precision):
        logits = network(encoder.prepare(torch.from_numpy(pictures)))
    loss = F.cross_entropy(logits.float(), torch.from_numpy(wanted).to(fabric.device))
    fabric.backward(loss)
    if recipe.training.clip:
        fabric.clip_gradients(network, optimiser, max_norm=recipe.training.clip, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.item()


@torch.inference_mode()
def _scores(classifier: Classifier, task: _Task, rows: np.ndarray) -> np.ndarray:
    """How likely each class is (len(rows), C), from the centre of each photo at the encoder's size."""
    classifier.eval()
    encoder, said = classifier.encoder, [np.empty((0, len(task.classes)))]
    for start in range(0, len(rows), SCORED):
        photos = [task.packed.pixels(int(row)) for row in rows[start : start + SCORED]]
        shown = [render([photo], [encoder.view(photo.shape[:2], encoder.size)])[0] for photo in photos]
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=encoder.reduced_precision):
            logits = classifier(encoder.prepare(torch.from_numpy(np.stack(shown))))
        said.append(logits.double().softmax(dim=1).cpu().numpy())
    return np.concatenate(said)
