"""Writes the pages that are made from the code: commands.md, methods.md, python.md and views.md.

    python docs/generate.py

A test compares them with what this script would write.
"""

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

import natviews
from natviews.cli import app
from natviews.methods import METHODS, RULES, scalable
from natviews.views import OPS, POLICIES, Policy
from natviews.views.ops import Op

HERE = Path(__file__).parent
MADE = "<!-- made by docs/generate.py -->"


def commands() -> str:
    """Every command with its parameters, from the same declarations as --help."""
    group: Any = typer.main.get_command(app)
    parts = [MADE, "# Commands", "Errors are one plain line on standard error with exit code 1; wrong usage is 2."]
    for name, command in group.commands.items():
        parts += [f"## natviews {name}", inspect.cleandoc(command.help or "")]
        parts.append("\n".join(_parameter(parameter) for parameter in command.params))
    return "\n\n".join(parts) + "\n"


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    name = (parameter.metavar or parameter.name.upper()) if argument else ", ".join(parameter.opts)
    said = f": {parameter.help}" if getattr(parameter, "help", None) else ""
    hidden = parameter.required or parameter.default is None or parameter.default is False
    default = "" if hidden else f" (default `{parameter.default}`)"
    return f"- `{name}`{said}{default}"


def python() -> str:
    """Every public name with its signature and docstring."""
    parts = [MADE, "# The public names", "All are imported from `natviews` and loaded when first used."]
    for name in natviews.__all__:
        thing = getattr(natviews, name)
        parts += [f"## {name}", "```\n" + inspect.getdoc(thing) + "\n```"]
        if inspect.isclass(thing):
            parts += [f"- `{name}.{key}`: {_first_line(member)}" for key, member in _public(thing)]
    return "\n\n".join(parts) + "\n"


def _public(thing: type) -> list[tuple[str, object]]:
    return [(k, v) for k, v in vars(thing).items() if not k.startswith("_") and inspect.getdoc(v) and _is_code(v)]


def _is_code(member: object) -> bool:
    return callable(member) or isinstance(member, property | classmethod | staticmethod) or hasattr(member, "func")


def _first_line(member: object) -> str:
    return (inspect.getdoc(getattr(member, "func", member)) or "").split("\n\n")[0].replace("\n", " ")


def views() -> str:
    """Every policy, with what it draws, and every operation."""
    parts = [MADE, "# Views", VIEWS, "## Policies"]
    for name, make in POLICIES.items():
        parts += [f"### {name}", inspect.getdoc(make) or "", f"Parameters: `{_signature(make)}`", _drawn(make())]
    parts.append("## Operations")
    for name, op in OPS.items():
        parts += [f"### {name}", inspect.getdoc(op) or "", f"Parameters: `{_signature(op)}`"]
    return "\n\n".join(parts) + "\n"


VIEWS = """A policy says how a photo may look while it remains the same product.
`natviews views CATALOG --views NAME` draws what it does to a catalogue's own photos,
`natviews views CATALOG --op NAME` one operation from weak to strong.

A recipe names a policy and its parameters; a policy of your own is the policy `own` in the recipe's block
`views:` (checked strictly, when it is read):

```yaml
views:
  name: own
  globals: {count: 2, area: [0.5, 1.0]}
  locals: {count: 4, size: 96, area: [0.1, 0.5]}
  by_type:                      # what a product type allows to happen to its photo, before the crop
    ring: [{rotate: {degrees: 180, p: 1.0}}]
    "": [flip]
  one_side: []                  # on one of the global views only
  every:                        # on every view
    - jitter: {brightness: 0.2, hue: 0}
  per_global: [[blur], [grey]]  # taking turns over the global views
  per_local: []
```

or a `natviews.Policy` in Python (`examples/own_views.py`). A product type's operations are those under its own
name, else under its family (dress, shirt, trousers, shoes and bags, hard goods), else under `""`."""


def _drawn(policy: Policy) -> str:
    """What a policy draws, as a list."""
    lines = [f"- {policy.globals.count} global views: `{_values(policy.globals)}`"]
    if policy.locals:
        lines.append(f"- {policy.locals.count} local views of x': `{_values(policy.locals)}`")
    for name, ops in policy.by_type.items():
        lines.append(f"- on a photo of {name or 'any other type'}: {_listed(ops)}")
    lines += [f"- on one of the global views: {_listed(policy.one_side)}"] if policy.one_side else []
    lines += [f"- on every view: {_listed(policy.every)}"] if policy.every else []
    lines += [f"- on global view {i}: {_listed(ops)}" for i, ops in enumerate(policy.per_global, 1)]
    lines += [f"- on every local view: {_listed(policy.per_local)}"] if policy.per_local else []
    return "\n".join(lines)


def _listed(ops: tuple[Op, ...]) -> str:
    return ", ".join(f"`{op.name}({_values(op)})`" for op in ops)


def _values(declared: Any) -> str:
    return ", ".join(f"{field.name}={_short(getattr(declared, field.name))}" for field in fields(declared))


def _short(value: object) -> str:
    return f"({', '.join(map(_short, value))})" if isinstance(value, tuple) else str(value)[:6]


def _signature(thing: object) -> str:
    parameters = [p for n, p in inspect.signature(thing).parameters.items() if n != "encoder"]  # type: ignore
    return ", ".join(f"{p.name}" if p.default is p.empty else f"{p.name}={p.default}" for p in parameters)


def methods() -> str:
    """Every method: its paper, its algorithm, its parameters."""
    parts = [MADE, "# Methods", METHODS_SAID]
    for name, method in METHODS.items():
        said = (inspect.getdoc(inspect.getmodule(method)) or "").split("\n\n")
        boxed = [f"```text\n{part}\n```" if part.startswith("    ") else part for part in said]
        parts += [f"## {name}", *boxed, inspect.getdoc(method) or ""]
        scaled = f". May be `auto`: `{', '.join(scalable(method))}`" if scalable(method) else ""
        parts.append(f"Parameters: `{_signature(method) or 'none'}`{scaled}")
    rules = [f"- `{name}`: {' '.join((inspect.getdoc(rule) or '').split())}" for name, rule in RULES.items()]
    parts += ["## What `auto` gives", "\n".join(rules)]
    return "\n\n".join(parts) + "\n"


METHODS_SAID = """A method is a loss over views and an update rule of its own; it knows neither where its views
come from nor how many processes train. A recipe names one and its parameters
(`method: {name: byol, momentum: 0.99}`), and `natviews explain NAME` prints what stands here.

`against`, where a method has it, is what a positive weighs against its negatives: `infonce`; `decoupled`, for
small batches (Yeh et al., ECCV 2022); `debiased`, where negatives may be of the same kind (Chuang et al.,
NeurIPS 2020); `rince`, where positives may be wrong (Chuang et al., CVPR 2022). Photos of the row's own product
are no negatives for it, nor are those of products that a collage shows beside it, in batches as in queues.

Defaults are the published ones, of a million photos and more. Where a recipe says `auto`, a parameter follows how
many photos and steps there are, by the rules at the end of this page, and `run.yaml` says what was chosen."""


PAGES = {"commands.md": commands, "methods.md": methods, "python.md": python, "views.md": views}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
