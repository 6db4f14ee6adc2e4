"""Judging: one encoder's embeddings, many encoders in a study, and what the words mean."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from natviews.verbs.arguments import (
    CatalogPath,
    Encoding,
    Out,
    Seed,
    Settings,
    command_line,
    opened,
    tell,
)


def evaluate(
    embeddings: Annotated[
        Path | None, Argument(metavar="[FILE.parquet]", help="What `natviews embed` wrote.")
    ] = None,
    catalog: Annotated[Path | None, Argument(metavar="[CATALOG]", help="The catalogue that was embedded.")] = None,
    out: Out = Path("evaluation"),
    split: Annotated[str, Option(help="Which part is judged: train, val, test.")] = "test",
    query: Annotated[str | None, Option(metavar="COLUMN=VALUE", help="Who asks, in a slice of its own.")] = None,
    gallery: Annotated[str | None, Option(metavar="COLUMN=VALUE", help="Who may be found in that slice.")] = None,
    within: Annotated[str | None, Option(metavar="COLUMN", help="A query's gallery shares its value.")] = None,
    by: Annotated[str | None, Option(metavar="COLUMN", help="Also judge each value of the column.")] = None,
    colour: Annotated[str | None, Option(metavar="COLUMN", help="Colours: their entropy in clusters,")] = None,
    style: Annotated[str | None, Option(metavar="COLUMN", help="and what clusters know of this style.")] = None,
    design: Annotated[str | None, Option(metavar="COLUMN", help="What a product's other colours share.")] = None,
    matches: Annotated[Path | None, Option(help="Judge what `natviews match` wrote instead,")] = None,
    truth: Annotated[Path | None, Option(help="by true pairs: a CSV of our product, theirs.")] = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Judge embeddings beside a histogram, the untrained and the frozen encoder: metrics.json, report.html.

    With --matches and --truth, judge matches: precision, recall and F1 per listing, with intervals and folds.
    """
    from natviews.index import read_embeddings
    from natviews.progress import progress
    from natviews.types import NatviewsError

    if matches and truth:
        return _evaluate_matches(matches, truth, out)
    if not (embeddings and catalog):
        raise NatviewsError("Give FILE.parquet and CATALOG to judge embeddings, or --matches and --truth.")
    vectors = read_embeddings(embeddings)
    with progress("loading torch"):
        from natviews.report.judge import evaluate_file
        from natviews.report.slices import Slices

    slices = Slices(within, by, _condition(query), _condition(gallery), colour, style, design)
    return tell(evaluate_file(vectors, opened(catalog, encoding), split=split, slices=slices), out)


def _evaluate_matches(matches: Path, truth: Path, out: Path) -> None:
    """Writes metrics.json and prints its figures."""
    from natviews.evaluation.matching import match_metrics, read_matches, read_truth
    from natviews.report import write_metrics

    metrics = match_metrics(read_matches(matches), read_truth(truth), folds=5)
    write_metrics(metrics, out / "metrics.json")
    for metric in metrics:
        if metric.slice == "all":
            print(f"{metric.name}: {metric} of {metric.n:,}")
    print(out / "metrics.json")


