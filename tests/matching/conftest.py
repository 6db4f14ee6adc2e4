"""Two made-up shops with known truth: cheap vectors, colourways among them, another camera on their side."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from natviews.matching import Side
from natviews.types import Embeddings, Provenance


@dataclass
class Shops:
    ours: Side
    theirs: Side
    truth: dict


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def side_from(name, prefix, items, centres, rng, *, noise, camera=0.0, photos=(2, 5), columns=None, unseen=True):
    """A side that lists `items` (rows of `centres`) under shuffled ids; the side, and id -> item."""
    ids = {f"{prefix}{number:05d}": item for number, item in enumerate(items)}
    counts = rng.integers(*photos, len(items)) if photos[1] > photos[0] else np.full(len(items), photos[0])
    rows = np.repeat(np.arange(len(items)), counts)
    dim = centres.shape[1]
    vectors = centres[items][rows] + noise * rng.normal(size=(len(rows), dim)) + camera
    products = np.array(list(ids))[rows]
    images = np.array([f"{product}_{number}.jpg" for number, product in enumerate(products)])
    table = {"image": images.tolist(), "product_id": products.tolist()}
    for column, values in (columns or {}).items():
        table[column] = [values[item] for item in np.array(items)[rows].tolist()]
    embeddings = Embeddings(images, products, unit(vectors), Provenance("x"))
    return Side(name, embeddings, pa.table(table), unseen), ids


def make_shops(seed=0, *, products=300, overlap=0.5, noise=0.5, camera=0.3, dim=48, colours=2, close=1.0, **more):
    """`colours` items share a design and lie `close` together; a share `overlap` is listed by both."""
    rng = np.random.default_rng(seed)
    shared = round(overlap * products)
    count = 2 * products - shared
    designs = np.repeat(rng.normal(size=(-(-count // colours), dim)), colours, axis=0)[:count]
    centres = designs + close * rng.normal(size=(count, dim))
    order = rng.permutation(count)
    offset = camera * rng.normal(size=dim)
    types = np.array(["shirt", "mug", "lamp"])[(np.arange(count) // colours) % 3]
    facts = {
        "product_type": types,
        "title": np.array([f"{types[i]} design{i // colours} colour{i % colours}" for i in range(count)]),
        "price": np.array([f"{10 + i % 37}.5" for i in range(count)]),
        "sales": np.array([str(i % 50) for i in range(count)]),
    }
    ours, our_ids = side_from(
        "ours", "p", rng.permutation(order[:products]), centres, rng, noise=noise, columns=facts, **more
    )
    listed = np.concatenate([order[:shared], order[products:]])
    theirs, their_ids = side_from(
        "theirs", "q", rng.permutation(listed), centres, rng, noise=noise, camera=offset, columns=facts, **more
    )
    named = {item: name for name, item in their_ids.items()}
    return Shops(ours, theirs, {name: named[item] for name, item in our_ids.items() if item in named})


@pytest.fixture(scope="session")
def shops():
    return make_shops()


@pytest.fixture(scope="session")
def shops_of():
    return make_shops


@pytest.fixture(scope="session")
def side_of_items():
    return side_from
