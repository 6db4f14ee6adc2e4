"""Every method on real photos from the same pretrained weights, beside lightly's SimCLR and DINO on single photos.

    python benchmarks/methods_on_real_photos.py SHOPS.csv WEIGHTS.safetensors OUT [--seeds N] [--only RECIPE...] \
        [--share S] [--workers N]

Trains each recipe on the train split for the same share of its epochs (5 to 15 minutes each on two cores; run
again, it continues), embeds, and judges all with one evaluator on the test split: MAP@R, Recall@5 and Recall@1
within each shop, and Recall@1 of buyers' photos among sellers'. Writes OUT/methods.md and OUT/methods.json: each
row with and without the closed-form head, and each minus frozen, minus frozen with whitening, and minus the better
of lightly's, paired by query. All are described as the recipes describe photos (all stages, colours, two sizes),
the frozen network also as it usually is. The catalogue needs the columns `shop` and `source_guess`.

lightly's rows use its own transforms, heads and losses in its documentation's example loop, as carefully as ours:
AdamW with the same rates, batch norm's statistics frozen, bfloat16 and channels_last, and as many steps of as many
photos as `natural` takes products; DINO, a step of which takes 1.4 times as long, seven tenths of them, so that
all have the same time. Its encoders get the same head.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightly.loss import DINOLoss, NTXentLoss
from lightly.models.modules import DINOProjectionHead, SimCLRProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms import DINOTransform, SimCLRTransform
from lightly.utils.scheduler import cosine_schedule
from PIL import Image
from torch import Tensor, nn

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.encoders import Encoder, stored_size
from natviews.evaluation import Retrieval, colour_histogram, retrieval
from natviews.training import Recipe, features_of, judging_of, train
from natviews.training.loop import sampler_of
from natviews.training.measuring import Known, choose_head
from natviews.types import Embeddings, Provenance

TRAINED = ("mocov2", "byol", "simsiam", "visreg", "dino", "skill", "moby", "siamese", "twoheads")
RECIPES = ("natural", *(f"natural-{name}" for name in TRAINED))
SHOWN = ("map@r", "recall@5", "recall@1", "buyer's")
USUAL = "frozen, last stage"
"""The pretrained network as it is usually used, at one size; its head is the closed-form whitening."""
FROZEN = (USUAL, "frozen")
SIZE, BATCH, RATE = 160, 96, 1e-4


class Judged(NamedTuple):
    """What one row's vectors find: all photos, and buyers' photos among sellers'."""

    everyone: Retrieval
    buyers: Retrieval

    def values(self, name: str) -> Retrieval:
        """The retrieval that a figure is taken from."""
        return self.buyers if name == "buyer's" else self.everyone


def lightly_simclr(encoder: Encoder, photos: list[Image.Image], steps: int) -> None:
    """lightly's example of SimCLR."""
    head = SimCLRProjectionHead(encoder.dim, encoder.dim, 128)
    loss = NTXentLoss(temperature=0.1)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=RATE)
    transform = SimCLRTransform(input_size=SIZE, normalize=normal(encoder))
    for step, views in enumerate(lightly_views(photos, transform, steps)):
        for group in optimiser.param_groups:
            group["lr"] = cosine_schedule(step, steps, RATE, 0)
        with quick():
            projected = [head(encoder(view)).float() for view in views]
        total = loss(*projected)
        total.backward()
        optimiser.step()
        optimiser.zero_grad()


