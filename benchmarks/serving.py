"""How quickly a server answers on this machine: wrk and ApacheBench against loopback.

    apt-get install wrk apache2-utils
    python benchmarks/serving.py [--products 100000] [--seconds 60] [--clients 32] [--rate 200] [--encoder RUN]

A store of random vectors of 256 numbers around 4,000 centres, one photo a product: searches by product, each of
another one by chance, and the server's memory before and after. Once the clients together ask 200 times a second,
each after a pause of its own (wanted: p99 under 50 ms), and once they ask as fast as they are answered.
With an encoder (a run's folder) the store is of its width, and photos are searched for as well, beside the rate at
which the encoder alone describes as many photos that are decoded already. Nothing may fail.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.index import Store
from natviews.types import Embeddings, Provenance

WIDTH = 256
ANSWERED_IN = 10
"""Milliseconds that an answer takes when the server is not busy: clients pause that much less."""
SIDE = 400
"""Pixels of the photos that are sent."""


def drawn_store(folder: Path, products: int, encoder: Path | None) -> None:
    """Random directions around a few thousand centres."""
    made_by, width, extra = Provenance("drawn"), WIDTH, {}
    if encoder is not None:
        from natviews.encoders import Encoder

        loaded = Encoder.load(encoder)
        made_by, width = Provenance(loaded.digest(), location=str(encoder.absolute())), loaded.widths["vector"]
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4000, width)).astype(np.float32)
    vectors = centres[rng.integers(0, len(centres), products)] + rng.normal(size=(products, width)).astype(
        np.float32
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = np.array([f"p{number:07d}" for number in range(products)])
    known = pa.table({"id": names.tolist(), "title": [f"Title {name}" for name in names.tolist()]})
    Store.create(folder / "store", Embeddings(names, names, vectors.astype(np.float32), made_by, extra), known)


def memory(pid: int) -> float:
    """Resident MB of a process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


ANOTHER = """
request = function()
  return wrk.format("GET", string.format("/v1/search/product?product_id=p%07d", math.random(0, PRODUCTS - 1)))
end
delay = PAUSE > 0 and function() return math.random(0, 2 * PAUSE) end or nil
done = function(summary, latency)
  local bad = summary.errors
  print(string.format("rate %f p50 %f p99 %f done %d failed %d", 1e6 * summary.requests / summary.duration,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.requests,
    bad.connect + bad.read + bad.write + bad.status + bad.timeout))
end
"""


def by_products(address: str, given: argparse.Namespace, folder: Path, rate: float = 0) -> dict[str, float]:
    """What wrk says of searches by products drawn by chance, about `rate` a second or (0) without a pause."""
    pause = max(1, 1000 * given.clients / rate - ANSWERED_IN) if rate else 0
    script = folder / "another.lua"
    script.write_text(f"PRODUCTS, PAUSE = {given.products}, {pause:.0f}\n{ANOTHER}")
    command = ["wrk", "-t1", f"-c{given.clients}", f"-d{given.seconds}s", "-s", str(script), address]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    words = next(line for line in said.splitlines() if line.startswith("rate ")).split()
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


def bench(address: str, *arguments: str) -> dict[str, float]:
    """What ApacheBench says."""
    said = subprocess.run(
        ["ab", "-q", "-k", "-l", "-r", *arguments, address], capture_output=True, text=True
    ).stdout

    def figure(pattern: str) -> float:
        found = re.search(pattern, said)
        return float(found[1]) if found else 0.0

    return {
        "rate": figure(r"Requests per second:\s+([\d.]+)"),
        "p50": figure(r"\n\s+50%\s+(\d+)"),
        "p99": figure(r"\n\s+99%\s+(\d+)"),
        "done": figure(r"Complete requests:\s+(\d+)"),
        "failed": figure(r"Failed requests:\s+(\d+)") + figure(r"Non-2xx responses:\s+(\d+)"),
    }


def sent_photo(folder: Path) -> tuple[Path, bytes]:
    """A multipart body with one JPEG, and the JPEG."""
    import cv2

    noise = np.random.default_rng(1).integers(0, 255, (25, 25, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))[1].tobytes()
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    path = folder / "body"
    path.write_bytes(head + jpeg + b"\r\n--x--\r\n")
    return path, jpeg


def encoders_own_rate(encoder: Path, jpeg: bytes, seconds: float) -> float:
    """Photos a second in batches, decoded beforehand."""
    from natviews.catalog.decode import decode
    from natviews.encoders import Encoder, describer, stored_size
    from natviews.encoders.describing import WORTH
    from natviews.serving.describing import MOST

    loaded = Encoder.load(encoder)
    describe = describer(loaded, WORTH)
    photos = [decode(jpeg, stored_size(max(loaded.architecture.sizes)))] * MOST
    list(loaded.features(photos, describe=describe))
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        list(loaded.features(photos, describe=describe))
        done += len(photos)
    return done / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--encoder", type=Path)
    given = parser.parse_args()
    if not (shutil.which("ab") and shutil.which("wrk")):
        sys.exit("The load tools are not here: apt-get install wrk apache2-utils.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_store(folder, given.products, given.encoder)
        command = [sys.executable, "-c", "from natviews.cli import main; main()", "serve", str(folder / "store")]
        command += ["--port", "0", "--rate", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                told(given, server, server.stdout.readline().strip(), folder)
            finally:
                server.terminate()


def is_ready(address: str) -> bool:
    """Whether the encoder is loaded."""
    try:
        return urllib.request.urlopen(f"{address}readyz", timeout=5).status == 200
    except OSError:
        return False


def told(given: argparse.Namespace, server: "subprocess.Popen[str]", address: str, folder: Path) -> None:
    """Measures and prints."""
    while given.encoder and not is_ready(address):
        time.sleep(1)
    time.sleep(15)  # map and calibration are worked out at the start
    load = os.getloadavg()[0]
    common = ["-c", str(given.clients), "-t", str(given.seconds), "-n", "10000000"]
    before = memory(server.pid)
    print(f"{given.products:,} products, {given.clients} clients, {given.seconds} s, load {load:.1f} before")
    for rate in (given.rate, 0.0):
        by_product = by_products(address, given, folder, rate)
        print(
            f"by product, {f'{rate:g}/s asked' if rate else 'without a pause'}: {by_product['rate']:.0f}/s, "
            f"p50 {by_product['p50']:.0f} ms, p99 {by_product['p99']:.0f} ms, "
            f"{by_product['failed']:.0f} of {by_product['done']:.0f} failed; "
            f"{before:.0f} MB, then {memory(server.pid):.0f} MB", flush=True,
        )  # fmt: skip
    if given.encoder is None:
        return
    body, jpeg = sent_photo(folder)
    posting = ["-p", str(body), "-T", "multipart/form-data; boundary=x"]
    by_photo = bench(f"{address}v1/search/photo", *common, *posting)
    own = encoders_own_rate(given.encoder, jpeg, given.seconds / 4)
    print(
        f"by photo: {by_photo['rate']:.0f}/s, {by_photo['rate'] / own:.0%} of the encoder's own {own:.0f}/s; "
        f"p50 {by_photo['p50']:.0f} ms, p99 {by_photo['p99']:.0f} ms, "
        f"{by_photo['failed']:.0f} of {by_photo['done']:.0f} failed; {memory(server.pid):.0f} MB"
    )


if __name__ == "__main__":
    main()
