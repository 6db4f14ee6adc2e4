"""Judging an encoder beside what it must beat: histogram, untrained, frozen, frozen with whitening."""

from collections import Counter
from dataclasses import dataclass, replace

import cv2
import numpy as np

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.encoders import Encoder
from natviews.evaluation import (
    VARIANTS_SLICE,
    Attributes,
    Judging,
    Retrieval,
    cluster_figures,
    retrieval,
    variants_judging,
)
from natviews.progress import progress
from natviews.report.report import Example, Quadrants, Report, Shown
from natviews.report.rows import aligned, packed_for, rows_of, run_at
from natviews.training import Run, features_of, has_natural_views, judging_of
from natviews.types import Embeddings, Metric, NatviewsError, Provenance

PER_PRODUCT = "all, each product once"
"""The slice in which a product's photos count together as one."""
EXAMPLES, FOUND, THUMBNAIL = 6, 6, 112
QUADRANT_PHOTOS = 4


@dataclass(frozen=True)
class Slices:
    """What is judged besides all photos.

    `within`: a column whose value query and gallery must share (a shop, a seller); `by`: a column, each of whose
    values is a slice of the queries; `query` and `gallery`: (column, value), who asks and who may be found in a
    slice of its own (buyers' photos among sellers', detail shots among whole ones). `colour` and `style`: columns
    whose entropy and information in clusters are told, never one without the other; `design`: a column that
    products of one design in several colours share, which are then to find each other.
    """

    within: str | None = None
    by: str | None = None
    query: tuple[str, str] | None = None
    gallery: tuple[str, str] | None = None
    colour: str | None = None
    style: str | None = None
    design: str | None = None

    def __post_init__(self) -> None:
        colour_is_used = self.style is not None or self.design is not None
        if (self.colour is not None and not colour_is_used) or (self.style is not None and self.colour is None):
            raise NatviewsError(
                "Colour entropy says nothing without style information; give --colour and --style both."
            )

    def check(self, catalog: Catalog) -> None:
        """Raises NatviewsError for a column that the catalogue lacks, before long work."""
        for name in (self.within, self.by, self.colour, self.style, self.design):
            if name is not None:
                catalog.text(name)

    def judgings(self, catalog: Catalog) -> list[tuple[Judging, dict[str, np.ndarray]]]:
        """Ways of judging, each with its slices: name -> which photos may ask (N,) bool. `all` is first."""
        base = judging_of(catalog, self.within)
        everyone = np.ones(len(catalog), bool)
        parts = {"all": everyone}
        if self.by:
            column = catalog.column(self.by)
            parts |= {f"{self.by}={value}": column == value for value in np.unique(column)}
        judgings = [(base, parts)]
        if self.query or self.gallery:
            asking, answering = (_holds(catalog, condition) for condition in (self.query, self.gallery))
            restricted = replace(base, queries=base.queries & asking, gallery=base.gallery & answering)
            name = " -> ".join("=".join(c) if c else "all" for c in (self.query, self.gallery))
            judgings.append((restricted, {name: everyone}))
        return judgings


def _holds(catalog: Catalog, condition: tuple[str, str] | None) -> np.ndarray:
    if condition is None:
        return np.ones(len(catalog), bool)
    column, value = condition
    holds = catalog.column(column) == value
    if not holds.any():
        known = ", ".join(sorted(set(catalog.column(column).tolist()))[:8])
        raise NatviewsError(f"No photo here has {column}={value}; there are: {known}.")
    return holds


