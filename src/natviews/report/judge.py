"""Judging an encoder beside what it must beat: histogram, untrained, frozen, frozen with whitening."""

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from natviews import __version__
from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.encoders import Encoder
from natviews.evaluation import (
    VARIANTS_SLICE,
    Attributes,
    Retrieval,
    cluster_figures,
    retrieval,
    variants_judging,
)
from natviews.progress import progress
from natviews.report.clusters import colour_clusters
from natviews.report.embedding_map import embedding_map
from natviews.report.examples import examples_of, quadrants_of
from natviews.report.queries import Queries
from natviews.report.report import Report, read_metrics
from natviews.report.rows import aligned, packed_for, rows_of, run_at
from natviews.report.saliency import saliency_of
from natviews.report.slices import PER_PRODUCT, Slices
from natviews.training import Run, features_of, has_natural_views, judging_of
from natviews.types import Embeddings, Metric, NatviewsError, Provenance

ROBUSTNESS = Path("robustness") / "metrics.json"
"""Where in a run's folder a judgement of its robustness is looked for."""
NAMED_VERSIONS = ("torch", "timm", "numpy", "scikit-learn")


def evaluate(
    embeddings: Embeddings,
    packed: PackedPhotos,
    *,
    run: Run | None,
    slices: Slices,
    title: str,
    encoder: Encoder | None = None,
) -> Report:
    """The report on some embeddings of some packed photos, whose catalogue has groups and splits.

    With the `run` that made them there are the rows `untrained` and, where it began from pretrained weights,
    `frozen` and `frozen+whitening`; with the `encoder`, for which the photos must have been packed, the report
    says what a few photos' similarity hangs on. Photos without a vector are left out and counted.
    """
    slices.check(packed.catalog)
    embeddings, packed, without = aligned(embeddings, packed)
    vectors = rows_of(embeddings, packed, run)
    trained = vectors["trained"]
    metrics, answers = _judged(vectors, embeddings, packed, slices)
    examples = examples_of(answers["trained"], trained, packed)
    metrics += colour_figures(vectors, embeddings, packed.catalog, slices)
    before = "frozen" if "frozen" in vectors else "untrained" if "untrained" in vectors else "histogram"
    asked = embeddings.ids[answers["trained"].rows]
    made_by = (embeddings.made_by.encoder, run.plan if run else "")
    return Report(
        title=title,
        metrics=metrics,
        statistics=packed.catalog.statistics(),
        quarantine=packed.quarantine,
        curves=run.curves() if run else [],
        quadrants=quadrants_of(vectors[before], trained, packed, before),
        best=examples.best,
        middle=examples.middle,
        worst=examples.worst,
        facts=_facts(embeddings.made_by, packed.catalog, run, without),
        map=embedding_map(trained, packed),
        clusters=colour_clusters(trained, packed, slices.colour, slices.style) if slices.colour else [],
        saliency=saliency_of(encoder, packed) if encoder else [],
        robustness=_robustness(run),
        queries=Queries(title, packed.catalog.digest, slices.within or "", *made_by, asked, answers),
    )


def _judged(
    vectors: dict[str, np.ndarray], embeddings: Embeddings, packed: PackedPhotos, slices: Slices
) -> tuple[list[Metric], dict[str, Retrieval]]:
    """The figures of all slices, and what each row answered to everyone."""
    metrics: list[Metric] = []
    everyone: dict[str, Retrieval] = {}
    for judging, parts in slices.judgings(packed.catalog):
        answers = {row: retrieval(_under(embeddings, v), judging, row=row) for row, v in vectors.items()}
        trained = answers["trained"]
        if "all" in parts:
            if not len(trained.rows):
                raise NatviewsError("No product here has two photos with vectors, so there is nothing to judge.")
            everyone = answers
        compared = [*answers.values(), *(trained.minus(a) for row, a in answers.items() if row != "trained")]
        for name, asking in parts.items():
            if (where := asking[trained.rows]).any():
                metrics += [metric for answer in compared for metric in answer.metrics(name, where)]
        if "all" in parts:
            metrics += [metric for answer in compared for metric in answer.per_product().metrics(PER_PRODUCT)]
    return metrics, everyone


