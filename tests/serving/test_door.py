"""Who may ask, how much, how often and from where: everything that is refused before it is read."""

import asyncio
import json

import pytest
from served_shops import opened

from natviews.serving import Keys, Limits, Settings
from natviews.serving.keys import Level, Sessions
from natviews.serving.limits import Rates
from natviews.types import NatviewsError

READ, WRITE = "r" * 20, "w" * 20
PATHS = (
    "/", "/review", "/map", "/metrics", "/api", "/report/page", "/v1/openapi.json", "/v1/map", "/v1/tables/gaps",
    "/v1/photo?id=x", "/v1/search/title", "/nowhere",
)  # fmt: skip


@pytest.fixture(scope="module")
def locked(shop):
    keys = Keys.read(None, {"NATVIEWS_READ_KEYS": READ, "NATVIEWS_WRITE_KEYS": f"{WRITE}, {'x' * 20}"})
    with opened(shop, keys=keys) as client:
        yield client


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def test_without_a_key_nothing_but_health_is_answered(locked):
    assert locked.get("/healthz").status_code == 200
    for path in PATHS:
        for headers in (
            {},
            bearer("wrong" * 5),
            {"authorization": READ},
            bearer(""),
            {"cookie": "natviews_session="},
        ):
            assert locked.get(path, headers=headers).status_code == 401, path
    assert locked.post("/v1/match", json={}).status_code == 401
    assert locked.get("/", headers={"accept": "text/html"}, follow_redirects=False).headers["location"] == "/login"


def test_a_key_that_reads_cannot_write(locked, catalog, photo_bytes):
    assert locked.get("/v1/search/title", headers=bearer(READ)).status_code == 200
    asked = {"ours": "a", "theirs": "b", "said": "yes"}
    files, form = {"photo": photo_bytes(0)}, {"id": "n", "product_id": "n"}
    for key, expected in ((READ, 403), (WRITE, 422)):
        assert locked.post("/v1/match", json=asked, headers=bearer(key)).status_code == expected
        assert locked.post("/review", data=asked, headers=bearer(key)).status_code == expected
    assert locked.post("/v1/items", data=form, files=files, headers=bearer(READ)).status_code == 403
    assert locked.delete("/v1/items?id=n", headers=bearer(READ)).status_code == 403
    assert locked.delete("/v1/items?id=n", headers=bearer("x" * 20)).json() == {"deleted": 0}
    assert locked.get("/v1/items?product_id=n", headers=bearer(READ)).status_code == 404


def test_a_browser_signs_in_and_out_and_never_holds_the_key(locked):
    refused = locked.post("/login", data={"key": "wrong" * 5})
    assert refused.status_code == 401 and "not known" in refused.text
    signed = locked.post("/login", data={"key": READ}, follow_redirects=False)
    assert signed.status_code == 303
    cookie = signed.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and READ not in cookie
    assert locked.get("/").status_code == 200
    assert locked.delete("/v1/items?id=n").status_code == 403
    assert locked.post("/logout", follow_redirects=False).status_code == 303
    locked.cookies.set("natviews_session", cookie.split("=")[1].split(";")[0])
    assert locked.get("/").status_code == 401
    locked.cookies.clear()


def test_keys_are_never_logged_nor_shown(locked, capfd):
    locked.get("/v1/search/title", headers=bearer(WRITE))
    locked.get(f"/v1/search/title?text={WRITE}", headers=bearer(WRITE))
    locked.get("/v1/tables/none", headers=bearer(WRITE))
    said = capfd.readouterr()
    lines = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    assert len(lines) == 3 and lines[0]["level"] == "write" and lines[0]["route"] == "/v1/search/title"
    assert WRITE not in said.err + said.out
    assert WRITE not in repr(Keys.read(None, {"NATVIEWS_WRITE_KEYS": WRITE}))


def test_keys_are_compared_in_constant_time(monkeypatch):
    import hmac

    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or a == b)
    keys = Keys.read(None, {"NATVIEWS_READ_KEYS": READ, "NATVIEWS_WRITE_KEYS": WRITE})
    assert [keys.level(key) for key in (READ, WRITE, "", "nobody")] == [1, 2, 0, 0]
    assert compared == [(32, 32)] * 8, "every key is compared, and digests of one length"


