"""Work that is cheaper together: what is asked for within a few milliseconds is done in one go."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from natviews.serving.problems import Busy

Asked = TypeVar("Asked")
Done = TypeVar("Done")


class Batcher(Generic[Asked, Done]):
    """Calls `work` with all that was submitted while it was last at work, or within `wait` seconds, `most` at
    once.

    `work` gives a result, or an exception, for each; where it raises, every one of the batch has that exception.
    With more than one of the `threads` it is called while it is at work on another batch.
    """

    def __init__(
        self,
        work: Callable[[list[Asked]], Sequence[Done | Exception]],
        *,
        most: int,
        wait: float,
        name: str,
        threads: int = 1,
        room: int = 1024,
    ) -> None:
        self._work, self._most, self._wait = work, most, wait
        self._waiting: queue.Queue[tuple[Asked, Future[Done]] | None] = queue.Queue(room)
        self._gathering = threading.Lock()
        self._closed = False
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, asked: Asked) -> "Future[Done]":
        """The result to come. Raises Busy where too much is waiting already."""
        future: Future[Done] = Future()
        if self._closed:
            raise Busy("The server is being stopped; ask again in a moment.")
        try:
            self._waiting.put_nowait((asked, future))
        except queue.Full:
            raise Busy("Too much is waiting to be done; ask again in a moment.") from None
        return future

    def close(self) -> None:
        """Finishes what was submitted, and ends the threads."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while True:
            with self._gathering:  # by one thread at a time, or what comes together would be torn apart
                batch = self._gathered()
            if not batch:
                return
            self._do(batch)

    def _gathered(self) -> list[tuple[Asked, "Future[Done]"]]:
        """What came together; nothing at the end, which is left for the other threads to see."""
        batch: list[tuple[Asked, Future[Done]]] = []
        until = None
        while len(batch) < self._most:
            try:
                more = self._waiting.get(timeout=until and max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if more is None:
                self._waiting.put(None)
                break
            batch.append(more)
            until = until or time.monotonic() + self._wait
        return batch

    def _do(self, batch: list[tuple[Asked, "Future[Done]"]]) -> None:
        running = [(asked, future) for asked, future in batch if future.set_running_or_notify_cancel()]
        if not running:
            return
        try:
            results = self._work([asked for asked, _ in running])
        except Exception as error:  # whoever asked hears of it; the thread goes on
            results = [error] * len(running)
        for (_, future), result in zip(running, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
