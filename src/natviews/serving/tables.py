"""Decisions as tables: what `natviews match`, `prices`, `gaps` and so on wrote, or what the store alone can
say."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from natviews.config import did_you_mean
from natviews.matching.spreadsheets import guarded
from natviews.serving.gallery import Gallery
from natviews.serving.problems import Absent, Busy
from natviews.serving.snapshot import Snapshot
from natviews.types import NatviewsError

COMPUTED_UP_TO = 50_000
"""Photos of a store of which groups and colourways are worked out when they are asked for."""


@dataclass(frozen=True)
class Kind:
    """A table by its name: its `title`, what it `says`, and the command that writes it."""

    name: str
    title: str
    says: str
    command: str
    first: tuple[str, ...]
    """The columns that are shown first."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("matches", "Same items", "Which of their products are the same items as ours.",
             "natviews match OURS THEIRS",
             ("query_product", "match_product", "probability", "accepted", "query_title", "match_title")),
        Kind("prices", "Prices", "What they ask for the items that we sell too, the dearest of ours first.",
             "natviews prices OURS THEIRS",
             ("query_product", "query_title", "our_price", "their_price", "difference", "ratio", "outlier")),
        Kind("gaps", "Gaps", "What they sell and we do not, the surest first.",
             "natviews gaps OURS THEIRS", ("product", "title", "product_type", "price", "nearest", "probability")),
        Kind("opportunities", "Opportunities", "Of what we do not sell, what is wanted most.",
             "natviews opportunities OURS THEIRS",
             ("rank", "product", "title", "product_type", "price", "demand", "sales", "sellers", "growth")),
        Kind("groups", "Groups", "Listings that all show the same item, each with its weakest link.",
             "natviews groups STORE", ("group", "product", "title", "size", "weakest")),
        Kind("colourways", "Colourways", "One design in other colours.",
             "natviews colourways STORE", ("product", "colourway", "design_score", "colour", "colourway_colour")),
        Kind("attributes", "Attributes", "What was not written of a product, read off its neighbours.",
             "natviews attributes STORE --column NAME", ("product", "attribute", "value", "confidence")),
    )
}  # fmt: skip
FROM_STORE = ("groups", "colourways")


class Tables:
    """Tables by name, from a folder or worked out from the store; a file that changes is read anew."""

    def __init__(self, folder: Path, gallery: Gallery, photos: Path | None) -> None:
        self._folder, self._gallery, self._photos = folder, gallery, photos
        self._kept: dict[str, tuple[tuple[int, int], pa.Table]] = {}
        self._computed: dict[str, tuple[int, pa.Table | NatviewsError]] = {}
        self._being_computed: set[str] = set()
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """Where a command writes it."""
        return self._folder / f"{name}.parquet"

    def is_written(self, name: str) -> bool:
        """Whether a command has written it."""
        return self.path(name).is_file()

    def table(self, name: str) -> pa.Table:
        """The table. Raises Busy while it is being worked out, NatviewsError where there is none."""
        if name not in KINDS:
            raise NatviewsError(f"There is no table {name!r}; {did_you_mean(name, list(KINDS))}")
        if self.is_written(name):
            return self._read(name)
        if name in FROM_STORE and len(self._gallery.snapshot) <= COMPUTED_UP_TO:
            return self._worked_out(name)
        raise Absent(
            f"There is no {name}.parquet in {self._folder}; write it there with "
            f"`{KINDS[name].command} --out {self.path(name)}`."
        )

    def _read(self, name: str) -> pa.Table:
        path = self.path(name)
        try:
            state = path.stat()
            mark = state.st_mtime_ns, state.st_size
            with self._lock:
                if name not in self._kept or self._kept[name][0] != mark:
                    self._kept[name] = mark, pa.parquet.read_table(path)
                return self._kept[name][1]
        except (pa.ArrowException, OSError) as error:
            raise NatviewsError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None

    def _worked_out(self, name: str) -> pa.Table:
        """What was worked out last, and where the store has changed since, that begins anew."""
        snapshot = self._gallery.snapshot
        with self._lock:
            version, held = self._computed.get(name, (None, None))
            if version != snapshot.version and name not in self._being_computed:
                self._being_computed.add(name)
                threading.Thread(target=self._work_out, args=(name, snapshot), name=name, daemon=True).start()
        if held is None:
            raise Busy(f"The {name} are being worked out from the store; look again in a moment.")
        if isinstance(held, NatviewsError):
            raise held
        return held

    def _work_out(self, name: str, snapshot: Snapshot) -> None:
        from natviews.matching import Decision, Side, colourway_pairs, same_item_groups

        decide: dict[str, Callable[[Side], Decision]] = {"groups": same_item_groups, "colourways": colourway_pairs}
        try:
            side = Side(str(self._gallery.place), *snapshot.photos(), False, self._photos or Path())
            done: pa.Table | NatviewsError = decide[name](side).table
        except NatviewsError as error:
            done = error
        except Exception as error:
            done = NatviewsError(f"The {name} cannot be worked out from the store: {type(error).__name__}.")
        with self._lock:
            self._computed[name] = snapshot.version, done
            self._being_computed.remove(name)


@dataclass(frozen=True)
class Page:
    """Some rows of a table, sorted: `rows` from `start` on, of `total`."""

    rows: pa.Table
    start: int
    total: int


def ordered(table: pa.Table, sort: str = "", falling: bool = False, text: str = "") -> pa.Table:
    """A table's rows with `text` in any of its columns of text, sorted by a column; what is missing comes last.

    Raises NatviewsError for a column that is not there.
    """
    if text:
        held = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
        masks = [pa.compute.match_substring(table.column(name), text, ignore_case=True) for name in held]
        mask = pa.array([False] * len(table), pa.bool_())
        for one in masks:
            mask = pa.compute.or_(mask, one.fill_null(False))
        table = table.filter(mask)
    if sort:
        if sort not in table.column_names:
            raise NatviewsError(f"There is no column {sort!r}; {did_you_mean(sort, table.column_names)}")
        order = pa.compute.sort_indices(table, [(sort, "descending" if falling else "ascending")])
        table = table.take(order)
    return table


def page_of(table: pa.Table, start: int, count: int) -> Page:
    """`count` rows from `start` on."""
    return Page(table.slice(start, count), start, len(table))


def as_csv(table: pa.Table) -> bytes:
    """A table for spreadsheets: text that they would take for a formula begins with an apostrophe."""
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_string(column.type):
            column = guarded(column)
        columns.append(column)
    buffer = io.BytesIO()
    pa.csv.write_csv(pa.table(columns, names=table.column_names), buffer)
    return buffer.getvalue()
