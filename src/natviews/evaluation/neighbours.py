"""Labels read off a photo's nearest neighbours: nothing is trained, and a strange photo may go unanswered."""

import numpy as np

from natviews.evaluation.classification import Probed
from natviews.evaluation.probe import Labelled, known_parts

NEIGHBOURS = (10, 20, 100, 200)
TEMPERATURE = 0.07
CHUNK_SCORES = 2**24


def neighbours_probe(
    train: Labelled, val: Labelled, test: Labelled, *, neighbours: tuple[int, ...] = NEIGHBOURS
) -> Probed:
    """Weighted k-nearest-neighbour votes: each neighbour's label counts exp(cosine / 0.07).

    Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021 (arXiv:2104.14294), section
    3.2 and its `eval_knn.py`, with k chosen on `val` (ties: the smaller). Where products are given, no photo of
    the asking photo's own product votes. Of photos equally near those earlier in `train` come first. Photos
    without a label are left out; where nothing may vote, all classes are as likely. Raises as `linear_probe`.
    """
    parts = known_parts(train, val, test)
    bank, val, asked = parts
    classes, label = np.unique(bank.labels, return_inverse=True)
    counts = sorted({min(k, len(label)) for k in neighbours})
    scores = _votes(bank, label, val, counts)
    tried = {float(k): float((classes[scores[k].argmax(axis=1)] == val.labels).mean()) for k in counts}
    best = max(counts, key=lambda k: (tried[k], -k))
    said = _votes(bank, label, asked, [best])[best]
    rows = np.flatnonzero(test.labels != "")
    return Probed(rows, asked.labels, classes, said, val.labels, scores[best], float(best), tried)


def _votes(bank: Labelled, label: np.ndarray, asking: Labelled, counts: list[int]) -> dict[int, np.ndarray]:
    """For each number of neighbours the shares (Q, C) of their weighted votes."""
    classes = int(label.max()) + 1
    gallery, queries = _unit(bank.features), _unit(asking.features)
    found = {k: np.empty((len(queries), classes)) for k in counts}
    step = max(1, CHUNK_SCORES // len(gallery))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        cosines = queries[rows] @ gallery.T
        if bank.products is not None and asking.products is not None:
            cosines[asking.products[rows, None] == bank.products] = -np.inf
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : max(counts)]
        weights = np.exp(np.take_along_axis(cosines, nearest, axis=1).astype(float) / TEMPERATURE)
        votes = np.zeros((len(cosines), classes))
        done = 0
        for k in counts:
            for place in range(done, k):
                np.add.at(votes, (np.arange(len(votes)), label[nearest[:, place]]), weights[:, place])
            done = k
            total = votes.sum(axis=1, keepdims=True)
            found[k][rows] = np.divide(votes, total, out=np.full(votes.shape, 1 / classes), where=total > 0)
    return found


def _unit(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1.0)
