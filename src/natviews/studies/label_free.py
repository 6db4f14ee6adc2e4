"""The study of label-free figures: which of them may choose a checkpoint?

Several methods are trained at several learning rates and seeds, and every encoder that was measured on `val` on
the way is kept. What was read off it without labels is held against what `test` says of it afterwards: linear
probes of attributes, and retrieval with and without the closed-form head.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from natviews.catalog import Catalog, pack, with_split
from natviews.config import choose
from natviews.encoders import Encoder, stored_size
from natviews.evaluation import ranking_quality
from natviews.files import whole_file
from natviews.progress import progress
from natviews.studies.answers import FEATURES, HEAD, PROBE, Answers, Judged
from natviews.studies.asked import Asked
from natviews.studies.cells import Cell, answers_of, can_be_probed, check_natural_views, finish_all
from natviews.studies.methods import EPOCHS, SIZE, arms
from natviews.studies.tables import table
from natviews.training import Known, Recipe, Run, choose_head, features_of, train
from natviews.types import NatviewsError

METHODS = ("simclr", "vicreg", "byol", "dino")
"""Of each family one: negatives, decorrelation, a teacher, a teacher with prototypes."""
RATES = (0.1, 1.0, 5.0)
"""Times the method's own learning rate in the study of methods: too low, right, too high."""
MEASURES = 8
PROBED = ("product_type", "colour")
"""Attributes that are read off the features, where the catalogue has such a column. Of a pattern or a sleeve
networks of this size tell nothing, and what is told by chance ranks nothing."""
FIGURES = {
    "rankme": "RankMe",
    "alpha_req": "alpha-ReQ",
    "lidar": "LiDAR",
    "recall@1": "natural-view Recall@1",
    "map@r": "natural-view MAP@R",
    "auc": "natural-view AUC",
    "choice": "held-out choice",
}
CHOOSES = "choice"
"""What a run chooses its encoder by."""
RETRIEVAL = {FEATURES: "test MAP@R", HEAD: "test MAP@R through a head"}
NEAR = 0.01
"""A checkpoint within one point of the best is as good as it."""
DRAWS, LEVEL = 1000, (2.5, 97.5)
COLUMNS = ("figure", "truth", "statistic", "value", "low", "high", "runs", "checkpoints")


@dataclass(frozen=True, eq=False)
class Course(Cell):
    """A run all of whose measured encoders are judged; `attributes` are probed. The kinds of its answers are
    steps."""

    def probed(self, catalog: Catalog) -> list[str]:
        return list(self.attributes)

    def judge(self, catalog: Catalog, folder: Path) -> Judged:
        """What `test` says of every encoder that was measured: (step, truth) -> answers."""
        assert isinstance(self.made_by, Recipe)
        run, packed = train(catalog, self.made_by, folder), with_split(pack(catalog, stored_size(SIZE)))
        parts = [packed.catalog.splits == name for name in ("train", "val")]
        found: dict[tuple[str, str], Answers] = {}
        for path in run.measured:
            features = features_of(Encoder.load(path), packed, "features")
            known = (Known(packed.catalog.take(rows), features[rows]) for rows in parts)
            answers = answers_of(features, packed, choose_head(*known).head, self.attributes)
            for kind, name in RETRIEVAL.items():
                found[path.name, name] = answers[kind, "map@r"]
            for attribute in self.attributes:
                found[path.name, attribute] = answers[PROBE, attribute]
        return Judged(found)


class Checkpoint(NamedTuple):
    """An encoder on its way: `figures` read off it without labels, by name, and what it is worth, `truths`."""

    step: int
    figures: dict[str, float]
    truths: dict[str, float]


