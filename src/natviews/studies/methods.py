"""The study of every method: does it learn more from natural views than from augmented ones?

Every method is trained from nothing on the same photos for the same number of epochs with the same small encoder,
at several seeds, once with two photos of a product as a pair and once with one photo twice. What a method needs
where there is little data is its own, in the table below; it was chosen on `val`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natviews.catalog import Catalog, pack, with_split
from natviews.config import choose
from natviews.encoders import stored_size
from natviews.methods import METHODS
from natviews.studies.answers import Judged
from natviews.studies.asked import Asked
from natviews.studies.cells import PROBED, Cell, check_natural_views, finish_all
from natviews.studies.tables import Difference, Study, difference_of, row_of
from natviews.training import Recipe
from natviews.types import NatviewsError

SIZE = 48
EPOCHS = 25
BATCH = 64
ENCODER = {"name": "small", "size": SIZE, "crop": 1.0, "options": {"width": 16}}
TRANSFORMER = {
    "name": "vit_tiny_patch16_224",
    "size": SIZE,
    "crop": 1.0,
    "options": {
        "patch_size": 8,
        "img_size": SIZE,
        "depth": 4,
        "embed_dim": 128,
        "num_heads": 4,
        "global_pool": "avg",
        "dynamic_img_size": True,
    },
}
"""For methods that hide patches: about as fast as the small network."""
TRAINING = {
    "batch": BATCH,
    "lr": 3e-3,
    "warmup_epochs": 2,
    "measures": 5,
    "threads": 1,
    "precision": "float32",  # `auto` might settle two cells differently
}
SIMCLR_VIEWS = {"name": "simclr", "strength": 0.5, "area": [0.3, 1.0]}
MOCO_VIEWS = {"name": "moco", "area": [0.3, 1.0]}
BYOL_VIEWS = {"name": "byol", "area": [0.3, 1.0]}
DINO_VIEWS = {"name": "dino", "locals": 2, "local_area": [0.1, 0.4]}
SKILL_VIEWS = {"name": "skill", "locals": 2, "local_area": [0.1, 0.4]}
PLAIN_VIEWS = {"name": "identity", "area": [0.3, 1.0]}
CALM = {"batch": 32, "lr": 1e-3, "head_lr": 5.0}
"""Without negatives a fast encoder collapses to a few dimensions; a predictor that keeps up prevents it."""
DINO = {"prototypes": 512, "hidden": 512, "bottleneck": 128, "norm": True, "momentum": 0.95}


@dataclass(frozen=True)
class Arm:
    """A way of training that is compared. `asked_by` are the names after `--only` that ask for it; `recipe` are
    plain values over what all have in common; `pairings` are what it is trained with."""

    name: str
    asked_by: tuple[str, ...]
    recipe: Mapping[str, Any]
    pairings: tuple[str, ...]


def settings(photos: int) -> dict[str, dict[str, Any]]:
    """What each method needs on few photos, as blocks of a recipe; `photos` are those of the training split.

    A queue holds at most a tenth of them, in whole batches, and one batch at least. A method that is not here
    runs with its own defaults on SimCLR's views.
    """
    queue = max(1, photos // 10 // BATCH) * BATCH
    return {
        "byol": {
            "views": MOCO_VIEWS,
            "method": {"hidden": 512, "out": 128, "momentum": 0.98},
            "training": CALM,
        },
        "dino": {"views": DINO_VIEWS, "method": DINO, "training": {"lr": 3e-3}},
        "jigsaw": {"views": PLAIN_VIEWS, "method": {"permutations": 30, "tile": 64, "hidden": 256}},
        "lejepa": {"views": SIMCLR_VIEWS, "method": {"slices": 256, "hidden": 512, "out": 32}},
        "mae": {
            "views": PLAIN_VIEWS,
            "method": {"decoder": 64, "blocks": 2, "heads": 4},
            "encoder": TRANSFORMER,
            "training": {"lr": 1e-3},
        },
        "moby": {"views": BYOL_VIEWS, "method": {"queue": queue, "hidden": 512, "out": 128, "momentum": 0.98}},
        "mocov2": {
            "views": MOCO_VIEWS,
            "method": {"queue": queue, "hidden": 512, "temperature": 0.1, "momentum": 0.95, "groups": 2},
            "training": {"lr": 1e-3},
        },
        "mocov3": {"views": BYOL_VIEWS, "method": {"hidden": 512, "out": 128, "momentum": 0.98}},
        "rotnet": {"views": PLAIN_VIEWS},
        "siamese": {"views": SIMCLR_VIEWS, "training": {"lr": 1e-3}},
        "simclr": {"views": SIMCLR_VIEWS, "method": {"hidden": 512}},
        "simmim": {
            "views": PLAIN_VIEWS,
            "method": {"square": 8},
            "encoder": TRANSFORMER,
            "training": {"lr": 1e-3},
        },
        "simsiam": {
            "views": MOCO_VIEWS,
            "method": {"hidden": 512, "out": 512, "bottleneck": 128},
            "training": CALM,
        },
        "twoheads": {"views": {"name": "recoloured", "area": [0.3, 1.0]}, "method": {"hidden": 512}},
        "vicreg": {"views": SIMCLR_VIEWS, "method": {"hidden": 512, "out": 512}},
        "visreg": {"views": SIMCLR_VIEWS, "method": {"slices": 256, "hidden": 512, "out": 64}},
    }


def arms(photos: int) -> list[Arm]:
    """Every method with each pairing it can tell apart; SkiLL; and DINO on the transformer, as a bridge to the
    methods that need one."""
    own = settings(photos)
    both, alone = ("natural", "augmented"), ("natural",)
    dino, masked = own["dino"], ("mae", "simmim")
    skill = dino | {"views": SKILL_VIEWS, "training": dino["training"] | {"within": "product_type"}}
    made = []
    for name, method in METHODS.items():
        recipe = _block(name, own.get(name, {"views": SIMCLR_VIEWS}))
        made.append(Arm(name, (name,), recipe, both if method.pairs else alone))
    return [
        *made,
        Arm("skill", ("skill",), _block("dino", skill), alone),
        Arm("dino, transformer", masked, _block("dino", dino | {"encoder": TRANSFORMER}), alone),
    ]


def _block(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's blocks, what all arms have in common included."""
    return {
        "method": {"name": method, **values.get("method", {})},
        "views": {"size": SIZE, **values["views"]},
        "encoder": values.get("encoder", ENCODER),
        "training": {**TRAINING, **values.get("training", {})},
    }


