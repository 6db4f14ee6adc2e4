"""Neighbours of a whole catalogue and of one photo, beside FAISS flat, hnswlib and usearch, in one run.

    python benchmarks/search.py [--size 100000] [--no-peers] [--out runs/bench/search.json]

The vectors are real-like: 1,200 products are drawn at 96 px with seed 0, each photo is described by colour
histograms of the whole and its four quarters, whitened of nothing and turned into their 256 main directions. A
product is a point between a photo and one of its twenty nearest, with 0.6 of the spread that photos of one
product have; four photos of it have 0.4 of that spread. So neighbours are photos of one product, then of
products alike.

Every contender runs in a process of its own on one thread; what counts is its CPU time. FAISS flat is measured
on 1,000 queries and extrapolated; so are hnswlib's and usearch's searches, not their building. Recall@10 is
against FAISS flat on those queries. `natviews` is `join` of a Parquet with itself, its parts written; peak
memory is of the whole process.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog import Catalog, generate_catalog, read_photo
from natviews.evaluation.histogram import colour_histogram
from natviews.index import embeddings_table, index_for, join, read_embeddings
from natviews.types import Embeddings, Provenance

WIDTH, K, SLICE, SINGLE = 256, 10, 1000, 500
MEMORY = 1_300_000_000
GOALS = {"times FAISS flat's CPU time at 1M": 45.0, "peak memory in GB": 1.3, "recall": 0.99}
LIBRARIES = ("faiss-cpu", "hnswlib", "numpy", "usearch")


def described(path: Path) -> np.ndarray:
    photo = read_photo(path)
    height, width = (side // 2 for side in photo.shape[:2])
    quarters = [photo[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    return np.concatenate([colour_histogram(part) for part in (photo, *quarters)])


def pieces(folder: Path, size: int) -> Iterator[np.ndarray]:
    """The vectors, 100,000 at a time."""
    catalog = Catalog.open(generate_catalog(folder / "drawn", products=1200, seed=0, size=96))
    seen = np.stack([described(Path(photo.path)) for photo in catalog.photos])
    seen = (seen - seen.mean(0)) @ np.linalg.svd(seen - seen.mean(0), full_matrices=False)[2][:WIDTH].T
    seen = (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)
    order = np.argsort(catalog.product_ids, kind="stable")
    pairs = np.flatnonzero(catalog.product_ids[order][1:] == catalog.product_ids[order][:-1])
    spread, axes = np.linalg.eigh(np.cov((seen[order][pairs + 1] - seen[order][pairs]).T) / 2)
    root = (axes * np.sqrt(np.maximum(spread, 0))).astype(np.float32).T
    near = np.argsort(-(seen @ seen.T), axis=1)[:, 1:21]
    rng = np.random.default_rng(0)
    for start in range(0, size, 100_000):
        products = min(100_000, size - start) // 4
        one = rng.integers(0, len(seen), products)
        other = near[one, rng.integers(0, 20, products)]
        centre = seen[one] + rng.random((products, 1), np.float32) * (seen[other] - seen[one])
        centre += 0.6 * rng.standard_normal(centre.shape, np.float32) @ root
        photos = np.repeat(centre, 4, axis=0)
        photos += 0.4 * rng.standard_normal(photos.shape, np.float32) @ root
        yield photos / np.linalg.norm(photos, axis=1, keepdims=True)


def write(folder: Path, size: int) -> None:
    """The Parquet, and the same vectors as .npy for those who read no Parquet."""
    matrix = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (size, WIDTH))
    writer, start = None, 0
    for part in pieces(folder, size):
        ids = np.array([f"shop/{start + i:08d}.jpg" for i in range(len(part))])
        table = embeddings_table(Embeddings(ids, ids, part, Provenance("colour histograms")))
        writer = writer or pa.parquet.ParquetWriter(folder / "vectors.parquet", table.schema)
        writer.write_table(table, row_group_size=2**14)
        matrix[start : start + len(part)] = part
        start += len(part)
    assert writer is not None
    writer.close()


def queries_of(size: int) -> np.ndarray:
    return np.sort(np.random.default_rng(1).choice(size, min(SLICE, size), replace=False))


def vectors_in(folder: Path) -> np.ndarray:
    return np.load(folder / "vectors.npy")


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def latencies(search: Callable[[np.ndarray], Any], vectors: np.ndarray) -> dict[str, float]:
    """Milliseconds of wall time of single queries."""
    taken = []
    for vector in vectors[queries_of(len(vectors))[:SINGLE]]:
        start = time.perf_counter()
        search(vector[None])
        taken.append(1000 * (time.perf_counter() - start))
    return {"p50_ms": float(np.percentile(taken, 50)), "p99_ms": float(np.percentile(taken, 99))}


def flat(folder: Path) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(1)
    vectors = vectors_in(folder)
    rows = queries_of(len(vectors))
    seconds, (_, found) = cpu(lambda: faiss.knn(vectors[rows], vectors, K + 1, metric=faiss.METRIC_INNER_PRODUCT))
    np.save(folder / "truth.npy", without_own(found, rows))
    index = faiss.IndexFlatIP(WIDTH)
    index.add(vectors)
    return {"cpu_s": seconds * len(vectors) / len(rows), "recall": 1.0} | latencies(
        lambda query: index.search(query, K), vectors
    )


def without_own(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.array(
        [[i for i in row if i != own][:K] for row, own in zip(found.tolist(), rows.tolist(), strict=True)]
    )


def recall(folder: Path, found: np.ndarray) -> float:
    truth = np.load(folder / "truth.npy")
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), truth.tolist(), strict=True)]))


def peak_memory() -> float:
    """GB that this process held at most. In `ru_maxrss` that of the process which started it counts as well."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1e6