def test_keys_come_from_a_file_and_bad_ones_are_refused_without_being_told(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# ours\nread {READ}\nwrite {WRITE}  # the shop's\n\n")
    assert Keys.read(path, {}).level(WRITE) is Level.WRITE
    held = "k" * 16 + "#" + "h" * 8
    path.write_text(f"write {held}  # with one of its own")
    assert Keys.read(path, {}).level(held) is Level.WRITE and Keys.read(path, {}).level("k" * 16) is Level.NOTHING
    path.write_text(f"admin {READ}")
    with pytest.raises(NatviewsError, match="line 1 is neither") as told:
        Keys.read(path, {})
    assert READ not in str(told.value)
    with pytest.raises(NatviewsError, match="shorter than 16"):
        Keys.read(None, {"NATVIEWS_READ_KEYS": "short"})
    with pytest.raises(NatviewsError, match="cannot be read"):
        Keys.read(tmp_path / "none", {})


def test_a_file_without_keys_opens_nothing(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# write {WRITE}\n")
    with pytest.raises(NatviewsError, match="holds no key, and without keys everyone may write"):
        Keys.read(path, {})
    assert Keys.read(path, {"NATVIEWS_READ_KEYS": READ}).level("") is Level.NOTHING


def test_one_who_signs_in_sends_little_and_takes_no_place(shop):
    keys = Keys.read(None, {"NATVIEWS_READ_KEYS": READ})
    with opened(shop, keys=keys, limits=Limits(uploads=0)) as client:
        assert client.post("/login", data={"key": READ}, follow_redirects=False).status_code == 303
        client.cookies.clear()
        refused = client.post("/login", data={"key": "x" * 10_000})
        assert refused.status_code == 413 and refused.json()["detail"] == "At most 8 KB can be sent at once."


def test_a_name_that_is_no_address_is_refused_in_one_sentence(client):
    for headers in ({"host": "[x"}, {"origin": "http://[x"}):
        answer = client.post("/v1/match", json={}, headers=headers)
        assert answer.status_code == 400 and "is no address" in answer.json()["detail"]


def test_sessions_end(monkeypatch):
    import time

    sessions = Sessions()
    token = sessions.open(Level.READ)
    assert sessions.level(token) is Level.READ and sessions.level(token + "x") is Level.NOTHING
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 13 * 3600)
    assert sessions.level(token) is Level.NOTHING


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "shop.example"])
def test_another_address_needs_keys(host, tmp_path):
    with pytest.raises(NatviewsError, match="no keys are set; give --keys FILE"):
        Settings(tmp_path, host=host)
    assert Settings(tmp_path, host=host, keys=Keys.read(None, {"NATVIEWS_READ_KEYS": READ})).host == host


def test_pages_of_other_addresses_can_neither_write_nor_take_this_name(client):
    asked = {"ours": "a", "theirs": "b", "said": "yes"}
    for headers in (
        {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999"},
    ):  # fmt: skip
        assert client.post("/v1/match", json=asked, headers=headers).status_code == 403
    assert client.post("/v1/match", json=asked, headers={"origin": "http://127.0.0.1:8000"}).status_code == 422
    for host in ("evil.example", "127.0.0.1.evil.example:8000", ""):
        assert client.get("/", headers={"host": host}).status_code == 400
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200
    preflight = client.options(
        "/v1/items", headers={"origin": "https://a.b", "access-control-request-method": "PUT"}
    )
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_every_answer_forbids_what_pages_do_not_need(client):
    for path in ("/", "/map", "/v1/map", "/nowhere", "/static/style.css", "/healthz"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert client.get(path).headers["x-content-type-options"] == "nosniff"
    frame = client.get("/report/page").headers["content-security-policy"]
    assert "sandbox" in frame and "script-src" not in frame and "default-src 'none'" in frame


def test_pages_hold_nothing_from_elsewhere_and_nothing_inline(client, catalog):
    for path in ("/", f"/search?product={catalog.product_ids[0]}", "/review", "/groups", "/map", "/tables/gaps",
                 "/report", "/bad-photos", "/api", "/login"):  # fmt: skip
        text = client.get(path, headers={"accept": "text/html"}).text
        assert "<h1>" in text and "http://" not in text and "https://" not in text, path
        assert " style=" not in text and " onclick=" not in text and "<style" not in text
        assert text.count("<script") == text.count("<script src=")


def test_more_than_is_allowed_is_refused_before_it_is_kept(shop, photo_bytes):
    limits = Limits(body=200_000, body_seconds=0.3, uploads=2)
    with opened(shop, limits=limits) as client:
        big = {"photo": b"x" * 300_000}
        assert client.post("/v1/search/photo", files=big).status_code == 413
        parts = (b"x" * 50_000 for _ in range(9))
        assert client.post("/v1/search/photo", content=parts).status_code == 413, (
            "told by what came, not by a header"
        )
        assert client.post("/v1/search/photo", headers={"content-length": "-5"}, content=b"").status_code == 413
        door = client.app
        statuses = asyncio.run(_slow_bodies(door, 4))
        assert sorted(statuses) == [408, 408, 429, 429]
        assert client.post("/v1/search/photo", files={"photo": photo_bytes(0)}).status_code == 200


async def _slow_bodies(door, count):
    """The statuses of requests whose bodies never end."""

    async def one():
        async def receive():
            await asyncio.sleep(0.05)
            return {"type": "http.request", "body": b"x", "more_body": True}

        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-length", b"100000")]
        scope = {"type": "http", "method": "POST", "path": "/v1/items", "headers": headers, "client": ("a", 1)}
        await door(scope, receive, send)
        return sent[0]["status"]

    return await asyncio.gather(*(one() for _ in range(count)))


def test_a_client_that_asks_too_often_waits_and_others_do_not():
    rates = Rates(rate=10, burst=5)
    assert [rates.take("a", 0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert rates.take("b", 0.0)
    assert [rates.take("a", 0.25) for _ in range(3)] == [True, True, False]
    assert [rates.take("a", 99.0) for _ in range(6)] == [True] * 5 + [False]
    assert all(Rates(rate=0, burst=1).take("a", 0.0) for _ in range(50))


def test_a_rate_is_told_as_429(shop):
    with opened(shop, limits=Limits(rate=0.001, burst=3)) as client:
        answers = [client.get("/healthz") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].headers["retry-after"] == "1"
