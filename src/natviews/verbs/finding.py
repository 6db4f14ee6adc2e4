"""Finding photos in what was described."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from natviews.verbs.arguments import AsJson

if TYPE_CHECKING:
    import numpy as np

    from natviews.types import Embeddings


def search(
    store: Annotated[Path, Argument(metavar="STORE", help="What `natviews embed` wrote.")],
    photo: Annotated[str, Argument(metavar="PHOTO", help="The id of a photo in the store, or an image file.")],
    k: Annotated[int, Option("-k", min=1, max=10_000, help="How many photos to find.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the photos most like one: by its id in the store, or from an image file."""
    from natviews.index import ExactIndex, read_embeddings
    from natviews.report.terminal import print_matches

    embeddings = read_embeddings(store)
    query, query_ids = _query(embeddings, photo)
    matches = ExactIndex(embeddings).search(query, k, query_ids=query_ids)
    product_of = dict(zip(embeddings.ids.tolist(), embeddings.product_ids.tolist(), strict=True))
    print_matches(matches, product_of, as_json)


def _query(embeddings: "Embeddings", photo: str) -> "tuple[np.ndarray, np.ndarray | None]":
    """The query's vector (1, D), and its id where it is in the store. Only a file needs the encoder."""
    import numpy as np

    from natviews.types import NatviewsError

    rows = np.flatnonzero(embeddings.ids == photo)
    if len(rows):
        return embeddings.vectors[rows], embeddings.ids[rows]
    if not Path(photo).is_file():
        raise NatviewsError(f"{photo} is neither the id of a photo in the store nor an image file.")
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import encode_file
    with progress("encoding the photo"):
        return encode_file(Path(photo), embeddings.made_by), None
