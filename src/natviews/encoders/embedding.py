"""Embedding a whole catalogue into a Parquet file, in chunks that survive a kill."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog import (
    BadPhoto,
    Catalog,
    Losses,
    Quarantined,
    Unavailable,
    Unreachable,
    content_key,
    read_prepared,
)
from natviews.encoders.describing import WORTH, Describe, describer
from natviews.encoders.encoder import BATCH, Encoder
from natviews.files import whole_file
from natviews.index import embeddings_table
from natviews.progress import Advance, progress
from natviews.types import Embeddings, NatviewsError, Photo, Provenance
from natviews.views import Preparation

CHUNK = 512
"""Photos per part: what a kill can cost, some seconds of work."""
BAD = b"natviews.bad"


def stored_size(size: int) -> int:
    """The longest side in px that photos are decoded to for an encoder of `size` px.

    1.7 times as much, in steps of 64: a crop of a third of the area is then still sharp.
    """
    return -(-17 * size // 640) * 64


def embed_catalog(
    encoder: Encoder, catalog: Catalog, out: Path, *, location: str = "", source: str = ""
) -> list[Quarantined]:
    """Writes `out` (Parquet, see `natviews.index`), one row for each readable photo, in order.

    Returns the photos that could not be used. Finished chunks are kept in a folder beside `out` until it
    is whole, so that a killed run continues where it was and gives the same file. Where the encoder has a
    head, the vectors before it are in the column `features`, and those of its design head in `design`. `location`
    and `source` say where the encoder and the catalogue lie, for those who ask later.
    Raises NatviewsError if no photo is readable, the network is gone, or `out` is a folder.
    """
    if out.is_dir():
        raise NatviewsError(f"{out} is a folder; name a file for the embeddings, such as {out / 'all.parquet'}.")
    made_by = Provenance(encoder.digest(), catalog.digest, location, source)
    parts = out.with_name(f".{out.name}.parts")
    tables, losses, describe = [], Losses(), _describer(encoder, len(catalog))
    with progress("embedding photos", len(catalog)) as advance:
        for start in range(0, len(catalog), CHUNK):
            chunk = catalog.take(np.arange(start, min(start + CHUNK, len(catalog))))
            part = parts / f"{_part_name(chunk, made_by)}.parquet"
            if part.exists():
                advance(len(chunk))
            else:
                table, whole = _embed_chunk(encoder, describe, chunk, made_by, losses, advance)
                if not whole:  # under another name: the run that continues this one tries those photos again
                    part = part.with_suffix(".again")
                with whole_file(part) as temporary:
                    pa.parquet.write_table(table, temporary)
            tables.append(pa.parquet.read_table(part))
    quarantine = [Quarantined(*bad) for table in tables for bad in json.loads(table.schema.metadata[BAD])]
    metadata = {key: value for key, value in tables[0].schema.metadata.items() if key != BAD}
    joined = pa.concat_tables(table.replace_schema_metadata(metadata) for table in tables)
    if not len(joined):
        bad = quarantine[0]
        raise NatviewsError(f"None of the {len(catalog)} photos can be used; {bad.id}: {bad.reason}.")
    with whole_file(out) as temporary:
        pa.parquet.write_table(joined.combine_chunks(), temporary)
    shutil.rmtree(parts, ignore_errors=True)
    return quarantine


def encode_file(path: Path, made_by: Provenance) -> np.ndarray:
    """The vector (1, D) of one image file, by the encoder that made some embeddings.

    Raises NatviewsError where the photo cannot be used, or the encoder has gone or is another one now.
    """
    try:
        encoder = Encoder.load(made_by.location)
    except NatviewsError as error:
        raise NatviewsError(f"The photo cannot be encoded as the store was: {error}") from None
    if encoder.digest() != made_by.encoder:
        raise NatviewsError(
            f"The encoder in {made_by.location} is another one than the store was made with; embed again."
        )
    try:
        photo = read_prepared(path, *_read_for(encoder))
    except BadPhoto as bad:
        raise NatviewsError(f"{path} cannot be used: {bad}.") from None
    features = np.concatenate(list(encoder.features([photo], describe=_describer(encoder, 1))))
    return encoder.through_head(features)


def _describer(encoder: Encoder, photos: int) -> Describe:
    """How photos of a store are described: in bfloat16 few of them as many are, for there a head makes so much of
    what OpenVINO and torch round differently that one photo would no longer be taken for a copy of itself."""
    return describer(encoder, WORTH if encoder.reduced_precision else photos)


def _read_for(encoder: Encoder) -> tuple[int, Preparation | None]:
    """How photos are read for an encoder: the longest side in px, and what is done to them."""
    return stored_size(max(encoder.architecture.sizes)), encoder.architecture.prepared_by()


def _part_name(chunk: Catalog, made_by: Provenance) -> str:
    """Named after everything its vectors depend on: another encoder's or an old photo's are never reused."""
    words = (*astuple(made_by), content_key(chunk))
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def _embed_chunk(
    encoder: Encoder, describe: Describe, chunk: Catalog, made_by: Provenance, losses: Losses, advance: Advance
) -> tuple[pa.Table, bool]:
    """The embeddings of a chunk, and whether they are all there will ever be: no photo is worth another try."""
    good: list[int] = []
    bad: list[Quarantined] = []
    whole = True

    def readable() -> Iterator[np.ndarray]:
        nonlocal whole
        for row, photo, result in _decoded(chunk, encoder):
            losses.note(isinstance(result, Unreachable), str(result) if isinstance(result, BadPhoto) else "")
            if isinstance(result, BadPhoto):
                whole = whole and not isinstance(result, Unavailable)
                bad.append(Quarantined(photo.id, photo.product_id, str(result)))
                advance()
            else:
                good.append(row)
                yield result

    batches = []
    for batch in encoder.features(readable(), describe=describe):
        batches.append(batch)
        advance(len(batch))
    features = np.concatenate(batches) if batches else np.empty((0, encoder.width), np.float32)
    rows = np.array(good, int)
    vectors = encoder.through_head(features)
    embeddings = Embeddings(
        chunk.ids[rows], chunk.product_ids[rows], vectors, made_by, encoder.further_vectors(features)
    )
    table = embeddings_table(embeddings)
    bad_ones = json.dumps([astuple(one) for one in bad])
    return table.replace_schema_metadata({**table.schema.metadata, BAD: bad_ones}), whole


def _decoded(chunk: Catalog, encoder: Encoder) -> Iterator[tuple[int, Photo, np.ndarray | BadPhoto]]:
    """Row, photo and pixels (or why there are none), decoded and prepared by threads up to a batch ahead."""
    longest, preparation = _read_for(encoder)

    def attempt(photo: Photo) -> np.ndarray | BadPhoto:
        try:
            return read_prepared(photo.path, longest, preparation)
        except BadPhoto as reason:
            return reason

    photos = list(chunk.photos)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(attempt, photo) for photo in photos[:BATCH]]
        for row, photo in enumerate(photos):
            yield row, photo, waiting.pop(0).result()
            if row + BATCH < len(photos):
                waiting.append(pool.submit(attempt, photos[row + BATCH]))
