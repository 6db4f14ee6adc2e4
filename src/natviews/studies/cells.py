"""The cells of a study: each is trained and judged once, in a process of its own if wished, and found again."""

import contextlib
import hashlib
import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.encoders import Architecture, Encoder, Whitening, stored_size
from natviews.evaluation import Labelled, linear_probe
from natviews.progress import progress
from natviews.report.rows import histograms
from natviews.studies.answers import FEATURES, HEAD, PROBE, Answers, Judged, Kind
from natviews.studies.looks import LOOKS
from natviews.studies.seen import Seen
from natviews.training import Known, Recipe, choose_head, features_of, has_natural_views, measure, train
from natviews.types import NatviewsError

RETRIEVED = ("recall@1", "map@r", "auc")
PROBED = ("pattern", "sleeve")
"""Attributes that are read off the features, where the catalogue has such a column."""
JUDGED = "judged.npz"
READ = ("product_type", "pattern", "colour", "design_id", "marketplace", "item")
"""Columns that looks read."""
HISTOGRAM_AT = 48
"""The colour histogram is taken from photos as they are packed for this size in px."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One row of a study's table at one seed: a recipe to train, an architecture that stays untrained, or
    neither: the colour histogram.

    `looks` are further figures to take (see `LOOKS`), `attributes` the columns that they and the probes read
    (none: those of PROBED), `share` the part of the training products that is learnt from, and `vectors` how many
    are searched where a look crowds the gallery.
    """

    row: str
    seed: int
    made_by: Recipe | Architecture | None
    looks: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    share: float = 1.0
    vectors: int = 0

    @property
    def folder(self) -> Path:
        """Where it lies in the study's folder."""
        return Path("cells") / self.row.replace(", ", "-").replace(" ", "-") / str(self.seed)

    @property
    def architecture(self) -> Architecture | None:
        """The network's; None for the histogram."""
        return self.made_by.encoder if isinstance(self.made_by, Recipe) else self.made_by

    @property
    def size(self) -> int:
        """The side in px at which it sees photos."""
        return self.architecture.size if self.architecture else HISTOGRAM_AT

    def probed(self, catalog: Catalog) -> list[str]:
        """The attributes that are read off its features."""
        return [name for name in self.attributes or PROBED if can_be_probed(catalog, name)]

    def key(self, catalog: Catalog) -> str:
        """What it is a result of: a finished cell is believed only where this is the same."""
        made_by = self.made_by.to_yaml() if isinstance(self.made_by, Recipe) else repr(self.made_by)
        read = [*self.probed(catalog), *(name for name in READ if self.looks and catalog.has(name))]
        labels = [catalog.column(name).tolist() for name in read]
        own = (self.looks, self.attributes, self.share, self.vectors)
        return hashlib.sha256(repr((catalog.digest, self.seed, made_by, labels, own)).encode()).hexdigest()

    def judge(self, catalog: Catalog, folder: Path) -> Judged:
        """Trains it, in a folder of its own, and says what `test` says of it."""
        return _judged(self, catalog, folder)


def can_be_probed(catalog: Catalog, name: str) -> bool:
    """Whether there is such a column, with two values in `train` and one in `val` and in `test`."""
    if not catalog.has(name):
        return False
    train, val, test = (
        set(catalog.column(name)[catalog.splits == split]) - {""} for split in ("train", "val", "test")
    )
    return len(train) > 1 and bool(val) and bool(test)


def check_natural_views(catalog: Catalog) -> None:
    """Raises NatviewsError where in some split there is nothing to find, or nothing to tell it from."""
    for split in ("train", "val", "test"):
        if not has_natural_views(catalog.part(split)):
            raise NatviewsError(
                f"The split {split} has no product with two photos that differ and another product beside it that "
                "looks different: nothing to compare; give it more products, in the column `split` or by leaving "
                "that column out."
            )


def finish(cell: Cell, catalog: Catalog, out: Path) -> Judged:
    """The cell's judgement, made now (training goes on from where it was killed) or found where it was made.

    `catalog` has the columns of `with_split`. Raises NatviewsError where training cannot be done.
    """
    path, key = out / cell.folder / JUDGED, cell.key(catalog)
    if judged := Judged.read(path, key):
        return judged
    judged = cell.judge(catalog, out / cell.folder)
    judged.write(path, key)
    return judged


def _judged(cell: Cell, catalog: Catalog, folder: Path) -> Judged:
    packed, attributes = shown_to(cell, catalog), cell.probed(catalog)
    curves: list[dict[str, float]] = []
    if cell.made_by is None:
        encoder, head, features = None, None, histograms(packed)
    elif isinstance(cell.made_by, Architecture):
        encoder = Encoder.create(cell.made_by, seed=cell.seed)
        features = features_of(encoder, packed, "features")
        splits = (packed.catalog.splits == name for name in ("train", "val"))
        known = (Known(packed.catalog.take(rows), features[rows]) for rows in splits)
        head = choose_head(*known).head
    else:
        run = train(part_of(catalog, cell.share), cell.made_by, folder)
        encoder, curves = Encoder.load(run.encoder), run.curves()
        head, features = encoder.head, features_of(encoder, packed, "features")
    answers = answers_of(features, packed, head, attributes)
    seen = Seen(features, packed, encoder, head, attributes, curves, cell.vectors)
    for look in cell.looks:
        answers |= LOOKS[look](seen)
    return Judged(answers, *_training(curves))