def _facts(made_by: Provenance, catalog: Catalog, run: Run | None, without: int) -> dict[str, str]:
    """What was judged, and what by: digests, versions and the recipe."""
    facts = {"encoder": made_by.encoder, "encoder's folder": made_by.location}
    facts |= {"judged photos of the catalogue": catalog.digest, "photos without a vector": str(without)}
    facts |= {"vectors made by": f"natviews {made_by.version}"}
    versions = [f"{name} {version(name)}" for name in NAMED_VERSIONS]
    facts |= {"judged by": ", ".join([f"natviews {__version__}", *versions])}
    facts |= {"Python": f"{platform.python_version()} on {platform.system()}, {platform.machine()}"}
    if run:
        facts["recipe"] = run.plan
    return {name: said for name, said in facts.items() if said}


def _robustness(run: Run | None) -> list[Metric]:
    """What `natviews robustness` found of the run's encoder, where it was told to write into the run's folder."""
    path = run.folder / ROBUSTNESS if run else None
    return read_metrics(path) if path and path.is_file() else []


def colour_figures(
    vectors: dict[str, np.ndarray], embeddings: Embeddings, catalog: Catalog, slices: Slices
) -> list[Metric]:
    """What each row's clusters know of colour and style, and whether photos find their design in other colours."""
    metrics, judging = [], judging_of(catalog, slices.within)
    if slices.colour and slices.style:
        fresh = judging.queries
        columns = (catalog.column(name)[fresh] for name in (slices.colour, slices.style))
        attributes = Attributes(catalog.product_ids[fresh], *columns)
        with progress("clusters of similar photos", len(vectors)) as advance:
            for row, found in vectors.items():
                metrics += cluster_figures(found[fresh], attributes, row=row)
                advance()
    if slices.design:
        colours = catalog.column(slices.colour) if slices.colour else None
        variants = variants_judging(judging, catalog.column(slices.design), colours)
        answers = {row: retrieval(_under(embeddings, v), variants, row=row) for row, v in vectors.items()}
        trained = answers["trained"]
        compared = [*answers.values(), *(trained.minus(a) for row, a in answers.items() if row != "trained")]
        if len(trained.rows):
            metrics += [metric for answer in compared for metric in answer.metrics(VARIANTS_SLICE)]
    return metrics


def evaluate_file(embeddings: Embeddings, catalog: Catalog, *, split: str, slices: Slices) -> Report:
    """The report on stored embeddings for one split of their catalogue.

    The encoder and its run are found where the embeddings say they were made; without the run the rows `untrained`
    and `frozen` are left out, and without the encoder what photos' similarity hangs on.
    """
    run, encoder = run_at(embeddings.made_by.location), _encoder_of(embeddings.made_by)
    architecture = encoder.architecture if encoder else run.recipe.encoder if run else None
    packed = with_split(packed_for(catalog, architecture) if architecture else pack(catalog, 256))
    packed.catalog.part(split)  # says so where there is no such split
    packed = packed.take(packed.catalog.splits == split)
    title = f"natviews: {catalog.folder.name}, {split}"
    return evaluate(embeddings, packed, run=run, slices=slices, title=title, encoder=encoder)


def _encoder_of(made_by: Provenance) -> Encoder | None:
    """The encoder that made some embeddings, where it still lies there."""
    if not made_by.location:
        return None
    try:
        encoder = Encoder.load(made_by.location)
    except NatviewsError:
        return None
    return encoder if encoder.digest() == made_by.encoder else None


def report_on_run(run: Run, catalog: Catalog) -> Report | None:
    """The report on a run's held-out products, or None where there are none to tell apart."""
    encoder = Encoder.load(run.encoder)
    packed = with_split(packed_for(catalog, encoder.architecture))
    rows = packed.catalog.splits == "val"
    if not rows.any() or not has_natural_views(packed.take(rows).catalog):
        return None
    packed = packed.take(rows)
    features = features_of(encoder, packed, "features of held-out photos")
    made_by = Provenance(encoder.digest(), packed.catalog.digest, str(run.folder))
    ids, products = packed.catalog.ids, packed.catalog.product_ids
    extra = encoder.further_vectors(features)
    embeddings = Embeddings(ids, products, encoder.through_head(features), made_by, extra)
    title = f"natviews: {catalog.folder.name}, validation"
    return evaluate(embeddings, packed, run=run, slices=Slices(), title=title, encoder=encoder)


def _under(embeddings: Embeddings, vectors: np.ndarray) -> Embeddings:
    return Embeddings(embeddings.ids, embeddings.product_ids, vectors, Provenance(""))
