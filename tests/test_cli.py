"""The command line itself: what is said when a command is told to end."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = [sys.executable, "-c", "from natviews.cli import main; main()"]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=lambda told: told.name)
def test_a_command_that_is_told_to_end_says_in_one_line_how_to_go_on(catalog_path, tmp_path, tiny_settings, told):
    settings = [part for setting in (*tiny_settings, "training.epochs=500") for part in ("--set", setting)]
    command = [*PROGRAM, "train", catalog_path, "--recipe", "demo", "--out", tmp_path / "run", *settings]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(told)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "natviews: interrupted; run the same command again to continue."
    assert "Traceback" not in err and not out
