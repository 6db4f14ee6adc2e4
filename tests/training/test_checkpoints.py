import errno
import io
import random
import warnings
from pathlib import Path

import pytest
import torch

from natviews.training.checkpoints import Checkpoints
from natviews.types import NatviewsError


def state(step):
    torch.manual_seed(step)
    return {"step": step, "weights": torch.randn(4000), "name": "x" * 40}


def same(one, other):
    return (
        one["step"] == other["step"]
        and torch.equal(one["weights"], other["weights"])
        and one["name"] == other["name"]
    )


def test_the_last_two_are_kept_and_the_last_is_loaded(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    for step in (3, 20, 100):
        checkpoints.save(step, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000020.ckpt", "00000100.ckpt"]
    assert same(checkpoints.load(), state(100))


def test_what_is_made_again_replaces_what_was_made_of_it_before(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (10, 20):
        checkpoints.save(step, state(step))
    checkpoints.save(15, state(15))  # 20 was damaged, say
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000010.ckpt", "00000015.ckpt"]


def test_a_full_disk_is_one_sentence_and_the_earlier_checkpoint_stays(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    limit = 1000

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > limit:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(Path, "open", lambda path, mode="r", **_: Full(path, mode))
    with pytest.raises(NatviewsError, match=r"^The disk is full while writing .*00000002\.ckpt; free some space"):
        checkpoints.save(2, state(2))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["00000001.ckpt"]
    assert same(checkpoints.load(), state(1))


def test_no_flipped_bit_goes_unnoticed(tmp_path):
    """torch by itself loads nearly all of these without a word."""
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, state(step))
    path = tmp_path / "00000002.ckpt"
    whole = path.read_bytes()
    chance = random.Random(0)
    noticed = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            loaded = checkpoints.load()
        if told:
            noticed += 1
            assert same(loaded, state(1)) and "the checkpoint before it" in str(told[-1].message)
        else:  # a bit that says nothing, such as a time of day
            assert same(loaded, state(2))
    assert noticed > 250


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_where_all_are_damaged_it_says_what_to_do(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, state(step))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(NatviewsError, match="Every checkpoint .* damaged; remove it"):
        checkpoints.load()


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"step": Evil()}, tmp_path / "00000001.ckpt")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(NatviewsError):
        Checkpoints(tmp_path).load()
