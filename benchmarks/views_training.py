"""How long training waits for views: policy `skill`, DINO, a ResNet-18 at 96 px, on all cores.

    python benchmarks/views_training.py [--quick]

Trains on a generated catalogue with natviews' own loop and loader, and prints one line of JSON: the share of its
time that the loop waited for a batch, and how many photos and views it saw in a second. The first two steps are
left out: their views are made while nothing else is to be done.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from natviews.catalog import Catalog, generate_catalog, pack, with_split
from natviews.encoders import Encoder, stored_size
from natviews.training import Recipe, Run
from natviews.training.loop import fastest_precision, fit
from natviews.training.processes import launched

SIZE, LOCALS = 96, 6
BEFORE = 2
"""Steps that are left out."""


def recipe(products: int, batch: int, steps: int) -> Recipe:
    return Recipe.of(
        {
            "views": {"name": "skill", "size": SIZE, "locals": LOCALS},
            "method": {"name": "dino", "prototypes": 2048},
            "encoder": {"name": "resnet18", "size": SIZE},
            "training": {"epochs": -(-steps // (products // batch)), "batch": batch, "warmup_epochs": 1},
        }
    )


def trained(folder: Path, products: int, chosen: Recipe) -> Recipe:
    """Trains in a folder; returns the recipe with its precision settled, as a run does."""
    os.environ["NATVIEWS_CACHE"] = str(folder)
    catalog = Catalog.open(generate_catalog(folder, products=products))
    packed = with_split(pack(catalog, stored_size(SIZE), chosen.encoder.prepared_by()))
    settled = chosen.with_precision(fastest_precision(Encoder.create(chosen.encoder), size=SIZE))
    (folder / "run").mkdir()
    fit(launched(), settled, Encoder.create(settled.encoder), packed, None, folder / "run")
    return settled


def figures(run: Run, batch: int) -> dict[str, float]:
    """The share of waiting, and rates, from what the run logged."""
    steps = [entry for entry in run.curves() if "waiting" in entry][BEFORE:]
    seconds = sum(entry["seconds"] for entry in steps)
    rate = batch * len(steps) / seconds
    return {
        "share": sum(entry["seconds"] * entry["waiting"] for entry in steps) / seconds,
        "steps": len(steps),
        "seconds_per_step": seconds / len(steps),
        "images_per_second": 2 * rate,
        "views_per_second": (2 + LOCALS) * rate,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true")
    products, batch, steps = (40, 8, 6) if arguments.parse_args().quick else (300, 64, 18)
    with tempfile.TemporaryDirectory() as folder:
        settled = trained(Path(folder), products, recipe(products, batch, steps))
        found = figures(Run(Path(folder) / "run"), batch)
    print(json.dumps({**found, "precision": settled.training.precision}))


if __name__ == "__main__":
    main()
