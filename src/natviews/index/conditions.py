"""Conditions on what is known of photos: COLUMN=VALUE and COLUMN<NUMBER, read from text and never run as code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from natviews.config import did_you_mean
from natviews.types import NatviewsError

SIGNS: dict[str, Any] = {
    "!=": pa.compute.not_equal,
    "<=": pa.compute.less_equal,
    ">=": pa.compute.greater_equal,
    "=": pa.compute.equal,
    "<": pa.compute.less,
    ">": pa.compute.greater,
}
WRITTEN = re.compile(r"(?P<column>.*?)(?P<sign>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, a sign of `SIGNS` and what it is compared with: as text by = and !=, else as numbers."""

    column: str
    sign: str
    value: str

    @classmethod
    def read(cls, text: str) -> "Condition":
        """From `price<20` or `product_type=dress`: up to the first sign it is the column, all after it the
        value."""
        parts = WRITTEN.fullmatch(text)
        if parts is None or not parts["column"].strip():
            raise NatviewsError(f"{text!r} is no condition; write COLUMN=VALUE, COLUMN!=VALUE or COLUMN<NUMBER.")
        condition = cls(parts["column"].strip(), parts["sign"], parts["value"])
        if condition.sign not in ("=", "!=") and not re.match(NUMBER, condition.value):
            raise NatviewsError(
                f"{text!r} compares with {condition.value!r}; after {condition.sign} comes a number."
            )
        return condition

    def holds(self, photos: pa.Table) -> np.ndarray:
        """(N,) bool: for which photos. A value that is missing, or by < > no number, fulfils no condition but
        !=."""
        if self.column not in photos.column_names:
            hint = did_you_mean(self.column, photos.column_names)
            raise NatviewsError(f"Nothing is known of a column {self.column!r}; {hint}")
        column = photos.column(self.column)
        given: str | float = self.value
        if self.sign not in ("=", "!="):
            column, given = _as_numbers(column), float(self.value)
        elif not pa.types.is_string(column.type):
            column = column.cast(pa.string())
        held = SIGNS[self.sign](column, pa.scalar(given, column.type))
        return held.fill_null(self.sign == "!=").to_numpy().astype(bool)


def allowed(photos: pa.Table, conditions: Sequence[str]) -> np.ndarray | None:
    """(N,) bool: the photos that fulfil all conditions, each as a user writes it; None where there are none."""
    if not conditions:
        return None
    return np.logical_and.reduce([Condition.read(text).holds(photos) for text in conditions])


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as float64: text that is no number is missing."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column.cast(pa.float64())
    numbers = pa.compute.match_substring_regex(column, NUMBER)
    kept = pa.compute.if_else(numbers, pa.compute.utf8_trim_whitespace(column), pa.scalar(None, column.type))
    return kept.cast(pa.float64())
