"""What lies at a place that a user names: embeddings, an index file, a store's folder, a collection of Milvus."""

from pathlib import Path

import pyarrow as pa

from natviews.index.approximate import ApproximateIndex
from natviews.index.base import Index
from natviews.index.exact import ExactIndex
from natviews.index.parquet import read_embeddings
from natviews.types import Embeddings, NatviewsError

ENDING = ".index"
"""Of the file of an approximate index."""


def open_index(place: str | Path) -> Index:
    """The index at a place: a Parquet of embeddings (looked at one by one), a file `.index`, a store's folder,
    `milvus://host:port/collection` or a milvus-lite file `.db`. Raises NatviewsError where there is none."""
    text, path = str(place), Path(place)
    if text.startswith("milvus:") or path.suffix == ".db":
        from natviews.index.milvus import SCHEME, MilvusIndex

        if not text.startswith(SCHEME) and (text.startswith("milvus:") or not path.exists()):
            raise NatviewsError(
                f"There is no index at {place}; write milvus://host:port/collection or the path of a .db."
            )
        return MilvusIndex(place)
    if path.suffix == ENDING:
        return ApproximateIndex.load(path)
    if path.is_dir():
        from natviews.index.lance import Store

        return Store(path)
    return ExactIndex.load(path)


def keep(embeddings: Embeddings, photos: pa.Table | None, place: str) -> str:
    """Takes embeddings, and what is known of their photos, into the store at a place, or makes one there; says
    in one sentence what was done. Only a store's folder keeps columns; a file `.index` is made anew."""
    if place.startswith("milvus:") or Path(place).suffix == ".db":
        from natviews.index.milvus import MilvusIndex

        collection = MilvusIndex.open_or_create(place, embeddings)
        return f"{place}: {len(embeddings):,} photos taken in; it holds {len(collection):,}."
    if Path(place).suffix == ENDING:
        index = ApproximateIndex(embeddings)
        index.save(Path(place))
        return f"{place}: {len(index):,} photos, {index.form.name}, {index.recall}."
    from natviews.index.lance import Store, Upserted

    if Store.is_at(Path(place)):
        store = Store(Path(place))
        done = store.upsert(embeddings, photos)
    else:
        store, done = Store.create(Path(place), embeddings, photos), Upserted(len(embeddings), 0, 0)
    return f"{place}: {done}; it holds {len(store):,} photos."


def stored_embeddings(place: str | Path) -> Embeddings:
    """The embeddings at a place: a Parquet of them, or anything that `open_index` opens."""
    return read_embeddings(place) if Path(place).is_file() and _is_table(place) else open_index(place).embeddings


def stored_photos(place: str | Path) -> pa.Table:
    """What is known of the photos at a place, in the order of its embeddings: `id`, `product_id` and, in a
    store, the columns of the catalogue."""
    return open_index(place).photos()


def _is_table(place: str | Path) -> bool:
    return Path(place).suffix not in (ENDING, ".db")
