"""A file or a folder is whole or absent, whatever happens while it is written."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from natviews.files import whole_file, whole_folder
from natviews.types import NatviewsError

OLD = "what stood here before"


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "folder" / "file.txt"
    path.parent.mkdir()
    path.write_text(OLD)
    return path


def only(path: Path) -> bool:
    """Whether nothing else lies beside the file."""
    return list(path.parent.iterdir()) == [path]


def is_one_sentence_about(error: BaseException, path: Path) -> bool:
    text = str(error)
    return str(path) in text and "\n" not in text and text.endswith(".")


def test_a_block_that_ends_well_replaces_the_file(old):
    with whole_file(old) as temporary:
        temporary.write_text("new")
        assert old.read_text() == OLD
    assert old.read_text() == "new"
    assert only(old)


def test_a_new_file_is_made_with_its_folders_and_may_be_read_by_others(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert only(path)


def test_the_contents_are_synced_before_the_name_changes(old, monkeypatch):
    contents = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (contents.append(old.read_text()), real(handle)))
    with whole_file(old) as temporary:
        temporary.write_text("new")
    assert contents == [OLD, "new"]  # the file's own sync, then its folder's


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_leaves_the_old_file_and_no_temporary(old, error):
    with pytest.raises(type(error)), whole_file(old) as temporary:
        temporary.write_text("half")
        raise error
    assert old.read_text() == OLD
    assert only(old)


def test_an_exception_leaves_no_file_where_there_was_none(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(ValueError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_explained_and_leaves_the_old_file(old):
    with pytest.raises(NatviewsError, match="The disk is full") as caught, whole_file(old) as temporary:
        temporary.write_text("half")
        with Path("/dev/full").open("w") as full:
            full.write("half")
    assert is_one_sentence_about(caught.value, old)
    assert old.read_text() == OLD
    assert only(old)


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full")])
def test_a_disk_that_is_full_when_synced_is_explained(old, monkeypatch, number, said):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NatviewsError, match=said) as caught, whole_file(old) as temporary:
        temporary.write_text("new")
    assert is_one_sentence_about(caught.value, old)
    assert old.read_text() == OLD
    assert only(old)


WRITE_TOO_MUCH = """
import sys
from pathlib import Path
from natviews.files import whole_file
from natviews.types import NatviewsError
try:
    with whole_file(Path(sys.argv[1])) as temporary, temporary.open("wb") as file:
        for _ in range(1000):
            file.write(bytes(1000))
except NatviewsError as error:
    print(error)
"""


def test_a_write_that_the_system_stops_is_explained_and_leaves_the_old_file(old):
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(old)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert f"{old} cannot be written" in done.stdout
    assert done.stdout.count("\n") == 1
    assert old.read_text() == OLD
    assert only(old)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_may_not_be_written_is_explained(old, monkeypatch, number):
    def fail(*arguments, **named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("natviews.files.tempfile.mkstemp", fail)
    with pytest.raises(NatviewsError, match="cannot be written") as caught, whole_file(old):
        pass
    assert is_one_sentence_about(caught.value, old)
    assert os.strerror(number) in str(caught.value)
    assert old.read_text() == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_explained(old):
    old.parent.chmod(0o500)
    try:
        with pytest.raises(NatviewsError, match="cannot be written"), whole_file(old):
            pass
    finally:
        old.parent.chmod(0o700)


def test_a_folder_that_is_a_file_is_explained(old):
    path = old / "further" / "file.txt"
    with pytest.raises(NatviewsError, match="cannot be written") as caught, whole_file(path):
        pass
    assert is_one_sentence_about(caught.value, path)


def test_a_file_that_is_a_folder_is_explained_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(NatviewsError, match="cannot be written") as caught, whole_file(path) as temporary:
        temporary.write_text("new")
    assert is_one_sentence_about(caught.value, path)
    assert only(path)


WRITE_HALF_AND_WAIT = """
import sys, time
from pathlib import Path
from natviews.files import whole_file
with whole_file(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write("half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_the_old_file(old):
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_HALF_AND_WAIT, str(old)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL
    assert old.read_text() == OLD
    assert all(path == old or path.suffix == ".tmp" for path in old.parent.iterdir())


@pytest.fixture
def old_folder(tmp_path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old.txt").write_text(OLD)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_ends_well_replaces_the_folder(old_folder):
    with whole_folder(old_folder) as temporary:
        (temporary / "new.txt").write_text("new")
        assert names(old_folder) == ["old.txt"]
    assert names(old_folder) == ["new.txt"] and only(old_folder)


def test_a_new_folder_may_be_read_by_others(tmp_path):
    with whole_folder(tmp_path / "a" / "b") as temporary:
        (temporary / "new.txt").touch(0o600)
    assert names(tmp_path / "a") == ["b"] and names(tmp_path / "a" / "b") == ["new.txt"]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a" / "b" / "new.txt").stat().st_mode & 0o777 == 0o644


def test_a_folders_files_are_synced_before_its_name_changes(old_folder, monkeypatch):
    seen = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(names(old_folder)), real(handle)))
    with whole_folder(old_folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert seen == [["old.txt"], ["old.txt"], ["new.txt"]]  # the file, its folder, and the folder above


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_leaves_the_old_folder_and_no_temporary(old_folder, error):
    with pytest.raises(type(error)), whole_folder(old_folder) as temporary:
        (temporary / "new.txt").write_text("half")
        raise error
    assert names(old_folder) == ["old.txt"] and only(old_folder)


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(old_folder, monkeypatch):
    real = Path.rename

    def rename(self, target):
        if self.suffix == ".tmp":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(NatviewsError, match="disk is full") as caught, whole_folder(old_folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert is_one_sentence_about(caught.value, old_folder)
    assert names(old_folder) == ["old.txt"] and only(old_folder)


def test_a_folder_under_a_file_is_explained(tmp_path):
    (tmp_path / "file").write_text(OLD)
    path = tmp_path / "file" / "folder"
    with pytest.raises(NatviewsError, match="cannot be written") as caught, whole_folder(path):
        pass
    assert is_one_sentence_about(caught.value, path)
