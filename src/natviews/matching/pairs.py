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


def match_table(embeddings: Embeddings, calibration: Calibration, *, k: int = 5) -> pa.Table:
    """The `k` nearest photos of *other* products for every photo, most probable first within a photo.

    Columns: query, match, rank (from 1), score (cosine), probability (of the same product), then the
    evidence query_product and match_product.
    """
    # A photo's own product is no news; asking for more leaves k others even after leaving it out.
    own = np.unique(embeddings.product_ids, return_counts=True)[1].max()
    matches = ExactIndex(embeddings).search(embeddings.vectors, int(k + own), query_ids=embeddings.ids)
    product_of = dict(zip(embeddings.ids.tolist(), embeddings.product_ids.tolist(), strict=True))
    rows: list[tuple[str, str, int, float, float, str, str]] = []
    probabilities = calibration.probability(matches.scores)
    for i, query in enumerate(matches.query_ids.tolist()):
        rank = 0
        for match, score, probability in zip(matches.ids[i], matches.scores[i], probabilities[i], strict=True):
            if rank == k or not match:
                break
            if product_of[match] != product_of[query]:
                rank += 1
                rows.append((query, str(match), rank, score, probability, product_of[query], product_of[match]))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), SCHEMA.types, strict=True)]
    return pa.table(columns, schema=SCHEMA)


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


def match_file(store: Path, catalog: Path, out: Path) -> None:
    """Writes the matches among a catalogue's test photos (Parquet), with what its held-out photos taught
    about scores. The catalogue needs a `split` column.
    """
    embeddings, photos = read_embeddings(store), Catalog.open(catalog)
    held_out, test = (embeddings.take(np.isin(embeddings.ids, photos.part(name).ids)) for name in ("val", "test"))
    with whole_file(out) as temporary:
        pa.parquet.write_table(match_table(test, calibrate(held_out)), temporary)
