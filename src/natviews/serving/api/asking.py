"""What all requests share: the service that is asked, what the caller may do, what may go wrong."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request

from natviews.serving.forms import Problem
from natviews.serving.keys import Level
from natviews.serving.limits import Refused
from natviews.serving.service import Service
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


def addresses(tag: str) -> APIRouter:
    """Addresses of the API on one subject."""
    return APIRouter(prefix="/v1", tags=[tag], responses=PROBLEMS)


def service_of(request: Request) -> Service:
    """The server's service."""
    return cast(Service, request.app.state.service)


def may_write(request: Request) -> None:
    """Refuses a key that only reads."""
    if request.scope["state"]["level"] < Level.WRITE:
        raise Refused(403, "This key may only read.")


Here = Annotated[Service, Depends(service_of)]


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