def cells(catalog: Catalog, *, seeds: int, only: Sequence[str], epochs: int) -> list[Cell]:
    """The study's cells, baselines first: those asked for by `only`, or all.

    Raises NatviewsError where a name in `only` is no method, and where a recipe does not fit.
    """
    every = arms(int((catalog.splits == "train").sum()))
    names = {name: name for arm in every for name in arm.asked_by}
    asked = {choose(name, names, "method") for name in only} or set(names)
    chosen = [arm for arm in every if asked & set(arm.asked_by)]
    if not catalog.has("product_type"):  # batches of one kind need to know kinds
        chosen = [arm for arm in chosen if arm.name != "skill"]
    made = [Cell("histogram", 0, None), *_untrained(chosen, seeds)]
    for arm in chosen:
        for pairing in arm.pairings:
            row = f"{arm.name}, {pairing}" if len(arm.pairings) > 1 else arm.name
            made += [Cell(row, seed, _recipe(arm, pairing, seed, epochs)) for seed in range(seeds)]
    return made


def _recipe(arm: Arm, pairing: str, seed: int, epochs: int) -> Recipe:
    training = arm.recipe["training"] | {"epochs": epochs, "seed": seed}
    return Recipe.of({**arm.recipe, "pairing": pairing, "training": training})


def _untrained(chosen: Sequence[Arm], seeds: int) -> list[Cell]:
    """The encoders that are trained, as they are before."""
    rows = {"untrained": ENCODER, "untrained, transformer": TRANSFORMER}
    trained = [arm.recipe["encoder"] for arm in chosen]
    return [
        Cell(row, seed, Recipe.of({"encoder": encoder}).encoder)
        for row, encoder in rows.items()
        if encoder in trained
        for seed in range(seeds)
    ]


def study_methods(catalog: Catalog, out: Path, asked: Asked | None = None) -> Path:
    """Trains and judges every cell, `workers` at a time, and writes `methods.md`, `.csv` and `.json` into `out`.

    Run again it continues. Raises NatviewsError where a split has no product with two photos, and where
    `attributes` or settings are asked for: it has its own.
    """
    asked = asked or Asked()
    if asked.attributes:
        raise NatviewsError(f"The study of methods probes {' and '.join(PROBED)} alone; leave --attribute out.")
    if asked.settings:
        raise NatviewsError("The study of methods has settings of its own; leave --set out.")
    seeds, epochs = asked.seeds, asked.epochs or EPOCHS
    packed = with_split(pack(catalog, stored_size(SIZE)))
    catalog = packed.catalog
    check_natural_views(catalog)
    made = cells(catalog, seeds=seeds, only=asked.only, epochs=epochs)
    judged, failed = finish_all(made, catalog, out, workers=asked.workers)
    of_row: dict[str, dict[int, Judged]] = {}
    for cell, result in judged.items():
        of_row.setdefault(cell.row, {})[cell.seed] = result
    study = Study(
        title="Every method, natural against augmented views",
        command=asked.command,
        said=_said(catalog, seeds, epochs),
        rows=[row_of(name, list(of_seed.values())) for name, of_seed in of_row.items()],
        differences=_differences(of_row),
        failed={f"{cell.row}, seed {cell.seed}": reason for cell, reason in failed.items()},
    )
    return study.write(out, "methods")


def _differences(of_row: Mapping[str, Mapping[int, Judged]]) -> list[Difference]:
    """Natural minus augmented for each method with both, over the seeds that both have."""
    found = []
    for row, natural in of_row.items():
        name = row.removesuffix(", natural")
        augmented = of_row.get(f"{name}, augmented", {})
        if name != row and (shared := [seed for seed in natural if seed in augmented]):
            seeds = ([of_seed[seed] for seed in shared] for of_seed in (natural, augmented))
            found.append(difference_of(name, *seeds))
    return found


def _said(catalog: Catalog, seeds: int, epochs: int) -> str:
    trained, test = catalog.part("train"), catalog.part("test")
    return (
        f"Each method was trained from nothing for {epochs} epochs on {len(trained)} photos of "
        f"{len(trained.products)} products at {SIZE} px, the encoder chosen on `val`, at {seeds} seeds. The "
        f"figures are of {len(test)} photos of {len(test.products)} other products (`test`). *natural*: a pair "
        "is two photos of a product; *augmented*: one photo twice. Rows without either are baselines, look at "
        "photos one by one, or are trained on natural views alone. Epochs are equal, computation is not: rotnet "
        "shows each photo four times and multi-crop adds small views. A figure is the mean over seeds with the "
        "95 % interval from resampling products and, in round brackets, the lowest and the highest seed."
    )
