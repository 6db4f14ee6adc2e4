"""Pages that tell: the encoder's report, the bad photos, what programs may ask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.csv
from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from natviews.serving.api.asking import Here
from natviews.serving.pages.rendering import ROWS, NotThere, page, pages
from natviews.serving.service import Service
from natviews.serving.tables import Page, page_of
from natviews.types import NatviewsError

router = pages()
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


@router.get("/report")
async def report(request: Request, service: Here) -> HTMLResponse:
    """The encoder's report in a frame of its own."""
    return page(request, "report.html", there=_report_of(service) is not None)


@router.get("/report/page")
async def report_page(service: Here) -> Response:
    """The report as it was written, shut off from everything else."""
    path = _report_of(service)
    if path is None:
        raise NotThere
    data = await run_in_threadpool(path.read_bytes)
    return Response(
        data, media_type="text/html; charset=utf-8", headers={"content-security-policy": REPORT_POLICY}
    )


def _report_of(service: Service) -> Path | None:
    settings = service.settings
    folders = [settings.report, settings.tables or settings.store.parent, settings.encoder]
    for folder in folders:
        if folder is not None and (folder / "report.html").is_file():
            return folder / "report.html"
    return None


@router.get("/bad-photos")
async def bad_photos(
    request: Request, service: Here, start: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> HTMLResponse:
    """The photos that cannot be used, each with its reason."""
    shown, problem = Page(pa.table({}), 0, 0), None
    path = (service.settings.tables or service.settings.store.parent) / "quarantine.csv"
    try:
        shown = page_of(await run_in_threadpool(_quarantine, path), start, ROWS)
    except NatviewsError as error:
        problem = str(error)
    return page(request, "bad.html", shown=shown, rows=shown.rows.to_pylist(), problem=problem, count=ROWS)


def _quarantine(path: Path) -> pa.Table:
    if not path.is_file():
        raise NatviewsError(f"There is no {path}; `natviews check` and `natviews embed` write it.")
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(("image", "product_id", "reason"), pa.string()))
    try:
        return pa.csv.read_csv(path, convert_options=text)
    except pa.ArrowException as error:
        raise NatviewsError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None


@router.get("/api")
async def api_page(request: Request, service: Here) -> HTMLResponse:
    """What programs may ask, from the OpenAPI description."""
    paths: Mapping[str, Any] = request.app.openapi()["paths"]
    calls = [
        (method.upper(), path, held["description"] or held["summary"], held.get("parameters", []))
        for path, methods in paths.items()
        for method, held in methods.items()
    ]
    return page(request, "api.html", calls=calls)
