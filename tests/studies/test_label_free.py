"""The study of label-free figures, tiny: what it keeps, how it ranks, what it says, and that it goes on."""

import csv
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.encoders import Encoder, stored_size
from natviews.evaluation import ranking_quality
from natviews.studies import Asked, cells, study_label_free, study_methods
from natviews.studies import label_free as study
from natviews.studies.answers import Judged
from natviews.studies.label_free import COLUMNS, FIGURES, Checkpoint, Finding, findings, verdict
from natviews.training import Run, features_of, measure
from natviews.types import NatviewsError

MEASURES, EPOCHS = 2, 2


@pytest.fixture(scope="module")
def ranked(catalog, tmp_path_factory, pool):
    """The folder of a finished study: one method, two rates, one seed."""
    out = tmp_path_factory.mktemp("label-free")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "ProcessPoolExecutor", pool)
        patch.setattr(study, "DRAWS", 100)
        patch.setattr(study, "MEASURES", MEASURES)
        patch.setattr(study, "RATES", (1.0, 5.0))
        study_label_free(
            catalog, out, Asked(seeds=1, only=["simclr"], epochs=EPOCHS, command="natviews study label-free")
        )
    return out


@pytest.fixture(scope="module")
def said(ranked):
    return json.loads((ranked / "label-free.json").read_text())


def test_every_measured_encoder_is_judged(ranked, said):
    assert set(said["checkpoints"]) == {"simclr, rate 1, seed 0", "simclr, rate 5, seed 0"}
    for name, checkpoints in said["checkpoints"].items():
        run = Run(ranked / "cells" / name.replace(", seed 0", "").replace(", ", "-").replace(" ", "-") / "0")
        steps = [entry["step"] for entry in run.curves() if "held_out_choice" in entry]
        assert [one["step"] for one in checkpoints] == steps == [int(path.name) for path in run.measured]
        assert len(steps) == 1 + MEASURES and steps[0] == 0
        for one in checkpoints:
            assert set(one["truths"]) == {"product_type", "colour", "test MAP@R", "test MAP@R through a head"}
            assert {"rankme", "recall@1", "map@r", "auc", "choice"} <= set(one["figures"]) <= set(FIGURES)
    recipe = run.recipe
    assert recipe.training.lr == pytest.approx(5 * 3e-3) and recipe.training.keep == "all"


def test_the_truth_is_that_of_the_encoder_at_its_step(catalog, ranked, said):
    packed = with_split(pack(catalog, stored_size(48)))
    test = packed.take(packed.catalog.splits == "test")
    run = Run(ranked / "cells" / "simclr-rate-5" / "0")
    found = []
    for path, one in zip(run.measured, said["checkpoints"]["simclr, rate 5, seed 0"], strict=True):
        vectors = features_of(Encoder.load(path), test, "features")
        found.append(float(measure(vectors, test.catalog).values["map@r"].mean()))
        assert one["truths"]["test MAP@R"] == pytest.approx(found[-1], abs=1e-4)
    assert len(set(found)) == len(found)


def test_the_page_and_the_csv_say_what_the_json_says(ranked, said):
    with (ranked / "label-free.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [[line[c] for c in COLUMNS] for line in lines] == [
        [str(f[c]) for c in COLUMNS] for f in said["findings"]
    ]
    page = (ranked / "label-free.md").read_text()
    for finding in said["findings"]:
        name = finding["truth"] if finding["truth"].startswith("test") else f"Linear probe: {finding['truth']}"
        part = page.split(f"## {name}\n")[1].split("\n## ")[0]
        shown = f"{finding['value']:.3f} [{finding['low']:.3f}, {finding['high']:.3f}]"
        assert re.search(
            rf"^\| {re.escape(FIGURES[finding['figure']])} \|.*{re.escape(shown)}", part, re.MULTILINE
        )
    assert set(said["verdicts"]) == {"product_type", "colour"} and said["command"] in page
    for truth, word in said["verdicts"].items():
        assert f"**{word}**" in page.split(f"## Linear probe: {truth}\n")[1].split("\n## ")[0]


def test_run_again_it_finds_what_is_there(catalog, ranked, monkeypatch):
    monkeypatch.setattr(cells, "ProcessPoolExecutor", None)
    monkeypatch.setattr(study, "DRAWS", 100)
    monkeypatch.setattr(study, "MEASURES", MEASURES)
    monkeypatch.setattr(study, "RATES", (1.0, 5.0))
    page = (ranked / "label-free.md").read_text()
    asked = Asked(seeds=1, only=["simclr"], epochs=EPOCHS, command="natviews study label-free")
    study_label_free(catalog, ranked, asked)
    assert (ranked / "label-free.md").read_text() == page


