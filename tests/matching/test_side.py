import dataclasses
import shutil

import numpy as np
import pyarrow.parquet
import pytest

from natviews.catalog import Catalog
from natviews.encoders import Encoder, embed_catalog
from natviews.index import Store, read_embeddings, write_embeddings
from natviews.index.learnt import LEARNT, write_learnt
from natviews.matching import open_side, side_of
from natviews.matching.side import held_out_by_name
from natviews.types import NatviewsError


@pytest.fixture(scope="module")
def stored(run, catalog, catalog_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("stored") / "e.parquet"
    embed_catalog(Encoder.load(run.encoder), catalog, out, location=str(run.folder), source=str(catalog_path))
    return out


def test_embeddings_bring_their_catalogue(stored, catalog):
    side = open_side(stored)
    assert len(side) == 90 and side.folder == catalog.folder
    rows = {photo: row for row, photo in enumerate(catalog.ids.tolist())}
    order = [rows[photo] for photo in side.embeddings.ids.tolist()]
    assert side.table.column("title").to_pylist() == catalog.column("title")[order].tolist()
    assert np.array_equal(side.held_out, side.text("split") == "val") and 5 < side.held_out.sum() < 30
    assert open_side(stored, unseen=True).held_out.all()


def test_a_catalogue_that_moved_or_changed(stored, catalog, catalog_path, tmp_path):
    made = read_embeddings(stored)
    other = tmp_path / "other.csv"
    lines = catalog_path.read_text().splitlines()
    other.write_text("\n".join(lines[:-1]) + "\n")

    def stored_with(**said):
        path = tmp_path / "e.parquet"
        write_embeddings(dataclasses.replace(made, made_by=dataclasses.replace(made.made_by, **said)), path)
        return path

    with pytest.raises(NatviewsError, match="does not say where its catalogue lies"):
        open_side(stored_with(source=""))
    assert len(open_side(stored_with(source=""), catalog=catalog_path)) == 90
    with pytest.raises(NatviewsError, match="has changed since"):
        open_side(stored_with(source=str(other)))
    with pytest.raises(NatviewsError, match="are not in its catalogue"):
        open_side(stored_with(source=""), catalog=other)
    with pytest.raises(NatviewsError, match="no catalogue at"):
        open_side(stored_with(source=str(tmp_path / "gone.csv")))


def test_a_catalogue_is_described_first_and_only_once(run, catalog_path, stored, tmp_path):
    with pytest.raises(NatviewsError, match="give --encoder RUN"):
        open_side(catalog_path)
    side = open_side(catalog_path, encoder=run.folder, beside=tmp_path)
    (made,) = tmp_path.glob("*.embeddings.parquet")
    assert np.array_equal(side.embeddings.vectors, read_embeddings(stored).vectors)
    before = made.stat().st_mtime_ns
    open_side(catalog_path, encoder=run.folder, beside=tmp_path)
    assert made.stat().st_mtime_ns == before


def test_vectors_of_another_shop_or_of_replaced_photos_are_not_taken_for_a_catalogues(run, catalog, tmp_path):
    rows = catalog.take(np.arange(4)).table.select(["image", "product_id"])
    for shop, shown in (("a", 0), ("b", 10)):
        for row, photo in enumerate(rows.column("image").to_pylist()):
            place = tmp_path / shop / photo
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(catalog.photos[row + shown].path, place)
        pyarrow.parquet.write_table(rows, tmp_path / shop / "products.parquet")

    def vectors(shop):
        place = tmp_path / shop / "products.parquet"
        return open_side(place, encoder=run.folder, beside=tmp_path / "out").embeddings.vectors

    assert np.abs(vectors("a") - vectors("b")).max() > 0.01
    before = vectors("a")
    shutil.copy(catalog.photos[20].path, tmp_path / "a" / rows.column("image")[0].as_py())
    assert (np.abs(vectors("a") - before).max(axis=1) > 0.01).tolist() == [True, False, False, False]


def test_rows_stay_with_their_vectors_where_a_store_is_written_to_meanwhile(shops, tmp_path, monkeypatch):
    given = shops.ours.embeddings
    known = shops.ours.table.rename_columns(["id", *shops.ours.table.column_names[1:]])
    store = Store.create(tmp_path / "store", given, known)
    read = Store.embeddings.fget

    def embeddings(seen):
        """What is seen; then another process takes out the first photos and puts them in again, last."""
        held = read(seen)
        store.delete(given.ids[:40])
        store.upsert(given.take(np.arange(40)), known)
        return held

    monkeypatch.setattr(Store, "embeddings", property(embeddings))
    side = open_side(tmp_path / "store")
    assert side.table.column("id").to_pylist() == side.embeddings.ids.tolist()
    assert side.table.column("price").to_pylist() == known.column("price").to_pylist()


def test_a_damaged_file_is_said_to_be(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(NatviewsError, match="is damaged"):
        open_side(tmp_path / "x.parquet")


def test_what_rows_say_of_products(shops):
    side = shops.ours
    first, second = side.photo_rows[:2]
    given = np.full(len(side.product), "", object)
    given[second], given[first] = "7.5", ""
    other = dataclasses.replace(side, table=side.table.append_column("x", [given.tolist()]))
    assert other.text("x")[0] == "7.5" and set(other.text("x")[1:]) == {""}
    assert other.numbers("x")[0] == 7.5 and np.isnan(other.numbers("x")[1:]).all()
    assert (side.text("nothing") == "").all() and np.isnan(side.numbers("title")).all()
    mean = side.embeddings.vectors[side.product == 3].mean(axis=0)
    assert side.means[3] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_names_decide_who_is_held_out_whatever_others_there_are():
    names = np.array([f"p{number}" for number in range(4000)])
    drawn = held_out_by_name(names)
    assert drawn.mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(held_out_by_name(names[::3]), drawn[::3])


def without_split(stored, catalog, **said):
    """The side of a catalogue that does not say how it was parted."""
    made = read_embeddings(stored)
    plain = Catalog(catalog.table.drop_columns(["split"]), catalog.folder)
    made = dataclasses.replace(made, made_by=dataclasses.replace(made.made_by, **said))
    return side_of(made, plain, name="x")


def test_no_product_that_the_encoder_learnt_from_is_held_out(run, stored, catalog, shops):
    side = without_split(stored, catalog)
    split = dict(zip(catalog.product_ids.tolist(), catalog.splits.tolist(), strict=True))
    expected = [split[product] == "val" for product in side.products.tolist()]
    assert side.held_out.tolist() == expected and any(expected)
    assert without_split(stored, catalog, location=str(run.encoder)).held_out.tolist() == expected
    met = side.embeddings.made_by
    new = dataclasses.replace(
        shops.theirs, embeddings=dataclasses.replace(shops.theirs.embeddings, made_by=met), unseen=False
    )
    assert np.array_equal(new.held_out, held_out_by_name(new.products)), "it has never met these"


def test_names_decide_where_it_is_not_known_what_the_encoder_learnt_from(stored, catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(read_embeddings(stored).made_by.location)
    for said in ({"location": ""}, {"location": str(tmp_path)}, {"encoder": "another"}):
        side = without_split(stored, catalog, **said)
        assert np.array_equal(side.held_out, held_out_by_name(side.products)), said


def test_a_list_of_learnt_products_that_cannot_be_read_is_refused(stored, catalog, tmp_path):
    def held_out():
        return without_split(stored, catalog, location=str(tmp_path)).held_out

    (tmp_path / LEARNT).write_bytes(b"PAR1 but no more")
    with pytest.raises(NatviewsError, match=r"products\.parquet is damaged: .*; train again"):
        held_out()
    pyarrow.parquet.write_table(pyarrow.table({"product": ["a"]}), tmp_path / LEARNT)
    with pytest.raises(NatviewsError, match="does not list"):
        held_out()
    write_learnt(
        catalog.product_ids, np.full(len(catalog), "train"), read_embeddings(stored).made_by.encoder, tmp_path
    )
    assert not held_out().any()


def test_sides_of_a_catalogue_in_another_order(catalog, stored):
    made = read_embeddings(stored)
    turned = Catalog.open(made.made_by.source).take(np.arange(len(made))[::-1])
    assert side_of(made, turned, name="x").table.column("image").to_pylist() == made.ids.tolist()
