"""Callers that do not say what they want are not waited for."""

import asyncio
import time

import uvicorn
from uvicorn.server import ServerState

from natviews.serving import connections
from natviews.serving.connections import Connection

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


async def slow(scope, receive, send):
    """Takes longer to answer than a head may take to arrive."""
    await receive()
    await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def asked(*parts: bytes, pause: float = 0.0, monkeypatch) -> tuple[bytes, float]:
    """What a server answers to parts that are sent with pauses between, until it closes; and after how long."""

    async def run():
        config = uvicorn.Config(slow, log_level="critical", timeout_keep_alive=2)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        begun = time.monotonic()
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        try:
            said = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            said = b""
        taken = time.monotonic() - begun
        writer.close()
        server.close()
        return said, taken

    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    return asyncio.run(run())


def test_a_silent_caller_is_not_waited_for(monkeypatch):
    said, taken = asked(monkeypatch=monkeypatch)
    assert said == b"" and taken < 1


def test_nor_one_who_stops_within_the_head_at_the_first_request_or_a_later_one(monkeypatch):
    said, taken = asked(GET[:20], monkeypatch=monkeypatch)
    assert said == b"" and taken < 1
    said, taken = asked(GET, GET[:20], pause=0.8, monkeypatch=monkeypatch)
    assert said.endswith(b"ok") and taken < 2


def test_a_body_and_an_answer_may_take_longer(monkeypatch):
    said, _ = asked(POST, b"body", pause=0.4, monkeypatch=monkeypatch)
    assert said.startswith(b"HTTP/1.1 200") and said.endswith(b"ok")


def test_a_head_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(connections, "MOST_HEAD", 5000)
    said, taken = asked(b"GET / HTTP/1.1\r\nX: " + b"x" * 6000, monkeypatch=monkeypatch)
    assert said == b"" and taken < 0.2
