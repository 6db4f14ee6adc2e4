"""A cell is trained and judged once, and found again only where it is a result of the same."""

from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.encoders import Encoder
from natviews.studies import cells
from natviews.studies.answers import Answers, Judged
from natviews.studies.cells import Cell, finish, finish_all
from natviews.training import Recipe, features_of, measure
from natviews.types import NatviewsError

BLOCKS = {
    "encoder": {"name": "small", "size": 32, "crop": 1.0, "options": {"width": 16}},
    "views": {"name": "simclr", "size": 32},
    "method": {"name": "simclr", "hidden": 32},
    "training": {"epochs": 1, "batch": 16, "precision": "float32", "measures": 1},
}


@pytest.fixture(scope="module")
def whole(catalog):
    return with_split(pack(catalog, 64)).catalog


def cell(row="simclr", **training):
    return Cell(row, 0, Recipe.of(BLOCKS | {"training": BLOCKS["training"] | training}))


def test_what_is_written_is_read_again_under_its_key_alone(tmp_path):
    answers = {
        ("head", "map@r"): Answers(np.array(["a.jpg", "ü/b.jpg"]), np.array(["p", "q"]), np.array([0.5, 1]))
    }
    Judged(answers, 12.5, 0.4).write(tmp_path / "j.npz", "key")
    read = Judged.read(tmp_path / "j.npz", "key")
    assert (read.seconds, read.kept, list(read.answers)) == (12.5, 0.4, [("head", "map@r")])
    for part in ("photos", "products", "values"):
        wanted = getattr(answers["head", "map@r"], part)
        assert getattr(read.answers["head", "map@r"], part).tolist() == wanted.tolist()
    assert Judged.read(tmp_path / "j.npz", "another") is None
    assert Judged.read(tmp_path / "none.npz", "key") is None


def test_the_key_changes_with_the_recipe_the_seed_and_the_labels(whole):
    one = cell()
    others = [cell(lr=0.1), Cell("simclr", 1, one.made_by), Cell("histogram", 0, None)]
    keys = {c.key(whole) for c in (one, *others)}
    recoloured = whole.with_column("pattern", whole.column("pattern")[::-1].copy())
    keys |= {one.key(recoloured), one.key(whole.part("train", "val"))}
    assert len(keys) == 6 and cell().key(whole) == one.key(whole)


def test_it_judges_the_encoder_that_was_kept_on_test(whole, tmp_path):
    judged = finish(cell(), whole, tmp_path)
    folder = tmp_path / cell().folder
    encoder = Encoder.load(folder)
    packed = with_split(pack(whole, 64))
    test = packed.take(packed.catalog.splits == "test")
    features = features_of(encoder, test, "features")
    for kind, vectors in (("features", features), ("head", encoder.through_head(features))):
        wanted = measure(vectors, test.catalog)
        for name in ("recall@1", "map@r", "auc"):
            assert judged.answers[kind, name].values == pytest.approx(wanted.values[name], abs=1e-3)
            assert judged.answers[kind, name].photos.tolist() == test.catalog.ids[wanted.rows].tolist()
    sleeve = test.catalog.column("sleeve")
    assert judged.answers["probe", "sleeve"].photos.tolist() == test.catalog.ids[sleeve != ""].tolist()
    assert judged.seconds > 0 and judged.kept in (0, 1)


def test_an_attribute_is_probed_where_every_split_knows_it(whole):
    probed = Cell("any", 0, None).probed
    assert probed(whole) == ["pattern", "sleeve"]
    in_train = whole.splits == "train"
    blank_elsewhere = whole.with_column("sleeve", np.where(in_train, whole.column("sleeve"), ""))
    assert probed(blank_elsewhere) == ["pattern"]
    assert probed(whole.with_column("pattern", np.where(in_train, "solid", whole.column("pattern")))) == ["sleeve"]


def test_a_split_with_nothing_to_tell_apart_is_named(whole):
    cells.check_natural_views(whole)
    in_val = whole.splits == "val"
    alike = whole.with_column("dup_group", np.where(in_val, "one", whole.column("dup_group")))
    with pytest.raises(NatviewsError, match="The split val has no product .* nothing to compare; give it more"):
        cells.check_natural_views(alike)


def test_a_cell_that_cannot_be_trained_is_named_and_the_others_go_on(whole, tmp_path, monkeypatch, pool):
    monkeypatch.setattr(cells, "ProcessPoolExecutor", pool)
    bad = cell("simclr, wild", lr=1e12, optimiser="sgd", warmup_epochs=0)
    good = cell()
    judged, failed = finish_all([bad, good], whole, tmp_path, workers=1)
    assert list(judged) == [good] and list(failed) == [bad] and "training.lr" in failed[bad]
    with pytest.raises(NatviewsError, match=r"No method could be trained.*training\.lr"):
        finish_all([bad], whole, tmp_path, workers=1)


def test_a_killed_worker_is_said_in_a_sentence(whole, tmp_path, monkeypatch, pool):
    def killed(cell, catalog, out):
        raise BrokenProcessPool

    monkeypatch.setattr(cells, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(cells, "_finish_quietly", killed)
    with pytest.raises(NatviewsError, match="run the same command again"):
        finish_all([cell()], whole, tmp_path, workers=1)
