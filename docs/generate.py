"""Writes the pages that are made from the code: commands.md, python.md and views.md.

    python docs/generate.py

A test compares them with what this script would write.
"""

import inspect
from pathlib import Path
from typing import Any

import typer

import natviews
from natviews.cli import app
from natviews.views import OPS, POLICIES

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
    """Every operation and policy."""
    parts = [MADE, "# Views", "`natviews views CATALOG --views NAME --out sheet.png` draws what a policy does."]
    for title, named in (("Policies", POLICIES), ("Operations", OPS)):
        parts.append(f"## {title}")
        for name, thing in named.items():
            parts += [f"### {name}", inspect.getdoc(thing) or "", f"`{_signature(thing)}`"]
    return "\n\n".join(parts) + "\n"


def _signature(thing: object) -> str:
    parameters = inspect.signature(thing).parameters.values()  # type: ignore[arg-type]
    return ", ".join(f"{p.name}" if p.default is p.empty else f"{p.name}={p.default}" for p in parameters)


PAGES = {"commands.md": commands, "python.md": python, "views.md": views}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
