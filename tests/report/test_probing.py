"""natviews probe from end to end: rows, paired differences, files, and what is refused."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from natviews.catalog import pack, with_split
from natviews.cli import app
from natviews.encoders import Encoder, embed_catalog
from natviews.evaluation import PROBES
from natviews.index import read_embeddings
from natviews.report.attributes import AttributeReport, as_text
from natviews.report.probing import parts_of, probe_file, probe_vectors
from natviews.types import Metric, NatviewsError


@pytest.fixture(scope="module")
def store(run, catalog, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "e.parquet"
    embed_catalog(Encoder.load(run.encoder), catalog, path, location=str(run.folder))
    return path


@pytest.fixture(scope="module")
def probed(store, catalog_path, tmp_path_factory):
    """The output and the folder of one run of the command."""
    out = tmp_path_factory.mktemp("probes")
    arguments = ["probe", str(store), str(catalog_path), "--attribute", "view_kind", "--attribute", "product_type"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(out), "--share", "0.1"])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.output, out


def test_every_row_has_every_figure_and_trained_its_paired_differences(probed):
    entries = json.loads((probed[1] / "metrics.json").read_text())
    assert all(set(e) == {"row", "name", "slice", "value", "low", "high", "n"} for e in entries)
    of = {(e["row"], e["name"], e["slice"]): e for e in entries}
    assert len(of) == len(entries)
    rows = {e["row"] for e in entries}
    assert {"histogram", "untrained", "trained", "trained-histogram", "trained-untrained"} <= rows
    for attribute in ("view_kind", "product_type"):
        for probe in PROBES:
            for name in ("accuracy", "balanced_accuracy", "macro_f1", "recall@90", "recall@95_macro"):
                key = f"{probe}_{name}", attribute
                difference = of["trained-histogram", *key]
                expected = of["trained", *key]["value"] - of["histogram", *key]["value"]
                assert difference["value"] == pytest.approx(expected)
                assert difference["low"] <= difference["value"] <= difference["high"]
        assert (
            of["trained", "linear_accuracy@10%", attribute]["n"]
            == of["trained", "linear_accuracy", attribute]["n"]
        )
        assert of["trained", "knn_listing_top_5", attribute]["n"] < of["trained", "knn_accuracy", attribute]["n"]


def test_figures_are_those_of_the_probe_on_the_test_split(probed, store, catalog):
    vectors, packed = read_embeddings(store), with_split(pack(catalog, 96))
    entries = json.loads((probed[1] / "metrics.json").read_text())
    answers = PROBES["knn"](*parts_of(vectors.vectors, packed.catalog, "product_type"))
    wanted = ("trained", "knn_accuracy", "product_type")
    [stated] = [e for e in entries if (e["row"], e["name"], e["slice"]) == wanted]
    assert stated["value"] == pytest.approx(answers.correct.mean())
    assert stated["n"] == (packed.catalog.splits == "test").sum()


def test_the_table_of_classes_has_a_line_for_each(probed, catalog):
    with (probed[1] / "classes.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = set(catalog.column("product_type").tolist())
    own = [
        line
        for line in lines
        if (line["attribute"], line["probe"], line["row"]) == ("product_type", "mlp", "trained")
    ]
    assert {line["class"] for line in own} <= kinds and len(own) > 5
    splits = with_split(pack(catalog, 96)).catalog
    for line in own:
        here = splits.column("product_type") == line["class"]
        assert int(line["test"]) == (here & (splits.splits == "test")).sum()
        assert int(line["val"]) == (here & (splits.splits == "val")).sum()
        if line["recall@90"]:
            assert float(line["recall@90_low"]) <= float(line["recall@90"]) <= float(line["recall@90_high"])
        if line["threshold@90"] == "inf":
            assert line["recall@90"] in ("", "0") and line["precision@90"] == ""


def test_the_terminal_shows_a_table_for_each_attribute_and_probe(probed):
    output, out = probed
    for attribute in ("view_kind", "product_type"):
        for probe in PROBES:
            assert f"{attribute}, {probe} probe" in output
    assert "recall@95" in output and "trained-untrained" in output
    assert output.splitlines()[-1] == str(out / "classes.csv")


def test_only_the_probes_that_are_wanted(store, catalog):
    report = probe_file(read_embeddings(store), catalog, ["product_type"], probes=["knn"])
    assert {metric.name.split("_")[0] for metric in report.metrics} == {"knn"}
    assert report.markdown().startswith("| product_type, knn,")


def test_vectors_are_matched_by_id_and_photos_without_one_left_out(store, catalog):
    stored = read_embeddings(store)
    kept = stored.take(np.random.default_rng(0).permutation(len(stored))[: len(stored) - 9])
    report = probe_file(kept, catalog, ["product_type"], probes=["knn"])
    assert report.facts["photos without a vector"] == "9"
    in_order = probe_file(stored.take(np.isin(stored.ids, kept.ids)), catalog, ["product_type"], probes=["knn"])
    names = [("trained", f"knn_{name}", "product_type") for name in ("accuracy", "macro_f1", "listing_top_3")]
    assert [report.metric(*name) for name in names] == [in_order.metric(*name) for name in names]


def test_a_pretrained_start_gives_the_row_frozen(run, catalog, tmp_path, tiny_settings):
    from natviews.training import Recipe, train

    warm = train(catalog, Recipe.load("demo", tiny_settings, weights=str(run.encoder)), tmp_path / "run")
    embed_catalog(Encoder.load(warm.encoder), catalog, tmp_path / "e.parquet", location=str(warm.folder))
    report = probe_file(read_embeddings(tmp_path / "e.parquet"), catalog, ["product_type"], probes=["knn"])
    assert report.metric("frozen", "knn_accuracy", "product_type")
    assert report.metric("trained-frozen", "knn_accuracy", "product_type")
    if Encoder.load(warm.start).head is not None:
        assert report.metric("frozen+whitening", "knn_accuracy", "product_type")


def test_perfect_vectors_read_everything_and_beat_the_others(catalog):
    packed = with_split(pack(catalog, 96))
    kinds = np.unique(packed.catalog.column("product_type"), return_inverse=True)[1]
    rng = np.random.default_rng(0)
    vectors = {"noise": rng.normal(size=(len(packed), 12)), "trained": np.eye(kinds.max() + 1)[kinds]}
    metrics, classes = probe_vectors(vectors, packed.catalog, ["product_type"])
    report = AttributeReport(metrics, classes, tuple(PROBES))
    known = np.isin(
        *(packed.catalog.column("product_type")[packed.catalog.splits == split] for split in ("test", "train"))
    )
    for probe in PROBES:
        assert report.metric("trained", f"{probe}_accuracy", "product_type").value == pytest.approx(known.mean())
        assert report.metric("trained-noise", f"{probe}_macro_f1", "product_type").excludes_zero


def test_a_figure_is_written_with_its_interval_and_a_difference_with_signs():
    assert as_text(Metric("trained", "n", "s", 0.5, 0.25, 1.0, 3)) == ".500 [.250, 1.000]"
    assert as_text(Metric("trained-frozen", "n", "s", 0.05, -0.25, 0.1, 3)) == "+.050 [-.250, +.100]"
    assert as_text(None) == ""


@pytest.mark.parametrize(
    ("attributes", "shares", "said"),
    [
        (["patern"], (), "did you mean 'pattern'"),
        (["split_hint"], (), "no column"),
        (["image"], (), "cannot be probed|at most"),
        (["nothing"], (), "cannot be probed with 0 in train"),
        (["product_type"], (1.5,), "above 0 and at most 1"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_a_sentence(store, catalog, attributes, shares, said, monkeypatch):
    monkeypatch.setattr("natviews.report.probing.MOST_CLASSES", 50)
    catalog = catalog.with_column("nothing", np.full(len(catalog), ""))
    with pytest.raises(NatviewsError, match=said):
        probe_file(read_embeddings(store), catalog, attributes, shares=shares)


def test_an_unknown_probe_is_refused(store, catalog_path, tmp_path):
    arguments = ["probe", str(store), str(catalog_path), "--attribute", "pattern", "--kind", "linar"]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, NatviewsError) and "did you mean 'linear'" in str(done.exception)
