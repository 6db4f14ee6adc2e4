"""What cells are looked at for: the same figures as the evaluation's own, and hand-made cases."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog, pack, with_split
from natviews.encoders import Encoder
from natviews.evaluation import Probed, classification, linear_probe
from natviews.evaluation.colour_entropy import SEEDS, Attributes, cluster_counts, cluster_figures
from natviews.studies import looks, reading
from natviews.studies.crowd import crowded, searching
from natviews.studies.memory import bytes_of_step
from natviews.studies.seen import Seen
from natviews.training import features_of, measure


@pytest.fixture(scope="module")
def seen(run, catalog):
    packed = with_split(pack(catalog, 64))
    encoder = Encoder.load(run.encoder)
    features = features_of(encoder, packed, "features")
    return Seen(features, packed, encoder, encoder.head, ["pattern"], run.curves(), 2000)


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_recall_at_a_precision_photo_by_photo_is_the_evaluations():
    rng = np.random.default_rng(0)
    classes = np.array(["a", "b", "c"])
    labels, val_labels = rng.choice([*classes, "unknown"], 200), rng.choice(classes, 200)

    def scores(of):
        right = (of[:, None] == classes) + 1.4 * rng.random((len(of), 3))
        return right / right.sum(axis=1, keepdims=True)

    answer = Probed(np.arange(200), labels, classes, scores(labels), val_labels, scores(val_labels), 1.0, {})
    products = np.arange(200).astype(str)
    wanted = {m.name: m.value for m in classification(answer, products, "row").metrics()}
    values = reading.probed_values(answer)
    assert set(values) == {"accuracy", "recall@90", "recall@95"}
    for name, each in values.items():
        assert each.mean() == pytest.approx(wanted[name]), name
    assert 0 < values["recall@95"].mean() < values["recall@90"].mean() < 1


def test_tasks_are_skills_where_they_can_be_read_and_others_where_they_are_asked_for(catalog):
    whole = with_split(pack(catalog, 64)).catalog
    named = [task.name for task, _ in reading.tasks_of(whole, ["pattern", "colour"])]
    assert {"dress pattern", "colour"} <= set(named) and "pattern" not in named
    [dress] = [labels for task, labels in reading.tasks_of(whole, []) if task.name == "dress pattern"]
    assert (dress != "").tolist() == np.isin(whole.product_types, ("dress", "skirt")).tolist()
    bare = whole.with_column("product_type", np.full(len(whole), ""))
    assert [task.name for task, _ in reading.tasks_of(bare, ["pattern"])] == ["pattern"]


def test_unlike_photos_are_the_quarter_of_queries_with_the_strangest_colours(seen):
    found = looks.gap(seen)
    whole = measure(seen.features[seen.rows("test")], seen.test().catalog)
    assert found["features", "gap"].values == pytest.approx(whole.values["gap"])
    hard = found["unlike photos", "auc"]
    assert len(hard.photos) == pytest.approx(len(whole.rows) / 4, abs=1)
    ids = seen.test().catalog.ids[whole.rows].tolist()
    assert hard.values == pytest.approx([whole.values["auc"][ids.index(photo)] for photo in hard.photos.tolist()])


def test_clusters_say_what_the_evaluation_says_and_colour_is_probed(seen):
    found = reading.clusters(seen)
    packed = seen.test()
    known = Attributes(
        packed.catalog.product_ids, packed.catalog.column("colour"), packed.catalog.column("pattern")
    )
    vectors = seen.features[seen.rows("test")]
    count = cluster_counts(len(vectors))[0]
    wanted = {m.name: m.value for m in cluster_figures(vectors, known, row="r", counts=[count], seeds=SEEDS)[:8]}
    assert found["clusters", "style_information"].values.mean() == pytest.approx(
        wanted[f"style_information@{count}"]
    )
    probe = linear_probe(*seen.parts(seen.packed.catalog.column("colour")))
    assert found["linear colour", "accuracy"].values.tolist() == probe.correct.tolist()
    assert ("colour variants", "map@r") in found


def test_few_labels_and_neighbours_answer_for_the_labelled_photos_of_test(seen):
    for found, kind in ((reading.few_labels(seen), "1% of labels"), (reading.neighbours(seen), "neighbours")):
        test = seen.test().catalog
        assert found[kind, "pattern"].photos.tolist() == test.ids[test.column("pattern") != ""].tolist()
    assert reading.few_labels(seen)["1% of labels", "pattern"].values.max() <= 1


def test_disturbed_photos_are_asked_through_the_head_that_is_used(seen):
    found = looks.disturbed(seen)
    test = seen.test().catalog
    clean = measure(seen.used(seen.features[seen.rows("test")]), test)
    assert found["clean", "recall@1"].values == pytest.approx(clean.values["recall@1"])
    assert found["clean", "score"].values == pytest.approx(clean.scores[:, 0])
    assert {kind for kind, _ in found} == {"clean", *looks.SHOP_DISTURBANCES}
    # Scores, since so small a network finds too few photos for a recall that is sure to fall.
    scores = [found[name, "score"].values.mean() for name in looks.SHOP_DISTURBANCES]
    assert np.mean(scores) < clean.scores[:, 0].mean()
    assert found["collage 4 cells", "recall@1"].photos.tolist() == test.ids[clean.rows].tolist()


def shop(**columns):
    """A catalogue of test photos by hand."""
    count = len(next(iter(columns.values())))
    given = {"image": [f"{i}.jpg" for i in range(count)], "split": ["test"] * count} | columns
    given |= {"dup_group": given["product_id"], "near_dup_within": ["0"] * count}
    catalog = Catalog(pa.table(given), Path())
    packed = SimpleNamespace(catalog=catalog)
    packed.take = lambda rows: SimpleNamespace(catalog=catalog.take(rows))
    return packed


def test_across_marketplaces_the_same_item_is_right_and_the_own_listing_no_help():
    packed = shop(
        product_id=["a", "a", "b", "x", "y"],
        marketplace=["ours"] * 3 + ["theirs"] * 2,
        item=["1", "1", "2", "1", "2"],
    )
    vectors = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [1, 0, 0.2], [0.2, 0.3, 1]])
    found = looks.across(Seen(vectors, packed, None, None, [], [], 0))["across marketplaces", "recall@1"]
    said = dict(zip(found.photos.tolist(), found.values.tolist(), strict=True))
    assert said == {"0.jpg": 1, "1.jpg": 1, "2.jpg": 1, "3.jpg": 1, "4.jpg": 1}
    turned = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.2], [1, 0.3, 0]])
    found = looks.across(Seen(turned, packed, None, None, [], [], 0))["across marketplaces", "recall@1"]
    assert not found.values.any()
    alone = shop(product_id=["a", "a", "b"])
    assert looks.across(Seen(vectors[:3], alone, None, None, [], [], 0)) == {}


def test_a_crowd_can_only_take_matches_away(seen):
    alone = measure(seen.used(seen.features[seen.rows("test")]), seen.test().catalog).values["recall@1"]
    crowd = looks.crowd(seen)["full scale", "recall@1"].values
    assert (crowd <= alone).all() and crowd.sum() < alone.sum()


def test_a_crowd_is_unit_vectors_between_neighbours_with_the_real_ones_first():
    real = unit(np.random.default_rng(0).normal(size=(50, 8)))
    parts = np.concatenate(list(crowded(real, real, 500, seed=1)))
    assert parts.shape == (500, 8) and np.array_equal(parts[:50], real)
    assert np.linalg.norm(parts, axis=1) == pytest.approx(1, abs=1e-5)
    nearest = (parts[50:] @ real.T).max(axis=1)
    stray = (unit(np.random.default_rng(2).normal(size=(450, 8))) @ real.T).max(axis=1)
    assert (
        nearest.min() > 0.7 and nearest.mean() > stray.mean() + 0.1 and len(np.unique(parts[50:], axis=0)) == 450
    )
    assert np.array_equal(parts, np.concatenate(list(crowded(real, real, 500, seed=1))))


def test_searching_is_measured_once(tmp_path):
    real = unit(np.random.default_rng(0).normal(size=(300, 16)))
    first = searching(real, 1000, tmp_path / "s.json", "key")
    assert first.vectors == 1000 and first.recall > 0.9 and min(first.exact_ms, first.approximate_ms) > 0
    assert searching(real, 1000, tmp_path / "s.json", "key") == first
    assert searching(real, 500, tmp_path / "s.json", "key").vectors == 500


def test_what_negatives_taught_is_that_of_the_last_quarter(seen):
    curves = [{"loss": 1.0, "easy_negatives": i / 8, "step": i} for i in range(8)] + [{"step": 8, "held_out": 1.0}]
    found = looks.taught(Seen(seen.features, seen.packed, None, None, [], curves, 0))
    assert found["training", "easy_negatives"].values.tolist() == [6 / 8, 7 / 8]
    assert looks.taught(Seen(seen.features, seen.packed, None, None, [], [], 0)) == {}


def test_a_step_keeps_more_where_the_batch_is_larger_and_a_queue_is_counted():
    def blocks(method, **values):
        encoder = {"name": "small", "size": 32, "crop": 1.0, "options": {"width": 8}}
        return {"encoder": encoder, "views": {"name": "simclr", "size": 32}, "method": {"name": method, **values}}

    small, large = (bytes_of_step(blocks("simclr", hidden=32), batch) for batch in (8, 64))
    assert 4 * small < large < 12 * small
    short, long = (bytes_of_step(blocks("mocov2", hidden=32, queue=q, groups=1), 8) for q in (64, 1024))
    assert long - short >= 2 * 960 * 128 * 4  # the queue, and the copy that gradients are taken against
