"""Templates with what every page shows, and how values are said in them."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from natviews.serving.keys import Level
from natviews.serving.service import Service
from natviews.serving.tables import KINDS

NUMBERS = ("score", "probability", "ratio", "robust_z", "demand", "growth", "confidence", "votes", "weakest")
MODES = {"item": "Same item", "design": "Same design, any colour"}
ROWS = 50
"""Of a table, on a page."""
STATIC = Path(str(resources.files("natviews.serving") / "static"))


class NotThere(Exception):
    """An address that leads nowhere."""


def pages() -> APIRouter:
    """Addresses of pages."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


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
