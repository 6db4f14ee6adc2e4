import json
import re
from dataclasses import replace

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.encoders import Encoder, embed_catalog
from natviews.index import read_embeddings
from natviews.report import write_metrics, write_report
from natviews.report.compare import compare
from natviews.report.judge import evaluate, evaluate_file, report_on_run
from natviews.report.queries import Queries
from natviews.report.slices import PER_PRODUCT, Slices
from natviews.report.terminal import print_report
from natviews.types import Embeddings, Metric, NatviewsError, Provenance


@pytest.fixture(scope="module")
def stored(run, catalog, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "e.parquet"
    embed_catalog(Encoder.load(run.encoder), catalog, path, location=str(run.folder))
    return read_embeddings(path)


def test_every_baseline_has_its_row_and_a_paired_difference(stored, catalog):
    report = evaluate_file(stored, catalog, split="test", slices=Slices())
    baselines = {"histogram", "untrained"}
    assert baselines | {"trained"} <= set(report.rows)
    for name in baselines:
        difference = report.metric(f"trained-{name}", "recall@1")
        expected = report.metric("trained", "recall@1").value - report.metric(name, "recall@1").value
        assert difference.value == pytest.approx(expected)
        assert difference.low <= difference.value <= difference.high


def test_a_pretrained_start_gives_the_rows_frozen_and_whitened(run, catalog, stored, tmp_path, tiny_settings):
    from natviews.training import Recipe, train

    warm = train(catalog, Recipe.load("demo", tiny_settings, weights=str(run.encoder)), tmp_path)
    report = report_on_run(warm, catalog)
    assert {"histogram", "untrained", "frozen", "trained"} <= set(report.rows)
    frozen = Encoder.load(warm.start)
    if frozen.head is not None:
        assert "frozen+whitening" in report.rows
    trained_before = Encoder.load(run.encoder)
    photo = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    for ours, theirs in zip(frozen.features([photo]), trained_before.features([photo]), strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)


def test_perfect_vectors_beat_everything_and_random_ones_are_told_apart_from_it(catalog):
    packed = with_split(pack(catalog, 96))
    packed = packed.take(packed.catalog.splits == "test")
    products = np.unique(packed.catalog.product_ids, return_inverse=True)[1]
    perfect = np.eye(products.max() + 1, dtype=np.float32)[products]
    made_by = Provenance("hand-made")
    ids, names = packed.catalog.ids, packed.catalog.product_ids
    report = evaluate(Embeddings(ids, names, perfect, made_by), packed, run=None, slices=Slices(), title="perfect")
    assert report.metric("trained", "map@r").value == 1 and report.outcome() == "won"
    assert "Training beat the best baseline" in report.verdict()
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(ids), 32))
    noise = (noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(np.float32)
    report = evaluate(Embeddings(ids, names, noise, made_by), packed, run=None, slices=Slices(), title="noise")
    assert report.metric("trained", "auc").value == pytest.approx(0.5, abs=0.06)
    assert report.outcome() != "won"


def test_vectors_are_matched_by_id_not_by_place(stored, catalog):
    shuffled = stored.take(np.random.default_rng(0).permutation(len(stored)))
    expected = evaluate_file(stored, catalog, split="test", slices=Slices())
    report = evaluate_file(shuffled, catalog, split="test", slices=Slices())
    assert report.metric("trained", "map@r").value == expected.metric("trained", "map@r").value


def test_photos_without_a_vector_are_counted_and_strangers_refused(stored, catalog):
    report = evaluate_file(stored.take(np.arange(len(stored)) % 7 != 3), catalog, split="test", slices=Slices())
    assert int(report.facts["photos without a vector"]) > 0
    strangers = Embeddings(np.char.add("x", stored.ids), stored.product_ids, stored.vectors, stored.made_by)
    with pytest.raises(NatviewsError, match="another catalogue"):
        evaluate_file(strangers, catalog, split="test", slices=Slices())


def test_slices_judge_parts_of_the_photos(stored, catalog):
    slices = Slices(by="product_type", within="marketplace")
    report = evaluate_file(stored, catalog, split="test", slices=slices)
    parts = [name for name in report.slices if name.startswith("product_type=")]
    assert len(parts) > 3
    total = sum(report.metric("trained", "recall@1", name).n for name in parts)
    assert total == report.metric("trained", "recall@1").n


def test_a_condition_that_nothing_fulfils_names_what_there_is(stored, catalog):
    with pytest.raises(NatviewsError, match=r"view_kind=frnt; there are: .*front"):
        evaluate_file(stored, catalog, split="test", slices=Slices(query=("view_kind", "frnt")))


def test_query_and_gallery_restrict_who_asks_and_who_answers(stored, catalog):
    slices = Slices(query=("view_kind", "front"), gallery=("view_kind", "angle"))
    report = evaluate_file(stored, catalog, split="test", slices=slices)
    name = "view_kind=front -> view_kind=angle"
    assert 0 < report.metric("trained", "recall@1", name).n < report.metric("trained", "recall@1").n


def test_the_written_figures_follow_the_contract(stored, catalog, tmp_path):
    page = write_report(evaluate_file(stored, catalog, split="test", slices=Slices()), tmp_path)
    entries = json.loads((tmp_path / "metrics.json").read_text())
    assert all(set(e) == {"row", "name", "slice", "value", "low", "high", "n"} for e in entries)
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


def test_worst_examples_are_wrong_and_best_are_right(stored, catalog):
    report = evaluate_file(stored, catalog, split="test", slices=Slices())
    assert report.best[0].average_precision >= report.worst[0].average_precision
    assert not report.worst[0].right[0]
    assert len({e.query.product_id for e in report.worst}) == len(report.worst)
    for example in [*report.best, *report.worst]:
        assert example.scores == sorted(example.scores, reverse=True)
        own = [shown.product_id == example.query.product_id for shown in example.found]
        assert own == example.right


@pytest.fixture(scope="module")
def coloured(catalog):
    """The catalogue with a colour and a cut of each product, and designs that come in two colours."""
    product = np.unique(catalog.product_ids, return_inverse=True)[1]
    design = np.char.add("design ", (product // 2).astype(str))
    colour = np.where(product % 2 == 0, "red", "blue")
    return (
        catalog.with_column("hue", colour)
        .with_column("cut", (product % 5).astype(str))
        .with_column("model", design)
    )


def test_colour_is_told_beside_style_and_designs_find_their_other_colours(stored, coloured, tmp_path):
    slices = Slices(colour="hue", style="cut", design="model")
    report = evaluate_file(stored, coloured, split="train", slices=slices)
    names = {m.name.split("@")[0] for m in report.metrics if m.slice == "clusters"}
    assert {"colour_entropy_weighted", "colour_information", "style_information", "style_purity"} <= names
    rows = {m.row for m in report.metrics if m.slice == "clusters"}
    assert {"trained", "trained, permuted", "histogram", "histogram, permuted"} <= rows
    variants = report.metric("trained", "recall@1", "colour variants")
    assert 0 < variants.n <= len(coloured) and report.metric("trained-histogram", "map@r", "colour variants")
    page = write_report(report, tmp_path).read_text(encoding="utf-8")
    assert "colour variants" in page and "style_information" in page
    print_report(report)


def test_colour_without_style_is_refused_and_so_is_a_column_that_is_not_there(stored, coloured):
    for one in ({"colour": "hue"}, {"style": "cut"}):
        with pytest.raises(NatviewsError, match="--colour and --style both"):
            Slices(**one)
    Slices(colour="hue", design="model")
    with pytest.raises(NatviewsError, match="no column 'color'"):
        evaluate_file(stored, coloured, split="test", slices=Slices(colour="color", style="cut"))


def test_figures_per_product_count_each_product_once(stored, catalog):
    report = evaluate_file(stored, catalog, split="test", slices=Slices())
    per_product, per_query = (report.metric("trained", "map@r", name) for name in (PER_PRODUCT, "all"))
    assert per_product.n < per_query.n
    assert report.metric("trained-histogram", "map@r", PER_PRODUCT).n == per_product.n


def sections_of(report, folder):
    page = write_report(report, folder)
    assert page.stat().st_size < 8_000_000
    return set(re.findall(r'<section id="(\w+)"', page.read_text(encoding="utf-8")))


def test_a_run_is_judged_with_all_that_is_known_of_it(run, catalog, stored, tmp_path):
    robustness = run.folder / "robustness" / "metrics.json"
    measured = [Metric("trained", "recall@1", slice, 0.4, 0.3, 0.5, 9) for slice in ("clean", "grey whole")]
    write_metrics(measured, robustness)
    try:
        report = evaluate_file(stored, catalog, split="test", slices=Slices(colour="colour", style="pattern"))
    finally:
        robustness.unlink()
    assert {"map", "best", "middle", "worst", "clusters", "saliency", "robustness", "facts"} <= sections_of(
        report, tmp_path
    )
    assert report.robustness == measured and report.facts["recipe"] == run.plan
    assert report.facts["encoder"] == Encoder.load(run.encoder).digest() and "torch" in report.facts["judged by"]
    sims = dict(zip(stored.ids.tolist(), stored.vectors, strict=True))
    for pair in report.saliency:
        expected = float(sims[pair.photo.id] @ sims[pair.other.id])
        assert pair.similarity == pytest.approx(expected, abs=1e-3)


def test_of_vectors_from_elsewhere_only_what_is_known_is_shown(stored, catalog, tmp_path):
    elsewhere = replace(stored, made_by=Provenance("hand-made"))
    sections = sections_of(evaluate_file(elsewhere, catalog, split="test", slices=Slices()), tmp_path)
    assert not sections & {"saliency", "robustness", "clusters", "curves"} and {"map", "middle"} <= sections
    another = replace(stored, made_by=replace(stored.made_by, encoder="another digest"))
    assert evaluate_file(another, catalog, split="test", slices=Slices()).saliency == []


def test_usual_answers_are_next_to_the_median_and_of_other_products(stored, catalog):
    report = evaluate_file(stored, catalog, split="train", slices=Slices())
    products = [[e.query.product_id for e in each] for each in (report.best, report.middle, report.worst)]
    assert len(products[1]) == 6 and not set(products[1]) & {*products[0], *products[2]}
    values = report.queries.answers["trained"].values["map@r"]
    off = [abs(e.average_precision - np.median(values)) for e in report.middle]
    assert off == sorted(off) and off[0] <= np.quantile(np.abs(values - np.median(values)), 0.5)


def test_a_tiny_catalogue_without_types_has_no_empty_section(catalog, tmp_path):
    packed = with_split(pack(catalog, 96))
    several = [rows[:2] for rows in packed.catalog.products.values() if len(rows) > 1][:3]
    packed = packed.take(np.concatenate(several))
    bare = packed.catalog.table.drop_columns(["product_type"])
    packed = packed.with_catalog(replace(packed.catalog, table=bare))
    ids, names = packed.catalog.ids, packed.catalog.product_ids
    vectors = np.eye(6, dtype=np.float32)
    report = evaluate(
        Embeddings(ids, names, vectors, Provenance("x")), packed, run=None, slices=Slices(), title=""
    )
    assert sections_of(report, tmp_path) <= {"figures", "slices", "best", "middle", "worst", "catalogue", "facts"}
    assert report.map is None and report.quadrants is None


def test_runs_and_evaluations_of_the_same_photos_can_be_compared(run, stored, catalog, tmp_path):
    validation, judged = report_on_run(run, catalog), evaluate_file(stored, catalog, split="val", slices=Slices())
    for name, report in (("run", validation), ("evaluation", judged)):
        write_report(report, tmp_path / name)
    kept = Queries.read(tmp_path / "run").answers["trained"]
    assert np.array_equal(kept.values["map@r"], validation.queries.answers["trained"].values["map@r"])
    found = compare([tmp_path / "run", tmp_path / "evaluation"])
    assert found.metric("run", "map@r").value == validation.metric("trained", "map@r").value
    assert found.metric("evaluation minus run", "map@r").value == pytest.approx(0, abs=0.02)
    write_report(evaluate_file(stored, catalog, split="test", slices=Slices()), tmp_path / "test")
    with pytest.raises(NatviewsError, match="not judged on the same photos"):
        compare([tmp_path / "run", tmp_path / "test"])
