"""The API under /v1: what programs ask for."""

import json
import math
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from natviews.serving.explaining import Explained
from natviews.serving.forms import (
    CropForm,
    Deleted,
    Found,
    Id,
    Item,
    Items,
    K,
    Mode,
    ModeForm,
    PhotoFile,
    Place,
    Problem,
    Regions,
    Results,
    Reviewing,
    Rows,
    Said,
    Shown,
    Standing,
    Taken,
    Text,
    Vectors,
    Where,
    Why,
)  # fmt: skip
from natviews.serving.gallery import Neighbour
from natviews.serving.keys import Level
from natviews.serving.limits import Refused
from natviews.serving.service import Asked, Service
from natviews.serving.tables import KINDS, as_csv, ordered, page_of
from natviews.serving.uploads import Crop
from natviews.types import NatviewsError

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Something in the request is wrong."},
    401: {"model": Problem, "description": "A key is needed."},
    403: {"model": Problem, "description": "The key may only read, or the request comes from another page."},
    404: {"model": Problem, "description": "It is not there."},
    409: {"model": Problem, "description": "It cannot be done with this store or without an encoder."},
    413: {"model": Problem, "description": "Too large."},
    422: {"model": Problem, "description": "A parameter or the photo cannot be used."},
    429: {"model": Problem, "description": "Too much at once, or still being prepared; ask again."},
}
MOST = 500
"""Rows of a table at once."""


def service_of(request: Request) -> Service:
    """The server's service."""
    return cast(Service, request.app.state.service)


def may_write(request: Request) -> None:
    """Refuses a key that only reads."""
    if request.scope["state"]["level"] < Level.WRITE:
        raise Refused(403, "This key may only read.")


Here = Annotated[Service, Depends(service_of)]
router = APIRouter(prefix="/v1", responses=PROBLEMS)


def crop_of(text: str) -> Crop | None:
    """`left,top,right,bottom` as shares. Raises NatviewsError where it is no such thing."""
    if not text:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise NatviewsError("A crop is `left,top,right,bottom`, each from 0 to 1.") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1 and min(right - left, bottom - top) >= 0.02):
        raise NatviewsError(
            "A crop is `left,top,right,bottom`, each from 0 to 1, and at least 0.02 wide and high."
        )
    return left, top, right, bottom


def found(service: Service, neighbours: list[Neighbour], mode: str) -> Results:
    """Neighbours as an answer; a probability is of the same product, so only `item` has one."""
    results = [
        Found(
            product_id=near.product_id,
            photo=near.photo,
            score=near.score,
            probability=service.worth.probability(near.score) if mode == "item" else None,
            facts=near.facts,
        )
        for near in neighbours
    ]
    return Results(mode=mode, results=results)


@router.get("/search/product", tags=["search"])
def search_by_product(
    service: Here,
    product_id: Annotated[Id, Query()],
    k: K = 24,
    mode: Mode = "item",
    where: Where = [],  # noqa: B006
) -> Results:
    """The products most like one of the store."""
    asked = Asked(k, tuple(where), mode == "design")
    return found(service, service.near_product(product_id, asked), mode)


@router.post("/search/photo", tags=["search"])
async def search_by_photo(
    service: Here,
    photo: PhotoFile,
    crop: CropForm = "",
    k: K = 24,
    mode: Mode = "item",
    where: Where = [],  # noqa: B006
) -> Results:
    """The products most like a photo."""
    cut = crop_of(crop)
    described = await service.described(await photo.read(), cut)
    asked = Asked(k, tuple(where), mode == "design")
    return found(service, await run_in_threadpool(service.near_vector, described, asked), mode)


@router.post("/search/why", tags=["search"])
async def why(
    service: Here,
    match: Annotated[Id, Form(description="The id of a photo of the store.")],
    photo: Annotated[UploadFile | None, File(description="The photo that asks, or else `query`.")] = None,
    query: Annotated[Text, Form(description="The id of a photo of the store that asks.")] = "",
    crop: CropForm = "",
    mode: ModeForm = "item",
) -> Why:
    """Which parts of two photos make them alike: each is described anew with one part after another covered."""
    one, other = await explained(service, match, photo, query, crop, mode)
    regions = [Regions(window=of.parts.window, fall=of.parts.fall.tolist()) for of in (one, other)]
    return Why(score=one.parts.similarity, query=regions[0], match=regions[1])


async def explained(
    service: Service, match: str, photo: UploadFile | None, query: str, crop: str, mode: str
) -> tuple[Explained, Explained]:
    """What a photo that was sent, or one of the store, has in common with one of the store."""
    if (photo is None) == (not query):
        raise NatviewsError("Send either a photo or the id of one as `query`.")
    asking = query if photo is None else await photo.read()
    return await service.why(asking, match, crop_of(crop), design=mode == "design")


@router.get("/search/title", tags=["search"])
def search_by_title(
    service: Here,
    text: Annotated[Text, Query(description="Words of the title or the product's id.")] = "",
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    k: K = 24,
) -> Items:
    """Products whose titles hold most of some words."""
    listed, total = service.named(text, start, k)
    items = [Item(id=one.photo, product_id=one.product_id, facts=one.facts) for one in listed]
    return Items(total=total, items=items)


