"""The rows of a report: one encoder's vectors beside those of what it must beat, on the same photos."""

from pathlib import Path

import numpy as np

from natviews.catalog import Catalog, PackedPhotos, pack
from natviews.encoders import Architecture, Encoder, stored_size
from natviews.evaluation import colour_histogram
from natviews.progress import progress
from natviews.training import Run, features_of
from natviews.types import Embeddings, NatviewsError


def packed_for(catalog: Catalog, architecture: Architecture) -> PackedPhotos:
    """The photos as an encoder of that architecture is shown them."""
    return pack(catalog, stored_size(max(architecture.sizes)), architecture.prepared_by())


def run_at(location: str) -> Run | None:
    """The run whose folder, or whose encoder's, is there; None where there is none."""
    for folder in (Path(location), Path(location).parent):
        if location and (folder / "run.yaml").is_file():
            return Run(folder)
    return None


def aligned(embeddings: Embeddings, packed: PackedPhotos) -> tuple[Embeddings, PackedPhotos, int]:
    """Both on the photos that have a vector and pixels, in the catalogue's order, matched by id."""
    position = {photo_id: row for row, photo_id in enumerate(embeddings.ids.tolist())}
    rows = np.array([position.get(photo_id, -1) for photo_id in packed.catalog.ids.tolist()])
    if (rows < 0).all():
        raise NatviewsError(
            "None of the photos to judge has a vector in this file; was it made from another catalogue?"
        )
    packed = packed.take(rows >= 0)
    return embeddings.take(rows[rows >= 0]), packed, int((rows < 0).sum())


def rows_of(embeddings: Embeddings, packed: PackedPhotos, run: Run | None) -> dict[str, np.ndarray]:
    """Row name -> unit vectors (N, D) of packed photos, the baselines first.

    With the `run` that made the embeddings there are the rows `untrained` and, where it began from pretrained
    weights, `frozen` and `frozen+whitening`.
    """
    vectors = {"histogram": histograms(packed)}
    if run:
        start = Encoder.load(run.start)
        untrained = Encoder.create(start.architecture, seed=run.recipe.training.seed)
        vectors["untrained"] = features_of(untrained, packed, "features of the untrained encoder")
        if run.recipe.weights:
            vectors["frozen"] = features_of(start, packed, "features of the frozen encoder")
            if start.head is not None:
                vectors["frozen+whitening"] = start.head.vectors(vectors["frozen"])
    if "features" in embeddings.extra:
        vectors["trained, no head"] = embeddings.extra["features"]
    if "design" in embeddings.extra:
        vectors["trained, design"] = embeddings.extra["design"]
    vectors["trained"] = embeddings.vectors
    return vectors


def histograms(packed: PackedPhotos) -> np.ndarray:
    """The colour histogram of every photo (N, 192)."""
    with progress("colour histograms", len(packed)) as advance:
        histograms = []
        for row in range(len(packed)):
            histograms.append(colour_histogram(packed.pixels(row)))
            advance()
    return np.stack(histograms)
