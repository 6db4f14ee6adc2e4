"""How robust an encoder is, beside what it must beat: figures under each disturbance, and what was gained and
lost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.catalog.prepared import ROOM, limited
from natviews.encoders import Encoder, describer, stored_size
from natviews.encoders.describing import Describe
from natviews.evaluation import (
    AdditionalRecall,
    Judging,
    Retrieval,
    additional_recall,
    colour_histogram,
    copies_found,
    disturbed_metrics,
    means_with_intervals,
    retrieval,
)
from natviews.progress import progress
from natviews.report.disturbing import CLEAN, Disturbance, disturbed_photos
from natviews.training import Run, judging_of
from natviews.types import Embeddings, Metric, NatviewsError, Provenance
from natviews.views import Preparation

PRECISIONS = (0.90, 0.95)
BATCH = 64
SHEET_ROWS = 8
"""Queries that a sheet of gains, or of losses, shows."""
BASELINES = ("frozen+whitening", "frozen", "untrained", "histogram")
"""What the trained encoder is compared with: the first of them that there is."""


@dataclass(frozen=True)
class Network:
    """An encoder and what its vectors are called: `features` those before its head, then those of its heads."""

    encoder: Encoder
    features: str
    head: str
    design: str = ""
    describe: Describe | None = None

    def rows(self, photos: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Row name -> unit vectors of some photos."""
        encoder = self.encoder
        features = np.concatenate(list(encoder.features(photos, describe=self.describe)))
        if encoder.head is None:
            return {self.features: features}
        rows = {self.features: features, self.head: encoder.head.vectors(features)}
        return rows | ({self.design: encoder.design.vectors(features)} if self.design and encoder.design else {})


