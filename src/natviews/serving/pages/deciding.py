"""Pages to judge pairs and to decide with: review, groups, tables, the map."""

from typing import Annotated, Any

import pyarrow as pa
from fastapi import Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from natviews.serving.api.asking import Here, may_write
from natviews.serving.api.reviewing import standing
from natviews.serving.forms import Id, Text
from natviews.serving.pages.rendering import ROWS, NotThere, page, pages
from natviews.serving.tables import KINDS, Page, ordered, page_of
from natviews.types import NatviewsError

router = pages()
TARGETS = (0.8, 0.9, 0.95, 0.98)
PHOTO_COLUMNS = ("photo", "query", "match", "nearest_photo", "colourway_photo")


@router.get("/review")
async def review(
    request: Request, service: Here, target: Annotated[float, Query(gt=0, lt=1)] = 0.95
) -> HTMLResponse:
    """Pairs side by side, and what the answers promise."""
    pairs = await run_in_threadpool(lambda: service.review().next(1))  # it waits for the file of answers
    now = await run_in_threadpool(standing, service, target)
    source = "matches" if service.tables.is_written("matches") else "store"
    return page(request, "review.html", pairs=pairs, standing=now, target=target, targets=TARGETS, source=source)


@router.post("/review")
async def answer(
    request: Request,
    service: Here,
    ours: Annotated[Id, Form()],
    theirs: Annotated[Id, Form()],
    said: Annotated[str, Form(pattern="^(yes|no|unsure)$")],
    target: Annotated[float, Form(gt=0, lt=1)] = 0.95,
) -> Response:
    """An answer without a script."""
    may_write(request)
    await run_in_threadpool(lambda: service.review().say(ours, theirs, said))
    service.figures.answers.labels(said).inc()
    return RedirectResponse(f"/review?target={target:g}", 303)


@router.get("/groups")
async def groups(
    request: Request, service: Here, start: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> HTMLResponse:
    """Groups of listings with their photos and the weakest link."""
    problem: str | None = None
    shown: list[list[dict[str, Any]]] = []
    total = 0
    try:
        table = await run_in_threadpool(service.tables.table, "groups")
        shown, total = _groups(table, start, 12)
    except NatviewsError as error:
        problem = str(error)
    return page(request, "groups.html", groups=shown, total=total, start=start, count=12, problem=problem)


def _groups(table: pa.Table, start: int, count: int) -> tuple[list[list[dict[str, Any]]], int]:
    """Some groups' rows, and how many groups there are; a table lists them one after another."""
    numbers = table.column("group").unique().to_pylist()
    shown = numbers[start : start + count]
    rows = table.filter(pa.compute.is_in(table.column("group"), pa.array(shown, table.column("group").type)))
    held: dict[Any, list[dict[str, Any]]] = {number: [] for number in shown}
    for row in rows.to_pylist():
        held[row["group"]].append(row)
    return list(held.values()), len(numbers)


@router.get("/map")
async def shop_map(request: Request, service: Here) -> HTMLResponse:
    """The map; the script draws it."""
    return page(request, "map.html")


@router.get("/tables/{name}")
async def table_page(
    request: Request,
    service: Here,
    name: str,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    sort: Annotated[Text, Query()] = "",
    falling: bool = False,
    text: Annotated[Text, Query()] = "",
) -> HTMLResponse:
    """A table that can be sorted, searched and saved."""
    if name not in KINDS:
        raise NotThere
    problem, shown = None, Page(pa.table({}), 0, 0)
    try:
        table = await run_in_threadpool(service.tables.table, name)
        shown = page_of(await run_in_threadpool(ordered, table, sort, falling, text), start, ROWS)
    except NatviewsError as error:
        problem = str(error)
    columns = _columns(shown.rows.column_names, KINDS[name].first)
    held: dict[str, Any] = {"sort": sort, "falling": falling, "text": text, "count": ROWS, "problem": problem}
    rows, kind = shown.rows.to_pylist(), KINDS[name]
    pictures = [column for column in PHOTO_COLUMNS if any(row.get(column) for row in rows)][:2]
    return page(
        request, "table.html", kind=kind, shown=shown, rows=rows, columns=columns, pictures=pictures, **held
    )


def _columns(names: list[str], first: tuple[str, ...]) -> list[str]:
    chosen = [name for name in first if name in names]
    return chosen or [name for name in names if name not in PHOTO_COLUMNS]
