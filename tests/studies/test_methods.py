"""The study of every method, tiny: what it trains, what it says, and that it goes on where it stopped."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.methods import METHODS
from natviews.studies import Asked, cells, study_methods
from natviews.studies.methods import BATCH, arms, settings
from natviews.studies.methods import cells as cells_of
from natviews.studies.tables import COLUMNS
from natviews.training import Recipe
from natviews.types import NatviewsError


@pytest.fixture(scope="module")
def whole(catalog):
    return with_split(pack(catalog, 64)).catalog


def rows(made):
    return list(dict.fromkeys(cell.row for cell in made))


def test_every_method_is_in_it_with_each_pairing_that_it_can_tell_apart(whole):
    made = cells_of(whole, seeds=2, only=[], epochs=3)
    named = rows(made)
    for name, method in METHODS.items():
        wanted = {f"{name}, natural", f"{name}, augmented"} if method.pairs else {name}
        assert {row for row in named if row.split(",")[0] == name and "transformer" not in row} == wanted
    assert {"skill", "dino, transformer", "histogram", "untrained", "untrained, transformer"} <= set(named)
    assert len({(cell.row, cell.seed) for cell in made}) == len(made) == len({cell.folder for cell in made})
    for cell in made:
        if isinstance(cell.made_by, Recipe):
            recipe = cell.made_by
            assert (recipe.training.epochs, recipe.training.seed, recipe.encoder.size) == (3, cell.seed, 48)
            assert recipe.pairing == ("augmented" if "augmented" in cell.row else "natural")
            assert (recipe.training.within == "product_type") == (cell.row == "skill")


def test_methods_that_look_at_photos_one_by_one_say_so():
    assert {name for name, method in METHODS.items() if not method.pairs} == {"jigsaw", "mae", "rotnet", "simmim"}


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        (["simclr"], ["histogram", "untrained", "simclr, natural", "simclr, augmented"]),
        (["skill", "rotnet"], ["histogram", "untrained", "rotnet", "skill"]),
        (["mae"], ["histogram", "untrained, transformer", "mae", "dino, transformer"]),
    ],
)
def test_only_what_is_asked_for_is_trained_beside_its_baselines(whole, only, wanted):
    assert rows(cells_of(whole, seeds=1, only=only, epochs=1)) == wanted


def test_a_misspelt_method_is_refused(whole):
    with pytest.raises(NatviewsError, match="did you mean 'simclr'"):
        cells_of(whole, seeds=1, only=["simclrr"], epochs=1)


@pytest.mark.parametrize("photos", [10, 900, 1600, 100_000])
def test_a_queue_holds_at_most_a_tenth_of_the_photos_in_whole_batches(photos):
    for name in ("moby", "mocov2"):
        queue = settings(photos)[name]["method"]["queue"]
        assert queue % BATCH == 0 and BATCH <= queue <= max(BATCH, photos / 10)


def test_the_table_of_settings_names_methods_only():
    assert set(settings(1000)) <= set(METHODS)
    assert {name for arm in arms(1000) for name in arm.asked_by} == {*METHODS, "skill"}


def test_the_page_the_csv_and_the_json_say_the_same(studied):
    said = json.loads((studied / "methods.json").read_text())
    with (studied / "methods.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [[line[c] for c in COLUMNS] for line in lines] == [
        [str(f[c]) for c in COLUMNS] for f in said["figures"]
    ]
    page = (studied / "methods.md").read_text()
    for figure in said["figures"]:
        difference = figure["row"].endswith(": natural-augmented")
        row, sign = figure["row"].removesuffix(": natural-augmented"), "+" if difference else ""
        shown = f"{figure['value']:{sign}.3f} [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"
        table = page.split("## Natural minus augmented")[difference]
        assert re.search(rf"^\| {re.escape(row)} \|.*{re.escape(shown)}", table, flags=re.MULTILINE), figure
    assert {f["row"] for f in said["figures"]} == {
        "histogram", "untrained", "rotnet", "simclr, natural", "simclr, augmented", "simclr: natural-augmented",
    }  # fmt: skip
    assert {(f["kind"], f["name"]) for f in said["figures"]} == {
        *((kind, name) for kind in ("features", "head") for name in ("recall@1", "map@r", "auc")),
        ("probe", "pattern"), ("probe", "sleeve"),
    }  # fmt: skip
    assert said["command"] in page and said["verdicts"]["simclr"]["features"] in ("yes", "no", "not shown")
    assert said["failed"] == {}


def test_run_again_it_finds_what_is_there_and_starts_no_process(catalog, studied, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in (studied / "cells").rglob("*") if path.is_file()}
    page = (studied / "methods.md").read_text()
    monkeypatch.setattr(cells, "ProcessPoolExecutor", None)
    asked = Asked(seeds=1, only=["simclr", "rotnet"], epochs=1, command="natviews study methods")
    study_methods(catalog, studied, asked)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (studied / "methods.md").read_text() == page


def test_other_epochs_are_refused_in_the_same_folder(catalog, studied, monkeypatch, pool):
    monkeypatch.setattr(cells, "ProcessPoolExecutor", pool)
    with pytest.raises(NatviewsError, match="another recipe"):
        study_methods(catalog, studied, Asked(seeds=1, only=["rotnet"], epochs=2))


def test_without_natural_views_there_is_nothing_to_compare(whole, tmp_path):
    first = [rows[0] for rows in whole.products.values()]
    with pytest.raises(NatviewsError, match="split train has no product with two photos"):
        study_methods(whole.take(np.array(first)), tmp_path)


PROGRAM = """
import sys
from pathlib import Path
from natviews.catalog import Catalog
from natviews.studies import Asked, study_methods
if __name__ == "__main__":
    study_methods(Catalog.open(sys.argv[1]), Path(sys.argv[2]), Asked(seeds=1, only=["simclr"], epochs=20))
