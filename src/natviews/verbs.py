"""The product: one function per command, files in, files out. What a verb does, the Python API does.

Imports are inside the verbs: `natviews search` must answer before torch could even be loaded.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from typer import Argument, Option

if TYPE_CHECKING:
    import numpy as np

    from natviews.catalog import Catalog
    from natviews.report import Report
    from natviews.types import Embeddings

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


def demo(
    out: Out = Path("runs/demo"),
    products: Annotated[int, Option(min=20, help="How many products to generate.")] = 900,
    seed: Seed = 0,
) -> None:
    """Generate a catalogue, train an encoder, match and report: the whole job in minutes, with nothing given."""
    catalog = _generated(out / "catalog", products=products, seed=seed, size=256)
    train(catalog, out=out / "run", recipe="demo", settings=[f"training.seed={seed}"])
    embed(out / "run", catalog, out=out / "embeddings.parquet")

    from natviews.matching import match_file

    match_file(out / "embeddings.parquet", catalog, out / "matches.parquet")
    evaluate(out / "embeddings.parquet", catalog, out=out)


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
    packed = with_split(pack(_opened(catalog, encoding), 512))
    with progress("drawing views"):  # the first time the renderer is compiled, which takes some seconds
        if isinstance(shown, Op):
            sheet = op_sheet(packed, shown, products=products, size=size, seed=seed)
        else:
            sheet = policy_sheet(packed, shown, products=products, seed=seed, title=policy)
    write_picture(sheet, out)
    print(out)


def train(
    catalog: CatalogPath,
    out: Out,
    recipe: Annotated[
        str | None, Option(help="A recipe's name or YAML file; chosen by the catalogue if not given.")
    ] = None,
    settings: Settings = None,
    weights: Annotated[
        str | None, Option(help="A safetensors file, an encoder's folder, or `pretrained`.")
    ] = None,
    epochs: Annotated[float | None, Option(help="Train for so many passes over the products,")] = None,
    steps: Annotated[int | None, Option(min=1, help="or for so many steps,")] = None,
    minutes: Annotated[
        float | None, Option(help="or for as long as this, all included; a run that goes on keeps its length.")
    ] = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Train an encoder on the catalogue's own photos. Run again, it resumes."""
    from natviews.progress import progress
    from natviews.types import NatviewsError

    with progress("loading torch"):
        from natviews.report.judge import report_on_run
        from natviews.training import Recipe, is_first, recommended
        from natviews.training import train as train_encoder

    budget = {"epochs": epochs, "steps": steps, "minutes": minutes}
    given = [f"training.{name}={value}" for name, value in budget.items() if value is not None]
    if len(given) > 1:
        raise NatviewsError("Give one of --epochs, --steps and --minutes.")
    opened, all_settings = _opened(catalog, encoding), [*(settings or []), *given]
    if recipe is None:
        chosen, reasons = recommended(opened, all_settings, weights=weights)
    else:
        chosen, reasons = Recipe.load(recipe, all_settings, weights=weights), []
    run = train_encoder(opened, chosen, out, reasons=reasons)
    if is_first() and (report := report_on_run(run, opened)):
        _tell(report, out)


def embed(
    encoder: Annotated[Path, Argument(metavar="ENCODER", help="A run's folder or an encoder's.")],
    catalog: CatalogPath,
    out: Out = Path("embeddings.parquet"),
    encoding: Encoding = "utf-8",
) -> None:
    """Write a vector for every photo (Parquet: id, product_id, vector). Run again after a kill, it continues."""
    from natviews.catalog import write_quarantine
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import Encoder, embed_catalog

    location = str(encoder.absolute())
    bad = embed_catalog(Encoder.load(encoder), _opened(catalog, encoding), out, location=location)
    write_quarantine(bad, out.with_name("quarantine.csv"))
    print(f"{out}" + (f" ({len(bad)} photos in {out.with_name('quarantine.csv')})" if bad else ""))


def export(
    encoder: Annotated[Path, Argument(metavar="ENCODER", help="A run's folder or an encoder's.")],
    out: Annotated[Path, Argument(metavar="OUT", help="The folder to write; an earlier export is replaced.")],
    wanted: Annotated[
        str,
        Option("--format", help="`timm` (the backbone's weights), `onnx`, `openvino` or `all` of them."),
    ] = "all",
) -> None:
    """Write an encoder for other programs: files that give its vectors of RGB pixels, checked against torch."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import Encoder, export_encoder

    print(export_encoder(Encoder.load(encoder), out, wanted=wanted))


def evaluate(
    embeddings: Annotated[Path, Argument(metavar="FILE.parquet", help="What `natviews embed` wrote.")],
    catalog: CatalogPath,
    out: Out = Path("evaluation"),
    split: Annotated[str, Option(help="Which part is judged: train, val, test.")] = "test",
    query: Annotated[str | None, Option(metavar="COLUMN=VALUE", help="Who asks, in a slice of its own.")] = None,
    gallery: Annotated[str | None, Option(metavar="COLUMN=VALUE", help="Who may be found in that slice.")] = None,
    within: Annotated[str | None, Option(metavar="COLUMN", help="A query's gallery shares its value.")] = None,
    by: Annotated[str | None, Option(metavar="COLUMN", help="Also judge each value of the column.")] = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Judge embeddings beside a histogram, the untrained and the frozen encoder: metrics.json, report.html."""
    from natviews.index import read_embeddings
    from natviews.progress import progress

    vectors = read_embeddings(embeddings)
    with progress("loading torch"):
        from natviews.report.judge import Slices, evaluate_file

    slices = Slices(within, by, _condition(query), _condition(gallery))
    report = evaluate_file(vectors, _opened(catalog, encoding), split=split, slices=slices)
    _tell(report, out)