def test_other_attributes_are_other_cells(catalog):
    whole = with_split(pack(catalog, stored_size(48))).catalog
    asked = {"seeds": 1, "only": ["simclr"], "epochs": 1}
    [one, *_], [other, *_] = (study.cells(whole, **asked, attributes=[name]) for name in ("pattern", "sleeve"))
    assert one.probed(whole) == ["pattern"]
    alike = SimpleNamespace(
        digest="1", column=lambda name: np.array(["dots", ""])
    )  # two columns that say the same
    assert one.key(alike) != other.key(alike)


def test_what_cannot_be_probed_or_is_no_method_is_refused(catalog, tmp_path):
    with pytest.raises(NatviewsError, match="'weather' cannot be probed"):
        study_label_free(catalog, tmp_path, Asked(attributes=["weather"]))
    with pytest.raises(NatviewsError, match="did you mean 'simclr'"):
        study_label_free(catalog, tmp_path, Asked(only=["simclrr"]))
    with pytest.raises(NatviewsError, match="pattern and sleeve alone"):
        study_methods(catalog, tmp_path, Asked(attributes=["pattern"]))


def course(figures, truths, name="choice"):
    steps = range(0, 10 * len(figures), 10)
    return [Checkpoint(s, {name: f}, {"pattern": t}) for s, f, t in zip(steps, figures, truths, strict=True)]


def found(runs, name="choice"):
    return {one.statistic: one for one in findings(runs, ["pattern"]) if one.figure == name}


def test_a_perfect_figure_loses_nothing():
    runs = [course(np.arange(5) + k, 0.1 * np.arange(5) + 0.1 * k) for k in range(4)]
    by = found(runs)
    assert by["rho"].value == by["rho_in_run"].value == by["near"].value == 1 and by["regret"].value == 0
    assert by["rho"].runs == 4 and by["rho"].checkpoints == 20


def test_statistics_are_those_of_single_runs_and_of_all_trained_checkpoints():
    rng = np.random.default_rng(5)
    values = rng.random((3, 2, 6))
    by = found([course(*pair) for pair in values])
    alone = [ranking_quality(*pair) for pair in values]
    assert by["rho_in_run"].value == pytest.approx(np.mean([one.rho for one in alone]))
    assert by["regret"].value == pytest.approx(np.mean([one.regret for one in alone]))
    assert by["near"].value == pytest.approx(np.mean([one.regret <= 0.01 for one in alone]))
    joined = values[:, :, 1:].transpose(1, 0, 2).reshape(2, -1)  # without the untrained
    assert by["rho"].value == pytest.approx(ranking_quality(*joined).rho)
    for one in by.values():
        assert one.low <= one.value <= one.high


def test_intervals_resample_runs():
    alike = [course([0, 1, 2], [0.5, 0.6, 0.55])] * 5
    assert found(alike)["regret"].low == found(alike)["regret"].high == pytest.approx(0.05)
    mixed = [*alike, course([0, 1, 2], [0.5, 0.6, 0.9])]
    regret = found(mixed)["regret"]
    assert regret.value == pytest.approx(0.25 / 6) and regret.low < regret.value < regret.high


@pytest.mark.parametrize(
    ("low", "value", "high", "word"),
    [
        (0, 0.005, 0.01, "yes"),
        (0.011, 0.015, 0.02, "no"),
        (0.005, 0.007, 0.02, "not shown"),
        (0.005, 0.015, 0.02, "not shown"),
    ],
)
def test_the_verdict_is_that_of_the_interval(low, value, high, word):
    others = [
        Finding("map@r", "pattern", "regret", 0, 0, 0, 3, 9),
        Finding("choice", "pattern", "rho", 1, 1, 1, 3, 9),
    ]
    assert verdict([*others, Finding("choice", "pattern", "regret", value, low, high, 3, 9)], "pattern") == word


def test_alpha_req_counts_by_how_near_it_is_to_one(tmp_path):
    entries = [{"step": step, "held_out_alpha_req": alpha} for step, alpha in ((0, 0.5), (3, 1.1), (6, 2.0))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    made = study._checkpoints(tmp_path, Judged({}))
    assert [one.figures["alpha_req"] for one in made] == pytest.approx([-0.5, -0.1, -1.0])


def test_a_figure_counts_in_the_runs_that_have_it_throughout():
    whole, broken = course([0, 1, 2], [0.1, 0.2, 0.3]), course([0, 1, 2], [0.3, 0.2, 0.1])
    broken[1].figures.clear()
    assert found([whole, broken])["rho_in_run"].value == 1
    assert found([broken]) == {}
