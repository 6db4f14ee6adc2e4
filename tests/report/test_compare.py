"""Runs side by side: the figures are those of the photos that both were asked, and nothing else is compared."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from natviews.cli import app
from natviews.evaluation import Judging, means_with_intervals, retrieval
from natviews.report.compare import compare, names_of, settings_of
from natviews.report.compare_page import comparison_page, write_comparison
from natviews.report.queries import FILE, Queries
from natviews.types import Embeddings, NatviewsError, Provenance


def vectors_of(products, noise, seed):
    """Unit vectors (N, 16) around a direction for each product."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(products.max() + 1, 16))
    vectors = centre[products] + noise * rng.normal(size=(len(products), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three folders: a good run, a worse one and one much like it, judged on the same 120 photos."""
    out = tmp_path_factory.mktemp("runs")
    for name, noise, seed in (("good", 0.5, 1), ("worse", 1.8, 2), ("likewise", 1.8, 3)):
        queries_of(noise, seed, recipe=f"method: {{name: {name}}}\nseed: {seed}").write(out / name)
    return out


def queries_of(noise, seed, recipe="", within="", catalog="digest"):
    products = np.repeat(np.arange(40), 3)
    ids = np.array([f"{i}.jpg" for i in range(len(products))])
    names = np.char.add("p", products.astype(str))
    made_by = Provenance("")
    answers = {
        row: retrieval(
            Embeddings(ids, names, vectors_of(products, n, s), made_by), Judging.everyone(names), row=row
        )
        for row, n, s in (("histogram", 3.0, 9), ("frozen", 1.2, 8), ("trained", noise, seed))
    }
    asked = ids[answers["trained"].rows]
    return Queries("natviews: shop, test", catalog, within, f"encoder {seed}", recipe, asked, answers)


def bounds(metric):
    return metric.value, metric.low, metric.high


def test_what_was_kept_is_what_was_found(tmp_path):
    kept = queries_of(0.5, 1, "recipe", "shop")
    kept.write(tmp_path)
    read = Queries.read(tmp_path)
    assert (read.title, read.catalog, read.within, read.encoder, read.recipe) == (
        "natviews: shop, test", "digest", "shop", "encoder 1", "recipe",
    )  # fmt: skip
    assert read.ids.tolist() == kept.ids.tolist() and list(read.answers) == list(kept.answers)
    for row, answer in kept.answers.items():
        assert read.answers[row].metrics() == answer.metrics()


def test_paired_figures_are_those_of_the_photos_both_were_asked(folders):
    found = compare([folders / "good", folders / "worse"])
    good, worse = queries_of(0.5, 1).answers["trained"], queries_of(1.8, 2).answers["trained"]
    assert found.pairs == [("worse", "good")]
    by_hand = {name: worse.values[name] - good.values[name] for name in ("recall@1", "map@r", "auc")}
    wanted = means_with_intervals(by_hand, good.products, row="worse minus good")
    for metric in wanted:
        ours = found.metric("worse minus good", metric.name)
        assert bounds(ours) == pytest.approx(bounds(metric), abs=1e-12) and ours.n == metric.n == 120
        other_way = found.difference("good", "worse", metric.name)
        assert bounds(other_way) == (-ours.value, -ours.high, -ours.low)
    for metric in good.metrics():
        assert found.metric("good", metric.name) == replace(metric, row="good")
    assert found.metric("worse minus good", "d_prime").value == pytest.approx(
        found.metric("worse", "d_prime").value - found.metric("good", "d_prime").value
    )


def test_the_best_run_is_named_only_where_it_is_told_apart(folders):
    found = compare([folders / "worse", folders / "good", folders / "likewise"])
    assert (
        found.ranked[0] == "good" and found.outcome == "won" and found.verdict().startswith("good is better than")
    )
    assert len(found.pairs) == 3 and "by chance" in comparison_page(found)
    alike = compare([folders / "worse", folders / "likewise"])
    assert alike.outcome == "unclear" and "cannot be told apart by MAP@R" in alike.verdict()
    assert "by chance" not in comparison_page(alike)


def test_each_run_stands_beside_the_strongest_that_it_had_to_beat(folders):
    found = compare([folders / "good", folders / "worse"])
    queries = queries_of(0.5, 1).answers
    assert found.baselines["good"].row == found.baselines["worse"].row == "frozen"
    difference = queries["trained"].values["map@r"] - queries["frozen"].values["map@r"]
    [wanted] = means_with_intervals({"map@r": difference}, queries["trained"].products, row="trained-frozen")
    assert (
        bounds(found.gains["good"]) == pytest.approx(bounds(wanted), abs=1e-12) and found.gains["worse"].value < 0
    )


def without_the_first(answer):
    values = {name: per_query[1:] for name, per_query in answer.values.items()}
    moments = (answer.moments[0][1:],)
    return replace(answer, rows=answer.rows[1:], products=answer.products[1:], values=values, moments=moments)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"catalog": "another"}, "were not judged on the same photos"),
        ({"within": "seller"}, "within seller"),
    ],
)
def test_runs_that_were_judged_on_other_photos_are_refused(folders, tmp_path, other, said):
    queries_of(0.5, 1, **other).write(tmp_path / "other")
    with pytest.raises(NatviewsError, match=said):
        compare([folders / "good", tmp_path / "other"])
    some = queries_of(0.5, 1)
    answers = {row: without_the_first(answer) for row, answer in some.answers.items()}
    replace(some, ids=some.ids[1:], answers=answers).write(tmp_path / "fewer")
    with pytest.raises(NatviewsError, match="119 queries"):
        compare([folders / "good", tmp_path / "fewer"])


def test_what_cannot_be_compared_is_said_in_a_sentence(folders, tmp_path):
    with pytest.raises(NatviewsError, match="two folders or more"):
        compare([folders / "good"])
    with pytest.raises(NatviewsError, match="given twice"):
        compare([folders / "good", folders / "worse" / ".." / "good"])
    with pytest.raises(NatviewsError, match=f"There is no {FILE} in .*`natviews evaluate`"):
        compare([folders / "good", tmp_path])
    (tmp_path / FILE).write_bytes(b"PAR1 and no more")
    with pytest.raises(NatviewsError, match="is damaged"):
        compare([folders / "good", tmp_path])


def test_folders_of_one_name_are_told_apart(tmp_path):
    assert names_of([tmp_path / "a" / "run", tmp_path / "b" / "run"]) == ["a/run", "b/run"]
    assert names_of([tmp_path / "a" / "run", tmp_path / "b"]) == ["run", "b"]


def test_only_settings_that_differ_are_listed():
    recipes = {"a": "# x\nmethod: {name: simclr, t: 0.1}\nseed: 0", "b": "method: {name: byol}\nseed: 0"}
    found = {setting.name: setting.values for setting in settings_of(recipes)}
    assert found == {"method.name": ["simclr", "byol"], "method.t": ["0.1", ""]}
    assert settings_of({"a": recipes["a"], "b": ""}) == []


def test_the_page_shows_every_section_and_asks_for_nothing(folders, tmp_path):
    found = compare([folders / "good", folders / "worse"])
    text = write_comparison(found, tmp_path).read_text(encoding="utf-8")
    for section in ("figures", "differences", "baselines", "settings", "facts"):
        assert f'id="{section}"' in text
    assert "worse minus good" in text and "<script" not in text
    assert not any(word in text for word in ("http:", "https:", "url(", "@import", "<link"))
    bare = comparison_page(replace(found, gains={}, baselines={}, settings=[], facts={}))
    assert 'id="baselines"' not in bare and 'id="settings"' not in bare and 'id="facts"' not in bare
    entries = json.loads((tmp_path / "metrics.json").read_text())
    assert {entry["row"] for entry in entries} == {"good", "worse", "worse minus good"}


def test_the_command_prints_the_figures_and_names_itself_on_the_page(folders, tmp_path, monkeypatch):
    arguments = ["compare", str(folders / "good"), str(folders / "worse"), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["natviews", *arguments])
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "worse minus good" in done.output and done.output.splitlines()[-1] == str(tmp_path / "compare.html")
    assert f"natviews compare {folders / 'good'}" in (tmp_path / "compare.html").read_text(encoding="utf-8")
