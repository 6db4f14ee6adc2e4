"""Photos at URLs, fetched for whoever asks: from named hosts, at public addresses, little and soon.

A name is looked up once for each connection, every address of it is checked, and the connection goes to those
very addresses: aiohttp connects to what its resolver gives it, with the certificate and `Host` of the name. A
second answer to the same question (DNS rebinding) is never asked for. Redirects are followed here, so that each
is checked as the first URL was.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from natviews import __version__
from natviews.catalog import BadPhoto
from natviews.serving.hosts import Address, Hosts, is_public
from natviews.serving.problems import Busy, Forbidden
from natviews.serving.settings import Limits
from natviews.types import NatviewsError

REDIRECTS = 3
REDIRECTING = (301, 302, 303, 307, 308)
LOOKUPS = 4
"""Names looked up at once, in threads of their own: a name server that never answers holds up nobody else."""
PIECE = 2**16
HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": f"natviews/{__version__}"}
Lookup = Callable[[str, int], list[str]]


def looked_up(name: str, port: int) -> list[str]:
    """The addresses of a host. Raises OSError where it has none."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Fetcher:
    """Fetches from `hosts` within `limits`. `lookup` gives a name's addresses, `may_reach` says whether one may be
    connected to, and `certificates` are those believed; None: the machine's."""

    def __init__(
        self,
        hosts: Hosts,
        limits: Limits,
        *,
        lookup: Lookup = looked_up,
        may_reach: Callable[[Address], bool] = is_public,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts, self._limits, self._certificates = hosts, limits, certificates
        self._resolver = _Checking(lookup, may_reach)
        self._running = 0

    async def fetched(self, url: str) -> bytes:
        """What lies at a URL, at most `limits.body` bytes of it within `limits.fetch_seconds`.

        Raises Forbidden where it may not be fetched, Busy where too much is being fetched, BadPhoto where nothing
        came, with a reason that holds nothing of what the host said but its status, and NatviewsError for no URL.
        """
        first = self._allowed(url)
        if self._running >= self._limits.fetches:
            raise Busy("Too much is being fetched at once; ask again in a moment.")
        self._running += 1
        try:
            async with asyncio.timeout(self._limits.fetch_seconds), self._session() as session:
                return await self._followed(session, first)
        except TimeoutError:
            raise BadPhoto(f"did not arrive within {self._limits.fetch_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BadPhoto(f"could not be fetched: {type(error).__name__}") from None
        finally:
            self._running -= 1

    def _allowed(self, text: str) -> URL:
        if not self._hosts:
            raise Forbidden(
                "This server fetches no URLs; send the photo itself, or start it with `--fetch-from HOST`."
            )
        try:
            url = URL(text)
        except ValueError:
            raise NatviewsError("The url cannot be read; it is of the form https://HOST/PATH.") from None
        if not self._may(url):
            raise Forbidden(
                "This server does not fetch from there; it takes https and http, at their usual ports and without "
                "a user's name, from the hosts that it was started with (`--fetch-from`)."
            )
        return url

    def _may(self, url: URL) -> bool:
        plain = url.user is None and url.password is None
        return plain and self._hosts.allow(url.scheme, url.raw_host or "", url.port)

    def _session(self) -> aiohttp.ClientSession:
        """For one fetch: no cookie, connection or address outlives it; no proxy of the environment is asked."""
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, use_dns_cache=False, force_close=True, ssl=self._certificates or True
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None), headers=HEADERS,
        )  # fmt: skip

    async def _followed(self, session: aiohttp.ClientSession, url: URL) -> bytes:
        for _ in range(1 + REDIRECTS):
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status == 200:
                    return await _body(answer, self._limits.body)
                if answer.status not in REDIRECTING:
                    raise BadPhoto(f"could not be fetched: status {answer.status}")
                url = url.join(URL(answer.headers.get("location", "")))
            if not self._may(url):
                raise BadPhoto("is elsewhere by now, where nothing is fetched from")
        raise BadPhoto(f"could not be fetched: more than {REDIRECTS} redirects")

    def close(self) -> None:
        """Looks up nothing more."""
        self._resolver.threads.shutdown(wait=False, cancel_futures=True)


class _Checking(AbstractResolver):
    """Gives a name's addresses if all of them may be reached; one that may not spoils the name."""

    def __init__(self, lookup: Lookup, may_reach: Callable[[Address], bool]) -> None:
        self._lookup, self._may_reach = lookup, may_reach
        self.threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="looking-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self.threads, self._lookup, host, port)
        addresses = [ip_address(text) for text in found]
        if not addresses or not all(map(self._may_reach, addresses)):
            raise BadPhoto("could not be fetched: its host has no address, or one that is not public")
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            ResolveResult(
                hostname=host, host=str(one), port=port, family=families[one.version], proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Is called by every session; the threads are for all of them."""


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Whatever length the host claims, no more than `most` bytes are taken."""
    held = bytearray()
    async for piece in answer.content.iter_chunked(PIECE):
        held += piece
        if len(held) > most:
            raise BadPhoto(f"has more than {most // 2**20} MB")
    return bytes(held)
