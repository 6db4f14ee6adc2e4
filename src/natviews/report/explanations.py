"""What a name means: the docstring of the method, policy, operation, metric or recipe, and its place."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from natviews.config import RECIPES, did_you_mean, recipe_names
from natviews.evaluation import CLUSTER_METRICS, FIGURES, LABEL_FREE, METRICS, ROBUSTNESS
from natviews.methods import METHODS, RULES, scalable
from natviews.types import NatviewsError
from natviews.views import OPS, POLICIES


def explanation(name: str) -> str:
    """The explanation of a name, or the list of all names for ''. Raises NatviewsError for an unknown one."""
    kinds: dict[str, list[str]] = {
        "methods": list(METHODS),
        "view policies": list(POLICIES),
        "operations": list(OPS),
        "metrics": list(METRICS | FIGURES | CLUSTER_METRICS | ROBUSTNESS | LABEL_FREE),
        "recipes": recipe_names(),
    }
    if not name:
        return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())
    found = [_FINDERS[kind](name) for kind, names in kinds.items() if name in names]
    if not found:
        known = [known for names in kinds.values() for known in names]
        raise NatviewsError(f"There is no {name!r} to explain; {did_you_mean(name, known)}")
    return "\n\n".join(found)


def _method(name: str) -> str:
    method = METHODS[name]
    box = inspect.getdoc(inspect.getmodule(method)) or ""
    scaled = [f"  {name}: auto  {_in_one_line(RULES[name])}" for name in scalable(method)]
    parameters = "\n".join([_parameters(method), *scaled])
    return f"method {name}\n\n{box}\n\n{inspect.getdoc(method)}\n\n{parameters}\n{_place(method)}"


def _in_one_line(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _made_by(kind: str, made: dict[str, Any]) -> Callable[[str], str]:
    def explain(name: str) -> str:
        return f"{kind} {name}\n\n{inspect.getdoc(made[name])}\n\n{_parameters(made[name])}\n{_place(made[name])}"

    return explain


def _metric(name: str) -> str:
    if name in LABEL_FREE:
        said, note = LABEL_FREE[name], "It needs no labels, and compares encoders on the same photos only."
    else:
        said = (METRICS | FIGURES | CLUSTER_METRICS | ROBUSTNESS)[name]
        note = "Every figure has a 95 % interval from resampling products."
    return f"metric {name}\n\n{said}\n{note}"


def _recipe(name: str) -> str:
    path = RECIPES / f"{name}.yaml"
    return f"recipe {name}\n\n{path.read_text(encoding='utf-8').rstrip()}\n{path}"


def _parameters(made: Callable[..., Any]) -> str:
    """A line for each parameter: its type and default and, where the code says it, its source."""
    signature = inspect.signature(made)
    said = [f"  {p}" for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    sources = _comments(made)
    width = max((len(line) for line in said if line.split(":")[0].strip() in sources), default=0)
    return "\n".join(
        f"{line:{width}}  {source}" if (source := sources.get(line.split(":")[0].strip())) else line
        for line in said
    )


def _comments(made: Callable[..., Any]) -> dict[str, str]:
    """The comments behind the parameters in the constructor's source: parameter -> comment."""
    constructor = made.__init__ if inspect.isclass(made) else made
    try:
        lines = inspect.getsource(constructor).splitlines()
    except (OSError, TypeError):  # made by dataclass
        return {}
    return {m[1]: m[2] for line in lines if (m := re.match(r"\s+(\w+): .*,  # (.+)$", line))}


def _place(made: Callable[..., Any]) -> str:
    path = Path(inspect.getsourcefile(made) or "")
    return f"{path}:{inspect.getsourcelines(made)[1]}"


_FINDERS: dict[str, Callable[[str], str]] = {
    "methods": _method,
    "view policies": _made_by("view policy", POLICIES),
    "operations": _made_by("operation", OPS),
    "metrics": _metric,
    "recipes": _recipe,
}
