"""Progress with the time left, on a terminal as a bar and elsewhere as a line every second or so."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 1.0
"""How often a log gets a line. Nobody should wonder for longer than two seconds whether it still runs."""

SOON_SECONDS = 0.2
"""What is over within this time is never mentioned."""
_said_at = time.monotonic()
"""When a log last got a line, whoever wrote it."""

_silent = False

Advance = Callable[..., None]
"""`advance(3)` says that three more are done; `advance(3, note="loss 2.1")` also shows a note."""


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Advance]:
    """Shows `label` while the block runs, with a bar and the time left where `total` is known."""
    shown = _nothing if _silent else _bar if sys.stderr.isatty() else _lines
    with shown(label, total) as advance:
        yield advance


def silence() -> None:
    """Shows nothing from now on: another process shows it for all."""
    global _silent
    _silent = True


@contextmanager
def _nothing(label: str, total: int | None) -> Iterator[Advance]:
    yield lambda count=1, note=None: None


@contextmanager
def _bar(label: str, total: int | None) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, note="")

        def advance(count: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=count)
            if note is not None:
                bar.update(task, note=note)

        yield advance


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Advance]:
    start, done, last_note = time.monotonic(), 0, ""
    ended = threading.Event()

    def say() -> None:
        global _said_at
        _said_at = time.monotonic()
        seconds = time.monotonic() - start
        amount = f" {done}/{total}" if total else ""
        left = f", {(total - done) * seconds / done:.0f} s left" if total and done else ""
        print(f"{label}:{amount} {seconds:.0f} s{left} {last_note}".rstrip(), file=sys.stderr, flush=True)

    def ticker() -> None:
        wait = max(SOON_SECONDS, PLAIN_SECONDS - (start - _said_at))  # silence before counts as well
        while not ended.wait(wait):
            say()
            wait = PLAIN_SECONDS

    def advance(count: int = 1, note: str | None = None) -> None:
        nonlocal done, last_note
        done += count
        last_note = last_note if note is None else note

    thread = threading.Thread(target=ticker, daemon=True)
    thread.start()
    try:
        yield advance
    finally:
        ended.set()
        thread.join()
        if time.monotonic() - start >= PLAIN_SECONDS:  # what was over at once needs no line
            say()
