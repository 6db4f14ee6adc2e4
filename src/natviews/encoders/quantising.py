"""Quantising: an encoder's network in 8 bits, kept only where photos keep their nearest neighbours."""

import importlib.util
import io
import json
import logging
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from natviews.catalog import Catalog, PackedPhotos, pack
from natviews.encoders.describing import WORTH, describer, describing_model, openvino_without_reports
from natviews.encoders.embedding import stored_size
from natviews.encoders.encoder import CARD, Encoder, encoder_folder
from natviews.encoders.quantised import FILES, sha256
from natviews.evaluation import means_with_intervals
from natviews.files import whole_file, whole_folder
from natviews.progress import progress
from natviews.types import Metric, NatviewsError

CALIBRATING, COMPARED, FEWEST = 256, 2000, 100
"""Photos by which the ranges of 8 bits are set; others whose neighbours are compared, at most and at least."""
LEAST = 0.99
"""The share of photos that must keep their nearest neighbour."""
SEED = 0


def quantise(encoder: Path, catalog: Catalog, out: Path) -> Metric:
    """Writes the folder `out`: the encoder of a run or a folder, describing photos in 8 bits (NNCF's
    quantisation after training), their ranges set by some photos of the catalogue. Returns the share of photos of
    other products whose nearest neighbour among these is the same as in float32, with its interval over products.

    Raises NatviewsError where that is below 0.99, the catalogue has too few photos, a package is missing, or `out`
    holds anything but another encoder; then nothing is written.
    """
    missing = [name for name in ("openvino", "nncf") if importlib.util.find_spec(name) is None]
    if missing:
        raise NatviewsError(
            f"8 bits need {' and '.join(missing)}, not installed here: run `pip install 'natviews[int8]'`."
        )
    source, exact = encoder_folder(encoder), Encoder.load(encoder)
    if exact.quantised:
        raise NatviewsError(f"The encoder in {source} describes photos in 8 bits already.")
    if out.exists() and (not (out / CARD).is_file() or out.samefile(source)):
        raise NatviewsError(f"{out} holds something else than another encoder; name a new folder.")
    calibrating, compared = photos_of(exact, catalog)
    with whole_folder(out) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        _write(exact, calibrating, folder)
        kept = kept_neighbours(exact, Encoder.load(folder), compared)
        if kept.value < LEAST:
            raise NatviewsError(
                f"In 8 bits {kept.value:.1%} [{kept.low:.1%}, {kept.high:.1%}] of {kept.n:,} photos keep their "
                f"nearest neighbour, where {LEAST:.0%} is asked for, so nothing was written; go on with {source}."
            )
        _note(folder, lambda document: document["card"].update(kept_neighbours=asdict(kept)))
    return kept


def photos_of(encoder: Encoder, catalog: Catalog) -> tuple[PackedPhotos, PackedPhotos]:
    """Photos of products in an order of chance: the first to calibrate by, those of the next to be compared."""
    order = np.random.default_rng(SEED).permutation(np.unique(catalog.product_ids))
    place = {product: number for number, product in enumerate(order.tolist())}
    rows = np.argsort([place[product] for product in catalog.product_ids.tolist()], kind="stable")
    longest = stored_size(max(encoder.architecture.sizes))
    packed = pack(catalog.take(rows[: CALIBRATING + COMPARED]), longest, encoder.architecture.prepared_by())
    products = packed.catalog.product_ids
    last = products[min(CALIBRATING, len(packed) // 4) - 1]
    first = int(np.flatnonzero(products == last)[-1]) + 1
    if len(packed) - first < FEWEST:
        raise NatviewsError(
            f"{len(packed)} readable photos are too few to tell whether 8 bits will do: give a catalogue of "
            f"{2 * FEWEST} or more."
        )
    rows = np.arange(len(packed))
    return packed.take(rows[:first]), packed.take(rows[first:])


def _write(encoder: Encoder, photos: PackedPhotos, folder: Path) -> None:
    """Writes the network in 8 bits for each size of photos, and their digests into the encoder's card."""
    openvino, nncf = openvino_without_reports(), openvino_without_reports("nncf")
    nncf.set_log_level(logging.ERROR)
    names = []
    sizes = encoder.architecture.sizes
    for size in sorted(set(sizes)):

        def shown(row: int, place: int = sizes.index(size)) -> np.ndarray:
            picture = encoder.pictures(photos.pixels(row))[place]
            return encoder.prepare(torch.from_numpy(picture[None])).contiguous().numpy()

        with progress(f"quantising at {size} px"), torch.inference_mode():
            model = describing_model(encoder, torch.from_numpy(shown(0)))
            data = nncf.Dataset(range(len(photos)), shown)
            with redirect_stdout(io.StringIO()):  # where it draws bars of its own
                quantised = nncf.quantize(model, data, subset_size=len(photos))
            graph, weights = (name.format(size=size) for name in FILES)
            openvino.save_model(quantised, folder / graph, compress_to_fp16=False)
        names += [graph, weights]
    digests = {name: sha256(folder / name) for name in names}
    _note(folder, lambda document: document.update(quantised=digests))


def kept_neighbours(exact: Encoder, quantised: Encoder, photos: PackedPhotos) -> Metric:
    """The share of photos whose nearest other photo is the same, by the head that changes more of them."""
    nearest = []
    for encoder, describe, label in (
        (exact, exact.wide_features, "describing in 32 bits"),
        (quantised, describer(quantised, WORTH), "describing in 8 bits"),
    ):
        with progress(label, len(photos)) as advance:
            batches = []
            for batch in encoder.features((photos.pixels(row) for row in range(len(photos))), describe=describe):
                batches.append(batch)
                advance(len(batch))
        features = np.concatenate(batches)
        vectors = {"vector": encoder.through_head(features)} | encoder.further_vectors(features)
        nearest.append({name: _nearest(vectors[name]) for name in encoder.widths})
    same = {name: (nearest[0][name] == nearest[1][name]).astype(float) for name in nearest[0]}
    metrics = means_with_intervals(same, photos.catalog.product_ids, row="8 bits")
    return min(metrics, key=lambda metric: metric.value)


def _nearest(vectors: np.ndarray) -> np.ndarray:
    """(N,) the row of each vector's nearest other."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.asarray(scores.argmax(axis=1))


def _note(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes an encoder's card."""
    document = json.loads((folder / CARD).read_text(encoding="utf-8"))
    change(document)
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")
