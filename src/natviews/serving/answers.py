"""What people say of pairs: kept line by line, each safely on the disk before it is acknowledged."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from natviews.files import explained
from natviews.types import NatviewsError

SAID = ("yes", "no", "unsure")


@dataclass(frozen=True)
class Answer:
    """`said` of a pair of products, shown by two photos with a `score`. The last answer about a pair counts."""

    ours: str
    theirs: str
    said: str
    score: float
    query: str = ""
    match: str = ""
    at: float = 0.0

    def __post_init__(self) -> None:
        if self.said not in SAID:
            raise NatviewsError(f"An answer is {', '.join(SAID)}, not {self.said!r}.")

    @property
    def pair(self) -> tuple[str, str]:
        """What it is about."""
        return self.ours, self.theirs


class Answers:
    """A file of JSON lines that only grows; several servers may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0
        self._latest: dict[tuple[str, str], Answer] = {}

    def append(self, answer: Answer) -> None:
        """Returns when it is on the disk. What a kill left half-written before is a line of its own."""
        line = json.dumps(asdict(answer) | {"at": round(time.time(), 3)}, ensure_ascii=False) + "\n"
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = file.seek(0, os.SEEK_END)
                if size:
                    file.seek(size - 1)
                    line = line if file.read(1) == b"\n" else "\n" + line
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())

    def latest(self) -> list[Answer]:
        """The answer that counts of each pair, in the order of the pairs' first answers; a broken line is left
        out."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read_to += len(whole)
            for line in whole.splitlines():
                answer = _answer(line)
                if answer is not None:
                    self._latest[answer.pair] = answer
        return list(self._latest.values())


def _answer(line: bytes) -> Answer | None:
    try:
        held: dict[str, Any] = json.loads(line)
        return Answer(**{name: held[name] for name in Answer.__dataclass_fields__})
    except (ValueError, KeyError, TypeError, NatviewsError):
        return None
