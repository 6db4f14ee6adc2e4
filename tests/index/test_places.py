"""What a user names a place for: a Parquet, an index file, a store, a collection; and the commands on them."""

import json

import numpy as np
import pyarrow.parquet
import pytest
from scattered_vectors import numbered, scattered
from typer.testing import CliRunner

from natviews.cli import app
from natviews.index import ExactIndex, Store, open_index, stored_embeddings, stored_photos, write_embeddings
from natviews.types import NatviewsError

PHOTOS = numbered(60)


def natviews(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def shop(tmp_path):
    """Embeddings and the catalogue that they are of, in which photo i costs i."""
    write_embeddings(PHOTOS, tmp_path / "e.parquet")
    columns = {"image": PHOTOS.ids.tolist(), "product_id": PHOTOS.product_ids.tolist()}
    prices = {"price": [str(i) for i in range(60)]}
    pyarrow.parquet.write_table(pyarrow.table(columns | prices), tmp_path / "catalog.parquet")
    return tmp_path


@pytest.mark.parametrize("out", ["store", "a.index", "m.db"])
def test_a_search_of_any_place_finds_what_the_parquet_gives(shop, out):
    if out == "m.db":
        pytest.importorskip("milvus_lite")
    made = natviews("index", shop / "e.parquet", shop / "catalog.parquet", "--out", shop / out)
    assert made.exit_code == 0 and "60" in made.stdout, made.output
    places = shop / "e.parquet", shop / out
    one, other = (natviews("search", place, PHOTOS.ids[7], "-k", 4, "--json") for place in places)
    assert one.exit_code == other.exit_code == 0, other.output
    assert [m["id"] for m in json.loads(one.stdout)] == [m["id"] for m in json.loads(other.stdout)]
    kept = stored_embeddings(shop / out)
    assert sorted(kept.ids.tolist()) == sorted(PHOTOS.ids.tolist())
    assert stored_photos(shop / out).column("id").to_pylist() == kept.ids.tolist()


def test_a_second_index_command_takes_in_what_changed_and_says_so(shop):
    natviews("index", shop / "e.parquet", shop / "catalog.parquet", "--out", shop / "store")
    write_embeddings(scattered([*PHOTOS.ids[:3].tolist(), "new"], seed=5), shop / "e.parquet")
    again = natviews("index", shop / "e.parquet", "--out", shop / "store")
    assert "1 added, 3 changed, 0 as they were; it holds 61 photos" in again.stdout


def test_a_catalogue_of_other_photos_is_refused_and_what_was_known_stays(shop):
    natviews("index", shop / "e.parquet", shop / "catalog.parquet", "--out", shop / "store")
    before = stored_photos(shop / "store")
    (shop / "other.csv").write_text("image,product_id,price\nforeign.jpg,p,1\n")
    refused = natviews("index", shop / "e.parquet", shop / "other.csv", "--out", shop / "store")
    assert isinstance(refused.exception, NatviewsError)
    assert "other.csv lists none of the 60 photos of" in str(refused.exception)
    assert stored_photos(shop / "store").equals(before)


def test_a_search_takes_conditions(shop):
    natviews("index", shop / "e.parquet", shop / "catalog.parquet", "--out", shop / "store")
    found = json.loads(
        natviews(
            "search", shop / "store", PHOTOS.ids[7], "--where", "price<20", "--where", "price!=3", "--json"
        ).stdout
    )
    where = np.isin(np.arange(60), [i for i in range(20) if i != 3])
    truth = ExactIndex(PHOTOS).search(PHOTOS.vectors[7:8], 10, where=where, query_ids=PHOTOS.ids[7:8])
    assert [match["id"] for match in found] == truth.ids[0].tolist()
    refused = natviews("search", shop / "store", PHOTOS.ids[7], "--where", "prise<20")
    assert isinstance(refused.exception, NatviewsError) and "'price'" in str(refused.exception)


def test_a_photo_that_is_nowhere_is_refused(shop):
    refused = natviews("search", shop / "e.parquet", "nowhere.jpg")
    assert "neither the id of a photo" in str(refused.exception)


@pytest.mark.parametrize("place", ["none.parquet", "none.index", "none", "none.db", "milvus:x", "milvus://host"])
def test_a_place_where_nothing_is_is_refused_in_one_sentence(place, tmp_path):
    name = place if place.startswith("milvus") else tmp_path / place
    with pytest.raises(NatviewsError) as caught:
        open_index(name)
    assert "\n" not in str(caught.value) and place.split("/")[-1] in str(caught.value)


def test_a_folder_of_something_else_is_no_store(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(NatviewsError, match="no store at"):
        open_index(tmp_path)
    with pytest.raises(NatviewsError, match="no store at"):
        Store(tmp_path)
