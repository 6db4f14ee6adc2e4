import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet
import pytest
import torch
from broken_photos import write_catalog

from natviews.catalog import Catalog
from natviews.encoders import Encoder, Whitening, embed_catalog
from natviews.index import read_embeddings
from natviews.training import Recipe, Run, collapse, loop, train
from natviews.training.checkpoints import Checkpoints
from natviews.types import NatviewsError


def weights(run):
    return Encoder.load(run.encoder).state_dict()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_run_leaves_what_it_promises(run, catalog):
    for name in ("run.yaml", "metrics.jsonl", "quarantine.csv", "encoder/encoder.json"):
        assert (run.folder / name).is_file(), name
    for folder in (run.encoder, run.start):
        known = pyarrow.parquet.read_table(folder / "products.parquet").to_pydict()
        assert dict(zip(known["product_id"], known["split"], strict=True)) == dict(
            zip(catalog.product_ids.tolist(), catalog.splits.tolist(), strict=True)
        )
    checkpoints = sorted(path.name for path in run.folder.glob("checkpoints/*.ckpt"))
    assert checkpoints == ["00000006.ckpt", "00000012.ckpt"]
    assert list((run.folder / "tensorboard").glob("events*"))
    entries = run.curves()
    assert [e["step"] for e in entries if "loss" in e] == list(range(12))
    assert [e["step"] for e in entries if "held_out_map@r" in e] == [0, 6, 12]
    chosen = {e["step"]: e["held_out_choice"] for e in entries if "held_out_choice" in e}
    assert chosen != {e["step"]: e["held_out_map@r"] for e in entries if "held_out_map@r" in e}  # through a head
    card = json.loads((run.folder / "checkpoints" / "best" / "encoder.json").read_text())["card"]
    assert card["step"] == max(chosen, key=chosen.get)
    figures = ("rankme", "alpha_req", "lidar")
    assert [e["step"] for e in entries if all(f"held_out_{name}" in e for name in figures)] == [0, 6, 12]
    best = json.loads((run.folder / "checkpoints" / "best" / "encoder.json").read_text())["card"]
    [logged] = (e for e in entries if "held_out_lidar" in e and e["step"] == best["step"])
    assert {name: best[name] for name in figures} == {name: logged[f"held_out_{name}"] for name in figures}
    card = json.loads((run.encoder / "encoder.json").read_text())["card"]
    assert 0 < card["share_with_two_photos"] <= 1 and card["held_out"]["map@r"] > 0


def test_a_design_head_is_chosen_kept_and_embedded_where_the_recipe_asks_for_it(catalog, tmp_path, tiny_settings):
    settings = [*tiny_settings, "training.epochs=1", "heads=[identity, design]"]
    run = train(catalog, Recipe.load("demo", settings), tmp_path)
    encoder = Encoder.load(run.encoder)
    card = json.loads((run.encoder / "encoder.json").read_text())["card"]
    tried = card["design_map@r_by_shrinkage"]
    assert tried.keys() == {"None", "0.05", "0.1", "0.3", "0.5", "0.8"}
    assert (encoder.design is None) == (max(tried, key=tried.get) == "None")
    encoder.design = Whitening(encoder.dim, encoder.dim)
    encoder.save(tmp_path / "saved")
    embed_catalog(Encoder.load(tmp_path / "saved"), catalog, tmp_path / "e.parquet")
    embeddings = read_embeddings(tmp_path / "e.parquet")
    assert (
        np.abs(embeddings.use("design").vectors - embeddings.extra.get("features", embeddings.vectors)).max()
        < 1e-5
    )


def test_an_encoder_gets_the_heads_that_are_asked_for_alone(catalog, tmp_path, tiny_settings):
    run = train(catalog, Recipe.load("demo", [*tiny_settings, "training.epochs=1", "heads=[]"]), tmp_path)
    encoder = Encoder.load(run.encoder)
    card = json.loads((run.encoder / "encoder.json").read_text())["card"]
    assert encoder.head is None and encoder.design is None
    for entry in run.curves():  # and is chosen as it will be used
        assert entry.get("held_out_choice") == entry.get("held_out_map@r")
    assert card["held_out"]["map@r"] > 0 and "head_map@r_by_shrinkage" not in card


