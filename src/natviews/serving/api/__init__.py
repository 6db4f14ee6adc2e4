"""The API under /v1: what programs ask for."""

from fastapi import APIRouter

from natviews.serving.api import items, map, reviewing, searching, tables

router = APIRouter()
for part in (searching, items, reviewing, tables, map):
    router.include_router(part.router)
