"""Photos from strangers, decoded in processes of their own that have little memory and little time."""

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from natviews.catalog import BadPhoto
from natviews.serving.decoding import LENGTH
from natviews.serving.settings import Limits

Crop = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the sides."""
STARTS_WITHIN = 60.0


class Decoders:
    """A few decoding processes. One that takes too long, or dies, is killed and replaced; the photo is then
    refused."""

    def __init__(self, limits: Limits, count: int = 2) -> None:
        self._limits = limits
        self._idle: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
        self._all = [_Decoder(limits) for _ in range(count)]
        for decoder in self._all:
            self._idle.put(decoder)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decoding")
        for decoder in self._all:
            self._threads.submit(decoder.start)  # so that the first photo need not wait

    def submit(self, data: bytes, longest: int, crop: Crop | None = None) -> "Future[np.ndarray]":
        """The photo (H, W, 3) uint8 RGB to come, or BadPhoto with the reason."""
        return self._threads.submit(self._decoded, data, longest, crop)

    def _decoded(self, data: bytes, longest: int, crop: Crop | None) -> np.ndarray:
        decoder = self._idle.get()
        try:
            asked = {"longest": longest, "pixels": self._limits.pixels, "crop": crop}
            return decoder.decoded(json.dumps(asked).encode() + b"\n" + data)
        finally:
            self._idle.put(decoder)

    def close(self) -> None:
        """Ends the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for decoder in self._all:
            decoder.kill()


class _Decoder:
    """One process, started when it is first asked."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def decoded(self, question: bytes) -> np.ndarray:
        try:
            with self._starting:
                process = self._running()
            deadline = time.monotonic() + self._limits.decode_seconds
            _write(process, LENGTH.pack(len(question)) + question, deadline)
            head, _, pixels = _read(process, deadline).partition(b"\n")
            said = json.loads(head)
        except TimeoutError:
            self.kill()
            raise BadPhoto(f"takes longer than {self._limits.decode_seconds:g} s to decode") from None
        except (OSError, EOFError, ValueError):
            self.kill()
            raise BadPhoto("damaged: its decoder ended") from None
        if "reason" in said:
            raise BadPhoto(said["reason"])
        return np.frombuffer(pixels, np.uint8).reshape(said["shape"])

    def start(self) -> None:
        """Starts the process where it is not running."""
        with self._starting:
            self._running()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "natviews.serving.decoding", str(self._limits.decode_bytes)]
            few = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | few,
                start_new_session=True,  # an interrupted server ends it itself
            )
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                os.set_blocking(stream.fileno(), False)
            _read(self._process, time.monotonic() + STARTS_WITHIN)
        return self._process

    def kill(self) -> None:
        """Ends the process; the next photo has a new one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def _write(process: "subprocess.Popen[bytes]", data: bytes, deadline: float) -> None:
    assert process.stdin is not None
    handle, rest = process.stdin.fileno(), memoryview(data)
    while rest:
        _await(handle, select.POLLOUT, deadline)
        rest = rest[os.write(handle, rest) :]


def _read(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """One frame."""
    (length,) = LENGTH.unpack(_exactly(process, LENGTH.size, deadline))
    return _exactly(process, length, deadline)


def _exactly(process: "subprocess.Popen[bytes]", count: int, deadline: float) -> bytes:
    assert process.stdout is not None
    handle, found = process.stdout.fileno(), bytearray()
    while len(found) < count:
        _await(handle, select.POLLIN, deadline)
        part = os.read(handle, min(2**20, count - len(found)))
        if not part:
            raise EOFError
        found += part
    return bytes(found)


def _await(handle: int, event: int, deadline: float) -> None:
    """Returns when a pipe can be read or written. Raises TimeoutError at the deadline."""
    watch = select.poll()  # `select.select` knows no handle above 1023
    watch.register(handle, event)
    if not watch.poll(1000 * max(0.0, deadline - time.monotonic())):
        raise TimeoutError
