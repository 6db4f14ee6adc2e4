"""What is done to whole columns gives what going through the rows one by one gives, on awkward catalogues."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog, content_key
from natviews.catalog.places import files_of
from natviews.types import NatviewsError

NAMES = ["10", "9", "a", "B", "é", "z\u0301", "\U0001f45f", "\uffff", "a b", "a\x1f", "00123", "123", "x\0"]


def awkward(seed: int, rows: int = 200, chunks: int = 3) -> pa.Table:
    """Products with names that sort and end oddly, some rows said again, in columns of several chunks."""
    rng = np.random.default_rng(seed)
    products = rng.choice(NAMES, rows)
    images = np.array([f"{product}/{i}.jpg" for i, product in enumerate(products)])
    again = rng.integers(0, rows, rows // 10)
    order = rng.permutation(np.concatenate([np.arange(rows), again]))
    products = [NAMES[NAMES.index(name) if name in NAMES else -1] for name in products[order].tolist()]
    columns = {
        "image": images[order].tolist(),
        "product_id": products,
        "product_type": [f"type {len(name)}" if name != "a" else "" for name in products],
        "split": [("train", "val", "test")[NAMES.index(name) % 3] for name in products],
    }
    pieces = [slice(*ends) for ends in zip([0, 7, 50][:chunks], [7, 50, None][-chunks:], strict=True)]
    return pa.table({name: pa.chunked_array([values[p] for p in pieces]) for name, values in columns.items()})


def opened(table: pa.Table, folder: Path) -> Catalog:
    pa.parquet.write_table(table, folder / "shop.parquet", row_group_size=64)
    return Catalog.open(folder / "shop.parquet")


def digest_by_rows(catalog: Catalog) -> str:
    names = ["image", "product_id", "product_type", "split"]
    digest = hashlib.sha256("\x1f".join(names).encode())
    for row in zip(*(catalog.column(name) for name in names), strict=True):
        digest.update("\x1f".join(row).encode() + b"\x1e")
    return digest.hexdigest()


@pytest.mark.parametrize("seed", range(4))
def test_rows_said_again_are_dropped_as_when_looking_at_each(seed, tmp_path):
    table = awkward(seed)
    seen, kept = set(), []
    for row in table.select(["image", "product_id"]).to_pylist():
        key = tuple(value.rstrip("\0") for value in row.values())
        if key not in seen:
            seen.add(key)
            kept.append(key)
    catalog = opened(table, tmp_path)
    assert list(zip(catalog.ids.tolist(), catalog.product_ids.tolist(), strict=True)) == kept
    assert len(kept) < len(table)


@pytest.mark.parametrize("seed", range(4))
def test_the_digest_is_that_of_the_rows_one_by_one(seed, tmp_path, monkeypatch):
    monkeypatch.setattr("natviews.catalog.catalog.DIGESTED", 37)
    catalog = opened(awkward(seed), tmp_path)
    assert catalog.digest == digest_by_rows(catalog)


def test_the_digest_of_a_known_catalogue_has_not_changed():
    table = pa.table({"image": ["a/1.jpg", "é/2.jpg"], "product_id": ["a", "é"]})
    expected = hashlib.sha256("image\x1fproduct_ida/1.jpg\x1fa\x1eé/2.jpg\x1fé\x1e".encode()).hexdigest()
    assert Catalog(table, Path("/")).digest == expected


@pytest.mark.parametrize("seed", range(4))
def test_products_are_those_of_going_through_the_rows(seed, tmp_path):
    catalog = opened(awkward(seed), tmp_path)
    expected: dict[str, list[int]] = {name: [] for name in sorted(set(catalog.product_ids.tolist()))}
    for row, name in enumerate(catalog.product_ids.tolist()):
        expected[name].append(row)
    assert [(name, rows.tolist()) for name, rows in catalog.products.items()] == list(expected.items())


@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_the_places_among_the_sorted_values(seed, tmp_path):
    catalog = opened(awkward(seed), tmp_path)
    for name in ("product_id", "product_type"):
        expected = np.unique(catalog.column(name), return_inverse=True)[1]
        assert np.array_equal(catalog.numbers(name), expected)


def test_null_characters_at_the_end_do_not_make_another_photo():
    with pytest.raises(NatviewsError, match=r"1 values of `image` .*\('x.jpg'\)"):
        Catalog(pa.table({"image": ["x.jpg", "x.jpg\0"], "product_id": ["a", "b"]}), Path("/"))
    with pytest.raises(NatviewsError, match="Row 2 has no image"):
        Catalog(pa.table({"image": ["x.jpg", "\0"], "product_id": ["a", "b"]}), Path("/"))


def test_columns_that_are_no_plain_text_are_read_as_before():
    table = pa.table({"image": pa.array(["b", "a"]).dictionary_encode(), "product_id": pa.array([10, 9])})
    catalog = Catalog(table, Path("/"))
    assert catalog.numbers("product_id").tolist() == [0, 1]  # as text, '10' stands before '9'
    assert list(catalog.products) == ["10", "9"]


def test_the_offenders_named_are_the_first_in_the_alphabet():
    rows = [(f"{image}.jpg", product) for image in ("é", "b", "B", "10", "9") for product in "pq"]
    table = pa.table(dict(zip(("image", "product_id"), zip(*rows, strict=True), strict=True)))
    with pytest.raises(NatviewsError, match=r"^5 values .*'10.jpg', '9.jpg', 'B.jpg'\);"):
        Catalog(table, Path("/"))


def key_by_rows(catalog: Catalog) -> str:
    digest = hashlib.blake2b(b"2", digest_size=16)
    for photo in catalog.photos:
        try:
            status = photo.path.stat()
            content = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            content = "absent"
        digest.update(f"{photo.path.absolute()}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@pytest.mark.parametrize("relative", [False, True])
def test_the_key_of_the_content_is_that_of_the_paths_one_by_one(relative, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    names = [
        "a.jpg",
        "./b.jpg",
        "sub//c.jpg",
        "sub/./d.jpg",
        "sub/../e.jpg",
        "sub/",
        "/etc/hostname",
        "é:f.jpg",
        "n\0o",
    ]
    names += ["...", ".g", "h."]
    for name in ("a.jpg", "b.jpg", "sub/c.jpg", "sub/d.jpg", "e.jpg", "é:f.jpg", "..."):
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path.parent)
    table = pa.table({"image": names, "product_id": ["p"] * len(names)})
    catalog = Catalog(table, Path(tmp_path.name) if relative else tmp_path)
    assert content_key(catalog) == key_by_rows(catalog)


def test_rows_that_lead_to_one_file_share_it_and_others_do_not(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("the same bytes")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "c.jpg").hardlink_to(tmp_path / "a.jpg")
    names = ["b.jpg", "a.jpg", "./a.jpg", "link/a.jpg", "c.jpg", "gone.jpg", "link/gone.jpg", "link/b.jpg"]
    files = files_of(Catalog(pa.table({"image": names, "product_id": ["p"] * len(names)}), tmp_path))
    assert files.number.tolist() == [0, 1, 1, 1, 1, 2, 3, 0]
    assert files.rows.tolist() == [0, 1, 5, 6]
    assert not files.remote
