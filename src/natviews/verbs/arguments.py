"""What several commands take, declared once, and how a command opens it."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from typer import Argument, Option

if TYPE_CHECKING:
    from natviews.catalog import Catalog
    from natviews.report import Report

CatalogPath: TypeAlias = Annotated[
    Path, Argument(metavar="CATALOG", help="A CSV, Parquet or JSONL file, or a folder with a folder per product.")
]
Out: TypeAlias = Annotated[Path, Option("--out", help="Where the results are written.")]
AsJson: TypeAlias = Annotated[bool, Option("--json", help="Print JSON for programs.")]
Encoding: TypeAlias = Annotated[str, Option(help="The text encoding of a CSV catalogue.")]
Settings: TypeAlias = Annotated[
    list[str] | None, Option("--set", metavar="BLOCK.NAME=VALUE", help="Change one value of the recipe.")
]
Seed: TypeAlias = Annotated[int, Option(min=0, help="The same seed gives the same result.")]


def opened(catalog: Path, encoding: str) -> "Catalog":
    """The catalogue at a path."""
    from natviews.catalog import Catalog

    return Catalog.open(catalog, encoding=encoding)


def generated(folder: Path, *, products: int, seed: int, size: int) -> Path:
    """Draws a catalogue; its CSV."""
    from natviews.catalog import generate_catalog
    from natviews.progress import progress

    with progress("drawing product photos", products) as advance:
        return generate_catalog(
            folder, products=products, seed=seed, size=size, progress=lambda done, total: advance(1)
        )


def command_line() -> str:
    """The command that is running, as it could be typed again."""
    return shlex.join(["natviews", *sys.argv[1:]])


def tell(report: "Report", out: Path) -> None:
    """Prints a report and writes it, with the command that it is made by."""
    from natviews.report import write_report
    from natviews.report.terminal import print_report

    print_report(report)
    print(write_report(replace(report, facts={"command": command_line(), **report.facts}), out))
