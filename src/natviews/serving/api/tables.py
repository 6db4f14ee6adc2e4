"""What was decided, as tables."""

import math
from typing import Annotated, Any

from fastapi import Path, Query, Response

from natviews.serving.api.asking import Here, addresses
from natviews.serving.forms import Rows, Text
from natviews.serving.tables import KINDS, as_csv, ordered, page_of

router = addresses("tables")
MOST = 500
"""Rows of a table at once."""


@router.get("/tables/{name}")
def rows_of_a_table(
    service: Here,
    name: Annotated[str, Path(max_length=40, description=f"One of {', '.join(KINDS)}.")],
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=MOST)] = 50,
    sort: Annotated[Text, Query(description="A column.")] = "",
    falling: bool = False,
    text: Annotated[Text, Query(description="Only rows that hold it.")] = "",
) -> Rows:
    """Rows of what `natviews match`, `prices`, `gaps` and so on decided."""
    page = page_of(ordered(service.tables.table(name), sort, falling, text), start, count)
    rows = [{key: _plain(value) for key, value in row.items()} for row in page.rows.to_pylist()]
    return Rows(table=name, start=start, total=page.total, columns=page.rows.column_names, rows=rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


@router.get("/tables/{name}/csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def table_as_csv(
    service: Here,
    name: Annotated[str, Path(max_length=40)],
    sort: Annotated[Text, Query()] = "",
    falling: bool = False,
    text: Annotated[Text, Query()] = "",
) -> Response:
    """The whole table for spreadsheets."""
    return csv_file(as_csv(ordered(service.tables.table(name), sort, falling, text)), f"{name}.csv")


def csv_file(data: bytes, name: str) -> Response:
    """A CSV to be saved."""
    head = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="text/csv; charset=utf-8", headers=head)
