"""Where a browser signs in with a key, and out again."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from natviews.serving.api.asking import Here
from natviews.serving.keys import Level
from natviews.serving.limits import COOKIE, session_of
from natviews.serving.pages.rendering import ENVIRONMENT, pages

router = pages()


@router.get("/login")
async def login_page(request: Request) -> HTMLResponse:
    """Where a browser signs in with a key."""
    return HTMLResponse(ENVIRONMENT.get_template("login.html").render(problem=None))


@router.post("/login")
async def login(request: Request, service: Here, key: Annotated[str, Form(max_length=1000)]) -> Response:
    """A session for a key."""
    level = service.settings.keys.level(key.strip())
    if level is Level.NOTHING:
        text = ENVIRONMENT.get_template("login.html").render(problem="This key is not known here.")
        return HTMLResponse(text, 401)
    answer = RedirectResponse("/", 303)
    token = request.app.state.sessions.open(level)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """Ends a session."""
    request.app.state.sessions.close(session_of(dict(request.headers)))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer
