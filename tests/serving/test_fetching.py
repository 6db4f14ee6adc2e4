"""Photos at URLs: fetched from hosts that were named alone, at public addresses alone, little and soon."""

import asyncio
import shutil
import ssl
import subprocess
import threading
import time

import pytest
from broken_photos import encoded
from odd_hosts import odd_host

from natviews.catalog import BadPhoto
from natviews.serving import Hosts, Limits
from natviews.serving.fetching import LOOKUPS, Fetcher, looked_up
from natviews.serving.hosts import is_public
from natviews.serving.problems import Busy, Forbidden
from natviews.types import NatviewsError

SHOP = "shop.example.com"


@pytest.fixture(scope="module")
def photo():
    return encoded()


@pytest.fixture(scope="module")
def host(photo):
    with odd_host(photo) as host:
        yield host


def local(host, *, entries=(), addresses=("127.0.0.1",), limits=None, **given):
    """Fetches from a host here, which all names lead to, as if it were elsewhere."""
    hosts = Hosts.read([f"{SHOP}:{host.port}", *entries])
    given = {"lookup": lambda name, port: list(addresses), "may_reach": lambda address: True} | given
    return Fetcher(hosts, limits or Limits(fetch_seconds=5), **given)


def fetched(fetcher, host, path, scheme="http"):
    return asyncio.run(fetcher.fetched(f"{scheme}://{SHOP}:{host.port}/{path}"))


def test_a_photo_is_fetched_as_it_lies_there_and_nothing_is_told_but_what_is_wanted(host, photo, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    host.asked.clear()
    fetcher = local(host)
    for path in ("photo?size=3", "to/" + f"{SHOP}:{host.port}/photo"):
        assert fetched(fetcher, host, path) == photo
    assert host.asked[0].startswith("GET /photo?size=3 HTTP/1.1\r\n")
    for head in host.asked:
        lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        assert lines["host"] == f"{SHOP}:{host.port}" and lines["accept-encoding"] == "identity"
        assert not {"cookie", "authorization", "referer"} & set(lines), "the first answer set a cookie"
    body = fetched(fetcher, host, "zipped")
    assert body[:2] == b"\x1f\x8b" and len(body) < 10**5, "nothing is unpacked"


@pytest.mark.parametrize("path", ["nothing", "broken", "longer", "page/../nothing", "file", "to/"])
def test_what_is_not_there_is_refused_without_a_word_of_the_host(host, path):
    with pytest.raises(BadPhoto, match="could not be fetched|elsewhere") as told:
        fetched(local(host), host, path)
    assert "secret" not in str(told.value)


def test_a_length_that_is_claimed_is_not_believed(host, photo):
    fetcher = local(host, limits=Limits(body=2**20, fetch_seconds=1))
    with pytest.raises(BadPhoto):
        fetched(fetcher, host, "boasting")
    try:
        assert fetched(fetcher, host, "understating") == photo[:10]
    except BadPhoto as reason:  # what follows the ten bytes may be taken for a second, broken answer
        assert "could not be fetched" in str(reason)


@pytest.mark.parametrize("path", ["endless", "chunks"])
def test_a_body_without_end_is_left_at_the_limit(host, path):
    begun = time.monotonic()
    with pytest.raises(BadPhoto, match="more than 1 MB"):
        fetched(local(host, limits=Limits(body=2**20, fetch_seconds=20)), host, path)
    assert time.monotonic() - begun < 5
    assert len(fetched(local(host, limits=Limits(body=len(host.photo))), host, "photo")) == len(host.photo)
    with pytest.raises(BadPhoto, match="more than"):
        fetched(local(host, limits=Limits(body=len(host.photo) - 1)), host, "photo")


@pytest.mark.parametrize("path", ["slow", "silent"])
def test_what_takes_too_long_is_left(host, path):
    begun = time.monotonic()
    with pytest.raises(BadPhoto, match="did not arrive within 0.4 s"):
        fetched(local(host, limits=Limits(fetch_seconds=0.4)), host, path)
    assert 0.3 < time.monotonic() - begun < 2


def test_a_name_server_that_never_answers_holds_up_nothing_but_lookups(host):
    never = threading.Event()
    fetcher = local(host, limits=Limits(fetch_seconds=0.3), lookup=lambda *asked: never.wait(20) and ["127.0.0.1"])

    async def many():
        urls = [fetcher.fetched(f"http://{SHOP}:{host.port}/photo") for _ in range(2 * LOOKUPS)]
        waiting = asyncio.gather(*urls, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 0.1) == 7
        assert sum(thread.name.startswith("looking-up") for thread in threading.enumerate()) <= 2 * LOOKUPS
        return await waiting

    try:
        assert [type(found) for found in asyncio.run(many())] == [BadPhoto] * (2 * LOOKUPS)
    finally:
        never.set()
        fetcher.close()


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_connected_to(host, photo):
    answers, asked, checked = [["127.0.0.1"], ["10.0.0.1"]], [], []
    fetcher = local(
        host,
        lookup=lambda name, port: asked.append((name, port)) or answers[len(asked) - 1],
        may_reach=lambda address: checked.append(str(address)) or True,
    )
    assert fetched(fetcher, host, "photo") == photo
    assert asked == [(SHOP, host.port)] and checked == ["127.0.0.1"]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], []])