def evaluate(
    embeddings: Embeddings, packed: PackedPhotos, *, run: Run | None, slices: Slices, title: str
) -> Report:
    """The report on some embeddings of some packed photos, whose catalogue has groups and splits.

    With the `run` that made them there are the rows `untrained` and, where it began from pretrained
    weights, `frozen` and `frozen+whitening`. Photos without a vector are left out and counted.
    """
    slices.check(packed.catalog)
    embeddings, packed, without = aligned(embeddings, packed)
    vectors = rows_of(embeddings, packed, run)
    metrics: list[Metric] = []
    examples: tuple[list[Example], list[Example]] = ([], [])
    for judging, parts in slices.judgings(packed.catalog):
        answers = {row: retrieval(_under(embeddings, v), judging, row=row) for row, v in vectors.items()}
        trained = answers["trained"]
        if "all" in parts:
            if not len(trained.rows):
                raise NatviewsError("No product here has two photos with vectors, so there is nothing to judge.")
            examples = _examples(trained, vectors["trained"], packed)
        compared = [*answers.values(), *(trained.minus(a) for row, a in answers.items() if row != "trained")]
        for name, asking in parts.items():
            if (where := asking[trained.rows]).any():
                metrics += [metric for answer in compared for metric in answer.metrics(name, where)]
        if "all" in parts:
            metrics += [metric for answer in compared for metric in answer.per_product().metrics(PER_PRODUCT)]
    metrics += colour_figures(vectors, embeddings, packed.catalog, slices)
    before = "frozen" if "frozen" in vectors else "untrained" if "untrained" in vectors else "histogram"
    facts = {"encoder": embeddings.made_by.encoder, "encoder's folder": embeddings.made_by.location}
    facts |= {"catalogue": packed.catalog.digest, "natviews": embeddings.made_by.version}
    facts |= {"photos without a vector": str(without)}
    if run:
        facts["recipe"] = run.plan
    return Report(
        title=title,
        metrics=metrics,
        statistics=packed.catalog.statistics(),
        quarantine=packed.quarantine,
        curves=run.curves() if run else [],
        quadrants=_quadrants(vectors[before], vectors["trained"], packed, before),
        best=examples[0],
        worst=examples[1],
        facts=facts,
    )


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

    The encoder's run is found where the embeddings say they were made; without it the rows `untrained`
    and `frozen` are left out.
    """
    run = run_at(embeddings.made_by.location)
    packed = with_split(packed_for(catalog, run.recipe.encoder) if run else pack(catalog, 256))
    packed.catalog.part(split)  # says so where there is no such split
    packed = packed.take(packed.catalog.splits == split)
    return evaluate(embeddings, packed, run=run, slices=slices, title=f"natviews: {catalog.folder.name}, {split}")


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
    return evaluate(embeddings, packed, run=run, slices=Slices(), title=title)


def _under(embeddings: Embeddings, vectors: np.ndarray) -> Embeddings:
    return Embeddings(embeddings.ids, embeddings.product_ids, vectors, Provenance(""))


def _examples(
    trained: Retrieval, vectors: np.ndarray, packed: PackedPhotos
) -> tuple[list[Example], list[Example]]:
    """The best and the worst answered queries, no product twice: the worst are the most confident errors."""
    map_r = trained.values["map@r"]
    first = np.maximum(trained.neighbours[:, 0], 0)
    confidence = np.einsum("qd,qd->q", vectors[trained.rows], vectors[first])
    photos = np.array([len(packed.catalog.products[product]) for product in trained.products.tolist()])
    best = np.lexsort((confidence, -photos, -map_r))  # many photos found, though they look least alike
    worst = np.lexsort((-confidence, map_r))
    chosen = []
    for order in (best, worst):
        _, earliest = np.unique(trained.products[order], return_index=True)
        queries = order[np.sort(earliest)[:EXAMPLES]]
        chosen.append([_example(trained, int(query), vectors, packed) for query in queries])
    return chosen[0], chosen[1]


def _example(trained: Retrieval, query: int, vectors: np.ndarray, packed: PackedPhotos) -> Example:
    row = int(trained.rows[query])
    found = [int(other) for other in trained.neighbours[query][:FOUND] if other >= 0]
    products = packed.catalog.product_ids
    return Example(
        query=_shown(packed, row),
        found=[_shown(packed, other) for other in found],
        right=[bool(products[other] == products[row]) for other in found],
        scores=[float(vectors[row] @ vectors[other]) for other in found],
        average_precision=float(trained.values["map@r"][query]),
    )


def _quadrants(before: np.ndarray, after: np.ndarray, packed: PackedPhotos, row: str) -> Quadrants | None:
    """Four products with the most photos up to QUADRANT_PHOTOS, of different types where possible."""
    fresh = packed.catalog.column("near_dup_within") != "1"
    rng = np.random.default_rng(0)
    photos = {name: rows[fresh[rows]][:QUADRANT_PHOTOS] for name, rows in packed.catalog.products.items()}
    several = [name for name in photos if len(photos[name]) > 1]
    rng.shuffle(several)
    of_type: Counter[str] = Counter()
    turn = {}  # the first product of each type, then the second of each, ...
    for name in several:
        kind = str(packed.catalog.product_types[photos[name][0]])
        turn[name] = of_type[kind]
        of_type[kind] += 1
    chosen = sorted(several, key=lambda name: (-len(photos[name]), turn[name]))[:4]
    if len(chosen) < 4:
        return None
    rows = np.concatenate([photos[name] for name in chosen])
    shown = [_shown(packed, int(i)) for i in rows]
    return Quadrants(shown, _standing(before, rows, packed.catalog), _standing(after, rows, packed.catalog), row)


def _standing(vectors: np.ndarray, rows: np.ndarray, catalog: Catalog) -> np.ndarray:
    """Cosines of some rows (P, P), in standard deviations above the mean of photos of different products."""
    pairs = np.random.default_rng(0).integers(len(vectors), size=(20_000, 2))
    pairs = pairs[catalog.product_ids[pairs[:, 0]] != catalog.product_ids[pairs[:, 1]]]
    chance = np.einsum("pd,pd->p", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return (vectors[rows] @ vectors[rows].T - chance.mean()) / max(chance.std(), 1e-9)


def _shown(packed: PackedPhotos, row: int) -> Shown:
    photo = packed.pixels(row)
    scale = THUMBNAIL / max(photo.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return Shown(str(packed.catalog.ids[row]), str(packed.catalog.product_ids[row]), photo)
