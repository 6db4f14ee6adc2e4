"""The shop as a map: photos of products that look alike lie together. Drawn in the background."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from natviews.evaluation import Plane, planes
from natviews.serving.parts import Part, facts_of
from natviews.serving.snapshot import Snapshot
from natviews.types import NatviewsError

MOST = 3_000
"""Products on the map, drawn by chance where there are more."""
MOST_VALUES = 40
CHANGED = 0.1
"""The share of products that came or went since a map was drawn, above which it is drawn anew."""
SEED = 0


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """Where `photos` (M,) of a snapshot, one of a product, lie in the plane."""

    snapshot: Snapshot
    photos: np.ndarray
    plane: Plane

    def within(self, snapshot: Snapshot) -> "EmbeddingMap":
        """What of it is there in another snapshot, in the same places."""
        there = np.array([snapshot.place(photo) is not None for photo in self.photos.tolist()], bool)
        return EmbeddingMap(snapshot, self.photos[there], replace(self.plane, places=self.plane.places[there]))

    @cached_property
    def products(self) -> list[str]:
        """What its photos show."""
        return [part.product(row) for part, row in self._rows]

    @cached_property
    def columns(self) -> list[str]:
        """The columns that part its photos in a few kinds."""
        return [name for name in self.snapshot.columns if 2 <= len(set(self.values(name))) <= MOST_VALUES]

    def values(self, column: str) -> list[str]:
        """What is known of its photos in one column, '' where nothing is."""
        if column not in self.snapshot.columns:
            raise NatviewsError(f"Nothing is known of a column {column!r}.")
        return [facts.get(column, "") for facts in self._facts]

    @cached_property
    def _facts(self) -> list[dict[str, str]]:
        return facts_of(self._rows)

    @cached_property
    def _rows(self) -> list[tuple[Part, int]]:
        return [row for photo in self.photos.tolist() if (row := self.snapshot.place(photo))]


class Maps:
    """The map of what is `held`. It is drawn anew when much has come or gone; until then what went is left out."""

    def __init__(self, held: Callable[[], Snapshot]) -> None:
        self._held = held
        self._drawn: EmbeddingMap | None = None
        self._shown: tuple[EmbeddingMap, EmbeddingMap] | None = None
        """A map as it was drawn, and what of it is there."""
        self._drawing = threading.Lock()
        self.done = threading.Event()
        self._begin()

    def now(self) -> EmbeddingMap | None:
        """The map of what is there; None while the first is being drawn."""
        drawn, snapshot = self._drawn, self._held()
        if drawn is None:
            return None
        of, shown = self._shown or (None, drawn)
        if of is not drawn or shown.snapshot is not snapshot:
            shown = drawn.within(snapshot)
            self._shown = drawn, shown
        before, after = _products(drawn.snapshot), _products(snapshot)
        went = len(drawn.photos) - len(shown.photos)
        if abs(after - before) > CHANGED * before or went > CHANGED * len(drawn.photos):
            self._begin()
        return shown

    def _begin(self) -> None:
        """Draws, unless that is under way."""
        if self._drawing.acquire(blocking=False):
            self.done.clear()
            threading.Thread(target=self._draw, name="map", daemon=True).start()

    def _draw(self) -> None:
        try:
            snapshot = self._held()
            photos, vectors = _one_of_each(snapshot)
            for plane in planes(vectors):
                self._drawn = EmbeddingMap(snapshot, photos, plane)
        finally:
            self._drawing.release()
            self.done.set()


def _products(snapshot: Snapshot) -> int:
    return sum(len(rows) for _, rows in snapshot.first_photos)


def _one_of_each(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """Ids (M,) and vectors (M, D) of the first photos of at most MOST products."""
    first = [rows for _, rows in snapshot.first_photos]
    chosen = np.arange(sum(map(len, first)))
    if len(chosen) > MOST:
        chosen = np.sort(np.random.default_rng(SEED).choice(chosen, MOST, replace=False))
    of_main = chosen < len(first[0])
    rows = first[0][chosen[of_main]], first[1][chosen[~of_main] - len(first[0])]
    held = [(part.embeddings, here) for (part, _), here in zip(snapshot.first_photos, rows, strict=True)]
    return (
        np.concatenate([embeddings.ids[here] for embeddings, here in held]),
        np.concatenate([embeddings.vectors[here] for embeddings, here in held]),
    )