def _training(curves: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """How long training took in seconds, and after which share of it the encoder that is kept was made."""
    steps = [entry for entry in curves if "loss" in entry]
    if not steps:
        return 0.0, 0.0
    held_out = [(entry["held_out_choice"], -entry["step"]) for entry in curves if "held_out_choice" in entry]
    return sum(entry["seconds"] for entry in steps), -max(held_out)[1] / len(steps)  # of equal ones the first


def shown_to(cell: Cell, catalog: Catalog) -> PackedPhotos:
    """The photos as the cell's network sees them, text cards too: all cells of a study answer the same queries."""
    prepared = cell.architecture.prepared_by() if cell.architecture else None
    prepared = replace(prepared, text_cards="keep") if prepared else None
    return with_split(pack(catalog, stored_size(cell.size), prepared))


def part_of(catalog: Catalog, share: float) -> Catalog:
    """The catalogue with a share of its training products, the same whatever others there are."""
    if share >= 1:
        return catalog
    names = np.array(list(catalog.products))
    draws = [
        int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64 for name in names.tolist()
    ]
    kept = names[np.array(draws) < share]
    return catalog.take((catalog.splits != "train") | np.isin(catalog.product_ids, kept))


def answers_of(
    features: np.ndarray, packed: PackedPhotos, head: Whitening | None, attributes: Sequence[str]
) -> dict[Kind, Answers]:
    """All figures on `test`, from unit features (N, D) of the photos of all splits."""
    catalog = packed.catalog
    of = {name: catalog.splits == name for name in ("train", "val", "test")}
    test, own = catalog.take(of["test"]), features[of["test"]]
    found: dict[Kind, Answers] = {}
    for kind, vectors in ((FEATURES, own), (HEAD, own if head is None else head.vectors(own))):
        result = measure(vectors, test)
        for name in RETRIEVED:
            found[kind, name] = Answers(test.ids[result.rows], result.products, result.values[name])
    for attribute in attributes:
        labels = catalog.column(attribute)
        answer = linear_probe(*(Labelled(features[rows], labels[rows]) for rows in of.values()))
        found[PROBE, attribute] = Answers(test.ids[answer.rows], test.product_ids[answer.rows], answer.correct)
    return found


def finish_all(
    cells: Sequence[Cell], catalog: Catalog, out: Path, *, workers: int
) -> tuple[dict[Cell, Judged], dict[Cell, str]]:
    """Every cell's judgement, `workers` at a time, and for those that could not be trained the reason.

    Each worker is a process of its own, spawned and not forked (a fork after torch has started its threads
    hangs), with its share of the cores. What a worker says goes to `progress.log` in the cell's folder. Raises
    NatviewsError where no cell could be trained, or where a worker was killed.
    """
    found = {cell: Judged.read(out / cell.folder / JUDGED, cell.key(catalog)) for cell in cells}
    failed: dict[Cell, str] = {}
    if missing := [cell for cell, judged in found.items() if judged is None]:
        with progress("training and judging", len(cells)) as advance:
            advance(len(cells) - len(missing))
            for cell, result in _in_processes(missing, catalog, out, workers):
                if isinstance(result, Judged):
                    found[cell] = result
                else:
                    failed[cell] = str(result)
                advance(note=f"{cell.row}, seed {cell.seed}")
    judged = {cell: result for cell, result in found.items() if result is not None}
    if failed and not any(isinstance(cell.made_by, Recipe) for cell in judged):
        raise NatviewsError(f"No method could be trained; the first reason: {next(iter(failed.values()))}")
    return judged, failed


def _in_processes(
    cells: Sequence[Cell], catalog: Catalog, out: Path, workers: int
) -> Iterator[tuple[Cell, Judged | NatviewsError]]:
    """The cells as they are done, each with its judgement or with what stood in its way."""
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(threads,)) as pool:
        cell_of = {pool.submit(_finish_quietly, cell, catalog, out): cell for cell in cells}
        try:
            for done in as_completed(cell_of):
                error = done.exception()
                if error is not None and not isinstance(error, NatviewsError):
                    raise error
                yield cell_of[done], error or done.result()
        except BrokenProcessPool:
            raise NatviewsError(
                "A worker was killed (is there memory for so many?); run the same command again to go on."
            ) from None
        except BaseException:
            for worker in multiprocessing.active_children():  # an interrupt must not wait for what takes minutes
                worker.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(threads: int) -> None:
    """What a worker does first: it ends with its parent, and all libraries keep to its share of the cores.

    A worker that went on alone would write into a cell that a second study has begun to continue.
    """
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _finish_quietly(cell: Cell, catalog: Catalog, out: Path) -> Judged:
    folder = out / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "progress.log").open("a", encoding="utf-8") as log, contextlib.redirect_stderr(log):
        return finish(cell, catalog, out)