@dataclass(frozen=True)
class Judged:
    """Photos of which disturbed ones are to find each other: `packed` as encoders see them, `originals` the same
    before preparation, which is then made of the disturbed photo; `within` a column that a gallery shares."""

    packed: PackedPhotos
    originals: PackedPhotos
    preparation: Preparation | None = None
    within: str | None = None

    @property
    def judging(self) -> Judging:
        return judging_of(self.packed.catalog, self.within)

    def under(self, vectors: np.ndarray) -> Embeddings:
        """Vectors (N, D) as embeddings of these photos."""
        catalog = self.packed.catalog
        return Embeddings(catalog.ids, catalog.product_ids, vectors, Provenance(""))

    def clean(self) -> Iterator[np.ndarray]:
        return (self.packed.pixels(row) for row in range(len(self.packed)))

    def disturbed(self, rows: np.ndarray, disturbance: Disturbance, seed: int) -> Iterator[np.ndarray]:
        """The disturbed photos of `rows`, prepared; what the preparation would refuse is shown as it is."""
        for photo in disturbed_photos(self.originals, rows, disturbance, seed=seed):
            if self.preparation is None:
                yield photo
                continue
            try:
                yield limited(self.preparation.prepare(photo), max(photo.shape[:2]) // ROOM)
            except ValueError:
                yield limited(photo, max(photo.shape[:2]) // ROOM)


@dataclass(frozen=True)
class Comparison:
    """One disturbance: what each row found, what the first of two rows gained over the second at each
    precision."""

    disturbance: Disturbance
    answers: dict[str, Retrieval]
    additional: dict[float, AdditionalRecall]


@dataclass(frozen=True)
class Robustness:
    """What was found: `rows` compared is `ours` with `baseline`; figures under the slice of each disturbance."""

    title: str
    rows: tuple[str, ...]
    ours: str
    baseline: str
    metrics: list[Metric]
    comparisons: list[Comparison]
    facts: dict[str, str] = field(default_factory=dict)

    def metric(self, row: str, name: str, slice: str) -> Metric | None:
        """One figure, or None where it was not measured."""
        wanted = (row, name, slice)
        return next((m for m in self.metrics if (m.row, m.name, m.slice) == wanted), None)


def rows_of(photos: Iterable[np.ndarray], networks: Sequence[Network]) -> dict[str, np.ndarray]:
    """Row name -> unit vectors (N, D) of photos, the colour histogram's first. Each photo is made once."""
    parts: dict[str, list[np.ndarray]] = {}
    waiting = iter(photos)
    while batch := list(islice(waiting, BATCH)):
        found = {"histogram": np.stack([colour_histogram(photo) for photo in batch])}
        for network in networks:
            found |= network.rows(batch)
        for row, vectors in found.items():
            parts.setdefault(row, []).append(vectors)
    return {row: np.concatenate(vectors) for row, vectors in parts.items()}


def networks_of(run: Run | None, encoder: Encoder) -> list[Network]:
    """The networks to judge: the trained one and, where its run is known, the one that it began from."""
    networks = []
    if run is not None:
        before = "frozen" if run.recipe.weights else "untrained"
        networks.append(Network(Encoder.load(run.start), before, f"{before}+whitening"))
    features = "trained" if encoder.head is None else "trained, no head"
    return [*networks, Network(encoder, features, "trained", "trained, design")]


def judge_robustness(
    judged: Judged,
    networks: Sequence[Network],
    disturbances: Sequence[Disturbance],
    *,
    ours: str = "trained",
    baseline: str | None = None,
    seed: int = 0,
    title: str = "",
) -> Robustness:
    """Every row's figures on clean and on disturbed queries, and what `ours` finds that `baseline` misses.

    `baseline` is the first of BASELINES that there is, if not given. Raises NatviewsError where no product has two
    photos.
    """
    photos = len(judged.packed) * (1 + len(disturbances))
    networks = [replace(network, describe=describer(network.encoder, photos)) for network in networks]
    with progress("describing photos as they are"):
        vectors = rows_of(judged.clean(), networks)
    judging = judged.judging
    clean = {row: retrieval(judged.under(found), judging, row=row) for row, found in vectors.items()}
    asking = clean[ours].rows
    if not len(asking):
        raise NatviewsError("No product here has two photos, so there is nothing to find again.")
    baseline = baseline or next(row for row in BASELINES if row in vectors)
    metrics = [metric for answer in clean.values() for metric in answer.metrics(CLEAN)]
    comparisons = []
    with progress("describing disturbed photos", len(disturbances)) as advance:
        for disturbance in disturbances:
            shown = rows_of(judged.disturbed(asking, disturbance, seed), networks)
            answers = {}
            for row, found in shown.items():
                queries = vectors[row].copy()
                queries[asking] = found
                answers[row] = retrieval(judged.under(vectors[row]), judging, row=row, queries=queries)
                metrics += disturbed_metrics(clean[row], answers[row], disturbance.name)
                copies = copies_found(judged.under(vectors[row]), judging, asking, found, row=row)
                if len(copies.rows):
                    copied = {"copy@1": copies.values["recall@1"]}
                    products = judged.packed.catalog.product_ids[asking[copies.rows - len(judged.packed)]]
                    metrics += means_with_intervals(copied, products, row=row, slice=disturbance.name)
            comparison = _compared(disturbance, answers, judging, ours, baseline)
            metrics += _differences(comparison, ours, baseline)
            comparisons.append(comparison)
            advance()
    return Robustness(title, tuple(vectors), ours, baseline, metrics, comparisons)


def _compared(
    disturbance: Disturbance, answers: dict[str, Retrieval], judging: Judging, ours: str, baseline: str
) -> Comparison:
    groups = judging.groups[answers[ours].rows]
    additional = {
        precision: additional_recall(answers[ours], answers[baseline], groups, precision=precision)
        for precision in PRECISIONS
    }
    return Comparison(disturbance, answers, additional)


def _differences(comparison: Comparison, ours: str, baseline: str) -> list[Metric]:
    """Ours minus the baseline, and what ours finds additionally."""
    name = comparison.disturbance.name
    difference = comparison.answers[ours].minus(comparison.answers[baseline])
    metrics = [metric for metric in difference.metrics(name) if metric.name in ("recall@1", "recall@10", "map@r")]
    for precision, additional in comparison.additional.items():
        metrics += additional.metrics(name, precision)
    return metrics


def robustness_of(
    path: Path,
    catalog: Catalog,
    disturbances: Sequence[Disturbance],
    *,
    split: str = "test",
    within: str | None = None,
    seed: int = 0,
) -> tuple[Robustness, Judged]:
    """The robustness of an encoder, in its run's folder or its own, on one split of a catalogue."""
    encoder = Encoder.load(path)
    folder = next((f for f in (path, path.parent) if (f / "run.yaml").is_file()), None)
    size, preparation = stored_size(max(encoder.architecture.sizes)), encoder.architecture.prepared_by()
    packed = with_split(pack(catalog, size, preparation))
    packed.catalog.part(split)  # says so where there is no such split
    packed = packed.take(packed.catalog.splits == split)
    judged = Judged(packed, _originals(catalog, packed, size, preparation), preparation, within)
    networks = networks_of(Run(folder) if folder else None, encoder)
    title = f"Robustness: {catalog.folder.name}, {split}"
    return judge_robustness(judged, networks, disturbances, seed=seed, title=title), judged


def _originals(catalog: Catalog, packed: PackedPhotos, size: int, preparation: Preparation | None) -> PackedPhotos:
    """The packed photos before their preparation, as large as it reads them, in the same order."""
    if preparation is None:
        return packed
    originals = pack(catalog, ROOM * size)
    place = {photo_id: row for row, photo_id in enumerate(originals.catalog.ids.tolist())}
    rows = np.array([place[photo_id] for photo_id in packed.catalog.ids.tolist()])
    return originals.take(rows).with_catalog(packed.catalog)
