"""Connections that never ask: what HTTP itself sets no bound to, while a request's head is on its way."""

from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""In which a head must arrive, from the connection or the head's own beginning on."""
MOST_HEAD = 64 * 2**10
"""Bytes of a head."""


class Connection(HttpToolsProtocol):
    """uvicorn's, closed where a request's head takes too long or is too large: a thousand that keep silent would
    otherwise take every place for good."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._clock: Any = None
        self._arrived = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._clock is not None:
            self._arrived += len(data)
            if self._arrived > MOST_HEAD:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        if self._clock is None:
            self._clock, self._arrived = self.loop.call_later(HEAD_SECONDS, self.transport.abort), 0

    def _end(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