@dataclass(frozen=True)
class Finding:
    """How well a figure ranks checkpoints by a truth, with the 95 % interval from resampling runs.

    `statistic`: `rho`, Spearman's over the trained checkpoints of all runs, or `rho_in_run`, its mean over runs,
    both -1..1; `regret`, what is lost in the mean of runs where the checkpoint that the figure likes best is
    taken, in units of the truth; `near`, the share of runs in which that is at most one point.
    """

    figure: str
    truth: str
    statistic: str
    value: float
    low: float
    high: float
    runs: int
    checkpoints: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def cells(
    catalog: Catalog, *, seeds: int, only: Sequence[str], epochs: int, attributes: Sequence[str]
) -> list[Course]:
    """The study's runs. Raises NatviewsError where a name in `only` is no method."""
    known = {
        arm.name: arm.recipe for arm in arms(int((catalog.splits == "train").sum())) if arm.name in arm.asked_by
    }
    for name in only:
        choose(name, known, "method")
    return [
        Course(f"{method}, rate {rate:g}", seed, _recipe(known[method], rate, seed, epochs), (), tuple(attributes))
        for method in only or METHODS
        for rate in RATES
        for seed in range(seeds)
    ]


def _recipe(blocks: Mapping[str, Any], rate: float, seed: int, epochs: int) -> Recipe:
    own = {"epochs": epochs, "seed": seed, "measures": MEASURES, "keep": "all"}
    training = blocks["training"] | own | {"lr": blocks["training"]["lr"] * rate}
    return Recipe.of({**blocks, "training": training})


def study_label_free(catalog: Catalog, out: Path, asked: Asked | None = None) -> Path:
    """Trains every run, `workers` at a time, and writes `label-free.md`, `.csv` and `.json` into `out`.

    `attributes` are columns to probe; else those of the generated catalogue that are there. Run again it
    continues. Raises NatviewsError where an attribute cannot be probed, or a split has no product with two photos,
    or settings are asked for: it has its own.
    """
    asked = asked or Asked()
    attributes, epochs = asked.attributes, asked.epochs or EPOCHS
    if asked.settings:
        raise NatviewsError("The study of label-free figures has settings of its own; leave --set out.")
    catalog = with_split(pack(catalog, stored_size(SIZE))).catalog
    check_natural_views(catalog)
    for name in attributes:
        if not can_be_probed(catalog, name):
            raise NatviewsError(
                f"{name!r} cannot be probed: it must be a column with two values in train and one in val and test."
            )
    probed = attributes or [name for name in PROBED if can_be_probed(catalog, name)]
    made = cells(catalog, seeds=asked.seeds, only=asked.only, epochs=epochs, attributes=probed)
    judged, failed = finish_all(made, catalog, out, workers=asked.workers)
    runs = {f"{cell.row}, seed {cell.seed}": _checkpoints(out / cell.folder, judged[cell]) for cell in judged}
    with progress("ranking"):
        found = findings(list(runs.values()), [*probed, *RETRIEVAL.values()])
    document: dict[str, Any] = {
        "command": asked.command,
        "findings": [asdict(finding) for finding in found],
        "verdicts": {truth: verdict(found, truth) for truth in probed},
        "checkpoints": {name: [one._asdict() for one in run] for name, run in runs.items()},
        "failed": {f"{cell.row}, seed {cell.seed}": reason for cell, reason in failed.items()},
    }
    _write(out, document, _page(document, found, f"{len(runs)} runs of {epochs} epochs"))
    return out / "label-free.md"


def _write(out: Path, document: Mapping[str, Any], page: str) -> None:
    with whole_file(out / "label-free.json") as temporary:
        temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")
    with whole_file(out / "label-free.csv") as temporary:
        lines = [COLUMNS, *([finding[name] for name in COLUMNS] for finding in document["findings"])]
        with temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    with whole_file(out / "label-free.md") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _checkpoints(folder: Path, judged: Judged) -> list[Checkpoint]:
    """A run's, with what was logged of each: more is better in every figure."""
    made = []
    for entry in Run(folder).curves():
        figures = {name: entry[f"held_out_{name}"] for name in FIGURES if f"held_out_{name}" in entry}
        if "alpha_req" in figures:
            figures["alpha_req"] = -abs(figures["alpha_req"] - 1)
        kind = f"{entry['step']:08d}"
        truths = {name: float(one.values.mean()) for (step, name), one in judged.answers.items() if step == kind}
        made += [Checkpoint(int(entry["step"]), figures, truths)] if figures else []
    return made