def ours(folder: Path) -> dict[str, Any]:
    path = folder / "vectors.parquet"
    seconds, joined = cpu(lambda: join(path, path, K, folder=folder / "parts", memory=MEMORY))
    peak, stated = peak_memory(), joined.recall
    rows, first, found = queries_of(joined.plan.queries), 0, []
    for matches in joined:
        here = rows[(rows >= first) & (rows < first + len(matches.ids))] - first
        found += [[int(name[5:13]) for name in matches.ids[row].tolist()] for row in here]
        first += len(matches.ids)
    said = {"cpu_s": seconds, "peak_gb": peak, "recall": recall(folder, np.array(found)), "stated_recall": stated}
    return said | {"plan": str(joined.plan)}


def ours_single(folder: Path) -> dict[str, Any]:
    embeddings = read_embeddings(folder / "vectors.parquet")
    seconds, index = cpu(lambda: index_for(embeddings))
    said = {
        "build_cpu_s": seconds,
        "index": getattr(index, "reason", ""),
        "stated": str(getattr(index, "recall", 1)),
    }
    return said | latencies(lambda query: index.search(query, K), embeddings.vectors)


def hnswlib(folder: Path) -> dict[str, Any]:
    import hnswlib as library

    vectors = vectors_in(folder)
    index = library.Index("ip", WIDTH)
    index.init_index(len(vectors), ef_construction=100, M=24)
    index.set_num_threads(1)
    build, _ = cpu(lambda: index.add_items(vectors))
    return {"build_cpu_s": build} | graph(
        folder, vectors, index.set_ef, lambda queries: index.knn_query(queries, K + 1)[0].astype(int), build
    )


def usearch(folder: Path) -> dict[str, Any]:
    from usearch.index import Index

    vectors = vectors_in(folder)
    index = Index(ndim=WIDTH, metric="ip", connectivity=24, expansion_add=100)
    build, _ = cpu(lambda: index.add(np.arange(len(vectors)), vectors, threads=1))

    def effort(ef: int) -> None:
        index.expansion_search = ef

    def search(queries: np.ndarray) -> np.ndarray:
        return np.atleast_2d(index.search(queries, K + 1, threads=1).keys).astype(int)

    return {"build_cpu_s": build} | graph(folder, vectors, effort, search, build)


def graph(folder: Path, vectors: np.ndarray, effort: Callable, search: Callable, build: float) -> dict[str, Any]:
    """A graph's join at the least effort with the recall that is wanted."""
    rows = queries_of(len(vectors))
    for ef in (16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024):
        effort(ef)
        seconds, found = cpu(lambda: search(vectors[rows]))
        share = recall(folder, without_own(found, rows))
        if share >= GOALS["recall"]:
            break
    total = build + seconds * len(vectors) / len(rows)
    return {"cpu_s": total, "recall": share, "effort": ef} | latencies(search, vectors)


CONTENDERS = {work.__name__: work for work in (flat, ours, ours_single, hnswlib, usearch)}


def run(name: str, folder: Path) -> dict[str, Any]:
    """A contender in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, "--folder", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/search.json"))
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(CONTENDERS[given.only](given.folder)))
        return
    results = {}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), given.size)
        for contender in CONTENDERS:
            if given.no_peers and contender in ("hnswlib", "usearch"):
                continue
            results[contender] = run(contender, Path(name))
            print(contender, json.dumps(results[contender]), flush=True)
    ratios = {
        f"{peer} at {given.size:,}": results[peer]["cpu_s"] / results["ours"]["cpu_s"]
        for peer in ("flat", "hnswlib", "usearch")
        if peer in results
    }
    for peer, ratio in ratios.items():
        print(f"{peer}: {ratio:.1f} times natviews' CPU time")
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    said = {"ratios": ratios, "size": given.size, "results": results, "goals": GOALS, "machine": machine}
    said["versions"] = {library: version(library) for library in LIBRARIES}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(said, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
