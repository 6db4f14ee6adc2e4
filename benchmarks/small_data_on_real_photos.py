"""What queues, momenta and prototypes should be on a few thousand real photos: one varied at a time.

    python benchmarks/small_data_on_real_photos.py SHOPS.csv WEIGHTS.safetensors OUT [--only RECIPE...] [--share S]

Trains recipes from pretrained weights on the train split, for a share of their epochs, and writes
OUT/small_data.md: MAP@R on the products of `val` without a head and with the one chosen, or nan where a run
collapsed. `auto` is what
`natviews.methods.scale` makes of the number of photos. Run again, it continues. 5 to 20 minutes of a core each.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from natviews.catalog import Catalog
from natviews.training import Recipe, train
from natviews.types import NatviewsError

VARIED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "natural-mocov2": ("queue", ("auto", 96, 1024, 3072)),
    "natural-moby": ("momentum", ("auto", 0.9, 0.996)),
    "natural-dino": ("prototypes", ("auto", 256, 4096)),
}


def held_out(arguments: argparse.Namespace, name: str, parameter: str, value: Any) -> tuple[float, float]:
    """MAP@R on held-out products, without a head and with one."""
    asked = [] if value == "auto" else [f"method.{parameter}={value}"]
    full = Recipe.load(name, asked, weights=str(arguments.weights))
    epochs = max(1, round(full.training.epochs * arguments.share))
    recipe = replace(full, training=replace(full.training, epochs=epochs, measures=2))
    folder = arguments.out / f"{name}-{parameter}-{value}"
    try:
        run = train(Catalog.open(arguments.shops), recipe, folder)
    except NatviewsError as stopped:  # a collapse is a result
        print(f"{name}, {parameter} {value}: {stopped}", flush=True)
        return np.nan, np.nan
    card = json.loads((run.encoder / "encoder.json").read_text(encoding="utf-8"))["card"]
    tried = card["head_map@r_by_shrinkage"]
    return tried["None"], max(tried.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shops", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", default=list(VARIED))
    parser.add_argument("--share", type=float, default=0.3, help="of the recipes' epochs")
    arguments = parser.parse_args()
    lines = ["| recipe | parameter | value | no head | head |", "|---|---|---|---|---|"]
    for name in arguments.only:
        parameter, values = VARIED[name]
        for value in values:
            figures = held_out(arguments, name, parameter, value)
            lines.append(f"| {name} | {parameter} | {value} | {figures[0]:.3f} | {figures[1]:.3f} |")
            (arguments.out / "small_data.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
            print(lines[-1], flush=True)


if __name__ == "__main__":
    main()
