"""The three sources' studies: what they train, what they say, and that no declared figure is never measured."""

import csv
import json
import re

import numpy as np
import pytest

from natviews.catalog import Catalog, pack, with_split
from natviews.encoders import Encoder
from natviews.evaluation import intervals
from natviews.studies import STUDIES, Asked, cells, design, mercari, sea, skill
from natviews.studies.answers import Answers, Judged
from natviews.studies.arms import Arm, Judging, cells_of
from natviews.studies.drawn import drawn_marketplaces
from natviews.studies.expected import VERDICT_COLUMNS
from natviews.studies.looks import LOOKS
from natviews.studies.seen import Seen
from natviews.training import Recipe, features_of
from natviews.types import NatviewsError

TINY = (
    "encoder.size=32", "views.size=32", "training.batch=16", "training.precision=float32", "training.measures=1",
    "training.warmup_epochs=0",
)  # fmt: skip
SOURCES = {"mercari": mercari, "skill": skill, "sea": sea}


@pytest.fixture(scope="module")
def whole(catalog):
    return with_split(pack(catalog, 64)).catalog


@pytest.fixture(scope="module")
def measurable(run, whole):
    """Everything that a trained cell is judged by, taken from a tiny one."""
    packed = with_split(pack(whole.with_column("item", np.char.add("item ", whole.column("design_id"))), 64))
    markets = np.where(np.arange(len(packed)) % 2 == 0, "ours", "theirs")
    packed = packed.with_catalog(packed.catalog.with_column("marketplace", markets))
    encoder = Encoder.load(run.encoder)
    features = features_of(encoder, packed, "features")
    read = ["pattern", "sleeve", "colour", "product_type"]
    found = cells.answers_of(features, packed, encoder.head, read)
    seen = Seen(features, packed, encoder, encoder.head, read, run.curves(), 500)
    for look in LOOKS.values():
        found |= look(seen)
    return set(found)


def declared(name, whole, **further):
    """A study's design, as it is made for a catalogue."""
    asked = Asked(seeds=2, epochs=1, settings=TINY, vectors=500, **further)
    if name == "mercari":
        made = mercari.cells_of_study(mercari.arms(200, ""), ("pattern",), asked, 200)
        return mercari._design(made, ("pattern",), whole)
    if name == "skill":
        made = cells_of(skill.arms(200, asked.networks, by_type=True), Judging(("probes",)), asked, 1)
        return skill._design(made, whole, asked)
    return sea._design(cells_of(sea.arms(200), Judging(("disturbed",)), asked, 1), whole, asked)


@pytest.mark.parametrize("name", SOURCES)
def test_whatever_is_declared_is_measured(name, whole, measurable):
    plan = declared(name, whole)
    rows = {cell.row for cell in plan.cells} | {sea.BOTH}
    sides = [side for each in plan.expected for side in (*each.more, *each.less)]
    sides += [s for d in plan.drawings for lines in d.panels.values() for p in lines.values() for s in p.values()]
    kinds = {side.kind for side in sides} | {kind for t in plan.tables for kind in t.columns.values()}
    assert {side.row for side in sides} <= rows
    derived = {kind for kind in kinds if kind[1] in ("additional_recall", "missed_recall")}
    tasks = {kind for kind in kinds if kind[0].startswith(("linear ", "mlp "))}  # as the catalogue allows
    assert kinds - derived - tasks <= measurable
    assert tasks <= measurable | {kind for kind in tasks if "hard goods" in kind[0]}
    for each in plan.tables:
        assert set(each.rows) <= rows


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mercari", {f"{m}, {p}" for m in mercari.METHODS for p in ("natural", "augmented", "both")}
         | {mercari.ALONE, mercari.BEGUN, mercari.SHORT, *mercari.SHARES, mercari.LABELS}),
        ("skill", {"byol", "simclr", "dino", skill.FULL, skill.NO_LOCAL, skill.NO_PREPARATION, skill.WEAK}),
        ("sea", {"siamese", sea.PLAIN, sea.ALL, *(f"moco, {name}" for name in sea.AUGMENTATIONS)}),
    ],
)  # fmt: skip
def test_the_cells_are_those_of_the_source_with_baselines(name, wanted, whole):
    made = declared(name, whole).cells
    assert {cell.row for cell in made} == wanted | {"histogram", "untrained"}
    assert len({cell.folder for cell in made}) == len(made) == 2 * (len(wanted) + 1) + 1
    for cell in made:
        if isinstance(cell.made_by, Recipe):
            assert cell.made_by.training.seed == cell.seed and cell.made_by.encoder.size == 32


