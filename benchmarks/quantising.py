"""What 8 bits change and how fast they are: photos that keep their nearest neighbour, and photos a second.

    python benchmarks/quantising.py RUN CATALOG

Quantises the encoder by photos of the catalogue, whatever it comes to, and prints the share of other photos that
keep their nearest neighbour, in bfloat16 too; then photos a second at its first size in float32, bfloat16
and 8 bits, by OpenVINO on all cores, in turns. Five minutes.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from natviews.catalog import Catalog
from natviews.encoders import Encoder, describer, quantise, quantising
from natviews.encoders.describing import WORTH, Describe

ROUNDS, BATCH = 7, 128


def in_precision(encoder: Encoder, precision: str) -> Encoder:
    """The same encoder, describing in another precision."""
    other = Encoder.create(replace(encoder.architecture, precision=precision))
    other.backbone.load_state_dict(encoder.backbone.state_dict())
    other.head, other.design = encoder.head, encoder.design
    return other.eval()


def rate(describe: Describe, x: torch.Tensor) -> float:
    """Photos a second."""
    begun = time.perf_counter()
    describe(x)
    return len(x) / (time.perf_counter() - begun)


@torch.inference_mode()
def main(run: Path, shop: Path) -> None:
    quantising.LEAST = 0.0
    catalog = Catalog.open(shop)
    with tempfile.TemporaryDirectory() as folder:
        kept = quantise(run, catalog, Path(folder) / "encoder")
        exact, rough = Encoder.load(run), Encoder.load(Path(folder) / "encoder")
        by = {name: in_precision(exact, name) for name in ("float32", "bfloat16")} | {"8 bits": rough}
        print(f"8 bits: {kept} of {kept.n} photos keep their nearest neighbour")
        _, compared = quantising.photos_of(exact, catalog)
        half = quantising.kept_neighbours(by["float32"], by["bfloat16"], compared)
        print(f"bfloat16: {half}")
        x = exact.prepare(torch.randint(0, 256, (BATCH, exact.size, exact.size, 3), dtype=torch.uint8))
        ways = {name: describer(encoder, WORTH) for name, encoder in by.items()}
        for describe in ways.values():
            describe(x)
        rates = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, describe in ways.items():
                rates[name].append(rate(describe, x))
    for name, found in rates.items():
        times = np.array(found) / np.array(rates["float32"])
        print(
            f"{name}: {np.median(found):.0f} photos/s, {np.median(times):.2f} times float32 "
            f"[{times.min():.2f}, {times.max():.2f}]"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
