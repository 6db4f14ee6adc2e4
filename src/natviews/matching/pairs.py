"""Matches of every photo as a table: what a catalogue team opens."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog import Catalog
from natviews.files import whole_file
from natviews.index import ExactIndex, read_embeddings
from natviews.matching.calibration import Calibration, calibrate
from natviews.types import Embeddings

SCHEMA = pa.schema(
    {
        "query": pa.string(),
        "match": pa.string(),
        "rank": pa.int32(),
        "score": pa.float32(),
        "probability": pa.float32(),
        "query_product": pa.string(),
        "match_product": pa.string(),
    }
)


def match_table(embeddings: Embeddings, calibration: Calibration, *, k: int = 5) -> pa.Table:
    """The `k` nearest photos of every photo, the nearest first.

    Columns: query, match, rank (from 1), score (cosine), probability (that both show the same product),
    then the evidence query_product and match_product.
    """
    matches = ExactIndex(embeddings).search(embeddings.vectors, k, query_ids=embeddings.ids)
    found = matches.ids != ""
    query, rank = np.nonzero(found)
    match, scores = matches.ids[found], matches.scores[found]
    product_of = dict(zip(embeddings.ids.tolist(), embeddings.product_ids.tolist(), strict=True))
    columns = [
        matches.query_ids[query].tolist(),
        match.tolist(),
        rank + 1,
        scores,
        calibration.probability(scores),
        embeddings.product_ids[query].tolist(),
        [product_of[photo] for photo in match.tolist()],
    ]
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA)


def match_file(store: Path, catalog: Path, out: Path) -> None:
    """Writes the matches among a catalogue's test photos (Parquet), with what its held-out photos taught
    about scores. The catalogue needs a `split` column.
    """
    embeddings, photos = read_embeddings(store), Catalog.open(catalog)
    held_out, test = (embeddings.take(np.isin(embeddings.ids, photos.part(name).ids)) for name in ("val", "test"))
    with whole_file(out) as temporary:
        pa.parquet.write_table(match_table(test, calibrate(held_out)), temporary)
