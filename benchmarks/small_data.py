"""What prototypes, queues, momenta and temperatures should be where there are few photos: one varied at a time.

    python benchmarks/small_data.py OUT [--products N...] [--seeds N]

Trains the small network from nothing, for 500 steps each, on natural views of generated catalogues and writes
OUT/small_data.md: MAP@R on held-out products, without a head and with the one chosen, the mean of the seeds, or
nan where a run collapsed. Run again, it continues. About 40 seconds of one core for each of 15 settings, size and
seed.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from natviews.catalog import Catalog, generate_catalog
from natviews.training import Recipe, train
from natviews.types import NatviewsError

STEPS = 500
BASE: dict[str, Any] = {
    "pairing": "natural",
    "encoder": {"name": "small", "size": 48, "crop": 1.0, "options": {"width": 16}},
}
SCHEDULE: dict[str, Any] = {
    "batch": 64,
    "lr": 3e-3,
    "warmup_epochs": 2,
    "measures": 4,
    "threads": 1,
    "steps": STEPS,
}
METHODS: dict[str, dict[str, Any]] = {
    "dino": {
        "views": {"name": "dino", "size": 48, "locals": 2, "local_area": [0.15, 0.5]},
        "method": {
            "hidden": 512, "bottleneck": 128, "norm": True, "clip": 0.0,
            "prototypes": 1024, "momentum": 0.97, "teacher_temperature": 0.04,
        },
    },
    "moby": {
        "views": {"name": "byol", "size": 48},
        "method": {"hidden": 512, "out": 128, "queue": 256, "momentum": 0.97},
    },
    "byol": {"views": {"name": "byol", "size": 48}, "method": {"hidden": 512, "out": 128, "momentum": 0.97}},
}  # fmt: skip
VARIED: dict[str, dict[str, tuple[Any, ...]]] = {
    "dino": {
        "prototypes": (64, 1024, 16384),
        "momentum": (0.9, 0.97, 0.996),
        "teacher_temperature": (0.02, 0.04, 0.07),
    },
    "moby": {"queue": (64, 256, 2048), "momentum": (0.9, 0.97, 0.996)},
    "byol": {"momentum": (0.9, 0.97, 0.996)},
}


def settings() -> Iterator[tuple[str, str, Any]]:
    """Method, parameter, value."""
    for method, parameters in VARIED.items():
        for parameter, values in parameters.items():
            yield from ((method, parameter, value) for value in values)


def held_out(catalog: Catalog, out: Path, method: str, parameter: str, value: Any, seed: int) -> dict[str, float]:
    """MAP@R on held-out products, by `no head` and `head`."""
    values = BASE | METHODS[method] | {"training": SCHEDULE | {"seed": seed}}
    values["method"] = {"name": method} | METHODS[method]["method"] | {parameter: value}
    try:
        run = train(catalog, Recipe.of(values), out / "-".join(f"{v}" for v in (*values["method"].values(), seed)))
    except NatviewsError as stopped:  # a collapse is a result
        print(f"{method}, {parameter} {value}: {stopped}", flush=True)
        return {"no head": np.nan, "head": np.nan}
    tried = json.loads((run.encoder / "encoder.json").read_text(encoding="utf-8"))["card"][
        "head_map@r_by_shrinkage"
    ]
    return {"no head": tried["None"], "head": max(tried.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--products", nargs="+", type=int, default=[300, 1200])
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    out = arguments.out
    catalogs = {
        size: Catalog.open(generate_catalog(out / f"catalog-{size}", products=size, seed=0))
        for size in arguments.products
    }
    columns = [f"{size} products, {name}" for size in catalogs for name in ("no head", "head")]
    lines = ["| method | parameter | value | " + " | ".join(columns) + " |", "|" + "---|" * (3 + len(columns))]
    for method, parameter, value in settings():
        figures = []
        for size, catalog in catalogs.items():
            found = [
                held_out(catalog, out / str(size), method, parameter, value, seed)
                for seed in range(arguments.seeds)
            ]
            figures += [f"{np.mean([of[name] for of in found]):.3f}" for name in ("no head", "head")]
        lines.append(f"| {method} | {parameter} | {value} | {' | '.join(figures)} |")
        (out / "small_data.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(lines[-1], flush=True)


if __name__ == "__main__":
    main()