@router.get("/items", tags=["items"])
def items_of_a_product(service: Here, product_id: Annotated[Id, Query()]) -> Items:
    """A product's photos."""
    listed = service.product(product_id)
    items = [Item(id=one.photo, product_id=one.product_id, facts=one.facts) for one in listed]
    return Items(total=len(items), items=items)


@router.post("/items", tags=["items"], status_code=201, dependencies=[Depends(may_write)])
async def take_in(
    service: Here,
    id: Annotated[Id, Form(description="The photo's id; an earlier photo of this id is replaced.")],
    product_id: Annotated[Id, Form()],
    photo: PhotoFile,
    facts: Annotated[str, Form(max_length=20_000, description="JSON: values for columns of the store.")] = "{}",
) -> Taken:
    """Takes a photo in. It is answered when the photo is safely in the store."""
    await service.upsert(id, product_id, await photo.read(), _facts(facts))
    return Taken(id=id, product_id=product_id)


def _facts(text: str) -> dict[str, str]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or not all(
        isinstance(value, str) and len(value) < 10_000 for value in held.values()
    ):
        raise NatviewsError("Facts are a JSON object whose values are text.")
    return held


@router.delete("/items", tags=["items"], dependencies=[Depends(may_write)])
async def take_out(service: Here, id: Annotated[list[Id], Query(min_length=1, max_length=100)]) -> Deleted:
    """Takes photos out of the store."""
    return Deleted(deleted=await service.delete(id))


@router.post("/embed", tags=["items"])
async def embed(service: Here, photo: PhotoFile, crop: CropForm = "") -> Vectors:
    """A photo's vectors; nothing is kept."""
    described = await service.described(await photo.read(), crop_of(crop))
    extra = {name: vector.tolist() for name, vector in described.extra.items()}
    return Vectors(encoder=service.gallery.made_by.encoder, vector=described.vector.tolist(), extra=extra)


Target = Annotated[float, Query(gt=0, lt=1, description="The share of same items that is to be promised.")]


@router.get("/match", tags=["review"])
def pairs_to_judge(service: Here, target: Target = 0.95, k: Annotated[int, Query(ge=1, le=50)] = 1) -> Reviewing:
    """The next pairs to judge, in an order of chance, and what the answers promise so far."""
    review = service.review()
    return Reviewing(standing=standing(service, target), pairs=[Shown(**vars(pair)) for pair in review.next(k)])


@router.post("/match", tags=["review"], status_code=201, dependencies=[Depends(may_write)])
def judge(service: Here, answer: Said, target: Target = 0.95) -> Standing:
    """Keeps an answer to a pair; the last one counts."""
    service.review().say(answer.ours, answer.theirs, answer.said)
    service.figures.answers.labels(answer.said).inc()
    return standing(service, target)


def standing(service: Service, target: float) -> Standing:
    """How the answers stand."""
    now = service.review().standing(target)
    return Standing(
        yes=now.yes,
        no=now.no,
        unsure=now.unsure,
        pairs=now.pairs,
        target=target,
        low=now.low,
        high=now.high,
        score=now.promise.score if now.promise.kept else None,
        accepted=now.accepted,
        missing=now.promise.missing,
        curve=[] if now.curve is None else [(score, chance) for score, chance in now.curve.T.tolist()],
    )


@router.get(
    "/match/answers.csv", tags=["review"], response_class=Response, responses={200: {"content": {"text/csv": {}}}}
)
def answers(service: Here) -> Response:
    """The answers that count, as `natviews match --labels` reads them; `unsure` is left out."""
    import pyarrow as pa

    said = [answer for answer in service.review().answers() if answer.said != "unsure"]
    columns = {
        "ours": [answer.ours for answer in said],
        "theirs": [answer.theirs for answer in said],
        "same": [int(answer.said == "yes") for answer in said],
    }
    kinds = {"ours": pa.string(), "theirs": pa.string(), "same": pa.int8()}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})
    return csv_file(as_csv(table), "answers.csv")


@router.get("/tables/{name}", tags=["tables"])
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


@router.get(
    "/tables/{name}/csv", tags=["tables"], response_class=Response, responses={200: {"content": {"text/csv": {}}}}
)
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


@router.get("/map", tags=["map"])
def map_of_the_shop(
    service: Here, by: Annotated[Text, Query(description="The column that colours it.")] = ""
) -> Place:
    """Places of products in the plane: those that look alike lie together."""
    now, main = service.maps.now, service.maps.snapshot.main
    if now is None:
        raise Refused(429, "The map is being drawn; look again in a moment.", retry=True)
    return Place(
        made=now.made,
        columns=service.maps.columns(),
        photos=main.embeddings.ids[now.rows].tolist(),
        products=main.embeddings.product_ids[now.rows].tolist(),
        x=now.x.round(4).tolist(),
        y=now.y.round(4).tolist(),
        values=service.maps.values(by) if by else [],
    )


@router.get("/photo", tags=["items"], response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
def picture(
    service: Here, id: Annotated[Id, Query()], size: Annotated[int, Query(ge=16, le=640)] = 320
) -> Response:
    """A photo as a small JPEG, drawn anew."""
    data = service.pictures.jpeg(id, size)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})
