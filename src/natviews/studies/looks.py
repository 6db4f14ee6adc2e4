"""What a cell may be looked at for, beyond retrieval and linear probes: figure by figure, photo by photo.

Every look takes what a cell has `Seen` and answers for the `test` split. A figure is kept as values whose mean it
is, so that any two cells can be compared by paired intervals.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from natviews.evaluation import Judging, colour_histogram, retrieval
from natviews.report.disturbing import DISTURBANCES, Disturbance, disturbed_photos
from natviews.report.rows import histograms
from natviews.studies.answers import FEATURES, Answers, Kind
from natviews.studies.crowd import crowded
from natviews.studies.reading import clusters, few_labels, neighbours, probes
from natviews.studies.seen import Seen, embeddings_of, taken
from natviews.training import judging_of, measure

CLEAN, ACROSS, CROWDED, UNLIKE = "clean", "across marketplaces", "full scale", "unlike photos"
TRAINING = "training"
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
"""The share of queries that are least like their product's other photos."""


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
    embeddings = embeddings_of(packed, seen.used(seen.features[seen.rows("test")]))
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
