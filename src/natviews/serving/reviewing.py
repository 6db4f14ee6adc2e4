"""Which pairs are shown to be judged, and what the answers promise so far."""

import threading
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa

from natviews.matching import Calibration, calibrate
from natviews.matching.promises import Threshold, lower_bound, precision_by_labels, upper_bound
from natviews.serving.answers import Answer, Answers
from natviews.types import NatviewsError

SEED = 0
FEWEST = 4
"""Answers, of both kinds, without which no curve is drawn."""
CURVE = 41


@dataclass(frozen=True)
class Pair:
    """Two products that may be the same, each shown by the photo that is most like the other's."""

    ours: str
    theirs: str
    query: str
    match: str
    score: float
    our_title: str = ""
    their_title: str = ""


@dataclass(frozen=True)
class Standing:
    """What the answers say. `low` and `high` bound, with a confidence of 0.9 each, the share of same items among
    pairs like those judged; `promise` is the score from which `promise.target` is promised; `curve` (2, J) holds
    scores and the probabilities learnt from the answers, None while there are too few; `accepted` how many of the
    listed pairs reach the promise.
    """

    yes: int
    no: int
    unsure: int
    low: float
    high: float
    promise: Threshold
    curve: np.ndarray | None
    accepted: int
    pairs: int

    @property
    def judged(self) -> int:
        """Answers that count."""
        return self.yes + self.no


class Review:
    """Pairs in an order of chance, so that what is judged stands for all of them, and the answers to them."""

    def __init__(self, pairs: list[Pair], answers: Answers) -> None:
        order = np.random.default_rng(SEED).permutation(len(pairs))
        self.pairs = [pairs[row] for row in order]
        self.scores = np.array([pair.score for pair in pairs], float)
        self._of = {(pair.ours, pair.theirs): pair for pair in pairs}
        self._answers, self._lock = answers, threading.Lock()

    def next(self, count: int = 1, begin: float = 0.0) -> list[Pair]:
        """The next pairs that nobody has judged, from a share `begin` of all on and then from the first: whoever
        begins elsewhere judges others, and as the order is one of chance they stand for all as well."""
        judged = {answer.pair for answer in self.answers()}
        first = int(begin * len(self.pairs))
        order = chain(self.pairs[first:], self.pairs[:first])
        waiting = (pair for pair in order if (pair.ours, pair.theirs) not in judged)
        return [pair for _, pair in zip(range(count), waiting, strict=False)]

    def answers(self) -> list[Answer]:
        """The answers that count."""
        with self._lock:
            return self._answers.latest()

    def say(self, ours: str, theirs: str, said: str) -> Answer:
        """Keeps an answer. Raises NatviewsError for a pair that is not listed."""
        pair = self._of.get((ours, theirs))
        if pair is None:
            raise NatviewsError("This pair is not among those to be judged.")
        answer = Answer(ours, theirs, said, pair.score, pair.query, pair.match)
        with self._lock:
            self._answers.append(answer)
        return answer

    def standing(self, target: float) -> Standing:
        """What the answers to the listed pairs say so far. Raises NatviewsError where `target` is no share."""
        listed = [answer for answer in self.answers() if answer.pair in self._of]
        said = [answer for answer in listed if answer.said != "unsure"]
        scores = np.array([self._of[answer.pair].score for answer in said], float)
        right = np.array([answer.said == "yes" for answer in said], bool)
        yes, count = int(right.sum()), len(right)
        promise = precision_by_labels(scores, right, target)
        return Standing(
            yes, count - yes, len(listed) - count,
            lower_bound(yes, count), upper_bound(yes, count), promise,
            self._curve(scores, right, [answer.ours for answer in said]),
            int((self.scores >= promise.score).sum()), len(self.pairs),
        )  # fmt: skip

    def _curve(self, scores: np.ndarray, right: np.ndarray, owner: list[str]) -> np.ndarray | None:
        if len(right) < FEWEST or right.all() or not right.any():
            return None
        learnt: Calibration = calibrate(scores, right, np.ones(len(right)), np.array(owner))
        across = np.linspace(self.scores.min(), self.scores.max(), CURVE)
        return np.stack([across, learnt.probability(across)])


def listed_pairs(table: pa.Table, most: int = 20_000) -> list[Pair]:
    """The pairs of a table that `natviews match` wrote: of each of our products the likeliest of theirs."""
    names = ("query_product", "match_product", "query", "match", "score", "query_title", "match_title")
    there = [name for name in names if name in table.column_names]
    rows = table
    if "rank" in table.column_names:
        rows = table.filter(pa.array(table.column("rank").to_numpy() == 1))
    held = rows.select(there).slice(0, most).to_pylist()
    return [Pair(*(row[name] for name in there)) for row in held]
