"""Looking at a catalogue: what is in it, and what views make of it."""

from pathlib import Path
from typing import Annotated

from typer import Option

from natviews.verbs.arguments import AsJson, CatalogPath, Encoding, Out, Seed, opened


def check(catalog: CatalogPath, out: Out = Path(), as_json: AsJson = False, encoding: Encoding = "utf-8") -> None:
    """Look at every photo: statistics, near-duplicates, and quarantine.csv with a reason per bad photo."""
    from natviews.catalog import Catalog, pack, with_split, write_quarantine
    from natviews.report.terminal import print_statistics

    packed = with_split(pack(Catalog.open(catalog, encoding=encoding), 256))
    write_quarantine(packed.quarantine, out / "quarantine.csv")
    groups = packed.catalog.near_identical_groups()
    copies = int((packed.catalog.column("near_dup_within") == "1").sum())
    print_statistics(packed.catalog.statistics(), groups, copies, packed.quarantine, as_json)


def views(
    catalog: CatalogPath,
    policy: Annotated[
        str, Option("--views", help="A policy's name, or a YAML file with a block `views:`.")
    ] = "skill",
    op: Annotated[
        str | None, Option(metavar="NAME", help="Show one operation instead, from weak to strong.")
    ] = None,
    out: Out = Path("views.png"),
    products: Annotated[int, Option(min=1, max=100, help="How many rows.")] = 6,
    size: Annotated[int, Option(min=16, max=1024, help="Side of a global view in px.")] = 224,
    seed: Seed = 0,
    encoding: Encoding = "utf-8",
) -> None:
    """Draw a contact sheet: products and what a policy makes of their photos, or what one operation does."""
    from natviews.catalog import pack, with_split
    from natviews.progress import progress
    from natviews.report import op_sheet, policy_sheet, write_picture
    from natviews.views import load_policy, op_named
    from natviews.views.ops import Op

    shown = op_named(op) if op else load_policy(policy, size=size)  # refused before a photo is opened
    packed = with_split(pack(opened(catalog, encoding), 512))
    with progress("drawing views"):  # the first time the renderer is compiled, which takes some seconds
        if isinstance(shown, Op):
            sheet = op_sheet(packed, shown, products=products, size=size, seed=seed)
        else:
            sheet = policy_sheet(packed, shown, products=products, seed=seed, title=policy)
    write_picture(sheet, out)
    print(out)
