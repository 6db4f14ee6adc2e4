"""Orderings that a source, or the field, leads one to expect, and whether a study's figures show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from natviews.evaluation import means_with_intervals
from natviews.studies.answers import Answers, Judged, Kind
from natviews.types import Metric

Confidence = Literal["high", "medium", "low", "claimed"]
"""How sure the ordering is beforehand; `claimed`: a source says so and nothing more is known."""
HOLDS, FAILS, OPEN, MISSING = "holds", "does not hold", "not shown", "not measured"
Rows = Mapping[str, Mapping[int, Judged]]
"""Row -> seed -> what it was judged to be."""


@dataclass(frozen=True)
class Side:
    """One row's figure."""

    row: str
    kind: Kind


@dataclass(frozen=True)
class Expected:
    """That the figures of `more`, added up, are above those of `less` by more than `margin` (below 0: no further
    beneath them than that). Without `less` they are held against the margin alone."""

    said: str
    confidence: Confidence
    more: tuple[Side, ...]
    less: tuple[Side, ...] = ()
    margin: float = 0.0

    def judged(self, rows: Rows) -> "Verdict":
        """The verdict from paired differences, seed by seed and query by query."""
        shared = [set(rows[side.row]) if side.row in rows else set[int]() for side in (*self.more, *self.less)]
        seeds = sorted(set.intersection(*shared))
        differences = [self._difference(rows, seed) for seed in seeds]
        known = [difference for difference in differences if difference is not None]
        if not known:
            return Verdict(self, None, ())
        products = known[0].products
        values = np.mean([each.values for each in known], axis=0)
        [metric] = means_with_intervals({"difference": values}, products, row=self.said)
        return Verdict(self, metric, tuple(float(each.values.mean()) for each in known))

    def _difference(self, rows: Rows, seed: int) -> Answers | None:
        """More less `less` at one seed, over the queries that all sides were asked; None where one is missing."""
        sides = [(1.0, side) for side in self.more] + [(-1.0, side) for side in self.less]
        parts = [(sign, rows[side.row][seed].answers.get(side.kind)) for sign, side in sides]
        if any(answers is None for _, answers in parts):
            return None
        answers = [(sign, answers) for sign, answers in parts if answers is not None]
        first = answers[0][1]
        total = np.zeros(len(first.photos))
        for sign, each in answers:
            if not np.array_equal(each.photos, first.photos):
                raise ValueError(f"{self.said}: the sides were not asked the same queries")
            total += sign * each.values
        return Answers(first.photos, first.products, total)


@dataclass(frozen=True)
class Verdict:
    """What became of an expectation: the `difference` over seeds, with its interval over products, and each
    seed's own."""

    expected: Expected
    difference: Metric | None
    seeds: tuple[float, ...]

    @property
    def word(self) -> str:
        """`holds` where the whole interval and every seed are above the margin, `does not hold` where they are
        below it, else `not shown`."""
        if self.difference is None:
            return MISSING
        margin = self.expected.margin
        if self.difference.low > margin and min(self.seeds) > margin:
            return HOLDS
        if self.difference.high < margin and max(self.seeds) < margin:
            return FAILS
        return OPEN

    def plain(self) -> dict[str, str | float | int]:
        """As in the JSON and CSV files."""
        values: dict[str, str | float | int] = {"expected": self.expected.said}
        values |= {"confidence": self.expected.confidence, "margin": self.expected.margin, "verdict": self.word}
        if self.difference is not None:
            d = self.difference
            values |= {"value": d.value, "low": d.low, "high": d.high, "n": d.n, "seeds": len(self.seeds)}
            values |= {"lowest": min(self.seeds), "highest": max(self.seeds)}
        return values


VERDICT_COLUMNS = (
    "expected", "confidence", "verdict", "value", "low", "high", "margin", "lowest", "highest", "seeds", "n",
)  # fmt: skip


def over(said: str, confidence: Confidence, more: str, less: str, kind: Kind, margin: float = 0.0) -> Expected:
    """That one row is above another in one figure."""
    return Expected(said, confidence, (Side(more, kind),), (Side(less, kind),), margin)


def verdicts(expected: Sequence[Expected], rows: Rows) -> list[Verdict]:
    """Each expectation's, in their order."""
    return [each.judged(rows) for each in expected]
