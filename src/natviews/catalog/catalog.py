"""The catalogue: which photos there are, of which products, and what is known of them."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute

from natviews.catalog.places import place_of
from natviews.catalog.tables import REQUIRED, read_table
from natviews.config import did_you_mean
from natviews.types import NatviewsError, Photo

SPLITS = ("train", "val", "test")
MAX_NAMED = 3
"""How many offenders an error names: enough to find the fault, few enough to read."""
DIGESTED = 65_536
"""Rows that are joined into one text at a time."""


@dataclass(frozen=True)
class Statistics:
    """What a catalogue holds. `share_with_two` is of products, and the share of natural pairs."""

    photos: int
    products: int
    photos_per_product: dict[int, int]
    share_with_two: float
    types: dict[str, int]
    splits: dict[str, int]


@dataclass(frozen=True)
class Catalog:
    """Photos of products. Immutable; every selection is a new catalogue.

    `table` has the columns `image` (the photo's id: unique, as the user wrote it) and `product_id`, then
    any others, all text with '' for nothing; `folder` is what the image paths are relative to. An image may
    also be a URL that fsspec can read (`s3://`, `gs://`, `https://`); nothing is fetched before it is packed.
    """

    table: pa.Table
    folder: Path

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if name not in self.table.column_names:
                known = self.table.column_names
                raise NatviewsError(f"The catalogue has no column {name!r}; {did_you_mean(name, known)}")
        if not len(self.table):
            raise NatviewsError(f"The catalogue in {self.folder} has no rows.")
        for name in REQUIRED:
            _check_given(name, self.text(name))
        _check_unique(self.text("image"))
        if self.has("split"):
            _check_split_names(self.text("split"))
            _check_not_parted(self)

    @classmethod
    def open(cls, path: str | Path, *, encoding: str = "utf-8") -> "Catalog":
        """The catalogue in a CSV, Parquet or JSONL file, or a folder with a folder per product.

        A row that lists a photo of the same product again is dropped. Raises NatviewsError for a missing
        column, a photo listed under two products, a product parted between splits, or text in another
        encoding.
        """
        try:
            table, folder = read_table(Path(path), encoding)
            return cls(_without_repeats(table), folder)
        except NatviewsError as error:
            text = str(error)
            raise NatviewsError(text if str(path) in text else f"{path}: {text}") from None

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> np.ndarray:
        """A column as text (N,). Raises NatviewsError with the nearest name if there is none."""
        return self._column(name).to_numpy(zero_copy_only=False).astype(str)

    def text(self, name: str) -> pa.ChunkedArray:
        """The same column as Arrow holds it: for a million rows a tenth of the memory, and as much faster."""
        column = self._column(name)
        if not pa.types.is_string(column.type) or column.null_count:
            return pa.chunked_array([pa.array(self.column(name), pa.string())])
        return pa.compute.ascii_rtrim(column, "\0")  # numpy's text cannot end in null characters

    def numbers(self, name: str) -> np.ndarray:
        """(N,) int64: each value of a column as its place, from 0, in the alphabetical order of the values."""
        coded = self.text(name).dictionary_encode().unify_dictionaries()
        names = coded.chunk(0).dictionary.to_numpy(zero_copy_only=False).astype(str)
        place = np.empty(len(names), np.int64)
        place[np.argsort(names)] = np.arange(len(names))
        return place[np.concatenate([chunk.indices.to_numpy() for chunk in coded.chunks])]

    def _column(self, name: str) -> pa.ChunkedArray:
        if name not in self.table.column_names:
            hint = did_you_mean(name, self.table.column_names)
            raise NatviewsError(f"The catalogue has no column {name!r}; {hint}")
        return self.table.column(name)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    @cached_property
    def ids(self) -> np.ndarray:
        return self.column("image")

    @cached_property
    def product_ids(self) -> np.ndarray:
        return self.column("product_id")

    @cached_property
    def product_types(self) -> np.ndarray:
        """(N,) text, '' where the catalogue does not say."""
        return self.column("product_type") if self.has("product_type") else np.full(len(self), "")

    @cached_property
    def splits(self) -> np.ndarray:
        """(N,) `train`, `val` or `test`. Raises NatviewsError before `split` was called or given."""
        return self.column("split")

    @property
    def photos(self) -> "Photos":
        return Photos(self)

    @cached_property
    def products(self) -> dict[str, np.ndarray]:
        """Product id -> row numbers of its photos, in the order of the catalogue."""
        numbers = self.numbers("product_id")
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        return dict(zip(self.product_ids[order[starts]].tolist(), np.split(order, starts[1:]), strict=True))

    def take(self, rows: np.ndarray) -> "Catalog":
        """The catalogue of some rows: a boolean mask (N,) or row numbers."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Catalog(self.table.take(pa.array(rows)), self.folder)

    def part(self, *splits: str) -> "Catalog":
        """The photos of these splits."""
        mask = np.isin(self.splits, splits)
        if not mask.any():
            given = ", ".join(sorted(set(self.splits)))
            raise NatviewsError(f"No photo has the split {' or '.join(splits)}; there are: {given}.")
        return self.take(mask)

    def with_column(self, name: str, values: np.ndarray) -> "Catalog":
        """The catalogue with a column set to `values` (N,) text."""
        column = pa.array(values.tolist(), pa.string())
        if self.has(name):
            return Catalog(self.table.set_column(self.table.column_names.index(name), name, column), self.folder)
        return Catalog(self.table.append_column(name, column), self.folder)

    def near_identical_groups(self) -> int:
        """How many groups of two or more products share a near-identical photo (see `with_split`)."""
        pairs = np.unique(np.stack([self.column("dup_group"), self.product_ids]), axis=1)
        return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over ids, products, types and splits: what was trained on, for provenance.

        The pixels are not in it; the packed cache keeps track of those.
        """
        names = [name for name in (*REQUIRED, "product_type", "split") if self.has(name)]
        digest = hashlib.sha256("\x1f".join(names).encode())
        rows = pa.table({name: self.text(name) for name in names})
        for batch in rows.to_batches(DIGESTED):
            joined = pa.compute.binary_join_element_wise(*batch.columns, "\x1f").to_pylist()
            digest.update("".join(f"{row}\x1e" for row in joined).encode())
        return digest.hexdigest()

    def statistics(self) -> Statistics:
        per_product = Counter(len(rows) for rows in self.products.values())
        several = sum(count for photos, count in per_product.items() if photos >= 2)
        splits = Counter(self.splits.tolist()) if self.has("split") else Counter()
        return Statistics(
            photos=len(self),
            products=len(self.products),
            photos_per_product=dict(sorted(per_product.items())),
            share_with_two=several / len(self.products),
            types=dict(Counter(self.product_types.tolist()).most_common()),
            splits={name: splits[name] for name in SPLITS if name in splits},
        )


class Photos(Sequence[Photo]):
    """The catalogue's rows as photos, made when asked for: a million rows cost nothing until then."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __len__(self) -> int:
        return len(self._catalog)

    @overload
    def __getitem__(self, row: int) -> Photo: ...
    @overload
    def __getitem__(self, row: slice) -> list[Photo]: ...
    def __getitem__(self, row: int | slice) -> Photo | list[Photo]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        catalog = self._catalog
        image = str(catalog.ids[row])
        path = place_of(image, catalog.folder)
        return Photo(image, str(catalog.product_ids[row]), str(catalog.product_types[row]), path)

    def __iter__(self) -> Iterator[Photo]:
        return (self[row] for row in range(len(self)))


def _without_repeats(table: pa.Table) -> pa.Table:
    """Without the rows that say again what an earlier row said: the same photo of the same product."""
    if not all(name in table.column_names for name in REQUIRED):
        return table
    if pa.compute.count_distinct(pa.compute.ascii_rtrim(table.column("image"), "\0")).as_py() == len(table):
        return table
    # The first row of every pair, found by hashing: sorting a million texts takes most of the time of opening.
    keys = pa.table({name: pa.compute.ascii_rtrim(table.column(name), "\0") for name in REQUIRED})
    keys = keys.append_column("row", pa.array(np.arange(len(table))))
    first = keys.group_by(list(REQUIRED)).aggregate([("row", "min")]).column("row_min").to_numpy()
    return table if len(first) == len(table) else table.take(pa.array(np.sort(first)))


def _check_given(name: str, values: pa.ChunkedArray) -> None:
    empty = np.flatnonzero(pa.compute.equal(values, "").to_numpy())
    if len(empty):
        raise NatviewsError(f"Row {empty[0] + 1} has no {name} ({len(empty)} in all); every photo needs one.")


def _check_unique(ids: pa.ChunkedArray) -> None:
    if pa.compute.count_distinct(ids).as_py() == len(ids):
        return
    counts = ids.value_counts()
    repeated = sorted(counts.filter(pa.compute.greater(counts.field("counts"), 1)).field("values").to_pylist())
    shown = ", ".join(map(repr, repeated[:MAX_NAMED]))
    raise NatviewsError(
        f"{len(repeated)} values of `image` stand under more than one product ({shown}); a photo is of one "
        "product, so remove the wrong rows or give the copies files of their own."
    )


def _check_split_names(splits: pa.ChunkedArray) -> None:
    unknown = sorted(set(splits.unique().to_pylist()) - set(SPLITS))
    if unknown:
        raise NatviewsError(
            f"`split` has the value {unknown[0]!r}; {did_you_mean(unknown[0], SPLITS)} "
            "Leave the column out to have the products split."
        )


def _check_not_parted(catalog: Catalog) -> None:
    products, splits = catalog.numbers("product_id"), catalog.numbers("split")
    lowest = np.full(products.max() + 1, len(SPLITS))
    highest = np.zeros(products.max() + 1, int)
    np.minimum.at(lowest, products, splits)
    np.maximum.at(highest, products, splits)
    parted = np.flatnonzero(lowest != highest)
    if len(parted):
        name = str(catalog.product_ids[np.argmax(products == parted[0])])
        raise NatviewsError(
            f"Product {name!r} is parted between splits ({len(parted)} in all); "
            "its photos would leak from training into the test. Give all its photos one split."
        )
