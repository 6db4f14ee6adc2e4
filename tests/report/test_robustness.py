"""The robustness of a run: rows, figures, files; and what preparation does to disturbed photos."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from natviews.catalog import pack, with_split
from natviews.cli import app
from natviews.encoders import Encoder
from natviews.report.disturbing import chosen_disturbances
from natviews.report.robustness import BASELINES, CLEAN, Judged, Network, judge_robustness, robustness_of
from natviews.report.robustness_page import curves, markdown, sheets, write_robustness
from natviews.training.measuring import measure
from natviews.types import NatviewsError
from natviews.views import Preparation


@pytest.fixture(scope="module")
def judged_run(run, catalog):
    return robustness_of(run.folder, catalog, chosen_disturbances(["hue", "blur"]))


def test_every_row_has_every_figure_under_every_disturbance(judged_run):
    found, _ = judged_run
    assert found.rows[:2] == ("histogram", "untrained") and "trained" in found.rows
    assert found.baseline == next(row for row in BASELINES if row in found.rows)
    for row in found.rows:
        assert found.metric(row, "recall@1", CLEAN) is not None
        for comparison in found.comparisons:
            for name in ("recall@1", "recall@10", "map@r", "copy@1"):
                assert found.metric(row, name, comparison.disturbance.name) is not None
    difference = f"{found.ours}-{found.baseline}"
    for name in ("recall@1", "additional_recall@p90", "missed_recall@p95"):
        assert found.metric(difference, name, "blur 4.0 px") is not None


def test_the_drop_is_that_of_the_recalls(judged_run):
    found, _ = judged_run
    before, after = (found.metric("histogram", "recall@1", slice).value for slice in (CLEAN, "hue 0.5"))
    assert before > 0
    assert found.metric("histogram", "drop@1", "hue 0.5").value == pytest.approx(1 - after / before)
    assert (
        found.metric("histogram", "drop@1", "blur 1.0 px").value
        < found.metric("histogram", "drop@1", "hue 0.5").value
    )


def test_a_photo_that_is_hardly_disturbed_is_its_own_copy(judged_run):
    found, _ = judged_run
    assert found.metric("untrained", "copy@1", "blur 1.0 px").value > 0.9


def test_an_encoder_of_its_own_is_compared_with_the_histogram(run, catalog, tmp_path):
    Encoder.load(run.encoder).save(tmp_path / "encoder")
    found, _ = robustness_of(tmp_path / "encoder", catalog, chosen_disturbances(["grey"]))
    assert found.baseline == "histogram" and "untrained" not in found.rows


def test_a_seed_is_another_disturbance(run, catalog):
    hue = chosen_disturbances(["perspective"])[2:]
    of = [robustness_of(run.folder, catalog, hue, seed=seed)[0] for seed in (0, 0, 1)]
    values = [found.comparisons[0].answers["histogram"].values["auc"] for found in of]
    assert np.array_equal(values[0], values[1]) and not np.array_equal(values[0], values[2])


def test_the_files_hold_the_same_figures(judged_run, tmp_path):
    found, judged = judged_run
    page = write_robustness(found, judged, tmp_path)
    entries = json.loads((tmp_path / "metrics.json").read_text())
    assert all(set(e) == {"row", "name", "slice", "value", "low", "high", "n"} for e in entries)
    assert len(entries) == len(found.metrics)
    text = page.read_text(encoding="utf-8")
    assert str(found.metric("trained", "recall@1", "hue 0.25")) in text
    assert "| blur 4.0 px * |" in text and "| hue 0.25 |" in text
    drawing = ElementTree.fromstring((tmp_path / "curves.svg").read_text(encoding="utf-8"))
    assert drawing.tag.endswith("svg") and curves(found).count("<polyline") > 20


def test_gains_and_losses_are_shown_with_what_either_found(catalog):
    packed = with_split(pack(catalog, 96))
    packed = packed.take(packed.catalog.splits == "train")
    judged = Judged(packed, packed)

    products = np.unique(packed.catalog.product_ids, return_inverse=True)[1]
    perfect = np.eye(products.max() + 1, dtype=np.float32)[products]
    asking = measure(perfect, packed.catalog).rows

    class Knowing(Network):
        """Knows every photo's product, whatever is done to it."""

        def rows(self, photos):
            return {"trained": perfect[[next(coming) for _ in photos]]}

    # The clean photos come first, then the queries; a network is asked a batch at a time.
    coming = iter([*range(len(packed)), *asking.tolist()])

    knowing = Knowing(Encoder.create(architecture()), "trained", "")
    found = judge_robustness(judged, [knowing], chosen_disturbances(["hue"])[2:])
    assert found.metric("trained", "recall@1", "hue 0.5").value == 1
    additional = found.comparisons[0].additional[0.9]
    assert additional.gained.mean() > 0.5 and not additional.lost.any()
    made = sheets(found, judged)
    assert set(made) == {"hue-gained"} and made["hue-gained"].shape[0] > 400
    assert "| hue 0.5 | 90% | 1.000 |" in markdown(found)


def test_a_disturbed_photo_is_prepared_as_its_encoder_wants(catalog):
    originals = with_split(pack(catalog, 192))
    hue, rows = chosen_disturbances(["hue"])[0], np.arange(4)
    plain = Judged(originals, originals)
    prepared = replace(plain, preparation=Preparation(text_cards="keep"))
    for one, other in zip(plain.disturbed(rows, hue, 0), prepared.disturbed(rows, hue, 0), strict=True):
        assert other.shape[0] == other.shape[1] <= max(one.shape) // 2


def test_where_no_product_has_two_photos_there_is_nothing_to_find(catalog):
    packed = with_split(pack(catalog, 96))
    first = np.array([rows[0] for rows in packed.catalog.products.values()])
    lone = packed.take(np.sort(first))
    network = Network(Encoder.create(architecture()), "trained", "")
    with pytest.raises(NatviewsError, match="two photos"):
        judge_robustness(Judged(lone, lone), [network], chosen_disturbances(["grey"]))


def architecture():
    from natviews.encoders import Architecture

    return Architecture(name="small", size=32, options={"width": 16})


def test_the_command_writes_its_table_and_refuses_an_unknown_kind(run, catalog_path, tmp_path):
    arguments = ["robustness", str(run.folder), str(catalog_path), "--out", str(tmp_path), "--only"]
    done = CliRunner().invoke(app, [*arguments, "grey"])
    assert done.exit_code == 0 and str(tmp_path / "robustness.md") in done.output
    assert isinstance(CliRunner().invoke(app, [*arguments, "fog"]).exception, NatviewsError)
