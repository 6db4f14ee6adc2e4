"""Attributes read off embeddings by probes, beside what an encoder must beat."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from natviews.catalog import Catalog, pack, with_split
from natviews.evaluation import (
    PROBES,
    Labelled,
    Tally,
    classification,
    label_efficiency,
    per_class,
    suggestions,
)
from natviews.progress import progress
from natviews.report.attributes import AttributeReport, OfClass
from natviews.report.rows import aligned, packed_for, rows_of, run_at
from natviews.types import Embeddings, Metric, NatviewsError

MOST_CLASSES = 500
SPLITS = ("train", "val", "test")


def probe_file(
    embeddings: Embeddings,
    catalog: Catalog,
    attributes: Sequence[str],
    *,
    probes: Sequence[str] = tuple(PROBES),
    shares: Sequence[float] = (),
) -> AttributeReport:
    """How well each attribute, a column of the catalogue, is read off stored embeddings of all its splits.

    Probes learn from `train`, are chosen on `val` and judged on `test`. The encoder's run is found where the
    embeddings say they were made; without it the rows `untrained` and `frozen` are left out. With `shares` there
    is also the linear probe's accuracy with that share of the labelled products, such as 0.01. Raises
    NatviewsError where a column is not there or not one to be probed.
    """
    for attribute in attributes:
        catalog.column(attribute)  # refused before a photo is opened
    if not all(0 < share <= 1 for share in shares):
        raise NatviewsError(f"A share of the labels is above 0 and at most 1, not {min(shares)} to {max(shares)}.")
    run = run_at(embeddings.made_by.location)
    packed = with_split(packed_for(catalog, run.recipe.encoder) if run else pack(catalog, 256))
    embeddings, packed, without = aligned(embeddings, packed)
    for attribute in attributes:
        _check_can_be_probed(packed.catalog, attribute)
    vectors = rows_of(embeddings, packed, run)
    metrics, classes = probe_vectors(vectors, packed.catalog, attributes, probes=probes, shares=shares)
    facts = {"encoder": embeddings.made_by.encoder, "photos without a vector": str(without)}
    return AttributeReport(metrics, classes, probes, facts)


def probe_vectors(
    vectors: Mapping[str, np.ndarray],
    catalog: Catalog,
    attributes: Sequence[str],
    *,
    probes: Sequence[str] = tuple(PROBES),
    shares: Sequence[float] = (),
    compared: str = "trained",
) -> tuple[list[Metric], list[OfClass]]:
    """The figures of vectors, row -> (N, D), of the photos of a catalogue with splits; and those of each class.

    Where there is a row `compared`, it is compared with each of the others, paired.
    """
    metrics: list[Metric] = []
    classes: list[OfClass] = []
    with progress("probing attributes", len(attributes) * len(probes) * len(vectors)) as advance:
        for attribute in attributes:
            for probe in probes:
                tallies: dict[str, list[Tally]] = {}
                for row, of_row in vectors.items():
                    advance(0, note=f"{attribute}, {probe}, {row}")
                    parts = parts_of(of_row, catalog, attribute)
                    tallies[row], each = _answers(parts, attribute, probe, row)
                    classes += each
                    advance()
                for tally in _with_differences(tallies, compared):
                    metrics += tally.metrics(attribute)
            for row, of_row in vectors.items() if shares else ():
                parts = parts_of(of_row, catalog, attribute)
                found = label_efficiency(*parts, row=row, slice=attribute, shares=shares)
                metrics += [each.accuracy for each in found]
    return metrics, classes


def parts_of(vectors: np.ndarray, catalog: Catalog, attribute: str) -> tuple[Labelled, Labelled, Labelled]:
    """Vectors (N, D) with their labels and products, by split."""
    whole = Labelled(vectors, catalog.column(attribute), catalog.product_ids)
    train, val, test = (whole.take(catalog.splits == split) for split in SPLITS)
    return train, val, test


def _answers(
    parts: tuple[Labelled, Labelled, Labelled], attribute: str, probe: str, row: str
) -> tuple[list[Tally], list[OfClass]]:
    """The figures of one probe on one row's vectors: photo by photo, listing by listing, and class by class."""
    probed = PROBES[probe](*parts)
    products = parts[2].known().products
    assert products is not None
    of_photos = classification(probed, products, row, prefix=f"{probe}_")
    of_listings = suggestions(probed, products).tally(row, prefix=f"{probe}_")
    figures = per_class(probed, products, row, slice=attribute)
    return [of_photos, of_listings], [OfClass(attribute, probe, row, each) for each in figures]


def _with_differences(tallies: Mapping[str, Sequence[Tally]], compared: str) -> Iterator[Tally]:
    for own in tallies.values():
        yield from own
    for row, others in tallies.items() if compared in tallies else ():
        if row != compared:
            for one, other in zip(tallies[compared], others, strict=True):
                yield one.minus(other)


def _check_can_be_probed(catalog: Catalog, attribute: str) -> None:
    labels = catalog.column(attribute)
    there = {split: set(labels[catalog.splits == split].tolist()) - {""} for split in SPLITS}
    if len(there["train"]) < 2 or not there["val"] or not there["test"]:
        counts = ", ".join(f"{len(there[split])} in {split}" for split in SPLITS)
        raise NatviewsError(
            f"{attribute!r} cannot be probed with {counts} different labels: two in train and one in val and test "
            "are needed, so choose another column."
        )
    if len(there["train"]) > MOST_CLASSES:
        raise NatviewsError(
            f"{attribute!r} has {len(there['train'])} different labels in train and at most {MOST_CLASSES} can "
            "be probed; choose another column."
        )
