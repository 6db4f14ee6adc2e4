"""Nobody wonders whether it still runs, and nothing of it stands on stdout."""

import os
import pty
import select
import subprocess
import sys
import threading
import time

import pytest

from natviews.progress import PLAIN_SECONDS, progress

SLOW = """
import sys, time
from natviews.progress import progress
print("start", file=sys.stderr, flush=True)
with progress("photos", 8) as advance:
    for _ in range(2):
        time.sleep(2.2)
        advance(2, note="loss 2.1")
print("end", file=sys.stderr, flush=True)
"""
QUICK = "from natviews.progress import progress\nwith progress('photos', 3) as advance:\n    advance(2)\n"


def test_a_log_gets_a_line_at_least_every_two_seconds_and_stdout_nothing():
    times, lines = [], []
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            times.append(time.monotonic())
            lines.append(line.rstrip())
        assert process.stdout.read() == ""
    assert (lines[0], lines[-1]) == ("start", "end")
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert max(gaps) <= 2.0
    assert len(lines) >= 4
    assert lines[1].startswith("photos: 0/8")
    assert lines[-2].startswith("photos: 4/8")
    assert "s left loss 2.1" in lines[-2]


def test_lines_are_due_in_time():
    assert PLAIN_SECONDS < 2


def test_what_is_over_at_once_writes_nothing(capfd):
    with progress("photos", 3) as advance:
        advance(3)
    assert capfd.readouterr() == ("", "")


def test_a_line_tells_the_amount_the_time_left_and_the_last_note(capfd, monkeypatch):
    monkeypatch.setattr("natviews.progress.PLAIN_SECONDS", 0.1)
    with progress("training", 4) as advance:
        advance(note="loss 2.1")
        advance()
        time.sleep(0.25)
    out, error = capfd.readouterr()
    assert out == ""
    assert len(error.splitlines()) >= 2
    assert all(line == "training: 2/4 0 s, 0 s left loss 2.1" for line in error.splitlines())


def test_a_line_without_a_total_tells_the_time_alone(capfd, monkeypatch):
    monkeypatch.setattr("natviews.progress.PLAIN_SECONDS", 0.05)
    with progress("loading"):
        time.sleep(0.12)
    assert set(capfd.readouterr().err.splitlines()) == {"loading: 0 s"}


def test_an_exception_goes_through_and_no_thread_remains(monkeypatch):
    before = threading.active_count()
    with pytest.raises(ValueError, match="wrong"), progress("photos", 3):
        raise ValueError("wrong")
    assert threading.active_count() == before


def test_a_terminal_gets_a_bar_on_stderr():
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([sys.executable, "-c", QUICK], stdout=subprocess.PIPE, stderr=theirs, timeout=30)
        shown = os.read(ours, 65536).decode() if select.select([ours], [], [], 5)[0] else ""
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == b""
    assert "photos" in shown
    assert "2/3" in shown
