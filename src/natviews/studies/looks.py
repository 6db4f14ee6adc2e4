"""What a cell may be looked at for, beyond retrieval and linear probes: figure by figure, photo by photo.

Every look takes what a cell has `Seen` and answers for the `test` split. A figure is kept as values whose mean it
is, so that any two cells can be compared by paired intervals.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from natviews.catalog import PackedPhotos
from natviews.encoders import Encoder, Whitening
from natviews.evaluation import (
    PRECISIONS,
    PROBES,
    Attributes,
    Judging,
    Labelled,
    Probed,
    Retrieval,
    colour_histogram,
    linear_probe,
    neighbours_probe,
    retrieval,
    variants_judging,
    with_share,
)
from natviews.evaluation.colour_entropy import SEEDS, cluster_counts, clustered, label_figures
from natviews.report.disturbing import DISTURBANCES, Disturbance, disturbed_photos
from natviews.report.rows import histograms
from natviews.studies.answers import FEATURES, Answers, Kind
from natviews.studies.crowd import crowded
from natviews.training import judging_of, measure
from natviews.types import Embeddings, NatviewsError, Provenance
from natviews.views.families import family

CLEAN, ACROSS, CROWDED, UNLIKE = "clean", "across marketplaces", "full scale", "unlike photos"
TRAINING, CLUSTERS, VARIANTS, NEIGHBOURS, FEW = (
    "training",
    "clusters",
    "colour variants",
    "neighbours",
    "1% of labels",
)
SHOP_DISTURBANCES = (
    "perspective 0.6",
    "rotation 30°",
    "watermark 15% at 0.8",
    "saturation 3.0x",
    "hue 0.1",
    "collage 4 cells",
)
"""SEA's four kinds, one strong form of each, and of colour the two that its policy draws."""
HARDEST = 0.25
DRAWS = 5


@dataclass(frozen=True)
class Seen:
    """What is known of a cell when it is looked at: unit `features` (N, D) of the packed photos of all splits,
    before the `head`, the `encoder` (None: the histogram), the attributes to read, and what was logged."""

    features: np.ndarray
    packed: PackedPhotos
    encoder: Encoder | None
    head: Whitening | None
    attributes: Sequence[str]
    curves: Sequence[Mapping[str, float]]
    vectors: int

    def rows(self, split: str) -> np.ndarray:
        return self.packed.catalog.splits == split

    def test(self) -> PackedPhotos:
        return self.packed.take(np.flatnonzero(self.rows("test")))

    def used(self, features: np.ndarray) -> np.ndarray:
        """Features as they will be used: through the head, where there is one."""
        return features if self.head is None else self.head.vectors(features)

    def parts(self, labels: np.ndarray) -> list[Labelled]:
        """Features and labels (N,) of train, val and test."""
        products = self.packed.catalog.product_ids
        masks = [self.rows(split) for split in ("train", "val", "test")]
        return [Labelled(self.features[rows], labels[rows], products[rows]) for rows in masks]


class Task(NamedTuple):
    """An attribute to read off photos, of one family of product types or of all ('')."""

    name: str
    attribute: str
    family: str


SKILL_TASKS = (
    Task("shirt pattern", "pattern", "shirt"),
    Task("shirt sleeve", "sleeve", "shirt"),
    Task("dress pattern", "pattern", "dress"),
    Task("dress sleeve", "sleeve", "dress"),
    Task("hard goods kind", "product_type", "hard goods"),
)
"""Those of the paper's tables 2 and 3."""


def tasks_of(packed: PackedPhotos, attributes: Sequence[str]) -> list[tuple[Task, np.ndarray]]:
    """SkiLL's tasks, and by themselves those of `attributes` that these leave out, each with its labels (N,), where
    they can be probed."""
    catalog = packed.catalog
    families = np.array([family(kind) for kind in catalog.product_types.tolist()])
    found: list[tuple[Task, np.ndarray]] = []
    for task in (*SKILL_TASKS, *(Task(name, name, "") for name in attributes)):
        is_covered = not task.family and any(task.attribute == known.attribute for known, _ in found)
        if is_covered or not catalog.has(task.attribute):
            continue
        labels = np.where((families == task.family) | (task.family == ""), catalog.column(task.attribute), "")
        train, val, test = (set(labels[catalog.splits == s]) - {""} for s in ("train", "val", "test"))
        if len(train) > 1 and val and test:
            found.append((task, labels))
    return found


