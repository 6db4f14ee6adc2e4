"""The answers that a report shows, best, usual and worst, and the products that it shows before and after."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from natviews.catalog import Catalog, PackedPhotos
from natviews.evaluation import Retrieval
from natviews.report.pictures import shown
from natviews.report.report import Example, Quadrants

EXAMPLES, FOUND = 6, 6
QUADRANTS, QUADRANT_PHOTOS = 4, 4


@dataclass(frozen=True)
class Examples:
    """Answers, no product twice in a list: the most that was found, what is usual, the most confident errors."""

    best: list[Example]
    middle: list[Example]
    worst: list[Example]


def examples_of(trained: Retrieval, vectors: np.ndarray, packed: PackedPhotos) -> Examples:
    """The best answered queries, those next to the median MAP@R, and the worst: the most confident errors.

    Products that stand among the best or the worst are not shown as usual ones.
    """
    map_r = trained.values["map@r"]
    first = np.maximum(trained.neighbours[:, 0], 0)
    confidence = np.einsum("qd,qd->q", vectors[trained.rows], vectors[first])
    photos = np.array([len(packed.catalog.products[product]) for product in trained.products.tolist()])
    best = np.lexsort((confidence, -photos, -map_r))  # many photos found, though they look least alike
    worst = np.lexsort((-confidence, map_r))
    by_chance = np.random.default_rng(0).permutation(len(map_r))
    middle = np.lexsort((by_chance, np.abs(map_r - np.median(map_r))))
    ends = [_of_each_product(order, trained.products) for order in (best, worst)]
    taken = np.isin(trained.products[middle], trained.products[np.concatenate(ends)])
    chosen = ends[0], _of_each_product(middle[~taken], trained.products), ends[1]
    return Examples(*([_example(trained, int(query), vectors, packed) for query in each] for each in chosen))


def _of_each_product(order: np.ndarray, products: np.ndarray) -> np.ndarray:
    """The first EXAMPLES queries of an order, no product twice."""
    _, earliest = np.unique(products[order], return_index=True)
    return order[np.sort(earliest)[:EXAMPLES]]


def _example(trained: Retrieval, query: int, vectors: np.ndarray, packed: PackedPhotos) -> Example:
    row = int(trained.rows[query])
    found = [int(other) for other in trained.neighbours[query][:FOUND] if other >= 0]
    products = packed.catalog.product_ids
    return Example(
        query=shown(packed, row),
        found=[shown(packed, other) for other in found],
        right=[bool(products[other] == products[row]) for other in found],
        scores=[float(vectors[row] @ vectors[other]) for other in found],
        average_precision=float(trained.values["map@r"][query]),
    )


def products_of_each_type(catalog: Catalog, count: int, most: int = QUADRANT_PHOTOS) -> list[np.ndarray]:
    """The rows of up to `most` photos, no near-copies, of each of `count` products drawn by chance: those with the
    most such photos, of different types where possible. Fewer where fewer products have two."""
    fresh = catalog.column("near_dup_within") != "1"
    rng = np.random.default_rng(0)
    photos = {name: rows[fresh[rows]][:most] for name, rows in catalog.products.items()}
    several = [name for name in photos if len(photos[name]) > 1]
    rng.shuffle(several)
    of_type: Counter[str] = Counter()
    turn = {}  # the first product of each type, then the second of each, ...
    for name in several:
        kind = str(catalog.product_types[photos[name][0]])
        turn[name] = of_type[kind]
        of_type[kind] += 1
    chosen = sorted(several, key=lambda name: (-len(photos[name]), turn[name]))[:count]
    return [photos[name] for name in chosen]


def quadrants_of(before: np.ndarray, after: np.ndarray, packed: PackedPhotos, row: str) -> Quadrants | None:
    """Four products and how similar their photos are before and after; None where there are no four."""
    chosen = products_of_each_type(packed.catalog, QUADRANTS)
    if len(chosen) < QUADRANTS:
        return None
    rows = np.concatenate(chosen)
    photos = [shown(packed, int(i)) for i in rows]
    return Quadrants(photos, _standing(before, rows, packed.catalog), _standing(after, rows, packed.catalog), row)


def _standing(vectors: np.ndarray, rows: np.ndarray, catalog: Catalog) -> np.ndarray:
    """Cosines of some rows (P, P), in standard deviations above the mean of photos of different products."""
    pairs = np.random.default_rng(0).integers(len(vectors), size=(20_000, 2))
    pairs = pairs[catalog.product_ids[pairs[:, 0]] != catalog.product_ids[pairs[:, 1]]]
    chance = np.einsum("pd,pd->p", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return (vectors[rows] @ vectors[rows].T - chance.mean()) / max(chance.std(), 1e-9)
