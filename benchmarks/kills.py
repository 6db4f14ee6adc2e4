"""Runs that are killed (SIGKILL) at random moments and started again, beside one that is left alone.

    python benchmarks/kills.py OUT [KILLS]

SimCLR, MoCo v2 (a queue), DINO (a centre) and MoBY (two queues), tiny, on a generated catalogue, one thread, with
a checkpoint after every step, so that many kills meet one being written. Prints for each whether all that training
ended with, and all that was logged, is the same to the bit. About ten minutes with 20 kills.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from natviews.catalog import generate_catalog
from natviews.training import Run
from natviews.training.checkpoints import Checkpoints

PROGRAM = """
import sys
import torch
from pathlib import Path
from natviews.catalog import Catalog
from natviews.training import Recipe, loop, train
torch.set_num_threads(1)
loop.CHECKPOINT_SECONDS = 0
train(Catalog.open(sys.argv[1]), Recipe.load("demo", sys.argv[3:]), Path(sys.argv[2]))
"""
COMMON = (
    "encoder={name: small, size: 32, crop: 1.0, options: {width: 16}}",
    "views.size=32",
    "training={epochs: 60, batch: 16, warmup_epochs: 2, measures: 4, precision: float32, threads: 1, lr: 1.0e-3}",
)
METHODS = {
    "simclr": "method={name: simclr, hidden: 32, out: 16}",
    "mocov2": "method={name: mocov2, hidden: 32, out: 16, queue: 32, groups: 2}",
    "dino": "method={name: dino, hidden: 32, bottleneck: 16, prototypes: 64}",
    "moby": "method={name: moby, hidden: 32, out: 16, queue: 32}",
}
SECONDS = 1.0
"""A kill comes within this time after training goes on."""


def start(catalog: Path, out: Path, method: str) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(catalog), str(out), *COMMON, METHODS[method]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)


def killed_until_done(catalog: Path, out: Path, method: str, kills: int, chance: random.Random) -> int:
    """Kills the run so many times, or until it is done; returns how many it took."""
    log = out / "metrics.jsonl"
    for kill in range(kills):
        process = start(catalog, out, method)
        before = log.stat().st_mtime_ns if log.exists() else 0
        while process.poll() is None and not (log.exists() and log.stat().st_mtime_ns != before):
            time.sleep(0.002)
        time.sleep(chance.uniform(0, SECONDS))
        if process.poll() is not None:
            return kill
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(catalog, out, method).wait() == 0
    return kills


def logged(run: Run) -> str:
    """All that was logged but times."""
    entries = [{k: v for k, v in entry.items() if k not in ("seconds", "waiting")} for entry in run.curves()]
    return json.dumps(entries)


def same(one: Run, other: Run) -> bool:
    states = [Checkpoints(run.folder / "checkpoints").load() for run in (one, other)]
    if None in states or logged(one) != logged(other):
        return False
    ours, theirs = (state["method"] for state in states if state)
    encoders = [(run.encoder / "encoder.safetensors").read_bytes() for run in (one, other)]
    return encoders[0] == encoders[1] and all(torch.equal(ours[name], theirs[name]) for name in ours)


def main(out: Path, kills: int = 20) -> None:
    catalog = generate_catalog(out / "catalog", products=90, seed=1, size=64)
    different = []
    for method in METHODS:
        whole, killed = Run(out / f"{method}-whole"), Run(out / f"{method}-killed")
        alone = start(catalog, whole.folder, method)
        took = killed_until_done(catalog, killed.folder, method, kills, random.Random(method))
        assert alone.wait() == 0
        verdict = "the same to the bit" if same(whole, killed) else "DIFFERENT"
        different += [method] if verdict == "DIFFERENT" else []
        steps = sum("loss" in entry for entry in killed.curves())
        print(f"{method}: {took} kills, {steps} steps: {verdict}", flush=True)
    sys.exit(bool(different))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
