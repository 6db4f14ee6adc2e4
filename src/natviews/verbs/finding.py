"""Keeping what was described, and finding photos in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from natviews.verbs.arguments import AsJson, Encoding, opened

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from natviews.index import Index

STORE = (
    "A folder that `natviews index` made, a Parquet that `natviews embed` wrote, or milvus://host:port/collection."
)


def index(
    embeddings: Annotated[Path, Argument(metavar="FILE.parquet", help="What `natviews embed` wrote.")],
    catalog: Annotated[
        Path | None,
        Argument(metavar="[CATALOG]", help="Whose columns (title, price, ...) are kept with the photos."),
    ] = None,
    out: Annotated[
        str,
        Option("--out", metavar="STORE", help="A folder, FILE.index, FILE.db or milvus://host:port/collection."),
    ] = "store",
    encoding: Encoding = "utf-8",
) -> None:
    """Keep embeddings in a store that can be searched; run again, it takes in what is new or has changed."""
    from natviews.index import read_embeddings
    from natviews.index.places import keep
    from natviews.types import NatviewsError

    known = None if catalog is None else _known(opened(catalog, encoding).table)
    given = read_embeddings(embeddings)
    if known is not None and not set(given.ids.tolist()) & set(known.column("id").to_pylist()):
        raise NatviewsError(
            f"{catalog} lists none of the {len(given):,} photos of {embeddings}, such as {str(given.ids[0])!r}; "
            "name the catalogue that was embedded."
        )
    print(keep(given, known, out))


def search(
    store: Annotated[str, Argument(metavar="STORE", help=STORE)],
    photo: Annotated[str, Argument(metavar="PHOTO", help="The id of a photo in the store, or an image file.")],
    k: Annotated[int, Option("-k", min=1, max=10_000, help="How many photos to find.")] = 10,
    where: Annotated[
        list[str] | None,
        Option("--where", metavar="COLUMN=VALUE", help="Only photos of which this holds; also < > !=."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the photos most like one: by its id in the store, or from an image file."""
    from natviews.index import allowed, open_index
    from natviews.report.terminal import print_matches

    opened_store = open_index(store)
    photos = opened_store.photos()
    fulfilling = allowed(photos, where or [])
    query, query_ids = _query(opened_store, photo)
    matches = opened_store.search(query, k, where=fulfilling, query_ids=query_ids)
    product_of = dict(zip(photos["id"].to_pylist(), photos["product_id"].to_pylist(), strict=True))
    print_matches(matches, product_of, as_json)


def _known(table: "pa.Table") -> "pa.Table":
    """The columns of a catalogue, its photos' ids under `id`."""
    kept = [name for name in table.column_names if name != "id"]
    return table.select(kept).rename_columns(["id" if name == "image" else name for name in kept])


def _query(store: "Index", photo: str) -> "tuple[np.ndarray, np.ndarray | None]":
    """The query's vector (1, D), and its id where it is in the store. Only a file needs the encoder."""
    import numpy as np

    from natviews.types import NatviewsError

    if photo in set(store.ids.tolist()):
        own = np.array([photo])
        return store.vectors_of(own), own
    if not Path(photo).is_file():
        raise NatviewsError(f"{photo} is neither the id of a photo in the store nor an image file.")
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import encode_file
    with progress("encoding the photo"):
        return encode_file(Path(photo), store.made_by), None
