"""The pages: made here from templates, complete without a script, quicker with one."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated, Any, cast
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from natviews.report.saliency_figure import shaded_photo
from natviews.serving.api import Here, crop_of, found, standing
from natviews.serving.explaining import Explained
from natviews.serving.forms import CropForm, Id, ModeForm, PhotoFile, Text
from natviews.serving.gallery import Neighbour
from natviews.serving.keys import Level
from natviews.serving.limits import COOKIE, Refused, session_of
from natviews.serving.service import Asked, Listed, Service
from natviews.serving.tables import KINDS, Page, ordered, page_of
from natviews.types import NatviewsError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
SHOWN = 24
ROWS = 50
TARGETS = (0.8, 0.9, 0.95, 0.98)
NUMBERS = ("score", "probability", "ratio", "robust_z", "demand", "growth", "confidence", "votes", "weakest")
PHOTO_COLUMNS = ("photo", "query", "match", "nearest_photo", "colourway_photo")
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
MODES = {"item": "Same item", "design": "Same design, any colour"}


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("natviews.serving"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"said": said, "query": query, "words": words, "code": code}
    made.globals |= {"KINDS": KINDS, "MODES": MODES}
    return made


def said(value: Any, name: str = "") -> str:
    """A value as a table shows it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if name in NUMBERS else f"{value:,.2f}".removesuffix(".00")
    return f"{value:,}" if isinstance(value, int) else str(value)


def query(held: Mapping[str, Any]) -> str:
    """Values as the query of an address."""
    return urlencode(held, doseq=True)


def words(name: str) -> str:
    """A column's name for people."""
    return name.replace("_", " ").capitalize()


def code(sentence: str) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = [escape(part) for part in sentence.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts)
    )


ENVIRONMENT = _environment()


def page(request: Request, name: str, *, status: int = 200, **held: Any) -> HTMLResponse:
    """A template with what every page shows."""
    service = cast(Service, request.app.state.service)
    shared = {
        "here": request.url.path,
        "photos": len(service.gallery.snapshot),
        "designs": service.gallery.snapshot.designs,
        "writes": request.scope["state"]["level"] >= Level.WRITE,
        "signed_in": bool(service.settings.keys),
    }
    return HTMLResponse(ENVIRONMENT.get_template(name).render(shared | held), status)