def test_a_name_with_any_address_that_is_not_public_is_never_connected_to(host, addresses):
    host.asked.clear()
    with pytest.raises(BadPhoto, match="one that is not public"):
        fetched(local(host, addresses=addresses, may_reach=is_public), host, "photo")
    assert not host.asked
    assert looked_up("localhost", 80), "as the machine itself would"
    with pytest.raises(BadPhoto, match="not public|could not be fetched"):
        asyncio.run(
            Fetcher(Hosts.read(["localhost.localdomain"]), Limits()).fetched("http://localhost.localdomain/")
        )


def test_redirects_are_few_and_each_is_checked_as_the_first_url(host, photo):
    names = []

    def lookup(name, port):
        names.append(name)
        return ["10.0.0.1"] if name.startswith("inside") else ["127.0.0.1"]

    def may_reach(address):
        return str(address) == "127.0.0.1"

    fetcher = local(host, entries=[f"*.example.com:{host.port}"], lookup=lookup, may_reach=may_reach)
    assert fetched(fetcher, host, "near/3") == photo and names == [SHOP] * 4
    with pytest.raises(BadPhoto, match="more than 3 redirects"):
        fetched(fetcher, host, "near/4")
    with pytest.raises(BadPhoto, match="more than 3 redirects"):
        fetched(fetcher, host, "to/")
    assert fetched(fetcher, host, f"to/other.example.com:{host.port}/photo") == photo
    del names[:]
    for elsewhere in (f"evil.com:{host.port}", f"127.0.0.1:{host.port}", f"u:p@{SHOP}:{host.port}", SHOP):
        with pytest.raises(BadPhoto, match="is elsewhere by now"):
            fetched(fetcher, host, f"to/{elsewhere}/photo")
    assert set(names) == {SHOP}
    with pytest.raises(BadPhoto, match="one that is not public"):
        fetched(fetcher, host, f"to/inside.example.com:{host.port}/photo")


def test_a_url_that_is_not_allowed_is_refused_before_anything_is_looked_up(host):
    fetcher = local(host, lookup=lambda *asked: pytest.fail("was looked up"))
    for url in (
        "https://evil.com/", f"https://{SHOP}/", f"http://u@{SHOP}:{host.port}/", f"http://u:p@{SHOP}:{host.port}/",
        f"http://{SHOP}:{host.port}@evil.com/", f"http://127.0.0.1:{host.port}/", f"http://[::1]:{host.port}/",
        f"http://2130706433:{host.port}/", f"ftp://{SHOP}:{host.port}/", "file:///etc/passwd", "photo.jpg", "",
        f"//{SHOP}:{host.port}/photo", f"http://{SHOP}.:{host.port}/", f"data://{SHOP}:{host.port}/,x",
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="does not fetch from there"):
            asyncio.run(fetcher.fetched(url))
    for url in ("http://[", "http://a\\@b/", "http://a.com:99999/"):
        with pytest.raises(NatviewsError, match="cannot be read"):
            asyncio.run(fetcher.fetched(url))


def test_no_more_are_fetched_at_once_than_is_allowed(host, photo):
    fetcher = local(host, limits=Limits(fetch_seconds=0.5, fetches=2))

    async def four():
        urls = [fetcher.fetched(f"http://{SHOP}:{host.port}/silent") for _ in range(4)]
        return await asyncio.gather(*urls, return_exceptions=True)

    assert [type(found) for found in asyncio.run(four())] == [BadPhoto, BadPhoto, Busy, Busy]
    assert fetched(fetcher, host, "photo") == photo


def test_certificates_are_checked_against_the_name(photo, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with; install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", f"/CN={SHOP}", "-addext", f"subjectAltName=DNS:{SHOP}", "-keyout", key,
         "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with odd_host(photo, (certificate, key)) as host:
        own = ssl.create_default_context(cafile=str(certificate))
        entries = [f"other.example.com:{host.port}"]
        believing = local(host, entries=entries, certificates=own)
        assert fetched(believing, host, "photo", "https") == photo
        with pytest.raises(BadPhoto, match="Certificate"):
            asyncio.run(believing.fetched(f"https://other.example.com:{host.port}/photo"))
        with pytest.raises(BadPhoto, match="Certificate"):
            fetched(local(host), host, "photo", "https")
