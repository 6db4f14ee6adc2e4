"""Reading the table behind a catalogue: CSV, Parquet, JSON lines or a folder per product."""

import codecs
import csv
import io
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from natviews.types import NatviewsError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
TABLE_NAMES = ("catalog.csv", "catalog.parquet", "catalog.jsonl")
REQUIRED = ("image", "product_id")
DELIMITERS = ",;\t|"
MAX_COLUMNS = 1000
MAX_HEADER = 1_000_000
MAX_FIELD = 2**26
"""Characters of a field in a CSV with quotes: what is longer has a quote that is never closed."""
BLOCK = 2**20


def read_table(path: Path, encoding: str) -> tuple[pa.Table, Path]:
    """The rows of a catalogue, every column as text (nothing given: ''), and the folder of its paths."""
    if path.is_dir():
        for name in TABLE_NAMES:
            if (path / name).is_file():
                return read_table(path / name, encoding)
        return _read_folder(path), path
    if not path.is_file():
        raise NatviewsError(f"There is no catalogue at {path}.")
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise NatviewsError(f"{path} is no catalogue: expected {', '.join(readers)} or a folder.")
    try:
        return _as_text(reader(path, encoding)), path.parent
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise NatviewsError(f"{path} cannot be read as {path.suffix[1:].lower()}: {reason}") from None


def _read_csv(path: Path, encoding: str) -> pa.Table:
    head, quoted = "", False
    for text in _decoded(path, encoding):
        if len(head) < MAX_HEADER:
            head += text
        quoted = quoted or '"' in text
    head = head.lstrip("\ufeff")
    delimiter = _delimiter(head)
    if quoted:  # the only files in which a row may be cut wrongly: the others need no closer look
        _check_quotes(path, encoding, delimiter)
    try:
        names = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise NatviewsError(f"{path} names no columns in its first line: {error}; mend that line.") from None
    if not names:
        raise NatviewsError(f"{path} is empty; its first line must name the columns.")
    if len(names) > MAX_COLUMNS:
        raise NatviewsError(f"{path} has {len(names)} columns; at most {MAX_COLUMNS} are read.")
    # Ids such as 00123 must stay as they were written, so nothing is guessed to be a number.
    as_text = pa.csv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False)
    # Titles may hold line breaks inside quotes.
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    return pa.csv.read_csv(path, pa.csv.ReadOptions(encoding=encoding), parse, as_text)


def _delimiter(head: str) -> str:
    """What parts the names in the first record, of which a quoted one may hold delimiters and line breaks."""
    unquoted = re.sub(rf'(^|[{DELIMITERS}])"(?:[^"]|"")*"', r"\1", head)
    return max(DELIMITERS, key=re.split(r"[\r\n]", unquoted, maxsplit=1)[0].count)


def _check_quotes(path: Path, encoding: str, delimiter: str) -> None:
    """Raises NatviewsError where a quoted field is never closed, or goes on behind the quote that closes it.

    Where two rows in turn forget to close theirs, Arrow would make one row of them without a word. A quote in a
    field that does not begin with one (12" tall) is a sign like any other.
    """
    csv.field_size_limit(max(MAX_FIELD, csv.field_size_limit()))  # the whole process has one: never lowered
    with path.open(encoding=encoding, newline="") as lines:
        if lines.read(1) != "\ufeff":
            lines.seek(0)
        rows, first = csv.reader(lines, delimiter=delimiter, strict=True), 1
        try:
            for _ in rows:
                first = rows.line_num + 1
        except csv.Error as error:
            closed_amidst = "expected after" in str(error)
            fault = f"ends amidst a field in line {rows.line_num}" if closed_amidst else "is never closed"
            raise NatviewsError(
                f'{path} has a quote (") in the row that begins in line {first} which {fault}: what follows would '
                'be lost; close it, or write a quote that is part of a quoted text twice ("").'
            ) from None


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    """The file's text in pieces. Raises NatviewsError where it is not of that encoding."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise NatviewsError(f"There is no text encoding named {encoding!r}.") from None
    read = 0
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            waiting = len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise NatviewsError(
                    f"{path} is not {encoding} text at byte {read - waiting + error.start}; save it as UTF-8, "
                    "or name its encoding (Catalog.open(..., encoding='cp1252'), --encoding cp1252)."
                ) from None
            except UnicodeError as error:
                raise NatviewsError(f"{path} is not {encoding} text: {error}.") from None
            if not block:
                return
            read += len(block)


def _read_parquet(path: Path, encoding: str) -> pa.Table:
    return pa.parquet.read_table(path)


def _read_jsonl(path: Path, encoding: str) -> pa.Table:
    """One JSON object a line. Values become text as they stand; lists and objects are no attributes."""
    columns: dict[str, list[str]] = {}
    count = 0
    lines = "".join(_decoded(path, encoding)).lstrip("\ufeff").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if "\\u" in line:
                json.dumps(values, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start])
            raise pa.ArrowInvalid(
                f"line {number} holds half a character ({half}), which no text can; write it whole or leave it out"
            ) from None
        except RecursionError:
            raise pa.ArrowInvalid(f"line {number} is nested too deeply; leave such values out") from None
        except ValueError as error:
            raise pa.ArrowInvalid(f"line {number} is no JSON: {error}") from None
        if not isinstance(values, dict):
            raise pa.ArrowInvalid(f"line {number} is no JSON object")
        for name, value in values.items():
            if not isinstance(value, list | dict):
                column = columns.setdefault(name, [])
                column += [""] * (count - len(column)) + [_json_text(value)]
        count += 1
    if not count:
        raise pa.ArrowInvalid("it has no lines")
    filled = {name: column + [""] * (count - len(column)) for name, column in columns.items()}
    return pa.table({name: pa.array(column, pa.string()) for name, column in filled.items()})


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _as_text(table: pa.Table) -> pa.Table:
    """Every column as text; of columns of one name the first, and nested or binary ones left out."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns and name in REQUIRED:
            raise NatviewsError(f"The catalogue has two columns {name!r}; remove one.")
        if not name or name in columns or _is_no_attribute(column.type):
            continue  # a spreadsheet's export often ends in columns without a name
        text = column if pa.types.is_string(column.type) else column.cast(pa.string())
        columns[name] = pa.compute.fill_null(text, "")
    return pa.table(columns)


def _is_no_attribute(kind: pa.DataType) -> bool:
    """Vectors, boxes and embedded bytes."""
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return pa.types.is_nested(kind) or any(test(kind) for test in binary)


def _read_folder(folder: Path) -> pa.Table:
    """A folder per product (`shop/mug-12/front.jpg`), or per type and product (`shop/mug/12/front.jpg`)."""
    rows: dict[str, list[str]] = {"image": [], "product_id": [], "product_type": []}
    unreadable = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or path.suffix.lower() not in PHOTO_ENDINGS or len(parts) not in (2, 3) or not path.is_file():
            continue
        if any("\udc80" <= letter <= "\udcff" for letter in "/".join(parts)):  # bytes that are no UTF-8
            unreadable.append(path)
            continue
        rows["image"].append("/".join(parts))
        rows["product_id"].append("/".join(parts[:-1]))
        rows["product_type"].append(parts[0] if len(parts) == 3 else "")
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} files are left out because their names are no UTF-8 text, "
            f"such as {unreadable[0].name!r}; rename them to have them read.",
            stacklevel=2,
        )
    if not rows["image"]:
        raise NatviewsError(
            f"{folder} holds no catalogue: neither {' nor '.join(TABLE_NAMES)}, "
            "nor a folder per product with photos in it."
        )
    return pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})
