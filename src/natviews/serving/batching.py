"""Work that is cheaper together: what is asked for within a few milliseconds is done in one go, by one thread."""

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
    """

    def __init__(
        self,
        work: Callable[[list[Asked]], Sequence[Done | Exception]],
        *,
        most: int,
        wait: float,
        name: str,
        room: int = 1024,
    ) -> None:
        self._work, self._most, self._wait = work, most, wait
        self._waiting: queue.Queue[tuple[Asked, Future[Done]] | None] = queue.Queue(room)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

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
        """Finishes what was submitted, and ends the thread."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, ending = [first], False
            until = time.monotonic() + self._wait
            while len(batch) < self._most and not ending:
                try:
                    more = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
                if more is None:
                    ending = True
                else:
                    batch.append(more)
            self._do(batch)
            if ending:
                return

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
