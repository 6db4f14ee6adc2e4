"""Reading the table behind a catalogue: CSV, Parquet, JSON lines or a folder per product."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from natviews.types import NatviewsError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
TABLE_NAMES = ("catalog.csv", "catalog.parquet", "catalog.jsonl")
MAX_COLUMNS = 1000


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
        table = reader(path, encoding)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise NatviewsError(f"{path} cannot be read as {path.suffix[1:]}: {_one_line(error)}") from None
    return _as_text(table), path.parent


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _read_csv(path: Path, encoding: str) -> pa.Table:
    header = _header(path, encoding)
    delimiter = max(",;\t|", key=header.count)
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    if len(names) > MAX_COLUMNS:
        raise NatviewsError(f"{path} has {len(names)} columns; at most {MAX_COLUMNS} are read.")
    # Ids such as 00123 must stay as they were written, so nothing is guessed to be a number.
    as_text = pa.csv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False)
    # Titles may hold line breaks inside quotes.
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    return pa.csv.read_csv(path, pa.csv.ReadOptions(encoding=encoding), parse, as_text)


def _header(path: Path, encoding: str) -> str:
    """The first line, after a check that the whole file is of that encoding."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = file.readline(1_000_000).lstrip("\ufeff").rstrip("\r\n")
            while file.read(1 << 20):
                pass
    except LookupError:
        raise NatviewsError(f"There is no text encoding named {encoding!r}.") from None
    except UnicodeError as error:
        at = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise NatviewsError(
            f"{path} is not {encoding} text{at}; save it as UTF-8, or name its encoding "
            "(Catalog.open(..., encoding='cp1252'), --encoding cp1252)."
        ) from None
    if not header:
        raise NatviewsError(f"{path} is empty; its first line must name the columns.")
    return header


def _read_parquet(path: Path, encoding: str) -> pa.Table:
    return pa.parquet.read_table(path)


def _read_jsonl(path: Path, encoding: str) -> pa.Table:
    return pa.json.read_json(path)


def _as_text(table: pa.Table) -> pa.Table:
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            continue  # vectors and embedded bytes are no attributes
        if not pa.types.is_string(column.type):
            column = column.cast(pa.string())
        columns.append((name, pa.compute.fill_null(column, "")))
    return pa.table(dict(columns))


def _read_folder(folder: Path) -> pa.Table:
    """A folder per product (`shop/mug-12/front.jpg`), or per type and product (`shop/mug/12/front.jpg`)."""
    rows: dict[str, list[str]] = {"image": [], "product_id": [], "product_type": []}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or path.suffix.lower() not in PHOTO_ENDINGS or len(parts) not in (2, 3):
            continue
        rows["image"].append("/".join(parts))
        rows["product_id"].append("/".join(parts[:-1]))
        rows["product_type"].append(parts[0] if len(parts) == 3 else "")
    if not rows["image"]:
        raise NatviewsError(
            f"{folder} holds no catalogue: neither {' nor '.join(TABLE_NAMES)}, "
            "nor a folder per product with photos in it."
        )
    return pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})
