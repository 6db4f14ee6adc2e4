"""Searching: by a photo, a product or words, and why what was found is alike."""

from typing import Annotated

from fastapi import Form, Query
from fastapi.concurrency import run_in_threadpool

from natviews.serving.api.asking import Here, Photo, PhotoIfSent, Sent, addresses, crop_of
from natviews.serving.explaining import Explained
from natviews.serving.forms import (
    CropForm,
    Found,
    Id,
    Item,
    Items,
    K,
    Mode,
    ModeForm,
    Regions,
    Results,
    Text,
    Where,
    Why,
)  # fmt: skip
from natviews.serving.service import Asked, Service
from natviews.serving.snapshot import Neighbour
from natviews.types import NatviewsError

router = addresses("search")


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


@router.get("/search/product")
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


@router.post("/search/photo")
async def search_by_photo(
    service: Here,
    photo: Photo,
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


@router.post("/search/why")
async def why(
    service: Here,
    match: Annotated[Id, Form(description="The id of a photo of the store.")],
    photo: PhotoIfSent,
    query: Annotated[Text, Form(description="The id of a photo of the store that asks.")] = "",
    crop: CropForm = "",
    mode: ModeForm = "item",
) -> Why:
    """Which parts of two photos make them alike: each is described anew with one part after another covered."""
    one, other = await explained(service, match, photo, query, crop, mode)
    regions = [Regions(window=of.parts.window, fall=of.parts.fall.tolist()) for of in (one, other)]
    return Why(score=one.parts.similarity, query=regions[0], match=regions[1])


async def explained(
    service: Service, match: str, photo: Sent | None, query: str, crop: str, mode: str
) -> tuple[Explained, Explained]:
    """What a photo that was sent, or one of the store, has in common with one of the store."""
    if (photo is None) == (not query):
        raise NatviewsError("Send either a photo or the id of one as `query`.")
    cut = crop_of(crop)
    asking = query if photo is None else await photo.read()
    return await service.why(asking, match, cut, design=mode == "design")


@router.get("/search/title")
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
