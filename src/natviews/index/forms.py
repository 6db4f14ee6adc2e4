"""The forms of an approximate index: what FAISS keeps of a vector, and how hard it looks.

IVF (Jégou et al., TPAMI 2011) parts the vectors into cells; HNSW (Malkov and Yashunin, arXiv:1603.09320) walks a
graph of neighbours; SQ8 keeps 8 bits of every number, PQ 8 bits of every eight. FAISS: Douze et al.,
arXiv:2401.08281.
"""

import importlib.util
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from natviews.types import NatviewsError

TRAINED = 40
"""Vectors per cell that the cells are learnt from."""
LINKS = 32
"""Neighbours of a vector in HNSW's graph, twice that in its lowest layer."""


@dataclass(frozen=True)
class Form:
    """One way to search without looking at every vector.

    `bytes_per_vector(width)` is what it keeps beside the vectors; `build(vectors)` the FAISS index of vectors
    (N, D); `efforts(cells)` how hard it may look, rising: cells or graph nodes that are visited. `widening`
    times as many photos as are wanted are looked at exactly. Fewer allowed photos than `scanned` of all are
    looked at one by one.
    """

    name: str
    bytes_per_vector: Callable[[int], float]
    build: Callable[[np.ndarray], Any]
    efforts: Callable[[Any], list[int]]
    widening: int
    scanned: float
    seconds: str


def faiss_here() -> bool:
    """Whether FAISS is installed."""
    return importlib.util.find_spec("faiss") is not None


def faiss_module() -> Any:
    """FAISS, with as many threads as this process may use. Raises NatviewsError where it is not installed."""
    try:
        import faiss
    except ImportError:
        raise NatviewsError("This index needs FAISS; pip install faiss-cpu.") from None
    faiss.omp_set_num_threads(threads())
    return faiss


def faisss_own(index: Any, method: str) -> Any:
    """A method of a FAISS index as FAISS has it: where some library has loaded `faiss.contrib.torch_utils`, it has
    another name, and what stands in its place takes no parameters and returns tensors."""
    return getattr(index, f"{method}_numpy", None) or getattr(index, method)


def threads() -> int:
    """The CPU cores this process may use, or $OMP_NUM_THREADS."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))


def cells_for(count: int) -> int:
    """How many cells so many vectors are parted into: 4 sqrt(N), at least ten vectors each."""
    return max(1, min(65_536, int(4 * math.sqrt(count)), count // 10))


def sample(vectors: np.ndarray, count: int) -> np.ndarray:
    """At most so many of the vectors, drawn with seed 0, in their order."""
    if len(vectors) <= count:
        return np.ascontiguousarray(vectors)
    return vectors[np.sort(np.random.default_rng(0).choice(len(vectors), count, replace=False))]


def _ivf(make: Callable[[Any, Any, np.ndarray, int], Any]) -> Callable[[np.ndarray], Any]:
    def build(vectors: np.ndarray) -> Any:
        faiss = faiss_module()
        width, cells = vectors.shape[1], cells_for(len(vectors))
        coarse = faiss.IndexFlatIP(width)
        index = make(faiss, coarse, vectors, cells)
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = TRAINED
        index.cp.niter = 8
        index.train(sample(vectors, max(2048, TRAINED * cells)))
        return index

    return build


def _sq8(faiss: Any, coarse: Any, vectors: np.ndarray, cells: int) -> Any:
    kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    return faiss.IndexIVFScalarQuantizer(coarse, vectors.shape[1], cells, kind, metric)


def _pq(faiss: Any, coarse: Any, vectors: np.ndarray, cells: int) -> Any:
    count, width = vectors.shape
    bits = max(1, min(8, int(math.log2(count)) - 1))  # a code must be learnt from more vectors than it has words
    index = faiss.IndexIVFPQ(coarse, width, cells, _parts(width), bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter, index.pq.cp.min_points_per_centroid, index.pq.cp.max_points_per_centroid = 8, 1, 64
    return index


def _parts(width: int) -> int:
    """Into how many stretches, of eight numbers or some more, a vector is cut."""
    return next(parts for parts in range(max(1, width // 8), 0, -1) if width % parts == 0)


def _hnsw(vectors: np.ndarray) -> Any:
    faiss = faiss_module()
    kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWSQ(vectors.shape[1], kind, LINKS, metric)
    index.hnsw.efConstruction = 80
    index.train(sample(vectors, 100_000))
    return index


def _flat(vectors: np.ndarray) -> Any:
    return faiss_module().IndexFlatIP(vectors.shape[1])


def _doubling(first: int, last: int) -> list[int]:
    """first, about 1.4 first, 2 first ... last."""
    steps = range(max(1, math.ceil(2 * math.log2(max(last, first) / first))) + 1)
    return sorted({min(last, round(first * 2 ** (step / 2))) for step in steps})


def _cells_visited(index: Any) -> list[int]:
    return _doubling(min(4, index.nlist), index.nlist)


FORMS = {
    form.name: form
    for form in (
        Form("flat", lambda width: 4.0 * width, _flat, lambda index: [1], 1, 0.1, "nothing to learn"),
        Form("ivf-sq8", lambda width: width + 8.0, _ivf(_sq8), _cells_visited, 4, 0.1, "about a minute a million"),
        Form("hnsw", lambda width: width + 8.0 * LINKS + 16, _hnsw, lambda index: _doubling(32, 2048), 4, 0.5,
             "a quarter of an hour a million"),
        Form("ivf-pq", lambda width: _parts(width) + 8.0, _ivf(_pq), _cells_visited, 20, 0.1,
             "about a minute a million"),
    )
}  # fmt: skip
