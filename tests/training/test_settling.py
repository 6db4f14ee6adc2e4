"""What the user leaves open is settled by the catalogue and the machine, once."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import yaml
from lightning.fabric import Fabric
from safetensors.torch import save_file

from natviews.catalog import pack, with_split
from natviews.encoders import Architecture, Encoder
from natviews.methods import RULES, Scale
from natviews.training import Recipe, recommended, settling, train
from natviews.types import NatviewsError


def one_photo_each(catalog):
    return catalog.take(np.array([rows[0] for rows in catalog.products.values()]))


@pytest.fixture
def weights(tmp_path):
    """A weights file that says what it is."""
    path = tmp_path / "weights.safetensors"
    backbone = Encoder.create(Architecture(name="resnet18")).backbone
    save_file({k: v.contiguous() for k, v in backbone.state_dict().items()}, path, metadata={"timm": "resnet18"})
    return str(path)


def test_without_weights_a_small_network_learns_from_nothing(catalog):
    recipe, reasons = recommended(catalog, [], weights=None)
    assert recipe.encoder.name == "small" and recipe.pairing == "natural" and recipe.weights is None
    assert recipe.views["size"] == recipe.encoder.size == 96  # what the photos have
    products = len(with_split(pack(catalog, 64)).catalog.part("train").products)
    assert recipe.training.batch == products // 4
    assert [reason.split(":")[0] for reason in reasons] == ["method, rates", "pairing", "sizes", "batch, epochs"]


def test_weights_are_tuned_with_care(catalog, weights):
    recipe, reasons = recommended(catalog, [], weights=weights)
    assert recipe.encoder.name == "resnet18" and recipe.weights == weights
    assert recipe.views["size"] == 96 and recipe.encoder.sizes == (128, 160)
    assert recipe.encoder.batchnorm == "frozen" and recipe.training.lr < 1e-3
    assert "careful" in reasons[0]
    assert recipe.method["name"] == "twoheads" and recipe.heads == ("identity", "design")


def test_where_no_product_has_two_photos_pairs_are_augmented(catalog):
    recipe, reasons = recommended(one_photo_each(catalog), [], weights=None)
    assert recipe.pairing == "augmented" and "0% of the products" in reasons[1]


def test_fewer_products_are_passed_more_often(catalog, monkeypatch):
    monkeypatch.setattr(settling, "PRODUCTS", 50)  # both are far below where epochs end to grow
    few = catalog.take(np.flatnonzero(np.isin(catalog.product_ids, list(catalog.products)[:40])))
    many, fewer = (recommended(c, [], weights=None).recipe.training for c in (catalog, few))
    assert fewer.epochs > many.epochs and fewer.batch < many.batch


def test_settings_win(catalog):
    recipe, _ = recommended(catalog, ["training.batch=8", "views.size=32"], weights=None)
    assert recipe.training.batch == 8 and recipe.views["size"] == 32


def test_the_same_catalogue_gets_the_same_recipe(catalog):
    assert recommended(catalog, [], weights=None) == recommended(catalog, [], weights=None)


def tiny(tiny_settings, *settings):
    return Recipe.load("demo", [*tiny_settings, *settings])


def test_steps_are_as_many_as_given_and_the_reason_is_written_down(catalog, tmp_path, tiny_settings):
    recipe = tiny(tiny_settings, "training.steps=5")
    run = train(catalog, recipe, tmp_path, reasons=["why: because"])
    assert sum("loss" in entry for entry in run.curves()) == 5
    text = (tmp_path / "run.yaml").read_text()
    assert "# why: because\n" in text and "# epochs: 5 steps\n" in text
    settled = yaml.safe_load(text)["training"]
    assert settled["steps"] == 0 and settled["epochs"] == pytest.approx(5 / 3)
    assert train(catalog, recipe, tmp_path).recipe == run.recipe  # and again it is the same run
    with pytest.raises(NatviewsError, match="another recipe.*epochs"):
        train(catalog, tiny(tiny_settings, "training.steps=6"), tmp_path)


def test_what_a_method_leaves_open_follows_the_photos_and_is_written_down(catalog, tmp_path, tiny_settings):
    recipe = Recipe.load("natural-moby", [*tiny_settings, "encoder.name=small", "views.size=32", "weights="])
    run = train(catalog, recipe, tmp_path)
    photos = len(with_split(pack(catalog, 64)).catalog.part("train"))
    assert run.recipe.method["queue"] == RULES["queue"](Scale(photos, 1)) == 64
    assert f"# method.queue: {run.recipe.method['queue']}, of {photos} photos and " in run.plan
    assert train(catalog, recipe, tmp_path).recipe == run.recipe  # and again it is the same run


def test_a_recipe_that_a_program_made_is_continued_though_its_text_is_read_as_other_numbers(
    catalog, tmp_path, tiny_settings
):
    recipe = tiny(tiny_settings)
    recipe = replace(recipe, training=replace(recipe.training, epochs=1, lr=1))
    run = train(catalog, recipe, tmp_path)
    assert train(catalog, recipe, tmp_path).recipe == run.recipe


def test_minutes_become_epochs_once(catalog, tmp_path, tiny_settings, monkeypatch):
    monkeypatch.setattr(settling, "_seconds_per_step", lambda *_: 0.5)
    monkeypatch.setattr(settling, "features_of", lambda *_: None)  # takes no time
    recipe = tiny(tiny_settings, "training.minutes=0.2")
    run = train(catalog, recipe, tmp_path)
    steps = sum("loss" in entry for entry in run.curves())
    assert 12 <= steps <= 24  # 12 s less what packing took, at half a second
    monkeypatch.setattr(settling, "_seconds_per_step", None)  # it is not timed again
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*keeps the length")
        assert train(catalog, recipe, tmp_path).recipe == run.recipe
    with pytest.warns(
        UserWarning, match="keeps the length it began with, .* epochs; for 20 minutes choose another"
    ):
        assert train(catalog, tiny(tiny_settings, "training.minutes=20"), tmp_path).recipe == run.recipe


def test_the_weights_are_shared_out_where_they_would_fill_the_memory(monkeypatch, tiny_settings):
    def asked(*settings):
        return settling.is_sharded(tiny(tiny_settings, *settings))

    parameters = sum(p.numel() for p in Encoder.create(tiny(tiny_settings).encoder).parameters())
    assert not asked() and asked("training.shard=true")
    monkeypatch.setattr(settling, "_memory", lambda: 20 * parameters / 0.3 - 1)
    assert asked() and not asked("training.shard=false") and not asked("training.heads_first=1")
    monkeypatch.setattr(settling, "_memory", lambda: 20 * parameters / 0.3 + 1)
    assert not asked()
    with pytest.raises(NatviewsError, match="waits cannot be in shares"):
        tiny(tiny_settings, "training.heads_first=1", "training.shard=true")


def test_what_describing_takes_is_left_out_of_the_minutes(catalog, tiny_settings, monkeypatch):
    packed = with_split(pack(catalog, 64))
    learn, held_out = (int((packed.catalog.splits == split).sum()) for split in ("train", "val"))
    now = [100.0]
    monkeypatch.setattr(settling.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(settling, "_seconds_per_step", lambda *_: 2.0)

    def slow(encoder, photos, label):
        now[0] += 0.5 * len(photos)

    monkeypatch.setattr(settling, "features_of", slow)
    recipe = tiny(tiny_settings, "training.minutes=30", "training.measures=3")
    epochs, reason = settling.epochs_within(Fabric(devices=1), recipe, packed, began=40.0)
    spent = 60 + 0.5 * min(learn, 128)
    steps = int((1800 - spent - 0.5 * (2 * (learn + held_out) + 4 * held_out)) / 2)
    assert epochs == pytest.approx(steps / (len(packed.catalog.part("train").products) // 16), rel=0.1)
    assert f"{steps} steps of 2.00 s" in reason
    with pytest.raises(NatviewsError, match=r"1 minutes are too few.*--minutes"):
        settling.epochs_within(Fabric(devices=1), tiny(tiny_settings, "training.minutes=1"), packed, began=0.0)


def test_a_few_steps_are_timed_for_real_and_leave_no_trace(catalog, tmp_path, tiny_settings):
    recipe = tiny(tiny_settings, "training.minutes=0.15")
    run = train(catalog, recipe, tmp_path / "timed")
    assert run.is_finished and "minutes allow" in (tmp_path / "timed" / "run.yaml").read_text()
    again = train(catalog, Recipe.load(str(tmp_path / "timed" / "run.yaml")), tmp_path / "again")
    assert [e.get("loss") for e in run.curves()] == [e.get("loss") for e in again.curves()]


@pytest.mark.parametrize("wrong", ["training.steps=-1", "training.minutes=-2", "training.epochs=0"])
def test_impossible_lengths_are_refused(wrong, tiny_settings):
    with pytest.raises(NatviewsError, match="training: "):
        tiny(tiny_settings, wrong)


def test_two_budgets_are_one_too_many(tiny_settings):
    with pytest.raises(NatviewsError, match="not both"):
        tiny(tiny_settings, "training.steps=5", "training.minutes=5")
