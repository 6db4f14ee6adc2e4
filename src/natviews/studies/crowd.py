"""Crowded galleries: made-up vectors between real ones, and what it takes to search as many as a shop has."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from natviews.files import whole_file
from natviews.index import ApproximateIndex, ExactIndex
from natviews.types import Embeddings, Provenance

CHUNK = 20_000
PARTNERS = 10
QUERIES = 200
AT = 10


def crowded(real: np.ndarray, among: np.ndarray, count: int, *, seed: int) -> Iterator[np.ndarray]:
    """`count` unit vectors in parts (C, D): the `real` ones (N, D), then made-up ones between real neighbours.

    Each lies at a random place between one of `among` (M, D) and one of its ten nearest (SMOTE: Chawla et al.,
    JAIR 2002), so that it is as likely to be mistaken as a photo that is really there.
    """
    yield real[:count]
    left = count - len(real)
    if left <= 0:
        return
    near = np.concatenate([_nearest(among, start) for start in range(0, len(among), 1000)])  # (M, PARTNERS)
    rng = np.random.default_rng(seed)
    while left > 0:
        one = rng.integers(len(among), size=min(left, CHUNK))
        other = near[one, rng.integers(near.shape[1], size=len(one))]
        share = rng.random((len(one), 1), np.float32)
        vectors = among[one] * share + among[other] * (1 - share)
        yield vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        left -= len(one)


def _nearest(vectors: np.ndarray, start: int) -> np.ndarray:
    scores = vectors[start : start + 1000] @ vectors.T
    scores[np.arange(len(scores)), start + np.arange(len(scores))] = -np.inf
    count = min(PARTNERS, len(vectors) - 1)
    return np.argpartition(-scores, count - 1, axis=1)[:, :count]


@dataclass(frozen=True)
class Searching:
    """Searching `vectors` of `width` numbers one query at a time: milliseconds a query in the median, exactly and
    with FAISS, the share of the ten truly nearest that it finds, and the seconds to build its index."""

    vectors: int
    width: int
    form: str
    exact_ms: float
    approximate_ms: float
    recall: float
    build_seconds: float


def searching(features: np.ndarray, count: int, path: Path, key: str, *, form: str = "ivf-sq8") -> Searching:
    """Exact search against FAISS among `count` vectors, real ones (N, D) and made-up ones between them.

    Measured once: what lies at `path` under the same `key` is believed.
    """
    key = f"{key} {count} {form}"
    if path.is_file() and (kept := json.loads(path.read_text(encoding="utf-8")))["key"] == key:
        return Searching(**kept["searching"])
    vectors = np.concatenate(list(crowded(features, features, count, seed=0))).astype(np.float32)
    names = np.array([f"vector {i}" for i in range(len(vectors))])
    embeddings = Embeddings(names, names, vectors, Provenance("made up"))
    exact, begun = ExactIndex(embeddings), time.perf_counter()
    approximate = ApproximateIndex(embeddings, form)
    seconds = time.perf_counter() - begun
    asked = np.random.default_rng(1).choice(len(vectors), min(QUERIES, len(vectors)), replace=False)
    times: dict[str, list[float]] = {"exact": [], "approximate": []}
    found = []
    for row in asked.tolist():
        both = []
        for name, index in (("exact", exact), ("approximate", approximate)):
            begun = time.perf_counter()
            both.append(index.search(vectors[row : row + 1], AT, query_ids=names[row : row + 1]).ids[0].tolist())
            times[name].append(1000 * (time.perf_counter() - begun))
        found.append(len(set(both[0]) & set(both[1])) / len(both[0]))
    exact_ms, approximate_ms = (float(np.median(times[name])) for name in ("exact", "approximate"))
    result = Searching(
        len(vectors), vectors.shape[1], form, exact_ms, approximate_ms, float(np.mean(found)), seconds
    )
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps({"key": key, "searching": asdict(result)}), encoding="utf-8")
    return result
