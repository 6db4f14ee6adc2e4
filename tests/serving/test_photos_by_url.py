"""The API takes a photo's URL in place of the photo, where whoever runs it has switched that on."""

import json
import logging

import pytest
from broken_photos import png_claiming
from odd_hosts import odd_host
from served_shops import opened
from typer.testing import CliRunner

from natviews.serving import Hosts, Keys, Limits
from natviews.serving.fetching import Fetcher

SHOP = "shop.example.com"
READ, WRITE = "r" * 20, "w" * 20
POSTS = {
    "/v1/search/photo?k=3": {},
    "/v1/search/why": {"match": ""},
    "/v1/items": {"id": "new/1.jpg", "product_id": "new"},
    "/v1/embed": {},
}


@pytest.fixture(scope="module")
def host(photo_bytes):
    with odd_host(photo_bytes(0)) as host:
        yield host


def switched_on(client, host):
    """The client of an application that fetches from the host here as if it were elsewhere."""
    service = client.service
    service.fetcher.close()
    service.fetcher = Fetcher(
        Hosts.read([f"{SHOP}:{host.port}"]),
        service.settings.limits,
        lookup=lambda name, port: ["127.0.0.1"],
        may_reach=lambda address: True,
    )
    return client


@pytest.fixture
def fetching(own_shop, host):
    with opened(own_shop, limits=Limits(fetch_seconds=2)) as client:
        yield switched_on(client, host)


def forms(catalog):
    return {path: form | ({"match": catalog.ids[1]} if "match" in form else {}) for path, form in POSTS.items()}


def test_no_url_is_fetched_unless_it_is_switched_on(client, catalog, host):
    host.asked.clear()
    for path, form in forms(catalog).items():
        refused = client.post(path, data=form | {"url": f"http://127.0.0.1:{host.port}/photo"})
        assert refused.status_code == 403, path
        assert "fetches no URLs" in refused.json()["detail"] and "`--fetch-from HOST`" in refused.json()["detail"]
    assert not host.asked


def test_a_url_answers_as_the_photo_itself(fetching, catalog, host, photo_bytes):
    host.asked.clear()
    for path, form in forms(catalog).items():
        by_url = fetching.post(path, data=form | {"url": f"http://{SHOP}:{host.port}/photo?size=3&of=a%20b"})
        by_file = fetching.post(path, data=form, files={"photo": photo_bytes(0)})
        assert by_url.status_code == by_file.status_code in (200, 201), by_url.text
        assert by_url.json() == by_file.json(), path
    assert [head.split()[1] for head in host.asked] == ["/photo?size=3&of=a%20b"] * len(POSTS)
    assert fetching.get("/v1/items?product_id=new").json()["total"] == 1
    crop = {"crop": "0.1,0.1,0.6,0.6", "url": f"http://{SHOP}:{host.port}/photo"}
    files = {"photo": photo_bytes(0)}
    cut = fetching.post("/v1/embed", data=crop).json()["vector"]
    assert cut == fetching.post("/v1/embed", data={"crop": crop["crop"]}, files=files).json()["vector"]


def test_exactly_one_photo_is_sent(fetching, catalog, host, photo_bytes):
    host.asked.clear()
    url, files = {"url": f"http://{SHOP}:{host.port}/photo"}, {"photo": photo_bytes(0)}
    for path, form in forms(catalog).items():
        both = fetching.post(path, data=form | url, files=files)
        neither = fetching.post(path, data=form or {"crop": ""})
        assert (both.status_code, neither.status_code) == (422, 422), path
        assert "not both" in both.json()["detail"] and "Send either" in neither.json()["detail"]
    third = fetching.post("/v1/search/why", data={"match": catalog.ids[1], "query": catalog.ids[2]} | url)
    assert third.status_code == 422
    wrong = [("/v1/embed", {"crop": "9"}), ("/v1/search/photo?mode=x", {}), ("/v1/search/photo", {"crop": "9"}),
             ("/v1/items", {"id": "a", "product_id": "a", "facts": "[]"}), ("/v1/items", {"id": "a"})]  # fmt: skip
    for path, form in wrong:
        assert fetching.post(path, data=form | url).status_code == 422, path
    assert not host.asked, "nothing is fetched for a request that is wrong otherwise"


def test_of_what_is_there_nothing_is_told_but_whether_it_is_a_photo(fetching, host, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    said, before = set(), fetching.service.figures.refused._value.get()
    paths = ("nothing", "page", "broken", "longer", "zipped", "silent", "to/", "to/127.0.0.1:1/x", "to/evil.com/x")
    for path in paths:
        refused = fetching.post("/v1/embed", data={"url": f"http://{SHOP}:{host.port}/{path}?token=hidden"})
        assert refused.status_code == 422, path
        said.add(refused.json()["detail"])
    host.photo, kept = png_claiming(90_000, 90_000), host.photo
    try:
        said.add(fetching.post("/v1/embed", data={"url": f"http://{SHOP}:{host.port}/photo"}).json()["detail"])
    finally:
        host.photo = kept
    assert len(said) == 1, said
    assert "The photo cannot be used: its URL gives none within 2 s and 20 MB" in said.pop()
    assert fetching.service.figures.refused._value.get() - before >= len(paths)
    logged = capfd.readouterr().err
    reasons = [json.loads(line)["fetch"] for line in logged.splitlines() if '"fetch"' in line]
    assert "could not be fetched: status 404" in reasons and "did not arrive within 2 s" in reasons
    kept_elsewhere = "".join(record.getMessage() for record in caplog.records if record.name.startswith("aiohttp"))
    for word in ("hidden", "secret", SHOP):
        assert word not in logged + kept_elsewhere


def test_a_key_that_may_not_write_has_nothing_fetched_for_the_store(own_shop, host):
    keys = Keys.read(None, {"NATVIEWS_READ_KEYS": READ, "NATVIEWS_WRITE_KEYS": WRITE})
    form = {"id": "n", "product_id": "n", "url": f"http://{SHOP}:{host.port}/photo"}
    host.asked.clear()
    with opened(own_shop, keys=keys) as client:
        switched_on(client, host)
        for key, status in ((READ, 403), ("x" * 20, 401), (WRITE, 201)):
            answer = client.post("/v1/items", data=form, headers={"authorization": f"Bearer {key}"})
            assert (answer.status_code, len(host.asked)) == (status, int(status == 201))


def test_hosts_are_named_by_the_command(shop, monkeypatch):
    from natviews.cli import app
    from natviews.serving import server

    started = []
    monkeypatch.setattr(server, "serve", started.append)
    named = ["--fetch-from", SHOP, "--fetch-from", "*.cdn.example.com"]
    for arguments in (named, []):
        assert CliRunner().invoke(app, ["serve", str(shop / "store"), *arguments]).exit_code == 0
    assert [settings.fetch_from for settings in started] == [Hosts.read([SHOP, "*.cdn.example.com"]), Hosts()]
    wrong = CliRunner().invoke(app, ["serve", str(shop / "store"), "--fetch-from", "10.0.0.1"])
    assert wrong.exit_code and "cannot be fetched from '10.0.0.1'" in str(wrong.exception) + wrong.output
    with opened(shop, fetch_from=started[0].fetch_from) as client:
        for url, status in ((f"http://{SHOP}:1/x", 403), ("https://evil.com/", 403), ("https://[/", 422)):
            assert client.post("/v1/embed", data={"url": url}).status_code == status
