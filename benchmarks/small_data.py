"""What prototypes, queues, momenta and temperatures should be where there are few photos: one varied at a time.

    python benchmarks/small_data.py OUT [PRODUCTS...]

Trains the small network from nothing on natural views of generated catalogues (default: 300 and 1,200 products)
and writes OUT/small_data.md: MAP@R on held-out products, without a head and with the one chosen. Run again, it
continues. One seed: read orders of magnitude, not hundredths. About 40 minutes on one core.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from natviews.catalog import Catalog, generate_catalog
from natviews.training import Recipe, train

BASE: dict[str, Any] = {
    "pairing": "natural",
    "encoder": {"name": "small", "size": 48, "crop": 1.0, "options": {"width": 16}},
    "training": {"epochs": 30, "batch": 64, "lr": 1e-3, "warmup_epochs": 2, "measures": 1, "threads": 1},
}
METHODS: dict[str, dict[str, Any]] = {
    "dino": {
        "views": {"name": "dino", "size": 48, "locals": 2, "local_area": [0.15, 0.5]},
        "method": {"hidden": 512, "bottleneck": 128, "prototypes": 1024, "momentum": 0.97, "clip": 0.0},
    },
    "moby": {
        "views": {"name": "byol", "size": 48},
        "method": {"hidden": 512, "out": 128, "queue": 256, "momentum": 0.97},
    },
    "byol": {"views": {"name": "byol", "size": 48}, "method": {"hidden": 512, "out": 128, "momentum": 0.97}},
}
VARIED = {
    "dino": {
        "prototypes": (64, 256, 1024, 4096, 16384),
        "momentum": (0.9, 0.97, 0.99, 0.996),
        "teacher_temperature": (0.02, 0.04, 0.07),
    },
    "moby": {"queue": (64, 256, 1024, 4096), "momentum": (0.9, 0.97, 0.99, 0.999)},
    "byol": {"momentum": (0.9, 0.97, 0.99, 0.999)},
}


def settings() -> Iterator[tuple[str, str, Any]]:
    """Method, parameter, value."""
    for method, parameters in VARIED.items():
        for parameter, values in parameters.items():
            yield from ((method, parameter, value) for value in values)


def held_out(catalog: Catalog, out: Path, method: str, parameter: str, value: Any) -> dict[str, float]:
    """MAP@R on held-out products, by `no head` and `head`."""
    values = BASE | METHODS[method]
    values["method"] = {"name": method} | METHODS[method]["method"] | {parameter: value}
    run = train(catalog, Recipe.of(values), out / "-".join(f"{v}" for v in values["method"].values()))
    tried = json.loads((run.encoder / "encoder.json").read_text(encoding="utf-8"))["card"][
        "head_map@r_by_shrinkage"
    ]
    return {"no head": tried["None"], "head": max(tried.values())}


def main(out: Path, *sizes: int) -> None:
    catalogs = {
        size: Catalog.open(generate_catalog(out / f"catalog-{size}", products=size, seed=0)) for size in sizes
    }
    columns = [f"{size} products, {name}" for size in sizes for name in ("no head", "head")]
    lines = ["| method | parameter | value | " + " | ".join(columns) + " |", "|" + "---|" * (3 + len(columns))]
    for method, parameter, value in settings():
        found = [held_out(catalogs[size], out / str(size), method, parameter, value) for size in sizes]
        figures = [f"{figure:.3f}" for entry in found for figure in entry.values()]
        lines.append(f"| {method} | {parameter} | {value} | {' | '.join(figures)} |")
        (out / "small_data.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(lines[-1], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *([int(size) for size in sys.argv[2:]] or [300, 1200]))
