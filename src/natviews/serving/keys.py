"""Who may ask: bearer keys that read, and keys that also write. None is ever logged or shown."""

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from natviews.types import NatviewsError

SHORTEST = 16
"""Characters of a key; `openssl rand -hex 16` gives 32."""
KINDS = ("read", "write")
SESSION_SECONDS = 12 * 3600.0
MOST_SESSIONS = 10_000


class Level(IntEnum):
    """What a request may do."""

    NOTHING = 0
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Keys:
    """Digests of the keys that may read, and of those that may also write. Without any, everyone may do both."""

    reading: tuple[bytes, ...] = field(repr=False)
    writing: tuple[bytes, ...] = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.reading or self.writing)

    @classmethod
    def read(cls, path: Path | None, environment: Mapping[str, str] = os.environ) -> "Keys":
        """Keys from a file with lines `read KEY` and `write KEY`, and from NATVIEWS_READ_KEYS and
        NATVIEWS_WRITE_KEYS (parted by commas). Raises NatviewsError, never with a key in it."""
        found: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind in KINDS:
            given = environment.get(f"NATVIEWS_{kind.upper()}_KEYS", "")
            found[kind] += [key.strip() for key in given.split(",") if key.strip()]
        if path is not None:
            _from_file(path, found)
            if not any(found.values()):
                raise NatviewsError(f"{path} holds no key, and without keys everyone may write; add `write KEY`.")
        short = [kind for kind in KINDS for key in found[kind] if len(key) < SHORTEST]
        if short:
            raise NatviewsError(f"A {short[0]} key is shorter than {SHORTEST} characters; make a longer one.")
        return cls(*(tuple(map(_digest, found[kind])) for kind in KINDS))

    def level(self, key: str) -> Level:
        """What a key may do. Takes as long for a wrong one as for a right one."""
        if not self:
            return Level.WRITE
        given, level = _digest(key), Level.NOTHING
        for kept, wanted in ((self.reading, Level.READ), (self.writing, Level.WRITE)):
            for digest in kept:
                if hmac.compare_digest(digest, given):
                    level = max(level, wanted)
        return level


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _from_file(path: Path, found: dict[str, list[str]]) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NatviewsError(f"The keys in {path} cannot be read: {type(error).__name__}.") from None
    for number, line in enumerate(lines, 1):
        words = re.sub(r"(^|\s)#.*", "", line).split()  # a key may hold a # itself
        if not words:
            continue
        if len(words) != 2 or words[0] not in KINDS:
            raise NatviewsError(f"{path}: line {number} is neither `read KEY` nor `write KEY`.")
        found[words[0]].append(words[1])


class Sessions:
    """Browsers that signed in with a key: each has a random token in its cookie, none the key."""

    def __init__(self) -> None:
        self._level_of: dict[bytes, tuple[Level, float]] = {}

    def open(self, level: Level) -> str:
        """A new session's token."""
        now = time.monotonic()
        kept = {token: held for token, held in self._level_of.items() if held[1] > now}
        self._level_of = dict(list(kept.items())[-MOST_SESSIONS + 1 :])
        token = secrets.token_urlsafe(32)
        self._level_of[_digest(token)] = (level, now + SESSION_SECONDS)
        return token

    def level(self, token: str) -> Level:
        """What a session may do. The digest is what is looked up, so that time says nothing of the token."""
        level, until = self._level_of.get(_digest(token), (Level.NOTHING, 0.0))
        return level if until > time.monotonic() else Level.NOTHING

    def close(self, token: str) -> None:
        """Ends a session."""
        self._level_of.pop(_digest(token), None)