def test_arms_differ_in_what_they_say_alone():
    of = {arm.row: arm.recipe for arm in skill.arms(200, "shared", by_type=True)}
    assert of[skill.FULL] | {"encoder": of[skill.NO_PREPARATION]["encoder"]} == of[skill.NO_PREPARATION]
    assert ["preparation" in of[row]["encoder"] for row in (skill.FULL, skill.NO_PREPARATION)] == [True, False]
    for row in (skill.NO_LOCAL, skill.WEAK):
        name = {"name": of[row]["views"]["name"]}
        assert of[skill.FULL] | {"views": of[skill.FULL]["views"] | name} == of[row]
    assert [of[row]["pairing"] for row in ("byol", "simclr", "dino", "skill")] == ["augmented"] * 3 + ["natural"]
    own = {arm.row: arm.recipe["encoder"]["name"] for arm in skill.arms(200, "own", by_type=False)}
    assert own["byol"] == own["simclr"] == "small" and own["dino"] == own["skill"] == "vit_tiny_patch16_224"
    shop = {arm.row: arm.recipe for arm in sea.arms(200)}
    policies = {row: Recipe.of(recipe).policy() for row, recipe in shop.items()}
    assert len(policies[sea.PLAIN].every) == 1 and not policies[sea.PLAIN].one_side
    together = [op for name in sea.AUGMENTATIONS for op in policies[f"moco, {name}"].every[1:]]
    assert set(together) == set(policies[sea.ALL].every[1:])
    assert policies["moco, collage"].one_side == policies[sea.ALL].one_side


def test_shares_of_the_products_take_as_many_steps():
    made = cells_of(mercari.arms(200, ""), Judging(()), Asked(seeds=1, epochs=4, only=["moby"]), 1)
    epochs = {cell.row: cell.made_by.training.epochs for cell in made if isinstance(cell.made_by, Recipe)}
    assert epochs["moby, a quarter of the products"] == 16 and epochs["moby, half of the products"] == 8
    assert epochs[mercari.SHORT] == pytest.approx(4 / 3) and epochs[mercari.MAIN] == epochs[mercari.BEGUN] == 4
    assert {row.split(",")[0] for row in epochs} == {"moby"}


@pytest.mark.parametrize("photos", [2600, 6400])
def test_a_queue_is_as_long_for_a_share_of_the_products_as_for_a_shop_of_that_many(photos):
    queues = {arm.row: arm.recipe["method"]["queue"] for arm in mercari.arms(photos, "") if arm.name == "moby"}
    for row, share in {mercari.MAIN: 1, **mercari.SHARES}.items():
        assert queues[row] <= share * photos / 10, row
    assert queues[mercari.QUARTER] < queues[mercari.HALF] < queues[mercari.MAIN]


def test_a_share_is_of_the_training_products_and_smaller_ones_lie_in_larger(whole):
    small, large = (cells.part_of(whole, share) for share in (0.25, 0.5))
    for part in (small, large):
        assert (part.splits != "train").sum() == (whole.splits != "train").sum()
    products = [set(part.part("train").products) for part in (small, large, whole)]
    assert products[0] < products[1] < products[2] and 0.3 < len(products[1]) / len(products[2]) < 0.7


def made_up(plan, kinds):
    """Answers for every cell: the later the row, the better, and one cell that could not be trained."""
    rng, photos = np.random.default_rng(0), np.array([f"{i}.jpg" for i in range(30)])
    products = np.repeat(np.arange(10).astype(str), 3)
    rows = list(dict.fromkeys(cell.row for cell in plan.cells))

    def answers(cell):
        base = rows.index(cell.row) / len(rows)
        return {kind: Answers(photos, products, base + 0.01 * rng.random(30)) for kind in kinds}

    made = {cell: Judged(answers(cell), 12.0, 0.5) for cell in plan.cells[:-1]}
    return made, {plan.cells[-1]: "The loss became nan."}


