"""Small shops that are served in tests: tables beside a store, an application over it, servers as processes."""

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np


def write_decisions(folder: Path, catalog):
    """Small tables of the forms that the commands write."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from natviews.matching.gaps import GAPS
    from natviews.matching.groups import GROUPS

    ids, products = catalog.ids.tolist(), catalog.product_ids.tolist()
    first = {product: photo for photo, product in zip(reversed(ids), reversed(products), strict=True)}
    names = sorted(first)
    rng = np.random.default_rng(0)
    pairs = [(name, names[k ^ 1] if k % 3 == 0 else name) for k, name in enumerate(names[:60])]
    rows = [
        {"query": first[one], "match": first[other], "rank": 1,
         "score": float((one == other) - 0.5 * rng.random()),
         "query_product": one, "match_product": other, "query_title": f"Title {one}",
         "match_title": other}
        for one, other in pairs
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), folder / "matches.parquet")
    gaps = [
        {"product": name, "title": "=SUM(1;2)" if k == 0 else f"Item {k}", "price": float((k * 37) % 50),
         "score": k / 100, "photo": first[name]}
        for k, name in enumerate(names)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(gaps, schema=GAPS), folder / "gaps.parquet")
    groups = [
        {"group": k // 2 + 1, "product": name, "title": "", "size": 2, "weakest": 0.9, "weakest_one": name,
         "weakest_other": name, "photo": first[name]}
        for k, name in enumerate(names[:6])
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(groups, schema=GROUPS), folder / "groups.parquet")
    (folder / "quarantine.csv").write_text("image,product_id,reason\nimages/x.jpg,p9,the file is empty\n")
    (folder / "report.html").write_text("<!doctype html><html lang=en><title>R</title><p>The report.</p></html>")


def opened(folder, **settings):
    """A client of an application over a shop's folder, and the application."""
    from starlette.testclient import TestClient

    from natviews.serving import Limits, Settings
    from natviews.serving.app import create_app

    limits = replace(settings.pop("limits", Limits()), decoders=1)
    app = create_app(Settings(folder / "store", limits=limits, **settings))
    client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    client.service = app._app.state.service
    client.service.describer.ready.wait(60)
    return client


@contextmanager
def server(folder, *arguments, environment=None):
    """A server in a process of its own: the process and its address."""
    command = [sys.executable, "-c", "from natviews.cli import main; main()", "serve", str(folder / "store")]
    held = os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {})
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=held
        )
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), (folder / "server.log").read_text()
            yield process, address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_ready(address, seconds=60):
    """Returns when a server has loaded everything."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server is not ready")
