"""What a server says of itself: figures for Prometheus, and a line of JSON for each request. Neither holds a
photo, a key or what was looked for."""

import json
import sys
import time
from typing import TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32)


class Figures:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "natviews_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "natviews_request_seconds",
            "How long they took.",
            ("route",),
            buckets=LATENCIES,
            registry=self.registry,
        )
        self.batch = Histogram(
            "natviews_described_batch", "Photos described together.", buckets=BATCHES, registry=self.registry
        )
        self.refused = Counter("natviews_photos_refused", "Photos that could not be used.", registry=self.registry)
        self.photos = Gauge("natviews_store_photos", "Photos in the store.", registry=self.registry)
        self.answers = Counter("natviews_answers", "Answers to pairs.", ("said",), registry=self.registry)

    def text(self) -> bytes:
        """All figures in Prometheus's form."""
        return generate_latest(self.registry)


def log(stream: TextIO | None = None, **said: object) -> None:
    """One line of JSON."""
    line = json.dumps({"time": round(time.time(), 3), **said}, ensure_ascii=True)
    print(line, file=stream or sys.stderr, flush=True)
