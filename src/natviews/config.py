"""Plain values checked against a constructor's signature.

The constructor is the schema: a recipe block, a `--set` and a Python call meet the same check, which
is closed (an unknown name is refused, with the nearest known one) and typed by the annotations.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from natviews.types import NatviewsError

Built = TypeVar("Built")
RECIPES = Path(__file__).parent / "recipes"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(str(wrong), known, n=1, cutoff=0.6)  # YAML reads `on:` as a bool
    return f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(known) or 'nothing'}."


def choose(name: str, choices: Mapping[str, Built], kind: str) -> Built:
    """The choice of that name; a wrong name is refused with the nearest one."""
    if name not in choices:
        raise NatviewsError(f"There is no {kind} {name!r}; {did_you_mean(name, choices)}")
    return choices[name]


@lru_cache(maxsize=256)
def _adapter(annotation: Any) -> TypeAdapter:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except Exception:  # dataclasses and pydantic's own types carry their configuration themselves
        return TypeAdapter(annotation)


def check(constructor: Callable[..., Any], values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`values` checked against `constructor`'s keyword parameters, converted to their types.

    Raises NatviewsError for an unknown name ("BYOL has no 'taw'; did you mean 'tau'?"), for a value that is
    not of the annotated type, and where a parameter without a default is missing. Positional parameters
    (what code hands over: an encoder, a catalogue) are not part of the schema.
    """
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    checked = {}
    if not isinstance(values, Mapping):
        raise NatviewsError(f"{name} must be a mapping of names to values, not {values!r}.")
    for key, value in values.items():
        if key not in parameters:
            raise NatviewsError(f"{name} has no {key!r}; {did_you_mean(key, parameters)}")
        annotation = parameters[key].annotation
        try:
            checked[key] = _adapter(annotation).validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise NatviewsError(f"{name}: {key} = {value!r} does not fit: {problem}.") from None
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in checked:
            raise NatviewsError(f"{name}: {key} is missing.")
    return checked


def resolved(constructor: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` completed with the signature's defaults: what a saved recipe writes down."""
    parameters = inspect.signature(constructor).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return {name: values.get(name, default) for name, default in defaults.items()}


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name: str) -> dict[str, Any]:
    """The plain values of a recipe, by name or from a YAML file.

    A recipe may say `like: NAME` and what is different: a block that has a `name` takes the place of the other's,
    any other is laid over it, and `null` takes one away.
    """
    return _with_ancestors(name, ())


def _with_ancestors(name: str, heirs: tuple[str, ...]) -> dict[str, Any]:
    values = _read_recipe(name)
    if "like" not in values:
        return values
    other = values.pop("like")
    if other in (*heirs, name) or not isinstance(other, str):
        raise NatviewsError(f"The recipe {name} is `like: {other}`, which is no other recipe.")
    result = _with_ancestors(other, (*heirs, name))
    for block, value in values.items():
        laid_over = isinstance(value, dict) and isinstance(result.get(block), dict) and "name" not in value
        result[block] = result[block] | value if laid_over else value
    return result


def _read_recipe(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        if path.parent == RECIPES:
            raise NatviewsError(f"There is no recipe {name!r}; {did_you_mean(name, recipe_names())}")
        raise NatviewsError(f"There is no recipe file {path}.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NatviewsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise NatviewsError(f"{path} must hold a mapping of blocks such as `method:` and `views:`.")
    return values


def with_settings(values: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """`values` with each `block.name=value` laid over it. Whether the names exist is checked later."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise NatviewsError(f"--set {setting!r} is not of the form block.name=value.")
        block, dot, name = path.partition(".")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise NatviewsError(f"--set {setting!r}: {text!r} is no YAML value.") from None
        if not dot:
            result[block] = value
            continue
        current = result.get(block, {})
        if not isinstance(current, str | dict):
            raise NatviewsError(f"--set {setting!r}: {block} is {current!r} and has no parts.")
        # A block may be given by its name alone (`views: simclr`): it is opened up to take the value.
        result[block] = {"name": current} if isinstance(current, str) else current
        result[block][name] = value
    return result