def search(
    store: Annotated[Path, Argument(metavar="STORE", help="What `natviews embed` wrote.")],
    photo: Annotated[str, Argument(metavar="PHOTO", help="The id of a photo in the store, or an image file.")],
    k: Annotated[int, Option("-k", min=1, max=10_000, help="How many photos to find.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the photos most like one: by its id in the store, or from an image file."""
    from natviews.index import ExactIndex, read_embeddings
    from natviews.report.terminal import print_matches

    embeddings = read_embeddings(store)
    query, query_ids = _query(embeddings, photo)
    matches = ExactIndex(embeddings).search(query, k, query_ids=query_ids)
    product_of = dict(zip(embeddings.ids.tolist(), embeddings.product_ids.tolist(), strict=True))
    print_matches(matches, product_of, as_json)


def study(
    name: Annotated[str, Argument(metavar="STUDY", help="Which study: `methods`.")],
    catalog: Annotated[Path | None, Argument(metavar="[CATALOG]", help="Else one is generated.")] = None,
    out: Out = Path("study"),
    seeds: Annotated[int, Option(min=1, help="How many seeds everything is trained with.")] = 3,
    only: Annotated[list[str] | None, Option(metavar="METHOD", help="Only this method; may be repeated.")] = None,
    epochs: Annotated[int, Option(min=1, help="How long each is trained.")] = 25,
    products: Annotated[int, Option(min=20, help="How many products to generate.")] = 900,
    workers: Annotated[int, Option(min=1, help="How many are trained at once, each in its process.")] = 1,
    encoding: Encoding = "utf-8",
) -> None:
    """Train and judge every method with natural and with augmented views: tables. Run again, it continues."""
    from natviews.config import choose
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.studies import STUDIES

    carry_out = choose(name, STUDIES, "study")
    drawn = out / f"catalog-{products}" / "catalog.csv"  # it is written last: where it is, the photos are
    if not (catalog or drawn.exists()):
        _generated(drawn.parent, products=products, seed=0, size=128)
    command = shlex.join(["natviews", *sys.argv[1:]])
    opened = _opened(catalog or drawn, encoding)
    print(carry_out(opened, out, seeds=seeds, only=only or (), epochs=epochs, workers=workers, command=command))


def explain(
    name: Annotated[str, Argument(help="A method, view policy, operation, metric or recipe.")] = "",
) -> None:
    """Say what a method, view policy, operation, metric or recipe is, and where its code is."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.report.explanations import explanation

    print(explanation(name))


def _generated(folder: Path, *, products: int, seed: int, size: int) -> Path:
    """A generated catalogue's CSV."""
    from natviews.catalog import generate_catalog
    from natviews.progress import progress

    with progress("drawing product photos", products) as advance:
        return generate_catalog(
            folder, products=products, seed=seed, size=size, progress=lambda done, total: advance(1)
        )


def _opened(catalog: Path, encoding: str) -> "Catalog":
    from natviews.catalog import Catalog

    return Catalog.open(catalog, encoding=encoding)


def _condition(text: str | None) -> tuple[str, str] | None:
    from natviews.types import NatviewsError

    if text is None:
        return None
    column, equals, value = text.partition("=")
    if not equals:
        raise NatviewsError(f"{text!r} is not of the form COLUMN=VALUE.")
    return column, value


def _query(embeddings: "Embeddings", photo: str) -> "tuple[np.ndarray, np.ndarray | None]":
    """The query's vector (1, D), and its id where it is in the store. Only a file needs the encoder."""
    import numpy as np

    from natviews.types import NatviewsError

    rows = np.flatnonzero(embeddings.ids == photo)
    if len(rows):
        return embeddings.vectors[rows], embeddings.ids[rows]
    if not Path(photo).is_file():
        raise NatviewsError(f"{photo} is neither the id of a photo in the store nor an image file.")
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import encode_file
    with progress("encoding the photo"):
        return encode_file(Path(photo), embeddings.made_by), None


def _tell(report: "Report", out: Path) -> None:
    from natviews.report import write_report
    from natviews.report.terminal import print_report

    print_report(report)
    print(write_report(report, out))


VERBS = (demo, check, views, train, embed, export, evaluate, search, study, explain)