@router.get("/")
async def start(
    request: Request,
    service: Here,
    text: Annotated[Text, Query()] = "",
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> HTMLResponse:
    """Drop a photo or pick a product."""
    listed, total = await run_in_threadpool(service.named, text, start, SHOWN)
    return page(
        request,
        "start.html",
        products=listed,
        total=total,
        text=text,
        start=start,
        count=SHOWN,
        problem=service.describer.problem,
    )


@router.get("/search")
async def by_product(
    request: Request,
    service: Here,
    product: Annotated[Id, Query()],
    mode: Annotated[str, Query(pattern="^(item|design)$")] = "item",
    where: Annotated[str, Query(max_length=2000)] = "",
) -> HTMLResponse:
    """What is most like a product."""
    photos: list[Listed] = service.product(product)
    asked = Asked(SHOWN, conditions(where), mode == "design")
    problem: str | None = None
    near: list[Neighbour] = []
    try:
        near = await run_in_threadpool(service.near_product, product, asked)
    except NatviewsError as error:
        problem = str(error)
    held: dict[str, Any] = {"product": product, "shown": photos, "mode": mode, "where": where, "problem": problem}
    return page(
        request, "found.html", results=found(service, near, mode).results, asked=service.worth.asked, **held
    )


@router.post("/search")
async def by_photo(
    request: Request,
    service: Here,
    photo: PhotoFile,
    crop: CropForm = "",
    mode: Annotated[str, Form(pattern="^(item|design)$")] = "item",
    where: Annotated[str, Form(max_length=2000)] = "",
) -> HTMLResponse:
    """What is most like a photo that was sent: a whole page, or its results alone for the script."""
    problem: str | None = None
    near: list[Neighbour] = []
    try:
        described = await service.described(await photo.read(), crop_of(crop))
        asked = Asked(SHOWN, conditions(where), mode == "design")
        near = await run_in_threadpool(service.near_vector, described, asked)
    except NatviewsError as error:
        problem = f"The photo cannot be used: {error}"
    alone = request.headers.get("x-part") == "results"
    held: dict[str, Any] = {"product": "", "shown": [], "mode": mode, "where": where, "problem": problem}
    results = found(service, near, mode).results
    return page(
        request, "results.html" if alone else "found.html", results=results, asked=service.worth.asked, **held
    )


@router.get("/why")
async def why_alike(
    request: Request,
    service: Here,
    product: Annotated[Id, Query()],
    match: Annotated[Id, Query()],
    mode: Annotated[str, Query(pattern="^(item|design)$")] = "item",
) -> HTMLResponse:
    """Which parts of a photo, and of the one of a product that is most like it, make them alike."""
    query = service.nearest_photo(product, match, design=mode == "design")
    return _why(request, await service.why(query, match, design=mode == "design"), match)


@router.post("/why")
async def why_like_a_photo(
    request: Request,
    service: Here,
    photo: PhotoFile,
    match: Annotated[Id, Form()],
    crop: CropForm = "",
    mode: ModeForm = "item",
) -> HTMLResponse:
    """The same of a photo that was sent: the drawings alone, for the script."""
    found = await service.why(await photo.read(), match, crop_of(crop), design=mode == "design")
    return _why(request, found, match)


def _why(request: Request, found: tuple[Explained, Explained], match: str) -> HTMLResponse:
    strongest = max(float(np.abs(one.parts.fall).max()) for one in found)
    titles = ("The photo that asked", f"The photo that was found, {match}")
    drawings = [
        shaded_photo(one.picture, one.parts, strongest, title) for one, title in zip(found, titles, strict=True)
    ]
    alone = request.headers.get("x-part") == "why"
    return page(
        request, "why_part.html" if alone else "why.html", drawings=drawings, score=found[0].parts.similarity
    )


def conditions(text: str) -> tuple[str, ...]:
    """Conditions as people write them into a field: parted by semicolons."""
    return tuple(part.strip() for part in text.split(";") if part.strip())[:8]


@router.get("/review")
async def review(
    request: Request, service: Here, target: Annotated[float, Query(gt=0, lt=1)] = 0.95
) -> HTMLResponse:
    """Pairs side by side, and what the answers promise."""
    pairs = (await run_in_threadpool(service.review)).next(1)
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
    _may_write(request)
    await run_in_threadpool(lambda: service.review().say(ours, theirs, said))
    service.figures.answers.labels(said).inc()
    return RedirectResponse(f"/review?target={target:g}", 303)


def _may_write(request: Request) -> None:
    if request.scope["state"]["level"] < Level.WRITE:
        raise Refused(403, "This key may only read.")


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


def _report_of(service: Service) -> FilePath | None:
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


def _quarantine(path: FilePath) -> pa.Table:
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


@router.get("/login")
async def login_page(request: Request) -> HTMLResponse:
    """Where a browser signs in with a key."""
    return HTMLResponse(ENVIRONMENT.get_template("login.html").render(problem=None))


@router.post("/login")
async def login(request: Request, service: Here, key: Annotated[str, Form(max_length=1000)]) -> Response:
    """A session for a key."""
    level = service.settings.keys.level(key.strip())
    if level is Level.NOTHING:
        text = ENVIRONMENT.get_template("login.html").render(problem="This key is not known here.")
        return HTMLResponse(text, 401)
    answer = RedirectResponse("/", 303)
    token = request.app.state.sessions.open(level)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """Ends a session."""
    request.app.state.sessions.close(session_of(dict(request.headers)))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


class NotThere(Exception):
    """An address that leads nowhere."""


STATIC = FilePath(str(resources.files("natviews.serving") / "static"))
__all__ = ["STATIC", "Depends", "NotThere", "page", "router"]
