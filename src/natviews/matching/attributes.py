"""What is not written of a product, read off the products that look most like it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from natviews.matching.calibration import Calibration, calibrate
from natviews.matching.candidates import Candidates, candidates
from natviews.matching.decision import Decision, counted, precision_sentence, table_of
from natviews.matching.promises import Threshold, precision_by_labels
from natviews.matching.side import Side
from natviews.types import NatviewsError

ATTRIBUTES = pa.schema(
    {
        "product": pa.string(),
        "attribute": pa.string(),
        "value": pa.string(),
        "confidence": pa.float32(),
        "votes": pa.float32(),
        "runner_up": pa.string(),
        "neighbours": pa.string(),
        "photo": pa.string(),
    }
)
TEMPERATURE = 0.07
"""Weight of a neighbour: exp(cosine / 0.07), as in Wu et al., CVPR 2018 (arXiv:1805.01978)."""
BANDS = 5
TOKENS = re.compile(r"[^\W\d_]{3,}")
SEPARATORS = re.compile(r"\s*[,;|]\s*")

Read = Callable[[np.ndarray], list[list[str]]]


def _category(values: np.ndarray) -> list[list[str]]:
    return [[value] if value else [] for value in values.tolist()]


def _tags(values: np.ndarray) -> list[list[str]]:
    return [sorted({tag for tag in SEPARATORS.split(value.strip().lower()) if tag}) for value in values.tolist()]


def _words(values: np.ndarray) -> list[list[str]]:
    return [sorted({word.lower() for word in TOKENS.findall(value)}) for value in values.tolist()]


def _band(values: np.ndarray) -> list[list[str]]:
    numbers = np.array([_number(value) for value in values.tolist()])
    there = np.isfinite(numbers)
    if not there.any():
        return [[] for _ in values]
    cuts = np.unique(np.quantile(numbers[there], np.linspace(0, 1, BANDS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in zip(cuts[:-1], cuts[1:], strict=True)] or [f"{cuts[0]:g}"]
    place = np.clip(np.searchsorted(cuts, numbers, side="right") - 1, 0, len(names) - 1)
    return [[names[k]] if known else [] for k, known in zip(place.tolist(), there.tolist(), strict=True)]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


KINDS: dict[str, Read] = {"category": _category, "tags": _tags, "words": _words, "band": _band}
"""How a column is read: one value; several, parted by comma, semicolon or bar; the words of free text; or a
number, as one of five bands with as many products in each."""
SEVERAL = ("tags", "words")


@dataclass(frozen=True)
class _Votes:
    """The likeliest value of each asked product, by its neighbours' weights."""

    product: np.ndarray
    value: list[str]
    share: np.ndarray
    runner_up: list[str]
    neighbours: list[str]
    photo: np.ndarray


def inferred_attributes(
    side: Side, columns: Sequence[str], *, kind: str = "category", precision: float = 0.9
) -> Decision:
    """Values of `columns` for the products that have none, from the ten products that look most like each.

    Columns as `ATTRIBUTES` says; `kind` is a key of `KINDS`. Confidence and the threshold below which nothing is
    said are learnt on held-out products that have the attribute: of what is said, a share `precision` is right, by
    Clopper and Pearson's bound. The promise returned is that of the last column. Raises NatviewsError for an
    unknown kind or column.
    """
    if kind not in KINDS:
        raise NatviewsError(f"Attributes are read as {', '.join(KINDS)}, not as {kind!r}.")
    for column in columns:
        if not side.has(column):
            raise NatviewsError(f"The catalogue of {side.name} has no column {column!r}.")
    found = candidates(side, side, how="set")
    tables, promise, sentences = [ATTRIBUTES.empty_table()], None, []
    for column in columns:
        table, promise = _one_attribute(side, found, column, kind, precision)
        tables.append(table)
        lacking = sum(not value for value in KINDS[kind](side.text(column)))
        filled = len(set(table.column("product").to_pylist()))
        lack = f"{filled:,} of {counted(lacking, 'product')} without {column!r} have one now."
        sentences.append(f"{lack} {precision_sentence(promise)}")
    return Decision(pa.concat_tables(tables), promise, tuple(sentences))


def _one_attribute(
    side: Side, found: Candidates, column: str, kind: str, precision: float
) -> tuple[pa.Table, Threshold]:
    values = KINDS[kind](side.text(column))
    known = np.array([bool(value) for value in values], bool)
    several = kind in SEVERAL
    learn = _votes(side, found, values, side.held_out & known, several)
    right = np.array(
        [said in values[p] for p, said in zip(learn.product.tolist(), learn.value, strict=True)], bool
    )
    promise = precision_by_labels(learn.share, right, precision, "values" if side.held_out.any() else "none")
    votes = _votes(side, found, values, ~known, several)
    said = np.flatnonzero(votes.share >= promise.score)
    said = said[np.argsort(-votes.share[said], kind="stable")]
    confidence = _confidence(learn, right)
    columns = {
        "product": side.products[votes.product[said]],
        "attribute": [column] * len(said),
        "value": [votes.value[k] for k in said.tolist()],
        "confidence": confidence.probability(votes.share[said])
        if confidence
        else np.full(len(said), promise.bound),
        "votes": votes.share[said],
        "runner_up": [votes.runner_up[k] for k in said.tolist()],
        "neighbours": [votes.neighbours[k] for k in said.tolist()],
        "photo": side.embeddings.ids[votes.photo[said]],
    }
    return table_of(columns, ATTRIBUTES), promise


def _confidence(learn: _Votes, right: np.ndarray) -> Calibration | None:
    try:
        return calibrate(learn.share, right, np.ones(len(right)), learn.product)
    except NatviewsError:  # all right or all wrong: the promise's bound is all there is to say
        return None


def _votes(side: Side, found: Candidates, values: list[list[str]], asked: np.ndarray, several: bool) -> _Votes:
    """What the neighbours of the `asked` (P,) products say; a group of near-identical products has no say in it.

    Of several values, each of the likely ones is an answer of its own; of one, the likeliest.
    """
    usable = asked[found.query] & np.array([bool(values[m]) for m in found.match.tolist()], bool)
    pairs = found.take(usable & (side.groups[found.query] != side.groups[found.match]))
    product, answer, share, behind, names, photo = list[int](), list[str](), list[float](), list[str](), [], []
    starts = np.flatnonzero(np.diff(pairs.query, prepend=-1))
    for rows in np.split(np.arange(len(pairs)), starts[1:]):
        if not len(rows):
            continue
        weight = np.exp((pairs.image[rows] - pairs.image[rows].max()) / TEMPERATURE)
        said: dict[str, float] = {}
        for match, heavy in zip(pairs.match[rows].tolist(), (weight / weight.sum()).tolist(), strict=True):
            for value in values[match]:
                said[value] = said.get(value, 0.0) + heavy
        ranked = sorted(said, key=lambda value: (-said[value], value))
        for value in ranked if several else ranked[:1]:
            product.append(int(pairs.query[rows[0]]))
            answer.append(value)
            share.append(said[value])
            behind.append("" if several or len(ranked) < 2 else ranked[1])
            names.append(" ".join(side.products[m] for m in pairs.match[rows].tolist() if value in values[m]))
            photo.append(int(pairs.query_photo[rows[0]]))
    return _Votes(np.array(product, np.int64), answer, np.array(share), behind, names, np.array(photo, np.int64))
