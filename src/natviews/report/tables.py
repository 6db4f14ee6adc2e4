"""Tables and bars of a page: what of a report's figures stands in which row and column."""

from collections.abc import Iterable
from dataclasses import dataclass

from natviews.catalog import Statistics
from natviews.report.report import Report
from natviews.report.words import NAMES, NO_DIRECTION
from natviews.types import Metric

MOST_BARS = 10
"""Photos per product are counted one by one up to here, then together."""


@dataclass(frozen=True)
class Line:
    """A row of a table of figures: a figure, or None where it was not measured, for each column."""

    row: str
    cells: list[Metric | None]

    @property
    def queries(self) -> str:
        counts = sorted({cell.n for cell in self.cells if cell})
        return " to ".join(f"{n:,}" for n in counts[:1] + counts[1:][-1:])


@dataclass(frozen=True)
class Table:
    """All figures of a slice, and the differences paired with them. `columns` are metrics' names."""

    slice: str
    columns: list[str]
    lines: list[Line]
    differences: list[Line]


@dataclass(frozen=True)
class Bar:
    """A named count with its `share` of the largest, from 0 to 1."""

    name: str
    count: int
    share: float


def mark(difference: Metric) -> str:
    """What a paired difference shows: `better`, `worse`, `differs` or, with zero in its interval, `open`."""
    if not difference.excludes_zero:
        return "open"
    if difference.name in NO_DIRECTION:
        return "differs"
    return "better" if difference.value > 0 else "worse"


def photos_per_product(statistics: Statistics) -> list[Bar]:
    """How many products have 1, 2, 3, ... photos; from MOST_BARS on, together."""
    counts: dict[str, int] = {}
    for photos, products in sorted(statistics.photos_per_product.items()):
        name = str(photos) if photos < MOST_BARS else f"{MOST_BARS}+"
        counts[name] = counts.get(name, 0) + products
    return _bars(counts)


def product_types(statistics: Statistics) -> list[Bar]:
    """The types by falling number of photos; none where the catalogue names no type."""
    if not any(statistics.types):
        return []
    ranked = sorted(statistics.types.items(), key=lambda item: -item[1])
    return _bars({name or "(no type)": count for name, count in ranked})


def _bars(counts: dict[str, int]) -> list[Bar]:
    most = max(counts.values(), default=0)
    return [Bar(name, count, count / most if most else 0.0) for name, count in counts.items()]


def columns_of(metrics: Iterable[Metric]) -> list[str]:
    """The names of the figures that were measured, those that the page names first."""
    measured = dict.fromkeys(m.name for m in metrics)
    return [name for name in NAMES if name in measured] + [name for name in measured if name not in NAMES]


def table_of(part: Report, slice: str) -> Table:
    """The table of a slice, of whose figures alone `part` is the report."""
    columns, rows = columns_of(part.metrics), part.rows
    paired = dict.fromkeys(m.row for m in part.metrics if m.row not in rows)

    def line(row: str) -> Line:
        cells = [part.metric(row, column, slice) for column in columns]
        return Line(row.removeprefix("trained-") if row in paired else row, cells)

    return Table(slice, columns, [line(row) for row in rows], [line(row) for row in paired])
