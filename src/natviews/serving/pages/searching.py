"""Pages to search with, and why what was found is alike."""

from typing import Annotated, Any

import numpy as np
from fastapi import Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from natviews.catalog import BadPhoto
from natviews.report.saliency_figure import shaded_photo
from natviews.serving.api.asking import Here, crop_of
from natviews.serving.api.searching import found
from natviews.serving.explaining import Explained
from natviews.serving.forms import CropForm, Id, ModeForm, PhotoFile, Text
from natviews.serving.pages.rendering import page, pages
from natviews.serving.service import Asked, Listed
from natviews.serving.snapshot import Neighbour
from natviews.types import NatviewsError

router = pages()
SHOWN = 24


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
    explains = service.describer.problem is None
    held: dict[str, Any] = {"product": product, "shown": photos, "mode": mode, "where": where, "problem": problem}
    results = found(service, near, mode).results
    return page(request, "found.html", results=results, asked=service.worth.asked, explains=explains, **held)


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
    except BadPhoto as error:
        problem = f"The photo cannot be used: {error}."
    except NatviewsError as error:
        problem = str(error)
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
