"""Photos at URLs, by fsspec: bounded in size and time, tried again where the network failed."""

import asyncio
import time
from functools import cache
from typing import Any

from natviews.catalog.decode import BadPhoto, Unavailable
from natviews.types import NatviewsError

TIMEOUT = 60.0
"""Seconds that one attempt may take."""
PAUSES = (0.5, 2.0, 8.0)
"""Seconds before the second, third and fourth attempt."""
PIECE = 2**20
WORTH_ANOTHER_TRY = (408, 425, 429)
"""Answers below 500 that may be others later: too slow, too early, too many requests."""


LOST = 256
"""Photos in a row that the network did not give, after which it is taken for gone."""


class Unreachable(Unavailable):
    """A photo that the network did not give, though it may be there."""


class NetworkGone(NatviewsError):
    """So many photos in a row were lost that the fault is the network's."""


class Losses:
    """The photos in a row that the network did not give."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, lost: bool, reason: str) -> None:
        """Of the next photo. Raises NetworkGone after LOST in a row."""
        self.count = self.count + 1 if lost else 0
        if self.count == LOST:
            raise NetworkGone(
                f"The last {LOST} photos could not be fetched ({reason}); run again when the network is "
                "back, or remove their rows. What was read before is kept."
            )


def fetched(url: str, limit: int) -> bytes:
    """The bytes at a URL, at most `limit` + 1 of them: one more than allowed says that it is too large.

    What may be the network's fault is tried four times. Raises BadPhoto where there is no such photo or URL,
    Unavailable where a package is missing or the server refuses, and Unreachable after the last attempt.
    """
    reason = ""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        try:
            return _attempt(url, limit)
        except FileNotFoundError:
            raise BadPhoto("no such file") from None
        except ValueError as error:  # it is no URL
            raise BadPhoto(f"cannot be fetched: {_said(error)}") from None
        except (ImportError, PermissionError) as error:  # a package is missing, or the right to read it
            raise Unavailable(f"cannot be fetched: {_said(error)}") from None
        except Exception as error:  # every store has errors of its own
            status = getattr(error, "status", None)
            if isinstance(status, int) and 400 <= status < 500 and status not in WORTH_ANOTHER_TRY:
                raise Unavailable(f"cannot be fetched: {_said(error)}") from None
            reason = _said(error)
    raise Unreachable(f"cannot be fetched, tried {1 + len(PAUSES)} times: {reason}")


def _said(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    status = getattr(error, "status", None)
    text = f"{status} {getattr(error, 'message', '')}" if isinstance(status, int) else str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _attempt(url: str, limit: int) -> bytes:
    system, path = _opened(url)
    if url.lower().startswith(("http://", "https://")):
        return _streamed(system, path, limit)
    timeout = {"timeout": TIMEOUT} if system.async_impl else {}
    return system.cat_file(path, start=0, end=limit + 1, **timeout)


def _streamed(system: Any, url: str, limit: int) -> bytes:
    """A server may ignore which part of a file is asked for and send for ever, so its answer is read in pieces."""
    pieces, length = [], 0
    with system.open(url, "rb", block_size=0, size=1) as file:  # a size, so that it is not asked for first
        while length <= limit and (piece := file.read(min(PIECE, limit + 1 - length))):
            pieces.append(piece)
            length += len(piece)
    return b"".join(pieces)


def _opened(url: str) -> tuple[Any, str]:
    import fsspec  # takes a while, and few catalogues hold URLs

    system = _http_system() if url.lower().startswith(("http://", "https://")) else None
    return (system, url) if system else fsspec.core.url_to_fs(url)


@cache
def _http_system() -> Any:
    import aiohttp
    import fsspec

    return fsspec.filesystem("http", client_kwargs={"timeout": aiohttp.ClientTimeout(total=TIMEOUT)})
