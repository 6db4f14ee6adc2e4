"""What is read off features: attributes by probes and by neighbours, from many labels and few, and colour."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from natviews.catalog import Catalog
from natviews.evaluation import (
    PRECISIONS,
    PROBES,
    Attributes,
    Probed,
    linear_probe,
    neighbours_probe,
    retrieval,
    variants_judging,
    with_share,
)
from natviews.evaluation.colour_entropy import SEEDS, cluster_counts, clustered, label_figures
from natviews.studies.answers import Answers, Kind
from natviews.studies.seen import Seen, embeddings_of, taken
from natviews.training import judging_of
from natviews.types import NatviewsError
from natviews.views.families import family

CLUSTERS, VARIANTS, NEIGHBOURS, FEW = "clusters", "colour variants", "neighbours", "1% of labels"
DRAWS = 5


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


def tasks_of(catalog: Catalog, attributes: Sequence[str]) -> list[tuple[Task, np.ndarray]]:
    """SkiLL's tasks, and by themselves those of `attributes` that these leave out, each with its labels (N,),
    where they can be probed."""
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


def probes(seen: Seen) -> dict[Kind, Answers]:
    """Every task read off by a linear and by a non-linear probe: accuracy and recall at a precision."""
    found: dict[Kind, Answers] = {}
    for task, labels in tasks_of(seen.packed.catalog, seen.attributes):
        for name in ("linear", "mlp"):
            answer = PROBES[name](*seen.parts(labels))
            for figure, values in probed_values(answer).items():
                found[f"{name} {task.name}", figure] = seen.of_test(answer.rows, values)
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
        found[NEIGHBOURS, name] = seen.of_test(answer.rows, answer.correct)
    return found


def few_labels(seen: Seen) -> dict[Kind, Answers]:
    """The first attribute by a linear probe from one in a hundred of the labelled products, at least one of each
    class: the mean of draws."""
    found: dict[Kind, Answers] = {}
    for name in seen.attributes[:1]:
        train, val, test = seen.parts(seen.packed.catalog.column(name))
        rngs = [np.random.default_rng(draw) for draw in range(DRAWS)]
        drawn = [linear_probe(with_share(train, 0.01, rng), val, test) for rng in rngs]
        found[FEW, name] = seen.of_test(drawn[0].rows, np.mean([answer.correct for answer in drawn], axis=0))
    return found


def clusters(seen: Seen) -> dict[Kind, Answers]:
    """Colour entropy of clusters beside style information, and whether a design is found in its other colours."""
    packed = seen.test()
    catalog, vectors = packed.catalog, seen.features[seen.rows("test")]
    known = Attributes(catalog.product_ids, catalog.column("colour"), catalog.column("pattern"))
    every = [label_figures(c, known) for c in clustered(vectors, cluster_counts(len(vectors))[0], seeds=SEEDS)]
    found = {
        (CLUSTERS, name): Answers(catalog.ids, catalog.product_ids, np.mean([e[name] for e in every], axis=0))
        for name in every[0]
        if all(name in each for each in every)
    }
    answer = linear_probe(*seen.parts(seen.packed.catalog.column("colour")))
    found["linear colour", "accuracy"] = seen.of_test(answer.rows, answer.correct)
    with suppress(NatviewsError):  # no design in two colours
        judging = variants_judging(judging_of(catalog), catalog.column("design_id"), catalog.column("colour"))
        answer_of = retrieval(embeddings_of(packed, vectors), judging)
        found |= taken(answer_of, packed, VARIANTS, ("map@r", "auc"))
    return found
