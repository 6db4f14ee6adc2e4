"""Plain values against signatures, the settings laid over a recipe, and the recipes that come along."""

from typing import Literal

import pytest
import yaml

from natviews.config import check, choose, did_you_mean, load_recipe, recipe_names, resolved, with_settings
from natviews.training import Recipe
from natviews.types import NatviewsError


def build(
    catalog: object,
    *,
    temperature: float = 0.1,
    layers: int = 2,
    area: tuple[float, float] = (0.08, 1.0),
    kind: Literal["adamw", "sgd"] = "adamw",
    frozen: bool = False,
) -> None:
    """A stand-in for a constructor: one thing that code hands over, and five parameters."""


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(NatviewsError, match=r"Build has no 'temprature'; did you mean 'temperature'\?"):
        check(build, {"temprature": 0.2}, "Build")


def test_an_unknown_name_that_is_near_to_nothing_is_refused_with_all_of_them():
    with pytest.raises(NatviewsError, match="it knows area, frozen, kind, layers, temperature"):
        check(build, {"zzz": 0.2}, "Build")


def test_what_code_hands_over_is_not_part_of_the_schema():
    with pytest.raises(NatviewsError, match="has no 'catalog'"):
        check(build, {"catalog": 1}, "Build")


@pytest.mark.parametrize("name", [True, 1, None])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(NatviewsError, match="has no"):
        check(build, {name: 1}, "Build")


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("temperature", "1e-4", 1e-4),
        ("temperature", 1, 1.0),
        ("layers", "3", 3),
        ("layers", 3.0, 3),
        ("area", [0.2, 1], (0.2, 1.0)),
        ("kind", "sgd", "sgd"),
        ("frozen", "true", True),
    ],
)
def test_a_value_is_converted_to_its_annotated_type(name, written, value):
    converted = check(build, {name: written}, "Build")[name]
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("temperature", "warm"),
        ("temperature", None),
        ("temperature", [0.1]),
        ("layers", 2.5),
        ("layers", "two"),
        ("area", [0.2]),
        ("area", [0.2, 0.5, 1.0]),
        ("area", 0.2),
        ("kind", "adam"),
        ("frozen", "perhaps"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_name(name, written):
    with pytest.raises(NatviewsError, match=f"Build: {name} = .* does not fit") as caught:
        check(build, {name: written}, "Build")
    assert "\n" not in str(caught.value)


def test_defaults_complete_the_values():
    completed = resolved(build, {"layers": 5})
    assert completed == {
        "temperature": 0.1,
        "layers": 5,
        "area": (0.08, 1.0),
        "kind": "adamw",
        "frozen": False,
    }


def test_a_wrong_choice_is_refused_with_the_nearest_one():
    assert choose("one", {"one": 1}, "number") == 1
    with pytest.raises(NatviewsError, match=r"There is no number 'onee'; did you mean 'one'\?"):
        choose("onee", {"one": 1, "two": 2}, "number")


def test_a_hint_where_nothing_is_known_still_reads_well():
    assert did_you_mean("x", []) == "it knows nothing."


def test_a_setting_lies_over_a_block():
    values = {"training": {"epochs": 30, "lr": 0.1}}
    assert with_settings(values, ["training.epochs=5"]) == {"training": {"epochs": 5, "lr": 0.1}}
    assert values == {"training": {"epochs": 30, "lr": 0.1}}


def test_a_setting_opens_a_block_that_is_given_by_its_name_alone():
    assert with_settings({"views": "simclr"}, ["views.size=96"]) == {"views": {"name": "simclr", "size": 96}}


def test_a_setting_makes_a_block_that_is_not_there():
    assert with_settings({}, ["views.size=96", "views.area=[0.2, 1]"]) == {"views": {"size": 96, "area": [0.2, 1]}}


def test_a_setting_replaces_a_whole_block_and_later_ones_lie_over_it():
    values = {"views": {"name": "simclr", "strength": 0.5}}
    assert with_settings(values, ["views=identity", "views.colour=0.1"]) == {
        "views": {"name": "identity", "colour": 0.1}
    }


def test_the_last_setting_of_a_name_counts():
    assert with_settings({}, ["training.epochs=5", "training.epochs=6"]) == {"training": {"epochs": 6}}


def test_a_value_may_hold_an_equals_sign():
    assert with_settings({}, ["weights=a=b.safetensors"]) == {"weights": "a=b.safetensors"}


@pytest.mark.parametrize("setting", ["training.epochs", "", "=5", "training.epochs 5"])
def test_a_setting_of_another_form_is_refused(setting):
    with pytest.raises(NatviewsError, match=r"not of the form block\.name=value"):
        with_settings({}, [setting])


@pytest.mark.parametrize(
    "setting", ["views.area=[0.2, 1", 'views.name="simclr', "views.name={a", "views.name=a: b: c"]
)
def test_a_setting_whose_value_is_not_yaml_is_refused(setting):
    with pytest.raises(NatviewsError, match="--set"):
        with_settings({}, [setting])


@pytest.mark.parametrize("block", [None, 3, [1, 2]])
def test_a_setting_under_something_that_is_no_block_is_refused(block):
    with pytest.raises(NatviewsError, match="weights"):
        with_settings({"weights": block}, ["weights.name=1"])


def test_a_misspelt_setting_reaches_the_closed_schema():
    with pytest.raises(NatviewsError, match=r"did you mean 'epochs'\?"):
        Recipe.load("natural", ["training.epoch=5"])
    with pytest.raises(NatviewsError, match=r"did you mean 'training'\?"):
        Recipe.load("natural", ["trainin.epochs=5"])


def test_a_setting_reaches_the_recipe():
    assert Recipe.load("natural", ["training.lr=1e-5"]).training.lr == 1e-5


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_along_loads_and_its_text_gives_it_again(name, tmp_path):
    recipe = Recipe.load(name)
    saved = tmp_path / "recipe.yaml"
    saved.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.load(str(saved)) == recipe


def test_the_text_of_a_saved_recipe_keeps_every_setting(tmp_path):
    recipe = Recipe.load("natural", ["training.lr=1e-5", "views.colour=0.3", "method.temperature=0.25"])
    saved = tmp_path / "recipe.yaml"
    saved.write_text(recipe.to_yaml(), encoding="utf-8")
    again = Recipe.load(str(saved))
    assert again == recipe
    assert (again.training.lr, again.views["colour"], again.method["temperature"]) == (1e-5, 0.3, 0.25)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_saved_again_has_the_same_text(name, tmp_path):
    text = Recipe.load(name).to_yaml()
    saved = tmp_path / "recipe.yaml"
    saved.write_text(text, encoding="utf-8")
    assert Recipe.load(str(saved)).to_yaml() == text


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_along_chooses_on_every_axis(name):
    values = load_recipe(name)
    assert set(values) >= {"pairing", "views", "method", "encoder", "training"}


def test_some_recipes_come_along():
    assert "natural" in recipe_names()


def test_an_unknown_recipe_is_refused_with_the_nearest_one():
    with pytest.raises(NatviewsError, match=r"There is no recipe 'naturel'; did you mean 'natural'\?"):
        load_recipe("naturel")


def test_an_absent_recipe_file_is_refused(tmp_path):
    with pytest.raises(NatviewsError, match="There is no recipe file"):
        load_recipe(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("text", [b"views: [1", b"a: b: c", b"\xff\xfe\x00"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text)
    with pytest.raises(NatviewsError, match="is not YAML") as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "simclr\n", "3\n"])
def test_a_file_without_blocks_is_refused(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(NatviewsError, match="must hold a mapping"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    "text", ["training: 5", "training: [1]", "views: 5", "views: [1]", "views: {name: 3}", "encoder: 7", "on: 1"]
)
def test_a_block_of_another_shape_is_refused(text):
    with pytest.raises(NatviewsError):
        Recipe.of(yaml.safe_load(text))


def written(folder, **recipes):
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)
    return [str(folder / f"{name}.yaml") for name in recipes]


def test_a_recipe_like_another_says_what_is_different(tmp_path):
    base, heir = written(
        tmp_path,
        base="views: {name: dino, locals: 4}\nencoder: {name: small}\ntraining: {epochs: 3, batch: 8}\nweights: a",
        heir=f"like: {tmp_path}/base.yaml\nviews: {{name: simclr}}\ntraining: {{epochs: 5}}\nweights: null",
    )
    assert load_recipe(base)["training"] == {"epochs": 3, "batch": 8}
    assert load_recipe(heir) == {
        "views": {"name": "simclr"},  # another name starts afresh
        "encoder": {"name": "small"},
        "training": {"epochs": 5, "batch": 8},
        "weights": None,
    }


def test_recipes_that_are_like_one_another_in_a_circle_are_refused(tmp_path):
    one, _ = written(tmp_path, one=f"like: {tmp_path}/two.yaml", two=f"like: {tmp_path}/one.yaml")
    with pytest.raises(NatviewsError, match="is no other recipe"):
        load_recipe(one)


def test_an_ablation_of_skill_differs_in_what_it_ablates_alone():
    skill = load_recipe("skill")
    for name, block in (("no-local", "views"), ("no-preprocess", "encoder"), ("weak-colour", "views")):
        ablated = load_recipe(f"skill-{name}")
        assert {key for key in skill if skill[key] != ablated[key]} == {block}
