"""Runs side by side: their figures on the same queries, and every difference paired query by query."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from natviews.evaluation import Retrieval
from natviews.report.queries import Queries
from natviews.report.report import SPOKEN
from natviews.types import Metric, NatviewsError

CHOSEN_BY = "map@r"
"""What runs are ranked by, as checkpoints and heads are: recall@1 is half decided by near-equal photos."""
OURS = "trained"


@dataclass(frozen=True)
class Setting:
    """A value of the recipe that the runs do not share, as text for each of them; '' where there is none."""

    name: str
    values: list[str]


@dataclass(frozen=True)
class Comparison:
    """Runs judged on the same queries. `metrics` have a run's name as their row, or `B minus A` for a paired
    difference, of which `pairs` are the names (B, A); `baselines` run -> MAP@R of the strongest row that it was to
    beat, `gains` run -> the paired difference with it. `settings` are what differs in their recipes."""

    title: str
    runs: list[str]
    metrics: list[Metric]
    pairs: list[tuple[str, str]]
    baselines: dict[str, Metric] = field(default_factory=dict)
    gains: dict[str, Metric] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def metric(self, row: str, name: str) -> Metric | None:
        """One figure, or None where it was not measured."""
        return next((m for m in self.metrics if (m.row, m.name) == (row, name)), None)

    def difference(self, one: str, other: str, name: str) -> Metric | None:
        """One run minus another, whichever way round it was taken."""
        if (one, other) in self.pairs:
            return self.metric(minus(one, other), name)
        found = self.metric(minus(other, one), name)
        if found is None:
            return None
        return replace(found, row=minus(one, other), value=-found.value, low=-found.high, high=-found.low)

    @property
    def differences(self) -> list[str]:
        """The rows of the paired differences."""
        return [minus(*pair) for pair in self.pairs]

    @property
    def ranked(self) -> list[str]:
        """The runs by falling MAP@R."""
        values = {run: metric.value for run in self.runs if (metric := self.metric(run, CHOSEN_BY))}
        return sorted(self.runs, key=lambda run: -values.get(run, 0.0))

    @property
    def outcome(self) -> str:
        """`won` where the best run is told apart from the next, else `unclear`."""
        best, next_best = self.ranked[:2]
        difference = self.difference(best, next_best, CHOSEN_BY)
        return "won" if difference and difference.low > 0 else "unclear"

    def verdict(self) -> str:
        """Which of the best two runs is better, in one sentence with the paired interval."""
        best, next_best = self.ranked[:2]
        difference = self.difference(best, next_best, CHOSEN_BY)
        assert difference is not None
        said = f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
        if self.outcome == "won":
            return f"{best} is better than {next_best} by {SPOKEN[CHOSEN_BY]}: {said}."
        return f"{best} and {next_best} cannot be told apart by {SPOKEN[CHOSEN_BY]}: {said}."


def compare(folders: Sequence[Path]) -> Comparison:
    """The comparison of two or more folders, of runs or of evaluations, that were judged on the same photos.

    Intervals of differences resample products, each with all its queries in both runs. Raises NatviewsError where
    there is nothing to compare, or where the photos that were judged differ.
    """
    if len(folders) < 2:
        raise NatviewsError("Give two folders or more to compare.")
    names = names_of(folders)
    found = dict(zip(names, (Queries.read(folder) for folder in folders), strict=True))
    _refuse_others(found)
    answers = {name: replace(queries.answers[OURS], row=name) for name, queries in found.items()}
    pairs = [(later, earlier) for earlier, later in combinations(names, 2)]
    compared = [*answers.values()]
    compared += [replace(answers[one].minus(answers[other]), row=minus(one, other)) for one, other in pairs]
    strongest = {name: best for name, queries in found.items() if (best := _strongest(queries))}
    gains = {name: answers[name].minus(baseline) for name, baseline in strongest.items()}
    first = found[names[0]]
    facts = {"judged": first.title, "judged photos of the catalogue": first.catalog}
    facts |= {f"{name}: folder": str(folder) for name, folder in zip(names, folders, strict=True)}
    facts |= {f"{name}: encoder": queries.encoder for name, queries in found.items() if queries.encoder}
    return Comparison(
        title=f"Compared: {', '.join(names)}",
        runs=names,
        metrics=[metric for answer in compared for metric in answer.metrics()],
        pairs=pairs,
        baselines={name: _headline(baseline) for name, baseline in strongest.items()},
        gains={name: _headline(gain) for name, gain in gains.items()},
        settings=settings_of({name: queries.recipe for name, queries in found.items()}),
        facts=facts,
    )


def minus(one: str, other: str) -> str:
    """The row of a paired difference: names of folders may hold any dash."""
    return f"{one} minus {other}"


def names_of(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with as many of the folders above as it takes to tell them apart."""
    paths = [Path(os.path.abspath(folder)).parts for folder in folders]  # noqa: PTH100 - links keep their names
    if len(set(paths)) < len(paths):
        raise NatviewsError("A folder was given twice; a run is not compared with itself.")
    depth = 1
    while len({path[-depth:] for path in paths}) < len(paths):
        depth += 1
    return ["/".join(path[-depth:]) for path in paths]


def _refuse_others(found: dict[str, Queries]) -> None:
    """Raises NatviewsError unless all were asked the same queries of the same gallery."""
    (name, first), *others = found.items()
    for other, queries in others:
        same = (queries.catalog, queries.within) == (first.catalog, first.within)
        if not same or not np.array_equal(queries.ids, first.ids):
            raise NatviewsError(
                f"{name} and {other} were not judged on the same photos ({_judged(first)}; {_judged(queries)}), "
                "so they cannot be compared; judge both on one split of one catalogue with `natviews evaluate`."
            )


def _judged(queries: Queries) -> str:
    within = f" within {queries.within}" if queries.within else ""
    return f"{queries.title.removeprefix('natviews: ')}{within}, {len(queries.ids):,} queries"


def _strongest(queries: Queries) -> Retrieval | None:
    """The best of the rows that were not trained, by MAP@R."""
    baselines = [answer for row, answer in queries.answers.items() if not row.startswith(OURS)]
    return max(baselines, key=lambda answer: float(answer.values[CHOSEN_BY].mean()), default=None)


def _headline(answer: Retrieval) -> Metric:
    return next(metric for metric in answer.metrics() if metric.name == CHOSEN_BY)


def settings_of(recipes: dict[str, str]) -> list[Setting]:
    """The values of recipes (YAML texts) that differ; nothing where a recipe is not known."""
    if not all(recipes.values()):
        return []
    plans = [_flat(yaml.safe_load(text)) for text in recipes.values()]
    names = dict.fromkeys(name for plan in plans for name in plan)
    found = [Setting(name, [plan.get(name, "") for plan in plans]) for name in names]
    return [setting for setting in found if len(set(setting.values)) > 1]


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        return {prefix: str(value)}
    inner = (_flat(part, f"{prefix}.{name}" if prefix else str(name)) for name, part in value.items())
    return {name: text for flat in inner for name, text in flat.items()}
