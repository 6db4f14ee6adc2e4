"""The store's photos: looked at, taken in, taken out, described."""

import json
import re
from typing import Annotated

from fastapi import Depends, Form, Query, Response

from natviews.serving.api.asking import Here, Photo, addresses, crop_of, may_write
from natviews.serving.forms import CropForm, Deleted, Id, Item, Items, Taken, Vectors
from natviews.types import NatviewsError

router = addresses("items")


@router.get("/items")
def items_of_a_product(service: Here, product_id: Annotated[Id, Query()]) -> Items:
    """A product's photos."""
    listed = service.product(product_id)
    items = [Item(id=one.photo, product_id=one.product_id, facts=one.facts) for one in listed]
    return Items(total=len(items), items=items)


@router.post("/items", status_code=201, dependencies=[Depends(may_write)])
async def take_in(
    service: Here,
    id: Annotated[Id, Form(description="The photo's id; an earlier photo of this id is replaced.")],
    product_id: Annotated[Id, Form()],
    photo: Photo,
    facts: Annotated[str, Form(max_length=20_000, description="JSON: values for columns of the store.")] = "{}",
) -> Taken:
    """Takes a photo in. It is answered when the photo is safely in the store."""
    known = _facts(facts)
    await service.upsert(id, product_id, await photo.read(), known)
    return Taken(id=id, product_id=product_id)


def _facts(text: str) -> dict[str, str]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or not all(_is_text(value) for value in held.values()):
        raise NatviewsError("Facts are a JSON object whose values are text.")
    return held


def _is_text(value: object) -> bool:
    """Whether it can be stored; JSON can name halves of characters, which are none."""
    return isinstance(value, str) and len(value) < 10_000 and not re.search("[\ud800-\udfff]", value)


@router.delete("/items", dependencies=[Depends(may_write)])
async def take_out(service: Here, id: Annotated[list[Id], Query(min_length=1, max_length=100)]) -> Deleted:
    """Takes photos out of the store."""
    return Deleted(deleted=await service.delete(id))


@router.post("/embed")
async def embed(service: Here, photo: Photo, crop: CropForm = "") -> Vectors:
    """A photo's vectors; nothing is kept."""
    cut = crop_of(crop)
    described = await service.described(await photo.read(), cut)
    extra = {name: vector.tolist() for name, vector in described.extra.items()}
    return Vectors(encoder=service.gallery.made_by.encoder, vector=described.vector.tolist(), extra=extra)


@router.get("/photo", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
def picture(
    service: Here, id: Annotated[Id, Query()], size: Annotated[int, Query(ge=16, le=640)] = 320
) -> Response:
    """A photo as a small JPEG, drawn anew."""
    data = service.pictures.jpeg(id, size)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})