"""


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def ended(workers, deadline):
    """Waits until no worker is there any more."""
    while any(Path(f"/proc/{worker}/exe").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_study_that_is_told_to_end_does_so_at_once_and_takes_its_workers_along(catalog_path, tmp_path):
    study = ["study", "methods", str(catalog_path), "--only", "simclr", "--seeds", "1", "--epochs", "2000"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from natviews.cli import main; main()", *study, "--out", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
    )
    cell, deadline = tmp_path / "cells" / "simclr-natural" / "0", time.monotonic() + 120
    while not (cell / "metrics.jsonl").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    workers = children(process)
    process.send_signal(signal.SIGTERM)
    try:
        said = process.communicate(timeout=20)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and said.splitlines()[-1].startswith("natviews: interrupted; run the same")
    ended(workers, time.monotonic() + 10)


def test_a_killed_study_takes_its_workers_along_and_goes_on_where_it_was(
    catalog, catalog_path, tmp_path, monkeypatch, pool
):
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", catalog_path, tmp_path], stderr=subprocess.DEVNULL
    )
    cell, deadline = tmp_path / "cells" / "simclr-natural" / "0", time.monotonic() + 120
    while not list(cell.glob("checkpoints/*.ckpt")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    workers = children(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ended(workers, deadline)
    assert not (cell / "encoder").exists()
    judged = (tmp_path / "cells" / "untrained" / "0" / "judged.npz").stat().st_mtime_ns
    [first, *_] = [line for line in (cell / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    monkeypatch.setattr(cells, "ProcessPoolExecutor", pool)
    study_methods(catalog, tmp_path, Asked(seeds=1, only=["simclr"], epochs=20))
    assert (tmp_path / "cells" / "untrained" / "0" / "judged.npz").stat().st_mtime_ns == judged
    # The seconds of a step are never the same twice: the steps before the kill were not taken again.
    assert first in (cell / "metrics.jsonl").read_text()
    assert (tmp_path / "methods.md").is_file()
