"""A catalogue of a million rows: how long it takes to open and to set up for training, and in how much memory.

    python benchmarks/million_rows.py OUT [ROWS]

Draws 160 products at 96 px with seed 0 and writes OUT/catalog.csv and .parquet: ROWS (1,000,000) rows, five for
two products. They share the few hundred photos: every row has an id of its own, which leads to a photo by one
of many links to their folder. `dup_group` and `near_dup_within` are given, for otherwise every product would be
near-identical to all others. Every stage runs in a process of its own, and is printed with the seconds it took
and the process's greatest resident memory in MB, imports included. `hashes` looks for near-identical photos
among ROWS random hashes whose lowest 20 bits are the same, of which every tenth is near another and a hundredth
are of blank photos. `train` takes 30 steps at batch 64 with the recipe `demo`'s method, on views of 32 px by
one thread.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from natviews.catalog import Catalog, PackedPhotos, generate_catalog, pack, with_split

ROWS = 1_000_000
STORED = 128
Seconds = dict[str, float]


def write(out: Path, rows: int) -> None:
    """The photos, the links to their folder and both tables, unless they are there."""
    if (out / "catalog.parquet").exists():
        return
    drawn = Catalog.open(generate_catalog(out / "drawn", products=160, seed=0, size=96))
    names = np.array([Path(name).name for name in drawn.ids])
    folder = (out / "drawn" / drawn.ids[0]).parent.resolve()
    number = np.arange(rows)
    for link in range(number[-1] // len(names) + 1):
        (out / f"v{link:05d}").symlink_to(folder)
    images = [f"v{row // len(names):05d}/{names[row % len(names)]}" for row in number]
    products = [f"p{row * 2 // 5:07d}" for row in number]
    table = {
        "image": images,
        "product_id": products,
        "product_type": [f"type {row * 2 // 5 % 20}" for row in number],
        "title": [f"A product, number {row * 2 // 5}" for row in number],
        "dup_group": products,
        "near_dup_within": ["0"] * rows,
    }
    pa.csv.write_csv(pa.table(table), out / "catalog.csv")
    pa.parquet.write_table(pa.table(table), out / "catalog.parquet")


def timed(seconds: Seconds, name: str, work: Callable):
    start = time.perf_counter()
    result = work()
    seconds[name] = time.perf_counter() - start
    return result


def open_csv(out: Path, seconds: Seconds) -> Catalog:
    return timed(seconds, "Catalog.open, CSV", lambda: Catalog.open(out / "catalog.csv"))


def open_parquet(out: Path, seconds: Seconds) -> None:
    catalog = timed(seconds, "Catalog.open, Parquet", lambda: Catalog.open(out / "catalog.parquet"))
    timed(seconds, "products", lambda: catalog.products)
    timed(seconds, "digest", lambda: catalog.digest)
    timed(seconds, "statistics", catalog.statistics)


def packing(out: Path, seconds: Seconds) -> PackedPhotos:
    catalog = Catalog.open(out / "catalog.parquet")
    return timed(seconds, "pack", lambda: pack(catalog, STORED))


def packing_again(out: Path, seconds: Seconds) -> PackedPhotos:
    return packing(out, seconds)


def setup(out: Path, seconds: Seconds) -> PackedPhotos:
    from natviews.training.sampler import PairSampler

    packed = packing(out, seconds)
    split = timed(seconds, "with_split", lambda: with_split(packed))
    learn = timed(seconds, "taking `train`", lambda: split.take(split.catalog.splits == "train"))
    sampler = timed(
        seconds, "PairSampler", lambda: PairSampler(learn.catalog, pairing="natural", batch=64, seed=0)
    )
    timed(seconds, "first draw", lambda: sampler.draw(0))
    timed(seconds, "a hundred draws", lambda: [sampler.draw(step) for step in range(100)])
    timed(seconds, "first pixels", lambda: learn.pixels(len(learn) - 1))
    return learn


def hashes(out: Path, seconds: Seconds) -> None:
    from natviews.catalog.splits import with_groups

    catalog = Catalog.open(out / "catalog.parquet").take(np.arange(rows_of(out)))
    catalog = Catalog(catalog.table.drop_columns(["dup_group", "near_dup_within"]), catalog.folder)
    rng = np.random.default_rng(0)
    found = rng.integers(0, 2**42, (len(catalog), 2), dtype=np.uint64) << np.uint64(20) | np.uint64(5)
    near = np.arange(10, len(found), 10)
    found[near] = found[near - 7] ^ np.uint64(2)
    found[::100] = [0, 7]
    packed = PackedPhotos(catalog, found, [], np.empty(0, np.uint8), pa.table({"offset": np.arange(len(found))}))
    timed(seconds, "near-identical photos, groups", lambda: with_groups(packed))


def train(out: Path, seconds: Seconds) -> None:
    import torch

    from natviews.encoders import Encoder
    from natviews.methods.base import Progress
    from natviews.training import Recipe
    from natviews.training.loader import batches
    from natviews.training.sampler import PairSampler

    learn = setup(out, seconds)
    small = ["encoder.size=32", "encoder.options={width: 16}", "views.size=32", "method.hidden=32"]
    recipe = Recipe.load("demo", small)
    method = recipe.build_method(Encoder.create(recipe.encoder))
    sampler = PairSampler(learn.catalog, pairing="natural", batch=64, seed=0)
    optimiser = torch.optim.AdamW(method.parameters(), lr=1e-3)
    start = time.perf_counter()
    for step, batch in enumerate(batches(learn, sampler, recipe.policy(), start=0, stop=30, threads=1)):
        from natviews.training.loop import _prepared

        loss = method.loss(_prepared(batch, method, torch.device("cpu")), Progress(step, 30, 0.0))
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    seconds["30 steps"] = time.perf_counter() - start


def rows_of(out: Path) -> int:
    return pa.parquet.read_metadata(out / "catalog.parquet").num_rows


STAGES = {work.__name__: work for work in (open_csv, open_parquet, packing, packing_again, setup, hashes, train)}


def main() -> None:
    out = Path(sys.argv[1])
    if len(sys.argv) > 3:  # a stage, in a process of its own
        seconds: Seconds = {}
        STAGES[sys.argv[3]](out, seconds)
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
        return
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    out.mkdir(parents=True, exist_ok=True)
    write(out, rows)
    environment = {**os.environ, "NATVIEWS_CACHE": str(out / "cache")}
    for name in STAGES:
        command = [sys.executable, __file__, str(out), str(rows), name]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        seconds, memory = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: {memory:,.0f} MB; " + ", ".join(f"{key} {value:.2f} s" for key, value in seconds.items()))


if __name__ == "__main__":
    main()
