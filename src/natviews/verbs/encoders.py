"""Encoders: training, describing a catalogue, and files for other programs."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from natviews.verbs.arguments import CatalogPath, Encoding, Out, Settings, opened, tell


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
    photos, all_settings = opened(catalog, encoding), [*(settings or []), *given]
    if recipe is None:
        chosen, reasons = recommended(photos, all_settings, weights=weights)
    else:
        chosen, reasons = Recipe.load(recipe, all_settings, weights=weights), []
    run = train_encoder(photos, chosen, out, reasons=reasons)
    if is_first() and (report := report_on_run(run, photos)):
        tell(report, out)


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

    location, source = str(encoder.absolute()), str(catalog.absolute())
    photos = opened(catalog, encoding)
    bad = embed_catalog(Encoder.load(encoder), photos, out, location=location, source=source)
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


def quantise(
    encoder: Annotated[Path, Argument(metavar="ENCODER", help="A run's folder or an encoder's.")],
    catalog: CatalogPath,
    out: Annotated[Path, Option(help="The folder for the encoder that describes photos in 8 bits.")],
    encoding: Encoding = "utf-8",
) -> None:
    """Make an encoder that describes photos in 8 bits, if 99 of 100 keep their nearest neighbour. `embed` and all
    that follows take it like another."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import quantise as quantised

    kept = quantised(encoder, opened(catalog, encoding), out)
    print(
        f"{out}: in 8 bits {kept.value:.1%} [{kept.low:.1%}, {kept.high:.1%}] of {kept.n:,} photos keep their "
        "nearest neighbour."
    )
