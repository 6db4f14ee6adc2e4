"""What all requests share: the service that is asked, what the caller may do, what may go wrong."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, File, Request, UploadFile

from natviews.catalog import BadPhoto
from natviews.serving.forms import PHOTO, Problem, UrlForm
from natviews.serving.keys import Level
from natviews.serving.limits import Refused
from natviews.serving.service import Service
from natviews.serving.uploads import Crop
from natviews.types import NatviewsError

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Something in the request is wrong."},
    401: {"model": Problem, "description": "A key is needed."},
    403: {"model": Problem, "description": "The key, the page it comes from, or the URL is not allowed this."},
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


@dataclass(frozen=True)
class Sent:
    """A photo that came with a request, or that is at a URL."""

    service: Service
    file: UploadFile | None
    url: str

    async def read(self) -> bytes:
        """Its file; a URL is first asked now. Raises BadPhoto, Busy or Forbidden."""
        return await self.service.fetched(self.url) if self.file is None else await self.file.read()


async def photo_sent(
    service: Here,
    photo: Annotated[UploadFile | None, File(description=f"{PHOTO} Or else `url`.")] = None,
    url: UrlForm = "",
) -> AsyncIterator[Sent | None]:
    """The photo of a request, None where it has none. Of what a URL gives nothing is told but whether it is a
    usable photo. Raises NatviewsError where there are both a file and a URL."""
    if photo is not None and url:
        raise NatviewsError("Send either `photo` or `url`, not both.")
    try:
        yield Sent(service, photo, url) if photo is not None or url else None
    except BadPhoto:
        if not url:
            raise
        limits = service.settings.limits
        raise BadPhoto(
            f"its URL gives none within {limits.fetch_seconds:g} s and {limits.body // 2**20} MB, or leads to "
            "where nothing is fetched from"
        ) from None


PhotoIfSent = Annotated[Sent | None, Depends(photo_sent)]


def photo_needed(sent: PhotoIfSent) -> Sent:
    """The photo of a request. Raises NatviewsError where it has none."""
    if sent is None:
        raise NatviewsError("Send either `photo`, an image file, or `url`, where one is.")
    return sent


Photo = Annotated[Sent, Depends(photo_needed)]


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