def lightly_dino(encoder: Encoder, photos: list[Image.Image], steps: int) -> None:
    """lightly's example of DINO."""
    student = nn.Sequential(encoder, DINOProjectionHead(encoder.dim, 1024, 256, 1024, freeze_last_layer=1))
    teacher = nn.Sequential(
        Encoder(encoder.architecture), DINOProjectionHead(encoder.dim, 1024, 256, 1024)
    ).requires_grad_(False)
    teacher.load_state_dict(student.state_dict())
    deactivate_requires_grad(teacher)
    loss = DINOLoss(output_dim=1024, warmup_teacher_temp_epochs=0)
    optimiser = torch.optim.AdamW(
        [{"params": encoder.parameters(), "times": 1}, {"params": student[1].parameters(), "times": 10}], lr=RATE
    )
    transform = DINOTransform(
        global_crop_size=SIZE, local_crop_size=72, n_local_views=4, normalize=normal(encoder)
    )
    epoch = len(photos) // BATCH
    for step, views in enumerate(lightly_views(photos, transform, steps)):
        update_momentum(encoder, teacher[0], cosine_schedule(step, steps, 0.97, 1))
        update_momentum(student[1], teacher[1], cosine_schedule(step, steps, 0.97, 1))
        for group in optimiser.param_groups:
            group["lr"] = cosine_schedule(step, steps, RATE * group["times"], 0)
        with quick():
            taught = [teacher(view).float() for view in views[:2]]
            seen = [student(view).float() for view in views]
        total = loss(taught, seen, epoch=step // epoch)
        total.backward()
        student[1].cancel_last_layer_gradients(current_epoch=step // epoch)
        optimiser.step()
        optimiser.zero_grad()
    encoder.load_state_dict(teacher[0].state_dict())


LIGHTLY: dict[str, tuple[Callable[[Encoder, list[Image.Image], int], None], float]] = {
    "lightly SimCLR": (lightly_simclr, 1.0),
    "lightly DINO": (lightly_dino, 0.7),
}
"""How each is trained, and its share of the steps."""


def quick() -> AbstractContextManager[object]:
    """The precision that our recipes choose on these cores; losses stay in float32."""
    return torch.autocast("cpu", torch.bfloat16)


def normal(encoder: Encoder) -> dict[str, list[float]]:
    """The network's colour statistics as lightly's transforms take them."""
    return {name: (getattr(encoder, name).flatten() / 255).tolist() for name in ("mean", "std")}


def lightly_views(
    photos: list[Image.Image], transform: Callable[[Image.Image], list[Tensor]], steps: int
) -> Iterator[list[Tensor]]:
    """Batches of views of single photos, all photos in turn."""
    rng = np.random.default_rng(0)
    order: list[int] = []
    for _ in range(steps):
        if len(order) < BATCH:
            order = rng.permutation(len(photos)).tolist()
        batch, order = order[:BATCH], order[BATCH:]
        yield [
            torch.stack(views).contiguous(memory_format=torch.channels_last)
            for views in zip(*(transform(photos[i]) for i in batch), strict=True)
        ]


def train_lightly(name: str, recipe: Recipe, packed: PackedPhotos, folder: Path, seed: int) -> None:
    """lightly's training from the recipe's weights, for its share of the recipe's steps, into `folder`."""
    if (folder / "encoder.json").exists():
        return
    torch.manual_seed(seed)
    encoder = Encoder.create(recipe.encoder, weights=recipe.weights, seed=seed).train()
    learn = packed.take(packed.catalog.splits == "train")
    fresh = np.flatnonzero(learn.catalog.column("near_dup_within") != "1")
    photos = [Image.fromarray(learn.pixels(int(row))) for row in fresh]
    trained, share = LIGHTLY[name]
    steps = recipe.training.epochs * sampler_of(recipe, learn.catalog).steps_per_epoch
    trained(encoder, photos, round(share * steps))
    encoder.eval().save(folder)


class Setting:
    """What one seed's rows share: the catalogue, its photos, and how long each recipe is trained."""

    def __init__(self, arguments: argparse.Namespace, seed: int) -> None:
        self.arguments, self.seed = arguments, seed
        self.catalog = Catalog.open(arguments.shops)
        self.start = self.recipe("natural", share=1.0)
        self.packed = with_split(pack(self.catalog, stored_size(self.start.encoder.size)))

    def recipe(self, name: str, share: float) -> Recipe:
        """A recipe at a share of its epochs."""
        full = Recipe.load(name, [f"training.seed={self.seed}"], weights=str(self.arguments.weights))
        epochs = max(1, round(full.training.epochs * share))
        return replace(full, training=replace(full.training, epochs=epochs, measures=2))

    def encoder(self, name: str) -> Path:
        """The encoder of a row, made where that was not done before."""
        folder = self.arguments.out / f"{name.replace(', ', '-').replace(' ', '-').lower()}-{self.seed}"
        if name in FROZEN:
            if not folder.exists():
                usual = replace(self.start.encoder, features="last", also=())
                architecture = usual if name == USUAL else self.start.encoder
                Encoder.create(architecture, weights=self.start.weights).save(folder)
            return folder
        if name in LIGHTLY:
            train_lightly(name, self.recipe("natural", self.arguments.share), self.packed, folder, self.seed)
            return folder
        return train(self.catalog, self.recipe(name, self.arguments.share), folder).encoder

    def features(self, name: str) -> np.ndarray:
        """(N, D) what the row's encoder makes of all photos; kept beside it, so that what was stopped goes on."""
        encoder = self.encoder(name)
        cached = encoder / "features.npy"
        if not cached.exists():
            np.save(cached, features_of(Encoder.load(encoder), self.packed, "features"))
        return np.load(cached)

    def with_head(self, name: str) -> dict[str, np.ndarray]:
        """Vectors of the test photos before any head, and through the head that does best on `val`."""
        features, catalog = self.features(name), self.packed.catalog
        of = {split: catalog.splits == split for split in ("train", "val", "test")}
        known = {split: Known(catalog.take(rows), features[rows]) for split, rows in of.items()}
        head = choose_head(known["train"], known["val"]).head
        tested = known["test"].features
        return {"no head": tested, "head": tested if head is None else head.vectors(tested)}


def make_one(arguments: argparse.Namespace, seed: int, name: str) -> None:
    """Makes what a row needs, in a process of its own."""
    Setting(arguments, seed).features(name)


def make_all(arguments: argparse.Namespace, seed: int, names: list[str]) -> None:
    """Makes what all rows need, `workers` at a time, each on its share of the cores."""
    threads = max(1, len(os.sched_getaffinity(0)) // arguments.workers)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch reads it as it is imported
    with ProcessPoolExecutor(arguments.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        for made in [pool.submit(make_one, arguments, seed, name) for name in names]:
            made.result()


def judge(vectors: np.ndarray, catalog: Catalog, row: str) -> Judged:
    """Retrieval on the test photos, within each shop."""
    embeddings = Embeddings(catalog.ids, catalog.product_ids, vectors, Provenance(row))
    judging, source = judging_of(catalog, "shop"), catalog.column("source_guess")
    buyers = replace(
        judging, queries=judging.queries & (source == "buyer"), gallery=judging.gallery & (source == "listing")
    )
    return Judged(*(retrieval(embeddings, asked, row=row) for asked in (judging, buyers)))


def figures(found: Judged) -> dict[str, dict[str, float]]:
    """Each figure shown with its interval."""
    made = {}
    for name in SHOWN:
        metric = "recall@1" if name == "buyer's" else name
        (entry,) = (m for m in found.values(name).metrics() if m.name == metric)
        made[name] = {"value": entry.value, "low": entry.low, "high": entry.high}
    return made


def minus(one: Judged, other: Judged) -> Judged:
    """Paired differences."""
    return Judged(one.everyone.minus(other.everyone), one.buyers.minus(other.buyers))


def written(entry: dict[str, float], sign: str) -> str:
    """value [low, high]"""
    return f"{entry['value']:{sign}.3f} [{entry['low']:{sign}.3f}, {entry['high']:{sign}.3f}]"


def table(rows: dict[str, dict[str, dict[str, float]]], sign: str = "") -> str:
    """A line for every row."""
    lines = ["| | " + " | ".join(SHOWN) + " |", "|---|" + "---|" * len(SHOWN)]
    lines += [
        f"| {row} | " + " | ".join(written(of[name], sign) for name in SHOWN) + " |" for row, of in rows.items()
    ]
    return "\n".join(lines)


def judged_rows(arguments: argparse.Namespace, seed: int) -> dict[str, Judged]:
    """Every row of one seed."""
    names = [*FROZEN, *(arguments.only or RECIPES), *LIGHTLY]
    if arguments.workers > 1:
        make_all(arguments, seed, names)
    setting = Setting(arguments, seed)
    test = setting.packed.take(setting.packed.catalog.splits == "test")
    histograms = np.stack([colour_histogram(test.pixels(row)) for row in range(len(test))])
    rows = {"histogram": judge(histograms, test.catalog, "histogram")}
    for name in names:
        for kind, vectors in setting.with_head(name).items():
            rows[f"{name}, {kind}"] = judge(vectors, test.catalog, f"{name}, {kind}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shops", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--share", type=float, default=0.3, help="of the recipes' epochs")
    parser.add_argument("--workers", type=int, default=1, help="how many are trained at once")
    arguments = parser.parse_args()
    document: dict[str, Any] = {}
    texts = []
    for seed in range(arguments.seeds):
        rows = judged_rows(arguments, seed)
        of_row = {name: figures(found) for name, found in rows.items()}
        peer = max((n for n in rows if n.startswith("lightly")), key=lambda n: of_row[n]["map@r"]["value"])
        texts += [f"## Seed {seed}", table(of_row)]
        document[str(seed)] = {"rows": of_row, "minus": {}}
        for other in (f"{USUAL}, no head", f"{USUAL}, head", "frozen, head", peer):
            ours = {name: found for name, found in rows.items() if name.startswith("natural")}
            compared = {name: figures(minus(found, rows[other])) for name, found in ours.items()}
            texts += [f"Minus {other}, paired:", table(compared, "+")]
            document[str(seed)]["minus"][other] = compared
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "methods.md").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        (arguments.out / "methods.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    print("\n\n".join(texts))


if __name__ == "__main__":
    main()
