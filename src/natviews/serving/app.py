"""The application: the API, the pages and what operators ask, behind one door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from natviews import __version__
from natviews.catalog import BadPhoto
from natviews.serving import api, pages
from natviews.serving.keys import Sessions
from natviews.serving.limits import Door, Refused
from natviews.serving.observing import Figures, log
from natviews.serving.problems import Absent, Busy, Forbidden, Unable
from natviews.serving.service import Service
from natviews.serving.settings import Settings
from natviews.types import NatviewsError

SAYS = (
    "What a shop's photos say: which products show the same item. Every answer in JSON, every error one sentence."
)
STATUSES: dict[type[NatviewsError], int] = {Forbidden: 403, Absent: 404, Unable: 409, Busy: 429}
"""Of what else goes wrong the request is the cause: 422."""


def create_app(settings: Settings) -> Door:
    """The application of some settings; what it needs is loaded before the first request.

    Raises NatviewsError where the store cannot be opened.
    """
    figures, sessions = Figures(), Sessions()
    service = Service(settings, figures)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="natviews", version=__version__, description=SAYS, lifespan=lifespan,
        openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.service, app.state.sessions = service, sessions
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    _add_health(app, service, figures)
    _add_problems(app)
    return Door(app, settings, figures, sessions)


def _add_health(app: FastAPI, service: Service, figures: Figures) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> PlainTextResponse:
        return PlainTextResponse("ready\n") if service.ready else PlainTextResponse("loading\n", 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_problems(app: FastAPI) -> None:
    """Every error is one sentence: as JSON for programs, as a page for people."""

    @app.exception_handler(NatviewsError)
    async def mendable(request: Request, error: NatviewsError) -> Response:
        said = f"The photo cannot be used: {error}." if isinstance(error, BadPhoto) else str(error)
        return _answered(request, _status(request, error), said)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return _answered(request, error.status, error.sentence)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first: dict[str, Any] = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"][1:]) or "request"
        return _answered(request, 422, f"{where}: {first['msg']}.")

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        return _answered(request, error.status_code, f"{error.detail}.", dict(error.headers or {}))

    @app.exception_handler(pages.NotThere)
    async def nowhere(request: Request, error: pages.NotThere) -> Response:
        return _answered(request, 404, "There is no such page.")

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log(error=type(error).__name__, route=getattr(request.scope.get("route"), "path", "none"))
        return _answered(request, 500, "Something went wrong here; it has been noted.")


def _status(request: Request, error: NatviewsError) -> int:
    if isinstance(error, BadPhoto) and request.url.path == "/v1/photo":
        return 404
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 422)


def _answered(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    headers = (headers or {}) | ({"retry-after": "1"} if status == 429 else {})
    wants = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    if wants:
        answer: Response = pages.page(request, "problem.html", status=status, sentence=sentence)
        answer.headers.update(headers)
        return answer
    return JSONResponse({"detail": sentence}, status, headers)
