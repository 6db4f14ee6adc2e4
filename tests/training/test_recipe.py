import pytest
import yaml

from natviews.config import recipe_names
from natviews.encoders import Encoder
from natviews.methods import METHODS, Scale
from natviews.training import Recipe
from natviews.types import NatviewsError
from natviews.views import POLICIES


@pytest.mark.parametrize("name", recipe_names())
def test_a_saved_recipe_is_the_recipe(name, tmp_path):
    recipe = Recipe.load(name)
    (tmp_path / "run.yaml").write_text(recipe.to_yaml())
    again = Recipe.load(str(tmp_path / "run.yaml"))
    assert again == recipe and again.to_yaml() == recipe.to_yaml()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("views", POLICIES)
def test_every_method_and_policy_is_written_down_as_it_is_read(method, views):
    recipe = Recipe.of({"method": method, "views": views})
    assert Recipe.of(yaml.safe_load(recipe.to_yaml())).to_yaml() == recipe.to_yaml()


def test_settings_lie_over_the_recipe_and_defaults_are_written_down():
    recipe = Recipe.load("demo", ["method.temperature=0.2", "views=none", "pairing=both"])
    assert recipe.method["temperature"] == 0.2 and recipe.method["out"] == 128
    assert recipe.views["name"] == "none" and recipe.pairing == "both"


def test_views_are_as_large_as_the_encoder_unless_said_otherwise():
    assert Recipe.of({"encoder": {"name": "small", "size": 48}}).policy().size == 48
    assert (
        Recipe.of({"encoder": {"name": "small", "size": 48}, "views": {"name": "skill", "size": 64}}).policy().size
        == 64
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method": {"name": "simclr", "temprature": 1}}, "did you mean 'temperature'"),
        ({"method": "simclrr"}, "did you mean 'simclr'"),
        ({"views": {"name": "skil"}}, "did you mean 'skill'"),
        ({"views": {"name": "skill", "locls": 3}}, "did you mean 'locals'"),
        ({"views": {"name": "simclr", "area": [0.5, 2]}}, "range within 0.0001 to 1"),
        ({"encoder": {"name": "resnet19"}}, "did you mean 'resnet18'"),
        ({"pairing": "naturl"}, "pairing = 'naturl' does not fit: Input should be 'natural'"),
        ({"metod": "simclr"}, "did you mean 'method'"),
        ({"method": {"name": "moby", "temperature": "auto"}}, "temperature = 'auto' does not fit"),
        ({"method": {"name": "moby", "queue": "atuo"}}, "queue = 'atuo' does not fit"),
        ({"training": {"epocs": 3}}, "did you mean 'epochs'"),
        ({"training": {"epochs": 0}}, "at least 1"),
        ({"training": {"lr": "fast"}}, "does not fit"),
        ({"training": {"optimiser": "adam"}}, "'adamw', 'sgd' or 'lars'"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_by_name(values, said):
    with pytest.raises(NatviewsError, match=said):
        Recipe.of(values)


def test_what_is_left_open_is_settled_by_the_scale_and_nothing_else_is():
    recipe = Recipe.of({"method": {"name": "moby", "queue": "auto", "momentum": 0.5}})
    assert recipe.left_open == ["queue"] and Recipe.of(yaml.safe_load(recipe.to_yaml())) == recipe
    settled = recipe.scaled_to(Scale(photos=3000, steps=100))
    assert settled.method == {**recipe.method, "queue": 256} and not settled.left_open
    with pytest.raises(NatviewsError, match="queue is still auto"):
        recipe.build_method(Encoder.create(recipe.encoder))


def test_a_weights_file_describes_the_encoder_unless_the_recipe_does(shared_data):
    weights = str(shared_data / "weights" / "mobilenetv2_100.safetensors")
    assert Recipe.load("natural", weights=weights).encoder.options == {"pad_type": "same"}
    said = Recipe.load("natural", ["encoder.mean=[0.1, 0.2, 0.3]"], weights=weights)
    assert said.encoder.mean == (0.1, 0.2, 0.3)


def test_recipes_open_with_their_card():
    from natviews.config import RECIPES

    for name in recipe_names():
        text = (RECIPES / f"{name}.yaml").read_text()
        card = [line for line in text.splitlines() if line.startswith("#")]
        assert any("natviews " in line for line in card), name
        for word in ("Hardware:", "Expected:"):
            assert any(word in line for line in card), (name, word)
        assert yaml.safe_load(text)
