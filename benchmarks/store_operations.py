"""Random changes of a store, with restarts and kills (SIGKILL), beside a dictionary that is told of each.

    python benchmarks/store_operations.py OUT [OPERATIONS]

A process upserts and deletes photos by seeded chance and says each operation when it is acknowledged. It is
killed at random moments and started again; then all that was acknowledged must be there, and of the one
operation that was under way all or nothing. Prints how many operations and kills there were, or the first
difference. 10,000 operations by default.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from natviews.index import Store
from natviews.types import Embeddings, Provenance

PHOTOS, WIDTH = 500, 16


def operation(number: int) -> tuple[str, list[str]]:
    chance = random.Random(number)
    names = [f"photo {i}" for i in sorted(chance.sample(range(PHOTOS), chance.randint(1, 8)))]
    return ("upsert" if chance.random() < 0.65 else "delete"), names


def photos(number: int, names: list[str]) -> Embeddings:
    vectors = np.random.default_rng(number).normal(size=(len(names), WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embeddings(np.array(names), np.array(names), vectors, Provenance("operations"))


def work(path: Path, first: int, last: int) -> None:
    store = Store(path)
    for number in range(first, last):
        kind, names = operation(number)
        if kind == "upsert":
            store.upsert(photos(number, names))
        else:
            store.delete(np.array(names))
        print(number, flush=True)


def applied(model: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    kind, names = operation(number)
    if kind == "upsert":
        return model | dict(zip(names, photos(number, names).vectors, strict=True))
    return {name: vector for name, vector in model.items() if name not in names}


def same(path: Path, model: dict[str, np.ndarray]) -> bool:
    kept = Store(path).embeddings
    if sorted(kept.ids.tolist()) != sorted(model) or len(kept) != len(model):
        return False
    return all(
        np.array_equal(model[name], vector) for name, vector in zip(kept.ids.tolist(), kept.vectors, strict=True)
    )


def main(out: Path, operations: int = 10_000) -> None:
    path, chance, done, kills = out / "store", random.Random(0), 0, 0
    first = photos(-1 % 2**31, ["first"])
    Store.create(path, first)
    model = {"first": first.vectors[0]}
    while done < operations:
        command = [sys.executable, __file__, str(path), str(done), str(operations)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        said = [process.stdout.readline()]
        time.sleep(chance.uniform(0, 20))
        process.kill()
        said += process.stdout.readlines()
        process.wait()
        kills += 1
        for number in (int(line) for line in said if line.endswith("\n")):
            model, done = applied(model, number), number + 1
        if not same(path, model):  # then the one that was under way is there whole
            model, done = applied(model, done), done + 1
            assert done <= operations and same(path, model), f"differs at operation {done}"
        print(f"{done} operations, {kills} kills: the same", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
