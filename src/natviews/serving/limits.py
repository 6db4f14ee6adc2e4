"""What stands before everything: who calls, how often, with how much, from which page. Plain ASGI, so that
nothing is read that will be refused."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from natviews.serving.keys import Level, Sessions
from natviews.serving.observing import Figures, log
from natviews.serving.settings import LOCAL_NAMES, Settings, is_local

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
COOKIE = "natviews_session"
OPEN = ("/healthz", "/readyz", "/login")
"""Paths that are answered without a key, and all of /static/."""
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
MOST_CLIENTS = 10_000
LOGIN_BODY = 8 * 2**10
"""Bytes that one who has no key may send."""


class Refused(Exception):
    """A request that goes no further: `status` and one sentence."""

    def __init__(self, status: int, sentence: str, *, retry: bool = False) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry = status, sentence, retry


class Rates:
    """A bucket of requests for each client, refilled steadily."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float) -> bool:
        """Whether one more request may pass."""
        if not self._rate:
            return True
        left, at = self._left.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._rate)
        passes = left >= 1
        self._left[client] = (left - passes, now)
        while len(self._left) > MOST_CLIENTS:
            self._left.popitem(last=False)
        return passes


class Door:
    """Wraps an application: names, keys, rates and sizes are checked, answers get headers, figures and a log
    line."""

    def __init__(self, app: Any, settings: Settings, figures: Figures, sessions: Sessions) -> None:
        self._app, self._settings, self._figures, self._sessions = app, settings, figures, sessions
        self._rates = Rates(settings.limits.rate, settings.limits.burst)
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answered = time.perf_counter(), {"status": 0}

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                message["headers"] = [*message.get("headers", []), *_headers(message.get("headers", []))]
            await send(message)

        scope.setdefault("state", {})["level"] = Level.NOTHING
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            self._check_name(scope, headers)
            level, who = self._caller(scope, headers)
            scope["state"]["level"] = level
            if not self._rates.take(who, time.monotonic()):
                raise Refused(429, "Too many requests; ask again in a second.", retry=True)
            if self._settings.keys and level is Level.NOTHING and not _is_open(scope["path"]):
                raise Refused(
                    401, "A key is needed: send it as `Authorization: Bearer KEY`, or sign in at /login."
                )
            await self._app(scope, await self._body(scope, headers, receive), sending)
        except Refused as refused:
            await _refuse(refused, scope, headers, sending)
        finally:
            self._told(scope, answered["status"], time.perf_counter() - begun)

    def _check_name(self, scope: Scope, headers: dict[str, str]) -> None:
        """A page elsewhere can neither rebind its own name to this machine nor post a form here."""
        name = _split(f"//{headers.get('host', '')}").hostname or ""
        if not self._settings.keys and not is_local(name) and name not in (*LOCAL_NAMES, *self._settings.names):
            raise Refused(400, "This server is called by another name; open it under the address that it printed.")
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if (origin and _split(origin).netloc != headers.get("host")) or site not in ("same-origin", "none"):
            raise Refused(403, "Pages of other addresses may not write here.")

    def _caller(self, scope: Scope, headers: dict[str, str]) -> tuple[Level, str]:
        """What the request may do, and a name for whom it comes from; never the key."""
        address = (scope.get("client") or ("unknown",))[0]
        if not self._settings.keys:
            return Level.WRITE, address
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and key:
            return self._settings.keys.level(key.strip()), address
        return self._sessions.level(session_of(headers)), address

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """The body, read whole within its limits, to be received again."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        limits, claimed = self._settings.limits, headers.get("content-length", "0")
        known = scope["state"]["level"] is not Level.NOTHING  # who signs in sends a key, and takes nobody's place
        most = limits.body if known else LOGIN_BODY
        if not claimed.isdigit() or int(claimed) > most:
            raise _too_large(most)
        if known and self._arriving >= limits.uploads:
            raise Refused(429, "Too much is being sent at once; send it again in a moment.", retry=True)
        self._arriving += known
        try:
            async with asyncio.timeout(limits.body_seconds):
                body = await _whole(receive, most)
        except TimeoutError:
            raise Refused(408, f"The request took longer than {limits.body_seconds:g} s to arrive.") from None
        finally:
            self._arriving -= known
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> dict[str, Any]:
            return waiting.pop() if waiting else await receive()

        return again

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._figures.requests.labels(route, scope["method"], str(status)).inc()
        self._figures.seconds.labels(route).observe(seconds)
        level = Level(scope["state"]["level"]).name.lower()
        log(method=scope["method"], route=route, status=status, ms=round(1000 * seconds, 1), level=level)


def _too_large(most: int) -> Refused:
    size = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} KB"
    return Refused(413, f"At most {size} can be sent at once.")


async def _whole(receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The request ended before all of it had arrived.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
        if not message.get("more_body"):
            return b"".join(parts)


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        raise Refused(400, "The request's Host or Origin is no address.") from None


def session_of(headers: dict[str, str]) -> str:
    """The session's token in a request's cookies, '' where there is none."""
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/static/")


def _headers(given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in given}
    wanted = [*HEADERS, (b"content-security-policy", POLICY.encode()), (b"cache-control", b"no-store")]
    return [(name, value) for name, value in wanted if name not in there]


async def _refuse(refused: Refused, scope: Scope, headers: dict[str, str], send: Send) -> None:
    extra = [(b"retry-after", b"1")] if refused.retry else []
    status = refused.status
    if status == 401:
        extra.append((b"www-authenticate", b"Bearer"))
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            status = 303
            extra.append((b"location", b"/login"))
    body = json.dumps({"detail": refused.sentence}).encode()
    length = str(len(body)).encode()
    start = [
        (b"content-type", b"application/json"),
        (b"content-length", length),
        (b"connection", b"close"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
