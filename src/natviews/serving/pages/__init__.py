"""The pages: made here from templates, complete without a script, quicker with one."""

from fastapi import APIRouter

from natviews.serving.pages import deciding, searching, signing_in, telling
from natviews.serving.pages.rendering import STATIC, NotThere, page

router = APIRouter()
for part in (searching, deciding, telling, signing_in):
    router.include_router(part.router)

__all__ = ["STATIC", "NotThere", "page", "router"]
