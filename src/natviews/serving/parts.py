"""Some of a store's photos as they are searched: vectors in memory, and what is known of each photo beside
them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute

from natviews.index import ExactIndex, Index, allowed, index_for
from natviews.types import Embeddings

DESIGN = "design"


class Part:
    """Photos that never change once they are here. `known` has a row for each, in the order of the embeddings.

    `look` searches the vectors that say which item it is, or (`design`) those to which another colour is the same.
    """

    def __init__(self, embeddings: Embeddings, known: pa.Table, *, large: bool = False) -> None:
        self.embeddings, self.known = embeddings, known.combine_chunks()  # to take rows from pieces is slow
        make = index_for if large else ExactIndex
        self._item: Index = make(Embeddings(*_plain(embeddings)))
        self._design: Index | None = None
        if DESIGN in embeddings.extra:
            self._design = make(embeddings.use(DESIGN))
        self.row_of = {photo: row for row, photo in enumerate(embeddings.ids.tolist())}
        self.rows_of: dict[str, list[int]] = {}
        for row, product in enumerate(embeddings.product_ids.tolist()):
            self.rows_of.setdefault(product, []).append(row)

    def __len__(self) -> int:
        return len(self.embeddings)

    def product(self, row: int) -> str:
        """The product that a row's photo shows."""
        return str(self.embeddings.product_ids[row])

    @property
    def designs(self) -> bool:
        """Whether same designs can be looked for."""
        return self._design is not None

    @cached_property
    def first_rows(self) -> np.ndarray:
        """(P,) the row of each product's first photo."""
        return np.array([rows[0] for rows in self.rows_of.values()], np.int64)

    def vectors(self, rows: Sequence[int], *, design: bool) -> np.ndarray:
        """(M, D) the vectors of some rows."""
        chosen = self.embeddings.extra[DESIGN] if design else self.embeddings.vectors
        return np.asarray(chosen[list(rows)])

    def look(
        self, queries: np.ndarray, k: int, *, where: np.ndarray | None, design: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores (Q, k) of the nearest photos, falling; row -1 and score -inf where fewer are allowed."""
        index = self._design if design and self._design is not None else self._item
        found = index.search(queries, k, where=where)
        rows = [[self.row_of.get(photo, -1) for photo in line] for line in found.ids.tolist()]
        return np.array(rows, np.int64).reshape(found.ids.shape), found.scores

    def allowed(self, conditions: Sequence[str]) -> np.ndarray | None:
        """(N,) bool: the photos that fulfil all conditions; None where there are none."""
        return allowed(self.known, conditions)

    def facts(self, rows: Sequence[int]) -> list[dict[str, str]]:
        """What is known of each of some photos beside its ids, without what is missing."""
        return [
            {
                name: str(value)
                for name, value in held.items()
                if name not in ("id", "product_id") and value not in (None, "")
            }
            for held in self.known.take(pa.array(rows, pa.int64())).to_pylist()
        ]


def facts_of(places: "Sequence[tuple[Part, int]]") -> list[dict[str, str]]:
    """What is known of photos that lie in several parts, in their order; each part is read once."""
    told: list[dict[str, str]] = [{}] * len(places)
    for part in {part for part, _ in places}:
        here = [number for number, (held_by, _) in enumerate(places) if held_by is part]
        for number, facts in zip(here, part.facts([places[number][1] for number in here]), strict=True):
            told[number] = facts
    return told


def _plain(embeddings: Embeddings) -> tuple:
    return embeddings.ids, embeddings.product_ids, embeddings.vectors, embeddings.made_by


def empty_part(like: Part) -> Part:
    """A part of no photos with the same vectors and columns."""
    nothing = np.zeros(len(like), bool)
    return Part(like.embeddings.take(nothing), like.known.slice(0, 0))