def findings(runs: Sequence[Sequence[Checkpoint]], truths: Sequence[str]) -> list[Finding]:
    """Every statistic of every figure by every truth. A figure counts in runs all of whose checkpoints have it."""
    return [
        finding
        for truth in truths
        for figure in FIGURES
        for finding in _of_pair(
            [np.array([(one.figures[figure], one.truths[truth], one.step) for one in run]) for run in runs
             if all(figure in one.figures for one in run)],
            figure, truth,
        )
    ]  # fmt: skip


def _of_pair(runs: Sequence[np.ndarray], figure: str, truth: str) -> Iterator[Finding]:
    """`runs` are tables (K, 3) of figure, truth and step."""
    if not runs:
        return
    alone = [ranking_quality(run[:, 0], run[:, 1]) for run in runs]
    rho, regret = (np.array([one[place] for one in alone]) for place in (0, 1))
    trained = [run[run[:, 2] > 0] for run in runs]  # the untrained ones are alike

    def pooled(chosen: np.ndarray) -> float:
        joined = np.concatenate([trained[number] for number in chosen])
        return ranking_quality(joined[:, 0], joined[:, 1]).rho

    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "rho": pooled,
        "rho_in_run": lambda chosen: float(rho[chosen].mean()),
        "regret": lambda chosen: float(regret[chosen].mean()),
        "near": lambda chosen: float((regret[chosen] <= NEAR).mean()),
    }
    drawn = np.random.default_rng(0).integers(0, len(runs), (DRAWS, len(runs)))
    for name, statistic in statistics.items():
        value = statistic(np.arange(len(runs)))
        low, high = np.percentile([statistic(chosen) for chosen in drawn], LEVEL).tolist()
        counts = len(runs), sum(map(len, runs))
        yield Finding(figure, truth, name, value, min(low, value), max(high, value), *counts)


def verdict(found: Sequence[Finding], truth: str) -> str:
    """Whether the checkpoint that a run chooses is within one point of its best: `yes`, `no`, or `not shown`."""
    [regret] = [one for one in found if (one.figure, one.truth, one.statistic) == (CHOOSES, truth, "regret")]
    return "yes" if regret.high <= NEAR else "no" if regret.low > NEAR else "not shown"


def _page(document: Mapping[str, Any], found: Sequence[Finding], runs: str) -> str:
    """The tables as Markdown."""
    parts = ["# Which figure may choose a checkpoint without labels?", SAID.format(runs=runs)]
    parts.append(f"```sh\n{document['command']}\n```")
    for truth in dict.fromkeys(one.truth for one in found):
        name = truth if truth in RETRIEVAL.values() else f"Linear probe: {truth}"
        parts += [f"## {name}", table(_lines([one for one in found if one.truth == truth]))]
        if truth in document["verdicts"]:
            parts.append(f"What a run chooses is within one point of its best: **{document['verdicts'][truth]}**.")
    if document["failed"]:
        failed = "\n".join(f"- {cell}: {reason}" for cell, reason in document["failed"].items())
        parts += ["## Not trained", failed]
    return "\n\n".join(parts) + "\n"


SAID = (
    "{runs}: methods at a tenth, one and five times their learning rate, at several seeds. What was read off an "
    "encoder on `val` without labels is held against what `test` says of it. rho: Spearman's, over the trained "
    "encoders of all runs and in the mean of single runs. Regret: what is lost where the encoder that the figure "
    "likes best in a run is taken instead of its best one (which chance helps: it is the best of several noisy "
    "figures), the mean over runs. Near: the share of runs in which that is one point at most. *held-out choice*, "
    "natural-view MAP@R as seen through a head, is what a run chooses its encoder by. alpha-ReQ counts by how "
    "near it is to 1. Intervals (95 %) resample runs."
)
STATISTICS = {"rho": "rho", "rho_in_run": "rho in a run", "regret": "regret", "near": "near"}


def _lines(found: Sequence[Finding]) -> list[list[str]]:
    lines = [["", *STATISTICS.values()]]
    for figure, spoken in FIGURES.items():
        said = {one.statistic: str(one) for one in found if one.figure == figure}
        lines += [[spoken, *(said[name] for name in STATISTICS)]] if said else []
    return lines