def test_running_again_finds_that_it_has_finished(run, catalog, tiny_settings):
    before = (run.encoder / "encoder.safetensors").stat().st_mtime_ns
    train(catalog, Recipe.load("demo", tiny_settings), run.folder)
    assert (run.encoder / "encoder.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_running_again_with_any_precision_is_the_same_run(catalog, tmp_path, tiny_settings, precision):
    settings = [*tiny_settings, "training.epochs=1", f"training.precision={precision}"]
    once = train(catalog, Recipe.load("demo", settings), tmp_path)
    again = train(catalog, Recipe.load("demo", settings), tmp_path)
    assert once.recipe == again.recipe


def test_the_saved_recipe_repeats_the_run(run, catalog, tmp_path):
    torch.manual_seed(77)  # chance outside must not matter
    again = train(catalog, Recipe.load(str(run.folder / "run.yaml")), tmp_path)
    assert equal(weights(run), weights(again))


def test_a_changed_recipe_is_refused_with_the_difference(run, catalog, tiny_settings):
    with pytest.raises(NatviewsError, match=r"temperature: 0\.1.*temperature: 0\.7"):
        train(catalog, Recipe.load("demo", [*tiny_settings, "method.temperature=0.7"]), run.folder)


def test_another_catalogue_is_refused(run, catalog, tiny_settings):
    with pytest.raises(NatviewsError, match="another catalogue"):
        train(catalog.part("train", "val"), Recipe.load("demo", tiny_settings), run.folder)


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_a_run_whose_every_checkpoint_is_damaged_says_so(run, catalog, tiny_settings, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for whole in sorted((run.folder / "checkpoints").glob("*.ckpt")):
        (tmp_path / "checkpoints" / whole.name).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(NatviewsError, match="Every checkpoint in .* is damaged; remove it"):
        train(catalog, Recipe.load("demo", tiny_settings), tmp_path)


def test_after_a_damaged_checkpoint_the_one_before_leads_to_the_same_end(run, catalog, tiny_settings, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "encoder")
    *_, last = sorted((tmp_path / "run" / "checkpoints").glob("*.ckpt"))
    damaged = bytearray(last.read_bytes())
    damaged[len(damaged) // 2] ^= 1  # one bit of a weight, which torch would load without a word
    last.write_bytes(damaged)
    with pytest.warns(UserWarning, match=f"{last.name} is damaged .*checksum.*; the checkpoint before it"):
        again = train(catalog, Recipe.load("demo", tiny_settings), tmp_path / "run")
    assert equal(weights(again), weights(run)) and figures(again) == figures(run)


def test_training_ends_when_patience_does(catalog, tmp_path, tiny_settings):
    settings = [*tiny_settings, "training.lr=1e-9", "training.measures=12", "training.patience=3"]
    run = train(catalog, Recipe.load("demo", settings), tmp_path)
    held_out = [entry["held_out_choice"] for entry in run.curves() if "held_out_choice" in entry]
    assert len(held_out) < 13  # all but nothing was learnt
    assert max(held_out) not in held_out[-3:] and max(held_out) == held_out[-4]
    before = run.curves()
    shutil.rmtree(run.encoder)  # killed at the very end
    assert train(catalog, Recipe.load("demo", settings), tmp_path).curves() == before


PROGRAM = """
import sys
from pathlib import Path
import torch
from natviews.catalog import Catalog
from natviews.training import Recipe, loop, train
torch.set_num_threads(1)
loop.CHECKPOINT_SECONDS = 0
train(Catalog.open(sys.argv[1]), Recipe.load("demo", sys.argv[3:]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("method", ["simclr", "dino"])
def test_a_killed_run_ends_where_an_uninterrupted_one_ends(catalog_path, tmp_path, tiny_settings, method):
    settings = [s for s in tiny_settings if method == "simclr" or "method" not in s]
    if method == "dino":
        settings += [
            "method={name: dino, prototypes: 64, hidden: 32, bottleneck: 16}",
            "views={name: skill, locals: 2}",
        ]

    def start(out):
        arguments = [sys.executable, "-c", PROGRAM, catalog_path, out, *settings]
        return subprocess.Popen(arguments, stderr=subprocess.DEVNULL)

    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    process = start(killed.folder)
    deadline = time.monotonic() + 120
    while len(killed.curves() if (killed.folder / "metrics.jsonl").exists() else []) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.encoder.exists()
    assert start(killed.folder).wait() == 0
    assert start(whole.folder).wait() == 0
    assert equal(weights(whole), weights(killed))
    assert figures(killed) == figures(whole)


class Interrupted(Exception):
    pass


def interrupted_every(count, monkeypatch):
    """Each call of train does so many steps, with a checkpoint after each, and is then interrupted."""
    left = []

    def stepping(*arguments):
        if len(left) == count:
            left.clear()
            raise Interrupted
        left.append(1)
        return STEP_ONCE(*arguments)

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(loop, "step_once", stepping)


STEP_ONCE = loop.step_once


@pytest.mark.parametrize("steps_between", [100, 5])
def test_a_dead_run_that_is_interrupted_again_and_again_is_stopped_where_it_would_have_been(
    catalog, tmp_path, tiny_settings, monkeypatch, steps_between
):
    """Everything is taken for dead; a look is at every second step, and six must agree."""
    monkeypatch.setattr(collapse, "SPREAD", 2.0)
    monkeypatch.setattr(collapse, "EVERY", 2)
    monkeypatch.setattr(collapse, "LEAST", 10)
    interrupted_every(steps_between, monkeypatch)
    recipe = Recipe.load("demo", tiny_settings)
    with pytest.raises(NatviewsError, match="Stopped at step 10: complete collapse. Since step 0"):
        for _ in range(4):
            with contextlib.suppress(Interrupted):
                train(catalog, recipe, tmp_path)


def test_a_checkpoint_that_does_not_say_since_when_a_run_is_dead_is_gone_on_from(
    catalog, tmp_path, tiny_settings, monkeypatch
):
    interrupted_every(5, monkeypatch)
    recipe = Recipe.load("demo", tiny_settings)
    with pytest.raises(Interrupted):
        train(catalog, recipe, tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    state = checkpoints.load()
    del state["dead"]
    checkpoints.save(state["step"], state)
    monkeypatch.setattr(loop, "step_once", STEP_ONCE)
    assert train(catalog, recipe, tmp_path).is_finished


def figures(run):
    """All that was logged but the time that it took."""
    times = {"seconds", "waiting"}
    return [{name: value for name, value in entry.items() if name not in times} for entry in run.curves()]


def test_broken_photos_never_stop_a_run(tmp_path, tiny_settings):
    path, bad = write_catalog(tmp_path / "shop", good_products=20)
    run = train(Catalog.open(path), Recipe.load("demo", [*tiny_settings, "training.batch=4"]), tmp_path / "run")
    lines = (run.folder / "quarantine.csv").read_text().splitlines()[1:]
    assert sorted(line.split(",")[0] for line in lines) == sorted(bad)
    assert (run.encoder / "encoder.json").exists()


def test_without_second_photos_it_still_trains(catalog, tmp_path, tiny_settings):
    first = [rows[0] for rows in catalog.products.values()]
    run = train(catalog.take(np.array(first)), Recipe.load("demo", tiny_settings), tmp_path)
    assert Encoder.load(run.encoder).head is None


def test_a_loss_that_is_not_finite_stops_with_the_mend(catalog, tmp_path, tiny_settings):
    settings = [*tiny_settings, "training.lr=1e12", "training.optimiser=sgd", "training.warmup_epochs=0"]
    with pytest.raises(NatviewsError, match=r"training\.lr"):
        train(catalog, Recipe.load("demo", settings), tmp_path)


def test_a_gradient_of_junk_stops_before_the_optimiser_takes_it(catalog, tmp_path, tiny_settings, monkeypatch):
    """Some kernels return what lay in memory; Adam's averages would never recover."""
    from natviews.methods import METHODS

    class Exploding(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 1e22

    loss = METHODS["simclr"].loss

    def exploding(self, views, progress):
        made = loss(self, views, progress)
        return made._replace(total=Exploding.apply(made.total)) if progress.step == 3 else made

    monkeypatch.setattr(METHODS["simclr"], "loss", exploding)
    with pytest.raises(NatviewsError, match=r"gradient became .* at step 3.*precision=float32"):
        train(catalog, Recipe.load("demo", tiny_settings), tmp_path)
    assert [e["step"] for e in Run(tmp_path).curves() if "loss" in e] == [0, 1, 2]