@pytest.mark.parametrize("name", SOURCES)
def test_page_tables_and_files_say_the_same(name, whole, measurable, tmp_path, monkeypatch):
    plan = declared(name, whole)
    monkeypatch.setattr(intervals, "DRAWS", 50)
    monkeypatch.setattr(design, "finish_all", lambda *_, **__: made_up(plan, measurable))
    found = design.carry_out(plan, whole, tmp_path, Asked(command="natviews study THIS"))
    page = found.write(tmp_path).read_text()
    said = json.loads((tmp_path / f"{name}.json").read_text())
    assert said["command"] in page and list(said["failed"].values()) == ["The loss became nan."]
    assert "The loss became nan." in page
    with (tmp_path / f"{name}-verdicts.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == VERDICT_COLUMNS and len(lines) == len(said["verdicts"]) == len(plan.expected)
    for line, verdict in zip(lines, said["verdicts"], strict=True):
        assert (line["expected"], line["verdict"]) == (verdict["expected"], verdict["verdict"])
        shown = rf"^\| {re.escape(verdict['expected'])}.*\*\*{verdict['verdict']}\*\* \|$"
        assert bool(re.search(shown, page, re.MULTILINE)) == (verdict["verdict"] != "not measured")
    with (tmp_path / f"{name}.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(said["figures"])
    for drawing in plan.drawings:
        assert f"{name}-{drawing.name}.svg" in page
        assert (tmp_path / f"{name}-{drawing.name}.svg").read_text().startswith("<svg")
    for each in plan.tables:
        if each.heading in page:
            part = page.split(f"## {each.heading}\n")[1].split("\n## ")[0]
            heading = next(line for line in part.splitlines() if line.startswith("|  |"))
            assert [c.strip() for c in heading.split("|")[2:-1]] == [
                c for c, kind in each.columns.items() if kind in measurable or kind[1].endswith("_recall")
            ]


def test_verdicts_follow_the_answers(whole, measurable, tmp_path, monkeypatch):
    """Rows come in the order of the arms: what is made up favours the later ones."""
    plan = declared("skill", whole)
    monkeypatch.setattr(design, "finish_all", lambda *_, **__: made_up(plan, measurable))
    said = {v.expected.said: v.word for v in design.carry_out(plan, whole, tmp_path, Asked()).verdicts}
    assert said["SkiLL finds products better than untrained (MAP@R)"] == "holds"  # skill comes after
    assert said["Colour changes raise colour entropy (full over weak)"] == "does not hold"  # weak comes last
    assert said["dress pattern: SimCLR beats BYOL (linear, Acc)"] == "holds"


def test_a_source_is_studied_from_end_to_end_and_found_again(catalog, tmp_path, pool, monkeypatch):
    monkeypatch.setattr(cells, "ProcessPoolExecutor", pool)
    asked = Asked(seeds=1, epochs=1, only=["siamese"], settings=TINY, vectors=500, command="natviews study sea")
    page = STUDIES["sea"].carry_out(catalog, tmp_path, asked).read_text()
    assert "| siamese |" in page and "| untrained |" in page and "## Memory" in page
    said = json.loads((tmp_path / "sea.json").read_text())
    assert said["measured"]["memory"]["moco_bytes"] < said["measured"]["memory"]["simclr_bytes"]
    monkeypatch.setattr(cells, "ProcessPoolExecutor", None)
    assert STUDIES["sea"].carry_out(catalog, tmp_path, asked).read_text() == page


def test_a_crowd_of_none_is_refused_before_anything_is_trained(catalog, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(sea, "carry_out", lambda *_: pytest.fail("it went on"))
    count = len(whole.part("test"))
    with pytest.raises(NatviewsError, match=f"the {count} photos of the split test; give at least {count + 1}"):
        STUDIES["sea"].carry_out(catalog, tmp_path, Asked(vectors=count, settings=TINY))


def test_on_networks_of_their_own_skill_is_held_against_its_own_network_untrained(
    whole, measurable, tmp_path, monkeypatch
):
    plan = declared("skill", whole, networks="own")
    rows = {cell.row for cell in plan.cells}
    untrained = {"untrained, small", "untrained, vit_tiny_patch16_224"}
    assert untrained < rows
    assert {side.row for each in plan.expected for side in (*each.more, *each.less)} <= rows
    [probes, *_] = plan.tables
    assert untrained < set(probes.rows) <= rows
    monkeypatch.setattr(intervals, "DRAWS", 50)
    monkeypatch.setattr(design, "finish_all", lambda *_, **__: made_up(plan, measurable))
    said = {v.expected.said: v for v in design.carry_out(plan, whole, tmp_path, Asked()).verdicts}
    verdict = said["SkiLL finds products better than untrained (MAP@R)"]
    assert verdict.word == "holds" and verdict.expected.less[0].row == "untrained, vit_tiny_patch16_224"


def test_what_could_not_be_held_against_a_row_is_said_with_its_name(whole, measurable, tmp_path, monkeypatch):
    plan = declared("skill", whole)
    monkeypatch.setattr(intervals, "DRAWS", 50)
    made, failed = made_up(plan, measurable)
    kept = {cell: judged for cell, judged in made.items() if cell.row not in ("byol", "untrained")}
    monkeypatch.setattr(design, "finish_all", lambda *_, **__: (kept, failed))
    page = design.carry_out(plan, whole, tmp_path, Asked()).write(tmp_path).read_text()
    part = page.split("## Not measured\n")[1].split("\n## ")[0]
    assert "- SkiLL finds products better than untrained (MAP@R): there is no row *untrained*" in part
    assert "- dress pattern: SimCLR beats BYOL (linear, Acc): there is no row *byol*" in part
    assert "SkiLL has the highest colour entropy" not in part


def test_training_on_labels_answers_for_all_labels_and_for_few(whole, tmp_path):
    recipe = Asked(settings=TINY).recipe(mercari.arms(200, "")[6].recipe, 0, 1)
    judged = mercari.OnLabels("labels", 0, recipe, (), ("pattern",)).judge(whole, tmp_path)
    assert {("probe", "pattern"), ("1% of labels", "pattern")} == set(judged.answers) and judged.seconds > 0
    test = whole.part("test")
    few, every = judged.answers["1% of labels", "pattern"], judged.answers["probe", "pattern"]
    assert few.photos.tolist() == every.photos.tolist() == test.ids[test.column("pattern") != ""].tolist()
    assert few.values.mean() < every.values.mean()


def test_two_marketplaces_are_one_catalogue_with_what_they_share(tmp_path):
    path = drawn_marketplaces(tmp_path, 20)
    catalog = Catalog.open(path)
    items = catalog.column("item")
    shared = {i: set(catalog.column("marketplace")[items == i]) for i in set(items.tolist()) - {""}}
    assert len(shared) == 10 and all(markets == {"ours", "theirs"} for markets in shared.values())
    assert len(catalog.products) == 40 and catalog.photos[0].path.is_file()
    before = path.stat().st_mtime_ns
    assert drawn_marketplaces(tmp_path, 20) == path and path.stat().st_mtime_ns == before


def test_mistakes_are_named(catalog, tmp_path):
    with pytest.raises(NatviewsError, match="did you mean 'siamese'"):
        STUDIES["sea"].carry_out(catalog, tmp_path, Asked(only=["siamise"]))
    with pytest.raises(NatviewsError, match="'weather' cannot be probed"):
        STUDIES["skill"].carry_out(catalog, tmp_path, Asked(attributes=["weather"]))
    with pytest.raises(NatviewsError, match="did you mean 'shared'"):
        STUDIES["skill"].carry_out(catalog, tmp_path, Asked(networks="shard"))
    with pytest.raises(NatviewsError, match="settings of its own"):
        STUDIES["methods"].carry_out(catalog, tmp_path, Asked(settings=["training.lr=1"]))
    with pytest.raises(NatviewsError, match="has no 'lrr'"):
        cells_of([Arm("simclr", sea.arms(200)[0].recipe)], Judging(()), Asked(settings=["training.lrr=1"]), 1)
