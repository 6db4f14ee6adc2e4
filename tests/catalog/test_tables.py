"""Catalogues as they come: every kind of table and folder, and what is said of a wrong one."""

import json
import os

import pyarrow as pa
import pyarrow.parquet
import pytest

from natviews.catalog import Catalog
from natviews.types import NatviewsError


@pytest.fixture
def file(tmp_path):
    """Writes text (as UTF-8) or bytes to a file of that name and gives its path."""

    def write(name: str, contents: str | bytes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    return write


@pytest.fixture
def parquet(tmp_path):
    def write(**columns):
        path = tmp_path / "catalog.parquet"
        pa.parquet.write_table(pa.table(columns), path)
        return path

    return write


def rows(path, **named) -> list[dict[str, str]]:
    return Catalog.open(path, **named).table.to_pylist()


def refusal(path, **named) -> str:
    """The one sentence with which a catalogue is refused; it always names the file."""
    with pytest.raises(NatviewsError) as caught:
        Catalog.open(path, **named)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


EXPECTED = [
    {"image": "a.jpg", "product_id": "00123", "title": "Schöner Schuh"},
    {"image": "b.jpg", "product_id": "00124", "title": ""},
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without BOM", "with BOM"])
def test_a_csv_of_every_dialect_reads_the_same(file, mark, delimiter, end):
    lines = ["image,product_id,title", "a.jpg,00123,Schöner Schuh", "b.jpg,00124,", ""]
    assert rows(file("shop.csv", mark + end.join(lines).replace(",", delimiter))) == EXPECTED


def test_a_tsv_reads_the_same(file):
    assert rows(file("shop.TSV", "image\tproduct_id\na.jpg\t1\n")) == [{"image": "a.jpg", "product_id": "1"}]


def test_quoted_fields_may_hold_delimiters_quotes_and_line_breaks(file):
    text = 'image,"product_id",title\n"a, b.jpg",1,"two\r\nlines, and ""quotes"""\nc.jpg,2,x\n'
    assert rows(file("shop.csv", text)) == [
        {"image": "a, b.jpg", "product_id": "1", "title": 'two\r\nlines, and "quotes"'},
        {"image": "c.jpg", "product_id": "2", "title": "x"},
    ]


@pytest.mark.parametrize(
    "value", ["00123", "1e5", "1.50", "TRUE", "2024-01-01", "NA", "null", "NaN", "12345678901234567890"]
)
def test_csv_values_stay_as_they_were_written(file, value):
    [row] = rows(file("shop.csv", f"image,product_id,price\n{value},{value},{value}\n"))
    assert row == {"image": value, "product_id": value, "price": value}


def test_blank_lines_are_passed_over(file):
    assert len(rows(file("shop.csv", "image,product_id\n\na,1\n\nb,2\n\n"))) == 2


def test_text_in_another_encoding_is_refused_with_the_byte_and_the_mend(file):
    text = "image,product_id\nschön.jpg,1\n".encode("cp1252")
    said = refusal(file("shop.csv", text))
    assert f"at byte {text.index(0xF6)};" in said
    assert "--encoding cp1252" in said
    assert "save it as UTF-8" in said


def test_text_whose_encoding_is_named_is_read(file):
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        path = file("shop.csv", "image;product_id\nschön.jpg;1\n".encode(encoding))
        assert rows(path, encoding=encoding) == [{"image": "schön.jpg", "product_id": "1"}]


def test_a_wrong_byte_late_in_a_large_file_is_found(file):
    text = b"image,product_id\n" + b"".join(b"%d.jpg,1\n" % i for i in range(150_000)) + b"sch\xf6n.jpg,1\n"
    assert "is not utf-8 text" in refusal(file("shop.csv", text))


def test_a_wrong_byte_late_in_a_large_file_is_counted_from_its_start(file):
    text = b"image,product_id\n" + b"".join(b"%d.jpg,1\n" % i for i in range(150_000)) + b"sch\xf6n.jpg,1\n"
    assert f"at byte {text.index(0xF6)};" in refusal(file("shop.csv", text))


def test_an_encoding_that_does_not_exist_is_refused(file):
    assert "no text encoding named 'klingon'" in refusal(
        file("a.csv", "image,product_id\na,1\n"), encoding="klingon"
    )


@pytest.mark.parametrize(
    ("header", "missing", "hint"),
    [
        ("image,productid", "product_id", "did you mean 'productid'?"),
        ("Image,product_id", "image", "did you mean 'Image'?"),
        ("image,sku", "product_id", "it knows image, sku."),
    ],
)
def test_a_missing_column_is_named_with_the_nearest_one(file, header, missing, hint):
    said = refusal(file("shop.csv", f"{header}\na.jpg,1\n"))
    assert f"no column '{missing}'" in said
    assert hint in said


@pytest.mark.parametrize(
    ("name", "contents", "said"),
    [
        ("shop.csv", "", "is empty"),
        ("shop.csv", "\ufeff", "is empty"),
        ("shop.csv", "image,product_id\n", "no rows"),
        ("shop.jsonl", "", "cannot be read as jsonl"),
        ("shop.csv", "image,product_id\na,1\nb\n", "Expected 2 columns, got 1"),
        ("shop.csv", "image,product_id\na,1\nb,2,3\n", "Expected 2 columns, got 3"),
        ("shop.csv", "image,product_id\n,1\n", "Row 1 has no image"),
        ("shop.csv", "image,product_id\na,1\nb,\nc,\n", "Row 2 has no product_id (2 in all)"),
        ("shop.xlsx", "PK", "is no catalogue: expected .csv"),
        ("shop.jsonl", '{"image": "a"', "cannot be read as jsonl"),
        ("shop.csv", "x" * 200_000, ""),
        ("shop.csv", ",".join(["image", "product_id", *(f"c{i}" for i in range(1000))]) + "\n", "at most 1000"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(file, name, contents, said):
    assert said in refusal(file(name, contents))


def test_an_absent_file_is_refused(tmp_path):
    assert "There is no catalogue at" in refusal(tmp_path / "none.csv")


@pytest.mark.parametrize("text", ["image,product_id,,\na,1,,\n", "image,product_id,title,title\na,1,x,y\n"])
def test_further_columns_of_one_name_do_no_harm(file, text):
    # A spreadsheet's export often ends in columns without a name.
    assert [(row["image"], row["product_id"]) for row in rows(file("shop.csv", text))] == [("a", "1")]


def test_a_needed_column_given_twice_is_refused(file):
    assert "image" in refusal(file("shop.csv", "image,product_id,image\na,1,b\n"))


@pytest.mark.parametrize(
    "text", ['image,product_id,"price, EUR"\na,1,1.50\n', 'image;product_id;"price, with, tax, EUR"\na;1;1.50\n']
)
def test_a_quoted_delimiter_in_the_header_does_no_harm(file, text):
    assert list(rows(file("shop.csv", text))[0].values()) == ["a", "1", "1.50"]


def test_a_long_description_is_read(file):
    text = 'image,product_id,title\na,1,"' + "x\n" * 200_000 + '"\nb,2,y\n'
    assert [len(row["title"]) for row in rows(file("shop.csv", text))] == [400_000, 1]


def test_line_breaks_do_not_part_a_row_anywhere_in_a_large_file(file):
    # Readers take a file in pieces of a megabyte: here every piece ends within a quoted field.
    title = "x\n" * 100_000
    text = "image,product_id,title\n" + "".join(f'{i}.jpg,{i},"{title}"\n' for i in range(20))
    found = Catalog.open(file("shop.csv", text))
    assert found.ids.tolist() == [f"{i}.jpg" for i in range(20)]
    assert set(found.column("title")) == {title}


def test_a_quote_that_is_never_closed_is_refused_and_does_not_swallow_the_rest(file):
    said = refusal(file("shop.csv", 'image,product_id,title\na,1,"two\nlines"\nb,2,"x\nc,3,y\nd,4,z\n'))
    assert "in the row that begins in line 4 which is never closed" in said


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_two_quotes_that_are_never_closed_do_not_make_one_row_of_two(file, end):
    text = end.join(["\ufeffimage,product_id,title", "", 'a,1,"Lamp', 'b,2,"Vase', "c,3,z", ""])
    said = refusal(file("shop.csv", text))
    assert "in the row that begins in line 3 which ends amidst a field in line 4" in said


def test_a_quote_within_an_unquoted_field_is_a_sign_like_any_other(file):
    text = 'image,product_id,title\na,1,Lamp 12" tall\nb,2,"Vase, 3"" wide"\nc,3,5" x 4"\n'
    assert [row["title"] for row in rows(file("shop.csv", text))] == ['Lamp 12" tall', 'Vase, 3" wide', '5" x 4"']


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without BOM", "with BOM"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_line_break_in_the_header_does_no_harm(file, delimiter, mark):
    text = mark + '"Price, gross;\n(EUR)",image,product_id\n1.50,a,00123\n2.00,b,123\n'.replace(",", delimiter)
    catalog = Catalog.open(file("shop.csv", text))
    assert catalog.product_ids.tolist() == ["00123", "123"]
    assert catalog.table.column(0).to_pylist() == ["1.50", "2.00"]


def test_json_lines_are_read_as_text(file):
    lines = [
        {"image": "a.jpg", "product_id": "00123", "pages": 3, "vector": [1.0, 2.0], "title": "Schöner\nSchuh"},
        {"image": "b.jpg", "product_id": "00124", "pages": None, "extra": "only here"},
    ]
    assert rows(file("shop.jsonl", "\n".join(map(json.dumps, lines)) + "\n")) == [
        {"image": "a.jpg", "product_id": "00123", "pages": "3", "title": "Schöner\nSchuh", "extra": ""},
        {"image": "b.jpg", "product_id": "00124", "pages": "", "title": "", "extra": "only here"},
    ]


def test_json_lines_with_numbered_products_are_read(file):
    assert rows(file("shop.jsonl", '{"image": "a", "product_id": 7}\n'))[0]["product_id"] == "7"


def test_json_lines_of_mixed_kinds_are_read_as_text(file):
    path = file("shop.jsonl", '{"image": "a", "product_id": 7}\n{"image": "b", "product_id": "x"}\n')
    assert [row["product_id"] for row in rows(path)] == ["7", "x"]


def test_a_line_that_is_no_json_object_is_named(file):
    assert "line 2 is no JSON object" in refusal(file("a.jsonl", '{"image": "a", "product_id": 7}\n[1]\n'))


def test_half_a_character_in_a_json_line_is_named_with_its_line(file):
    whole = '{"image": "a", "product_id": "1", "title": "nice \\ud83d\\ude00"}\n'
    assert rows(file("whole.jsonl", whole))[0]["title"] == "nice \U0001f600"
    for half in ('{"image": "b", "product_id": "nice \\ud83d"}', '{"image": "b", "\\uD83D": "2"}'):
        said = refusal(file("half.jsonl", f"{whole}\n{half}\n"))
        assert "line 3 holds half a character ('\\ud83d')" in said


def test_json_that_is_nested_too_deeply_is_named_with_its_line(file):
    assert "line 1 is nested too deeply" in refusal(file("a.jsonl", '{"image": ' + "[" * 200_000))


def test_json_texts_that_look_like_dates_stay_as_they_were_written(file):
    [row] = rows(file("shop.jsonl", '{"image": "a", "product_id": "2024-01-01"}\n'))
    assert row["product_id"] == "2024-01-01"


def test_json_lines_in_another_encoding_are_refused(file):
    assert "utf-8" in refusal(file("shop.jsonl", '{"image": "schön.jpg", "product_id": "1"}\n'.encode("cp1252")))


def test_parquet_columns_become_text_and_vectors_are_left_out(parquet):
    path = parquet(
        image=["a.jpg", "b.jpg"],
        product_id=[7, 8],
        price=[1.5, None],
        title=pa.array(["x", None]),
        nothing=pa.nulls(2),
        kind=pa.array(["shoe", "hat"]).dictionary_encode(),
        large=pa.array(["p", "q"], pa.large_string()),
        vector=[[1.0, 2.0], [3.0, 4.0]],
        picture=[b"\xff\xd8", b"\x89P"],
        box=[{"x": 1}, {"x": 2}],
    )
    assert rows(path) == [
        {
            "image": "a.jpg",
            "product_id": "7",
            "price": "1.5",
            "title": "x",
            "nothing": "",
            "kind": "shoe",
            "large": "p",
        },
        {
            "image": "b.jpg",
            "product_id": "8",
            "price": "",
            "title": "",
            "nothing": "",
            "kind": "hat",
            "large": "q",
        },
    ]


def test_a_missing_id_in_parquet_is_refused(parquet):
    assert "Row 2 has no product_id" in refusal(parquet(image=["a", "b"], product_id=["1", None]))


@pytest.mark.parametrize("kind", [pa.large_binary(), pa.binary(2), pa.binary_view()], ids=str)
def test_embedded_bytes_of_every_kind_are_left_out(parquet, kind):
    assert rows(parquet(image=["a"], product_id=["1"], picture=pa.array([b"\xff\xd8"], kind))) == [
        {"image": "a", "product_id": "1"}
    ]


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_parquet_is_refused(parquet, keep):
    path = parquet(image=[f"{i}" for i in range(100)], product_id=["1"] * 100)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    assert "cannot be read as parquet" in refusal(path)


def test_a_damaged_parquet_is_refused(parquet):
    path = parquet(image=[f"{i}" for i in range(1000)], product_id=["1"] * 1000)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\xff" * 200 + whole[400:])
    assert "cannot be read as parquet" in refusal(path)


def test_a_folder_with_a_table_is_that_table(file):
    path = file("shop/catalog.csv", "image,product_id\nphotos/a.jpg,1\n")
    file("shop/other/a.jpg", "")
    catalog = Catalog.open(path.parent)
    assert catalog.ids.tolist() == ["photos/a.jpg"]
    assert catalog.photos[0].path == path.parent / "photos/a.jpg"


def test_a_folder_per_product_is_a_catalogue(file, tmp_path):
    for name in ("mug 12/front.jpg", "mug 12/back.PNG", "mug 3/a.webp"):
        file(f"shop/{name}", "")
    catalog = Catalog.open(tmp_path / "shop")
    assert list(zip(catalog.ids.tolist(), catalog.product_ids.tolist(), strict=True)) == [
        ("mug 12/back.PNG", "mug 12"),
        ("mug 12/front.jpg", "mug 12"),
        ("mug 3/a.webp", "mug 3"),
    ]
    assert set(catalog.product_types) == {""}


def test_a_folder_per_type_and_product_is_a_catalogue_with_types(file, tmp_path):
    for name in ("mug/12/front.jpg", "mug/12/back.jpg", "shoe/12/front.jpg"):
        file(f"shop/{name}", "")
    catalog = Catalog.open(tmp_path / "shop")
    assert catalog.product_ids.tolist() == ["mug/12", "mug/12", "shoe/12"]
    assert catalog.product_types.tolist() == ["mug", "mug", "shoe"]


def test_hidden_files_other_files_and_other_depths_are_passed_over(file, tmp_path):
    for name in (
        "1/a.jpg",
        "1/.hidden.jpg",
        "1/._a.jpg",
        ".thumbnails/1.jpg",
        "1/.cache/b.jpg",
        "1/notes.txt",
        "top.jpg",
        "too/deep/a/b.jpg",
    ):
        file(f"shop/{name}", "")
    assert Catalog.open(tmp_path / "shop").ids.tolist() == ["1/a.jpg"]


def test_a_folder_of_nothing_is_refused(tmp_path, file):
    file("shop/readme.txt", "")
    assert "holds no catalogue" in refusal(tmp_path / "shop")


def test_a_folder_named_like_a_photo_is_no_photo(file, tmp_path):
    file("shop/1/a.jpg", "")
    file("shop/1/b.jpg/c.txt", "")
    assert Catalog.open(tmp_path / "shop").ids.tolist() == ["1/a.jpg"]


def test_a_file_name_that_is_no_text_does_not_stop_the_others(file, tmp_path):
    file("shop/1/a.jpg", "")
    with open(os.path.join(os.fsencode(tmp_path), b"shop", b"1", b"sch\xf6n.jpg"), "wb"):  # noqa: PTH118, PTH123
        pass
    assert "1/a.jpg" in Catalog.open(tmp_path / "shop").ids