def taken(answer: Retrieval, packed: PackedPhotos, kind: str, names: Sequence[str]) -> dict[Kind, Answers]:
    """Some figures of a retrieval among packed photos; `score` is the cosine of the first match."""
    values = answer.values | {"score": answer.scores[:, 0].astype(float)}
    photos, products = packed.catalog.ids[answer.rows], packed.catalog.product_ids[answer.rows]
    return {(kind, name): Answers(photos, products, values[name]) for name in names}


def gap(seen: Seen) -> dict[Kind, Answers]:
    """Cosines within and between products; and retrieval by the quarter of photos whose colours are least like
    those of their product's other photos: another pose, a tight zoom."""
    packed = seen.test()
    result = measure(seen.features[seen.rows("test")], packed.catalog)
    alike = measure(histograms(packed), packed.catalog).values["within"]
    found = taken(result, packed, FEATURES, ("within", "between", "gap"))
    hard = alike <= np.quantile(alike, HARDEST)
    for name, answers in taken(result, packed, UNLIKE, ("auc", "map@r", "gap")).items():
        found[name] = Answers(answers.photos[hard], answers.products[hard], answers.values[hard])
    return found


def probes(seen: Seen) -> dict[Kind, Answers]:
    """Every task read off by a linear and by a non-linear probe: accuracy and recall at a precision."""
    found: dict[Kind, Answers] = {}
    for task, labels in tasks_of(seen.packed, seen.attributes):
        for name in ("linear", "mlp"):
            answer = PROBES[name](*seen.parts(labels))
            for figure, values in probed_values(answer).items():
                found[f"{name} {task.name}", figure] = _of_test(seen, answer.rows, values)
    return found


def probed_values(answer: Probed) -> dict[str, np.ndarray]:
    """Accuracy and, class by class at thresholds from `val`, recall at a precision: values (Q,) whose means they
    are. The mean over photos of whether their own class finds them is the recall weighted by support."""
    values = {"accuracy": answer.correct}
    place = np.searchsorted(answer.classes, answer.labels).clip(max=len(answer.classes) - 1)
    known = answer.classes[place] == answer.labels
    own = answer.scores[np.arange(len(place)), place]
    for precision in PRECISIONS:
        bar = answer.thresholds(precision).classes[place]
        values[f"recall@{round(100 * precision)}"] = (known & (own >= bar)).astype(float)
    return values


def neighbours(seen: Seen) -> dict[Kind, Answers]:
    """Attributes inferred from the nearest photos of other products."""
    found: dict[Kind, Answers] = {}
    for name in seen.attributes:
        answer = neighbours_probe(*seen.parts(seen.packed.catalog.column(name)))
        found[NEIGHBOURS, name] = _of_test(seen, answer.rows, answer.correct)
    return found


def few_labels(seen: Seen) -> dict[Kind, Answers]:
    """A linear probe from one in a hundred of the labelled products, at least one of each class: mean of draws."""
    found: dict[Kind, Answers] = {}
    for name in seen.attributes:
        train, val, test = seen.parts(seen.packed.catalog.column(name))
        rngs = [np.random.default_rng(draw) for draw in range(DRAWS)]
        drawn = [linear_probe(with_share(train, 0.01, rng), val, test) for rng in rngs]
        found[FEW, name] = _of_test(seen, drawn[0].rows, np.mean([answer.correct for answer in drawn], axis=0))
    return found


def clusters(seen: Seen) -> dict[Kind, Answers]:
    """Colour entropy of clusters beside style information, and whether a design is found in its other colours."""
    packed = seen.test()
    catalog, vectors = packed.catalog, seen.features[seen.rows("test")]
    if not (catalog.has("colour") and catalog.has("pattern")):
        raise NatviewsError("The study of colour needs the columns colour and pattern; name yours so.")
    known = Attributes(catalog.product_ids, catalog.column("colour"), catalog.column("pattern"))
    every = [label_figures(c, known) for c in clustered(vectors, cluster_counts(len(vectors))[0], seeds=SEEDS)]
    found = {
        (CLUSTERS, name): Answers(catalog.ids, catalog.product_ids, np.mean([e[name] for e in every], axis=0))
        for name in every[0]
        if all(name in each for each in every)
    }
    answer = linear_probe(*seen.parts(seen.packed.catalog.column("colour")))
    found["linear colour", "accuracy"] = _of_test(seen, answer.rows, answer.correct)
    if catalog.has("design_id"):
        judging = variants_judging(judging_of(catalog), catalog.column("design_id"), catalog.column("colour"))
        answer_of = retrieval(_embeddings(packed, vectors), judging)
        found |= taken(answer_of, packed, VARIANTS, ("map@r", "auc"))
    return found


