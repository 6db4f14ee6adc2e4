"""What a score is worth in a store is learnt from products that the encoder was not trained on."""

from natviews.index import read_embeddings
from natviews.serving import knowing
from natviews.serving.parts import Part, empty_part
from natviews.serving.snapshot import Snapshot


def test_no_product_that_the_encoder_learnt_from_asks_where_the_store_has_no_split(shop, catalog, monkeypatch):
    embeddings = read_embeddings(shop / "e.parquet")
    table = catalog.table.rename_columns(
        ["id" if name == "image" else name for name in catalog.table.column_names]
    )
    rows = {photo: row for row, photo in enumerate(catalog.ids.tolist())}
    table = table.drop_columns(["split"]).take([rows[photo] for photo in embeddings.ids.tolist()])
    part, taught = Part(embeddings, table, large=True), []

    def calibrated(scores, right, weights, owner):
        taught.append(len(set(owner.tolist())))

    monkeypatch.setattr(knowing, "calibrate", calibrated)
    _, asked = knowing.learnt(Snapshot(part, empty_part(part)))
    split = dict(zip(catalog.product_ids.tolist(), catalog.splits.tolist(), strict=True))
    expected = [product for product, rows in part.rows_of.items() if split[product] == "val" and len(rows) > 1]
    assert taught == [asked] == [len(expected)]
