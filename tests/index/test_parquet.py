"""Embeddings in a Parquet file: the same again when read, and readable by every other tool."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from natviews.index import embeddings_table, read_embeddings, write_embeddings
from natviews.types import Embeddings, NatviewsError, Provenance

MADE_BY = Provenance(encoder="e" * 64, catalog="c" * 64, location="/runs/größe 1", version="0.0.9")


def unit(rows: int, width: int = 8, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make(rows: int = 20) -> Embeddings:
    ids = np.array([f"shop/{i:05d} ä.jpg" for i in range(rows)], dtype=str)
    products = np.array([f"{i // 2:05d}" for i in range(rows)], dtype=str)
    return Embeddings(ids, products, unit(rows), MADE_BY, {"colour": unit(rows, 5, 1), "head": unit(rows, 3, 2)})


def same(one: Embeddings, other: Embeddings) -> bool:
    return (
        one.ids.tolist() == other.ids.tolist()
        and one.product_ids.tolist() == other.product_ids.tolist()
        and np.array_equal(one.vectors, other.vectors)
        and one.made_by == other.made_by
        and list(one.extra) == list(other.extra)
        and all(np.array_equal(one.extra[name], other.extra[name]) for name in one.extra)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "embeddings.parquet"


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_what_was_written_is_read_again(path, rows):
    write_embeddings(make(rows), path)
    again = read_embeddings(path)
    assert same(again, make(rows))
    assert again.vectors.dtype == np.float32
    assert again.vectors.shape == (rows, 8)


def test_some_rows_of_other_embeddings_are_written_as_they_are(path):
    part = make().take(np.array([7, 3, 11]))
    write_embeddings(part, path)
    assert same(read_embeddings(path), part)


def test_a_second_write_replaces_the_file(path):
    write_embeddings(make(20), path)
    write_embeddings(make(4), path)
    assert len(read_embeddings(path)) == 4
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_several_row_groups_is_read_whole(path):
    pa.parquet.write_table(embeddings_table(make()), path, row_group_size=3)
    assert same(read_embeddings(path), make())


def test_other_tools_find_the_promised_columns(path):
    write_embeddings(make(), path)
    schema = pa.parquet.read_schema(path)
    assert schema.names == ["id", "product_id", "vector", "colour", "head"]
    assert schema.field("id").type == pa.string()
    assert schema.field("product_id").type == pa.string()
    for name, width in (("vector", 8), ("colour", 5), ("head", 3)):
        kind = schema.field(name).type
        assert pa.types.is_fixed_size_list(kind)
        assert (kind.value_type, kind.list_size) == (pa.float32(), width)
    assert schema.metadata[b"natviews.encoder"] == b"e" * 64
    row = pa.parquet.read_table(path).slice(3, 1).to_pylist()[0]
    assert (row["id"], row["product_id"]) == ("shop/00003 ä.jpg", "00001")
    assert np.array_equal(np.array(row["vector"], np.float32), make().vectors[3])


def test_a_file_of_another_tool_without_provenance_is_read(path):
    pa.parquet.write_table(embeddings_table(make()).replace_schema_metadata(None), path)
    again = read_embeddings(path)
    assert again.made_by.encoder == ""
    assert np.array_equal(again.vectors, make().vectors)


def test_a_file_of_another_tool_with_doubles_and_numbered_ids_is_read(path):
    doubles = pa.FixedSizeListArray.from_arrays(pa.array(unit(4).astype(float).reshape(-1)), 8)
    pa.parquet.write_table(pa.table({"id": [1, 2, 3, 4], "product_id": [7, 7, 8, 8], "vector": doubles}), path)
    again = read_embeddings(path)
    assert again.ids.tolist() == ["1", "2", "3", "4"]
    assert again.vectors == pytest.approx(unit(4))


def test_an_absent_file_is_refused_with_what_makes_one(path):
    with pytest.raises(NatviewsError, match="natviews embed") as caught:
        read_embeddings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["id", "product_id", "vector"])
def test_a_file_without_a_needed_column_is_refused_with_its_name(path, name):
    pa.parquet.write_table(embeddings_table(make()).drop_columns([name]), path)
    with pytest.raises(NatviewsError, match=f"no column '{name}'") as caught:
        read_embeddings(path)
    assert str(path) in str(caught.value)


def column(values, kind=None):
    return lambda table: table.set_column(2, "vector", pa.array(values, kind))


def changed_vectors(vectors: np.ndarray):
    flat = pa.array(vectors.astype(np.float32).reshape(-1))
    return lambda table: table.set_column(2, "vector", pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))


@pytest.mark.parametrize(
    "change",
    [
        column(["text"] * 20),
        column([1.0] * 20),
        column([[1.0, 0.0]] * 20, pa.list_(pa.float32())),
        column([[1.0, 0.0]] * 19 + [None], pa.list_(pa.float32(), 2)),
        changed_vectors(unit(20) * 2),
        changed_vectors(np.full((20, 8), np.nan)),
        lambda table: table.set_column(0, "id", pa.array(["the same"] * 20)),
    ],
    ids=["text", "numbers", "lists of any length", "a missing vector", "not of length 1", "NaN", "repeated ids"],
)
def test_a_file_whose_columns_do_not_fit_is_refused(path, change):
    pa.parquet.write_table(change(embeddings_table(make())), path)
    with pytest.raises(NatviewsError, match="holds no embeddings") as caught:
        read_embeddings(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [0, 1])
def test_a_file_with_a_missing_id_is_refused(path, place):
    name = ("id", "product_id")[place]
    texts = pa.array([None, *(f"{i}" for i in range(19))], pa.string())
    pa.parquet.write_table(embeddings_table(make()).set_column(place, name, texts), path)
    with pytest.raises(NatviewsError):
        read_embeddings(path)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(path, keep):
    write_embeddings(make(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(NatviewsError, match="damaged") as caught:
        read_embeddings(path)
    assert str(path) in str(caught.value)


def test_a_damaged_file_is_refused_and_never_crashes(path):
    write_embeddings(make(200), path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(40):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(whole), 20)] = rng.integers(0, 256, 20)
        path.write_bytes(damaged.tobytes())
        try:
            read_embeddings(path)
        except NatviewsError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("text", [b"id,product_id,vector\n", b"PAR1PAR1", b"\x00" * 1000])
def test_a_file_that_is_no_parquet_is_refused(path, text):
    path.write_bytes(text)
    with pytest.raises(NatviewsError, match="holds no embeddings"):
        read_embeddings(path)
