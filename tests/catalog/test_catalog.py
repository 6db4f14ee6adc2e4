"""The catalogue's own rules: ids, products, splits, selections, digest and statistics."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog
from natviews.types import NatviewsError, Photo

FOLDER = Path("/photos")


def catalog(rows: list[tuple[str, ...]], *further: str) -> Catalog:
    """A catalogue of (image, product_id, further columns) rows."""
    names = ("image", "product_id", *further)
    columns = zip(*rows, strict=True)
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    return Catalog(table, FOLDER)


@pytest.fixture
def shop() -> Catalog:
    return catalog(
        [
            ("b2.jpg", "b", "shoe", "train"),
            ("a1.jpg", "a", "hat", "test"),
            ("b1.jpg", "b", "shoe", "train"),
            ("c1.jpg", "c", "", "val"),
            ("a2.jpg", "a", "hat", "test"),
            ("b3.jpg", "b", "shoe", "train"),
        ],
        "product_type",
        "split",
    )


def test_a_photo_under_two_products_is_refused():
    with pytest.raises(NatviewsError, match=r"1 values of `image` stand under more than one product \('x.jpg'\)"):
        catalog([("x.jpg", "a"), ("y.jpg", "a"), ("x.jpg", "b")])


def test_many_photos_under_two_products_are_counted_and_a_few_named():
    rows = [(f"{i}.jpg", product) for i in range(9) for product in ("a", "b")]
    with pytest.raises(NatviewsError, match=r"^9 values .*'0.jpg', '1.jpg', '2.jpg'\);"):
        catalog(rows)


def test_a_row_said_again_is_dropped_when_a_file_is_opened(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("image,product_id,title\ny,b,first\nx,a,second\ny,b,again\nx,a,second\nz,b,third\n")
    opened = Catalog.open(path)
    assert opened.ids.tolist() == ["y", "x", "z"]
    assert opened.column("title").tolist() == ["first", "second", "third"]


def test_a_photo_under_two_products_in_a_file_is_refused_with_the_file(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("image,product_id\nx,a\nx,a\nx,b\n")
    with pytest.raises(NatviewsError, match="more than one product") as caught:
        Catalog.open(path)
    assert str(path) in str(caught.value)


PARTED = [
    ("1", "a", "train"),
    ("2", "b", "train"),
    ("3", "b", "test"),
    ("4", "c", "val"),
    ("5", "c", "test"),
    ("6", "a", "train"),
]


def test_a_product_parted_between_splits_is_refused():
    with pytest.raises(NatviewsError, match=r"is parted between splits \(2 in all\)"):
        catalog(PARTED, "split")


def test_the_parted_product_is_named_as_the_user_wrote_it():
    with pytest.raises(NatviewsError, match="Product 'b' is parted"):
        catalog(PARTED, "split")


@pytest.mark.parametrize(
    ("value", "hint"), [("trian", "did you mean 'train'?"), ("", "it knows test, train, val."), ("Test", "'test'")]
)
def test_an_unknown_split_is_refused(value, hint):
    with pytest.raises(NatviewsError) as caught:
        catalog([("1", "a", "train"), ("2", "b", value)], "split")
    assert f"`split` has the value {value!r}" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(("row", "name"), [(("", "a"), "image"), (("1", ""), "product_id")])
def test_a_row_without_an_id_is_refused(row, name):
    with pytest.raises(NatviewsError, match=f"Row 2 has no {name}"):
        catalog([("0", "z"), row])


def test_a_catalogue_without_rows_is_refused():
    empty = pa.table({"image": pa.array([], pa.string()), "product_id": pa.array([], pa.string())})
    with pytest.raises(NatviewsError, match="no rows"):
        Catalog(empty, FOLDER)


def test_products_know_their_rows_in_the_order_of_the_catalogue(shop):
    assert {name: rows.tolist() for name, rows in shop.products.items()} == {"a": [1, 4], "b": [0, 2, 5], "c": [3]}


def test_photos_are_the_rows(shop):
    assert len(shop.photos) == 6
    assert shop.photos[1] == Photo("a1.jpg", "a", "hat", FOLDER / "a1.jpg")
    assert [photo.id for photo in shop.photos] == shop.ids.tolist()
    assert [photo.id for photo in shop.photos[4:]] == ["a2.jpg", "b3.jpg"]
    assert shop.photos[-1].id == "b3.jpg"
    assert shop.photos[3].product_type == ""


def test_a_photo_past_the_end_is_refused(shop):
    with pytest.raises(IndexError):
        shop.photos[6]


def test_an_absolute_path_stays_absolute():
    assert catalog([("/elsewhere/a.jpg", "a")]).photos[0].path == Path("/elsewhere/a.jpg")


def test_a_column_that_is_not_there_is_refused_with_the_nearest_one(shop):
    assert shop.has("split") and not shop.has("price")
    with pytest.raises(NatviewsError, match=r"no column 'product_tipe'; did you mean 'product_type'\?"):
        shop.column("product_tipe")


def test_a_catalogue_without_types_has_empty_ones():
    assert catalog([("1", "a"), ("2", "b")]).product_types.tolist() == ["", ""]


def test_a_part_is_the_photos_of_its_splits(shop):
    assert shop.part("train").ids.tolist() == ["b2.jpg", "b1.jpg", "b3.jpg"]
    assert shop.part("val", "test").ids.tolist() == ["a1.jpg", "c1.jpg", "a2.jpg"]
    assert len(shop) == 6


def test_an_empty_part_is_refused_with_the_splits_that_there_are(shop):
    with pytest.raises(NatviewsError, match="No photo has the split val; there are: test, train"):
        shop.part("train", "test").part("val")


def test_a_part_of_a_catalogue_without_splits_is_refused():
    with pytest.raises(NatviewsError, match="no column 'split'"):
        catalog([("1", "a")]).part("train")


@pytest.mark.parametrize("rows", [np.array([5, 1]), np.array([0, 1, 0, 0, 0, 1], bool)], ids=["numbers", "mask"])
def test_taken_rows_keep_every_column(shop, rows):
    taken = shop.take(rows)
    assert taken.ids.tolist() == shop.ids[rows].tolist()
    assert taken.product_types.tolist() == shop.product_types[rows].tolist()
    assert taken.photos[0].path.parent == FOLDER


def test_a_column_is_added_or_replaced_in_a_new_catalogue(shop):
    values = np.array([f"v{i}" for i in range(6)])
    added = shop.with_column("price", values)
    assert added.column("price").tolist() == values.tolist()
    assert not shop.has("price")
    replaced = added.with_column("product_type", values)
    assert replaced.product_types.tolist() == values.tolist()
    assert replaced.table.column_names == added.table.column_names
    assert shop.product_types.tolist() != values.tolist()


def test_a_column_of_splits_that_part_a_product_is_refused(shop):
    with pytest.raises(NatviewsError, match="parted between splits"):
        shop.with_column("split", np.array(["train", "train", "val", "val", "val", "val"]))


def test_the_digest_is_of_the_rows_and_not_of_unrelated_columns(shop):
    assert shop.digest == shop.with_column("price", np.array(["1"] * 6)).digest
    assert shop.digest == Catalog(shop.table, Path("/elsewhere")).digest
    assert len(shop.digest) == 64


def test_the_digest_does_not_depend_on_the_order_of_the_columns(shop):
    turned = Catalog(shop.table.select(shop.table.column_names[::-1]), FOLDER)
    assert turned.digest == shop.digest


@pytest.mark.parametrize("name", ["image", "product_id", "product_type", "split"])
def test_the_digest_changes_with_every_value_that_was_trained_on(shop, name):
    values = shop.column(name).astype("U20")
    values[3] = "train" if name == "split" else "other"
    assert shop.with_column(name, values).digest != shop.digest


def test_the_digest_changes_with_the_number_and_order_of_the_rows(shop):
    digests = {shop.digest, shop.take(np.arange(5)).digest, shop.take(np.arange(6)[::-1]).digest}
    digests |= {catalog([("ab", "c")]).digest, catalog([("a", "bc")]).digest}
    assert len(digests) == 5


def test_statistics_count_photos_products_types_and_splits(shop):
    statistics = shop.statistics()
    assert (statistics.photos, statistics.products) == (6, 3)
    assert statistics.photos_per_product == {1: 1, 2: 1, 3: 1}
    assert statistics.share_with_two == pytest.approx(2 / 3)
    assert statistics.types == {"shoe": 3, "hat": 2, "": 1}
    assert statistics.splits == {"train": 3, "val": 1, "test": 2}
    assert list(statistics.splits) == ["train", "val", "test"]


def test_statistics_of_a_catalogue_without_types_and_splits():
    statistics = catalog([("1", "a"), ("2", "b")]).statistics()
    assert statistics.share_with_two == 0
    assert statistics.types == {"": 2}
    assert statistics.splits == {}


def test_groups_of_near_identical_products_are_counted():
    grouped = catalog(
        [("1", "a", "a"), ("2", "b", "a"), ("3", "c", "c"), ("4", "c", "c"), ("5", "d", "d"), ("6", "e", "d")],
        "dup_group",
    )
    assert grouped.near_identical_groups() == 2


def test_a_catalogue_cannot_be_changed(shop):
    with pytest.raises(AttributeError):
        shop.folder = Path("/")