def probe(
    embeddings: Annotated[Path, Argument(metavar="FILE.parquet", help="What `natviews embed` wrote.")],
    catalog: CatalogPath,
    attribute: Annotated[list[str], Option(metavar="COLUMN", help="What to read off; may be repeated.")],
    out: Out = Path("probes"),
    kind: Annotated[
        list[str] | None, Option(metavar="PROBE", help="Only this: linear, mlp or knn; may be repeated.")
    ] = None,
    share: Annotated[
        list[float] | None,
        Option(metavar="SHARE", help="Also with so few of the labels, such as 0.01; may be repeated."),
    ] = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Read attributes off embeddings, beside a histogram and frozen encoders: metrics.json, classes.csv."""
    from natviews.config import choose
    from natviews.evaluation import PROBES
    from natviews.index import read_embeddings
    from natviews.progress import progress
    from natviews.report.terminal import print_attributes

    for name in kind or ():
        choose(name, PROBES, "probe")
    vectors = read_embeddings(embeddings)
    with progress("loading torch"):
        from natviews.report.probing import probe_file

    photos = opened(catalog, encoding)
    report = probe_file(vectors, photos, attribute, probes=kind or tuple(PROBES), shares=share or ())
    print_attributes(report)
    print(report.write(out))


def robustness(
    encoder: Annotated[Path, Argument(metavar="RUN_OR_ENCODER", help="A run's folder or an encoder's.")],
    catalog: CatalogPath,
    out: Out = Path("robustness"),
    split: Annotated[str, Option(help="Which part is judged: train, val, test.")] = "test",
    within: Annotated[str | None, Option(metavar="COLUMN", help="A query's gallery shares its value.")] = None,
    only: Annotated[list[str] | None, Option(metavar="KIND", help="Only this kind; may be repeated.")] = None,
    seed: Seed = 0,
    encoding: Encoding = "utf-8",
) -> None:
    """Disturb photos (turned, marked, recoloured, blurred) and see what still finds its product."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.report.disturbing import chosen_disturbances
        from natviews.report.robustness import robustness_of
        from natviews.report.robustness_page import write_robustness

    kinds, photos = chosen_disturbances(only or ()), opened(catalog, encoding)
    found, judged = robustness_of(encoder, photos, kinds, split=split, within=within, seed=seed)
    print(write_robustness(found, judged, out, seed=seed))


def compare(
    runs: Annotated[
        list[Path], Argument(metavar="RUN RUN...", help="Runs' folders, or what `natviews evaluate` wrote.")
    ],
    out: Out = Path("comparison"),
) -> None:
    """Put runs side by side, with paired intervals on the same photos: metrics.json, compare.html."""
    from natviews.report.compare import compare as compare_runs
    from natviews.report.compare_page import write_comparison
    from natviews.report.terminal import print_comparison

    found = compare_runs(runs)
    print_comparison(found)
    print(write_comparison(replace(found, facts={"command": command_line(), **found.facts}), out))


def study(
    name: Annotated[
        str, Argument(metavar="STUDY", help="Which study: `methods`, `label-free`, `mercari`, `skill`, `sea`.")
    ],
    catalog: Annotated[Path | None, Argument(metavar="[CATALOG]", help="Else one is generated.")] = None,
    out: Out = Path("study"),
    seeds: Annotated[int, Option(min=1, help="How many seeds everything is trained with.")] = 3,
    only: Annotated[list[str] | None, Option(metavar="METHOD", help="Only this method; may be repeated.")] = None,
    attribute: Annotated[
        list[str] | None, Option(metavar="COLUMN", help="Probe this column; may be repeated.")
    ] = None,
    epochs: Annotated[int, Option(min=0, help="How long each is trained; 0: as the study says.")] = 0,
    products: Annotated[int, Option(min=0, help="How many products to generate; 0: as the study says.")] = 0,
    vectors: Annotated[int, Option(min=1, help="mercari, sea: how many to search at full scale.")] = 100_000,
    networks: Annotated[str, Option(help="skill: `shared`, or `own`: each paper's own kind.")] = "shared",
    weights: Annotated[str | None, Option(help="mercari: what stands for pretrained weights.")] = None,
    settings: Settings = None,
    workers: Annotated[int, Option(min=1, help="How many are trained at once, each in its process.")] = 1,
    encoding: Encoding = "utf-8",
) -> None:
    """Carry out a study, on a generated catalogue or your own: tables, figures, verdicts. Run again, it continues.

    `methods`: every method with natural and with augmented views. `label-free`: which figure ranks encoders
    without labels. `mercari`, `skill`, `sea`: what these sources claim, and whether it holds.
    """
    from natviews.config import choose
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.studies import STUDIES, Asked

    offered = choose(name, STUDIES, "study")
    asked = Asked(
        seeds=seeds, epochs=epochs, only=only or (), workers=workers, attributes=attribute or (),
        settings=settings or (), networks=networks, weights=weights, vectors=vectors,
        command=command_line(),
    )  # fmt: skip
    count = products or offered.products
    photos = opened(catalog or offered.draw(out / f"catalog-{count}", count), encoding)
    print(offered.carry_out(photos, out, asked))


def explain(
    name: Annotated[str, Argument(help="A method, view policy, operation, metric or recipe.")] = "",
) -> None:
    """Say what a method, view policy, operation, metric or recipe is, and where its code is."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.report.explanations import explanation

    print(explanation(name))


def _condition(text: str | None) -> tuple[str, str] | None:
    from natviews.types import NatviewsError

    if text is None:
        return None
    column, equals, value = text.partition("=")
    if not equals:
        raise NatviewsError(f"{text!r} is not of the form COLUMN=VALUE.")
    return column, value
