"""Training on labels: it learns them, uses no others than it may, and is chosen on val."""

import numpy as np
import pytest
import torch

from natviews.catalog import pack, with_split
from natviews.encoders import Encoder
from natviews.evaluation import Labelled, with_share
from natviews.training import Recipe, features_of, from_scratch, train_supervised
from natviews.training import supervised as module
from natviews.types import NatviewsError


@pytest.fixture(scope="module")
def packed(catalog):
    """Generated photos with a label that anyone can see, and a few photos that have none."""
    packed = with_split(pack(catalog, 64))
    bright = np.array([packed.pixels(row).mean() for row in range(len(packed))])
    shade = np.where(bright > np.median(bright), "light", "dark").astype("U8")
    shade[::9] = ""
    return packed.with_catalog(packed.catalog.with_column("shade", shade))


@pytest.fixture(scope="module")
def recipe(tiny_settings):
    further = ["training.measures=4", "training.epochs=6", "views.strength=0", "training.lr=0.003"]
    return Recipe.load("demo", [*tiny_settings, *further])


@pytest.fixture(scope="module")
def learnt(packed, recipe):
    return train_supervised(from_scratch(recipe), recipe, packed, "shade")


def test_it_learns_what_it_is_told(learnt, packed):
    answers = learnt.answers
    test = packed.catalog.take(packed.catalog.splits == "test")
    assert answers.labels.tolist() == test.column("shade")[answers.rows].tolist()
    assert set(answers.labels) == {"dark", "light"}
    assert answers.correct.mean() > 0.8
    assert answers.scores.sum(axis=1) == pytest.approx(1)


def test_the_network_that_did_best_on_val_is_kept(learnt, packed):
    answers = learnt.answers
    on_val = (answers.classes[answers.val_scores.argmax(axis=1)] == answers.val_labels).mean()
    assert len(answers.tried) == 4 and max(answers.tried) >= 100
    assert on_val == max(answers.tried.values()) == answers.tried[answers.chosen]
    assert answers.chosen == min(step for step, value in answers.tried.items() if value == on_val)


def test_what_is_kept_is_that_network_and_not_the_last(packed, recipe, monkeypatch):
    """By a measure that is given, the second of four measurements is the best, and the fourth as good."""
    values, shown = [0.5, 0.9, 0.5, 0.9], []

    def accuracy(task, scores):
        shown.append(scores)
        return values[len(shown) - 1]

    monkeypatch.setattr(module._Task, "accuracy", accuracy)
    monkeypatch.setattr(module, "LEAST_STEPS", 8)
    kept = train_supervised(from_scratch(recipe), recipe, packed, "shade")
    assert kept.answers.val_scores.tolist() == shown[1].tolist() != shown[3].tolist()
    assert list(kept.answers.tried.values()) == values and kept.answers.chosen == list(kept.answers.tried)[1]
    assert kept.encoder.digest() != last_digest(recipe, packed, monkeypatch)


def last_digest(recipe, packed, monkeypatch):
    """The encoder after all steps, by a measure that likes later ones better."""
    rising = iter(range(9))
    monkeypatch.setattr(module._Task, "accuracy", lambda task, scores: float(next(rising)))
    return train_supervised(from_scratch(recipe), recipe, packed, "shade").encoder.digest()


def test_only_the_labels_it_may_use_are_used(packed, recipe, monkeypatch):
    monkeypatch.setattr(module, "LEAST_STEPS", 4)
    catalog = packed.catalog
    train = catalog.splits == "train"
    whole = Labelled(np.flatnonzero(train), catalog.column("shade")[train], catalog.product_ids[train])
    rows = with_share(whole, 0.2, np.random.default_rng(0)).features
    hidden = catalog.column("shade")
    hidden[np.setdiff1d(np.flatnonzero(train), rows)] = "secret"
    other = packed.with_catalog(catalog.with_column("shade", hidden))
    start = from_scratch(recipe)
    one, two = (train_supervised(start, recipe, photos, "shade", rows=rows) for photos in (packed, other))
    assert one.answers.classes.tolist() == two.answers.classes.tolist() == ["dark", "light"]
    assert one.encoder.digest() == two.encoder.digest()


def test_the_same_seed_gives_the_same_network_and_another_another(packed, recipe, tiny_settings, monkeypatch):
    monkeypatch.setattr(module, "LEAST_STEPS", 4)
    short = Recipe.load("demo", [*tiny_settings, "training.epochs=1.0", "training.warmup_epochs=0"])
    other = Recipe.load(
        "demo", [*tiny_settings, "training.epochs=1.0", "training.warmup_epochs=0", "training.seed=1"]
    )
    start = from_scratch(short)
    digests = [train_supervised(start, r, packed, "shade").encoder.digest() for r in (short, short, other)]
    assert digests[0] == digests[1] != digests[2]


def test_dropout_depends_on_the_seed_alone_and_leaves_chance_outside_as_it_was(packed, tiny_settings, monkeypatch):
    monkeypatch.setattr(module, "LEAST_STEPS", 4)
    dropping = "encoder={name: mobilenetv2_050, size: 32, crop: 1.0, options: {drop_rate: 0.5}}"
    settings = [s for s in tiny_settings if not s.startswith("encoder")] + [dropping, "training.epochs=1.0"]
    recipe = Recipe.load("demo", settings)
    start, digests = from_scratch(recipe), []
    for outside in (5, 6):
        torch.manual_seed(outside)
        before = torch.get_rng_state()
        digests.append(train_supervised(start, recipe, packed, "shade").encoder.digest())
        assert torch.equal(torch.get_rng_state(), before)
    assert digests[0] == digests[1]


def test_the_start_stays_as_it_was_and_is_what_training_begins_from(packed, tiny_settings, run, monkeypatch):
    monkeypatch.setattr(module, "LEAST_STEPS", 4)
    slow = Recipe.load("demo", [*tiny_settings, "training.epochs=1.0", "training.lr=1e-9"])
    start = Encoder.load(run.encoder)
    before = start.digest()
    tuned = train_supervised(start, slow, packed, "shade").encoder
    assert start.digest() == before
    assert tuned.head is None
    for name, weights in tuned.backbone.named_parameters():
        assert torch.allclose(weights, start.backbone.get_parameter(name), atol=1e-6), name


def test_its_features_can_be_probed_for_another_task(learnt, packed):
    features = features_of(learnt.encoder, packed, "features")
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-4)


def test_from_scratch_learns_the_statistics_of_batch_norm(tiny_settings):
    frozen = Recipe.load("demo", [*tiny_settings, "encoder.batchnorm=frozen"])
    assert from_scratch(frozen).architecture.batchnorm == "moving"


def test_one_label_cannot_be_learnt(packed, recipe):
    one = packed.with_catalog(packed.catalog.with_column("shade", np.full(len(packed), "light")))
    with pytest.raises(NatviewsError, match="two different labels"):
        train_supervised(from_scratch(recipe), recipe, one, "shade")
