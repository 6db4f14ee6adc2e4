"""Servers as processes: killed while they write, two on one store, and callers that do not keep to HTTP."""

import json
import os
import signal
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
from served_shops import opened, server, wait_ready

from natviews.index import Store


def upsert(address, name, photo, into):
    """Sends a photo; its id goes into `into` when it is acknowledged."""
    try:
        answer = httpx.post(
            f"{address}v1/items", data={"id": name, "product_id": name}, files={"photo": photo}, timeout=30
        )
        if answer.status_code == 201:
            into.append(answer.json()["id"])
    except httpx.HTTPError:  # the server was killed meanwhile: nothing was promised
        pass


def test_what_was_acknowledged_outlives_a_kill_and_two_servers_agree(own_shop, photo_bytes, catalog):
    acknowledged, stopped = [], threading.Event()

    def send(worker):
        number = 0
        while not stopped.is_set():
            upsert(address, f"w{worker}-{number}", photo_bytes(number % 50), acknowledged)
            number += 1

    with server(own_shop) as (process, address):
        wait_ready(address)
        workers = [threading.Thread(target=send, args=(worker,)) for worker in range(3)]
        for worker in workers:
            worker.start()
        until = time.monotonic() + 20
        while len(acknowledged) < 12 and time.monotonic() < until:
            time.sleep(0.02)
        with opened(own_shop) as second:  # another server sees what the first one acknowledged
            mark = acknowledged[-1]
            seen = until_true(lambda: second.get("/v1/items", params={"product_id": mark}).status_code == 200)
            assert seen, "the second server never saw it"
            product = str(catalog.product_ids[0])
            assert second.delete("/v1/items", params={"id": str(catalog.ids[0])}).json() == {"deleted": 1}
            asked = {"product_id": product}

            def gone():
                items = httpx.get(f"{address}v1/items", params=asked).json()["items"]
                return str(catalog.ids[0]) not in [one["id"] for one in items]

            assert until_true(gone), "the first server never saw the deletion"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        stopped.set()
        for worker in workers:
            worker.join()
    assert len(acknowledged) >= 12
    assert not set(acknowledged) - set(Store(own_shop / "store").ids.tolist())
    with opened(own_shop) as again:
        for name in acknowledged:
            assert again.get("/v1/items", params={"product_id": name}).status_code == 200
        assert (
            again.post(
                "/v1/items", data={"id": "after", "product_id": "after"}, files={"photo": photo_bytes(0)}
            ).status_code
            == 201
        )


def until_true(check, seconds=10):
    """Whether something comes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.1)
    return False


def test_a_photo_that_another_server_replaced_or_dropped_is_not_shown_as_it_was(own_shop, photo_bytes):
    def take_in(client, number):
        sent = {"data": {"id": "n", "product_id": "n"}, "files": {"photo": photo_bytes(number)}}
        assert client.post("/v1/items", **sent).status_code == 201

    with opened(own_shop) as one, opened(own_shop) as other:
        take_in(one, 0)
        before = one.get("/v1/photo?id=n").content
        assert other.get("/v1/photo?id=n").content == before
        take_in(other, 9)
        after = one.get("/v1/photo?id=n").content
        assert after != before and after == other.get("/v1/photo?id=n").content
        assert other.delete("/v1/items?id=n").json() == {"deleted": 1}
        assert one.get("/v1/photo?id=n").status_code == 404


def test_callers_that_do_not_keep_to_http_are_left_alone(served):
    address, folder = served
    place = urlsplit(address)
    for head in (
        b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nshort",
        b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nmuch longer than that",
        b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        with socket.create_connection((place.hostname, place.port), timeout=5) as line:
            line.sendall(head)
            line.shutdown(socket.SHUT_WR)
            try:
                answer = line.recv(4000)
            except ConnectionResetError:
                answer = b""
            assert answer == b"" or answer.split(b" ")[1][:1] in (b"2", b"4"), answer[:80]
    wait_ready(address)
    log = (folder / "server.log").read_text()
    assert "Traceback" not in log
    told = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert all(line["status"] < 500 for line in told if line["route"] != "/readyz")


def test_a_port_that_is_taken_is_told_at_once(served):
    import subprocess
    import sys

    address, folder = served
    command = [sys.executable, "-c", "from natviews.cli import main; main()", "serve", str(folder / "store")]
    done = subprocess.run(
        [*command, "--port", str(urlsplit(address).port)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "choose another --port" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "no keys are set" in done.stderr