def disturbed(seen: Seen) -> dict[Kind, Answers]:
    """Retrieval by disturbed photos among clean ones, as the vectors will be used."""
    packed = seen.test()
    vectors = seen.used(seen.features[seen.rows("test")])
    clean = measure(vectors, packed.catalog)
    found = taken(clean, packed, CLEAN, ("recall@1", "score"))
    for disturbance in shop_disturbances():
        queries = vectors.copy()
        photos = disturbed_photos(packed, clean.rows, disturbance)
        queries[clean.rows] = seen.used(_described(seen, photos))
        answer = measure(vectors, packed.catalog, queries=queries)
        found |= taken(answer, packed, disturbance.name, ("recall@1", "score"))
    return found


def shop_disturbances() -> list[Disturbance]:
    """Those of SHOP_DISTURBANCES."""
    return [disturbance for disturbance in DISTURBANCES if disturbance.name in SHOP_DISTURBANCES]


def _described(seen: Seen, photos: Iterator[np.ndarray]) -> np.ndarray:
    if seen.encoder is None:
        return np.stack([colour_histogram(photo) for photo in photos])
    return np.concatenate(list(seen.encoder.features(photos)))


def across(seen: Seen) -> dict[Kind, Answers]:
    """Photos of each marketplace ask for the same `item` in the others; nothing where there is one marketplace."""
    packed = seen.test()
    catalog = packed.catalog
    if not (catalog.has("marketplace") and catalog.has("item")):
        return {}
    items, markets = catalog.column("item"), catalog.column("marketplace")
    products = np.where(items == "", catalog.product_ids, np.char.add("item ", items))
    base = judging_of(catalog)
    embeddings = _embeddings(packed, seen.used(seen.features[seen.rows("test")]))
    answers = []
    for market in np.unique(markets):
        own = markets == market
        judging = Judging(products, base.groups, base.queries & own, base.gallery & ~own)
        if len((answer := retrieval(embeddings, judging)).rows):
            answers.append(taken(answer, packed, ACROSS, ("recall@1", "map@r", "score")))
    return {kind: _joined([answer[kind] for answer in answers]) for kind in (answers[0] if answers else ())}


def _joined(parts: Sequence[Answers]) -> Answers:
    return Answers(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("photos", "products", "values"))
    )


def crowd(seen: Seen) -> dict[Kind, Answers]:
    """The first match among all photos of the catalogue and made-up ones between them, `vectors` in all."""
    packed = seen.test()
    is_test = seen.rows("test")
    used = seen.used(seen.features)
    result = measure(used[is_test], packed.catalog)
    own, others = used[is_test], used[~is_test]
    right = result.values["recall@1"] > 0
    nearest = np.full(len(right), -np.inf)
    for part in crowded(others, others, max(0, seen.vectors - len(own)), seed=0):
        nearest = np.maximum(nearest, (own[result.rows] @ part.T).max(axis=1))
    first = result.scores[:, 0]
    values = (right & (first > nearest)).astype(float)
    catalog = packed.catalog
    return {(CROWDED, "recall@1"): Answers(catalog.ids[result.rows], catalog.product_ids[result.rows], values)}


def taught(seen: Seen) -> dict[Kind, Answers]:
    """How many negatives taught nothing, step by step in the last quarter of training.

    Of the siamese network the share beyond the margin, whose gradient is nought; of contrastive methods the share
    of photos whose positive is nearer than every negative.
    """
    steps = [entry for entry in seen.curves if "loss" in entry]
    name = next((n for n in ("easy_negatives", "pair_accuracy") if steps and n in steps[0]), "")
    last = steps[len(steps) * 3 // 4 :]
    if not name or not last:
        return {}
    numbers = np.array([f"step {place}" for place in range(len(last))])
    return {(TRAINING, "easy_negatives"): Answers(numbers, numbers, np.array([entry[name] for entry in last]))}


def _of_test(seen: Seen, rows: np.ndarray, values: np.ndarray) -> Answers:
    """Values (Q,) of some `rows` of the test photos."""
    catalog, of_test = seen.packed.catalog, np.flatnonzero(seen.rows("test"))[rows]
    return Answers(catalog.ids[of_test], catalog.product_ids[of_test], values)


def _embeddings(packed: PackedPhotos, vectors: np.ndarray) -> Embeddings:
    return Embeddings(packed.catalog.ids, packed.catalog.product_ids, vectors, Provenance(""))


LOOKS: dict[str, Callable[[Seen], dict[Kind, Answers]]] = {
    "gap": gap,
    "probes": probes,
    "neighbours": neighbours,
    "few labels": few_labels,
    "clusters": clusters,
    "disturbed": disturbed,
    "across": across,
    "crowd": crowd,
    "taught": taught,
}
