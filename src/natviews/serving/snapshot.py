"""What a store holds at one moment, and searching it.

A search reads one immutable `Snapshot`, so it waits for nobody. What changes lies in a small part of its own
beside the large index, and what went is masked in that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from natviews.serving.parts import Part, empty_part, facts_of
from natviews.serving.problems import Unable
from natviews.types import Embeddings

ASKING = 8
"""Photos of a product that ask for it."""
SPARE = 4
"""Photos that are looked for, for each product that is wanted."""


@dataclass(frozen=True)
class Neighbour:
    """A product that was found: its most similar photo and the cosine of that."""

    product_id: str
    photo: str
    score: float
    facts: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The photos as they are at one moment: the large part, those of it that went, and what came since."""

    main: Part
    fresh: Part
    gone: frozenset[str] = frozenset()
    version: int = 0
    alive: np.ndarray | None = field(default=None, repr=False)
    """(N,) bool over the large part, None where nothing went."""

    def __len__(self) -> int:
        return len(self.main) - len(self.gone) + len(self.fresh)

    @property
    def parts(self) -> tuple[tuple[Part, np.ndarray | None], ...]:
        """Both parts, each with the rows that count."""
        return (self.main, self.alive), (self.fresh, None)

    def place(self, photo: str) -> tuple[Part, int] | None:
        """Where a photo lies; None where it is not there."""
        if photo in self.fresh.row_of:
            return self.fresh, self.fresh.row_of[photo]
        if photo in self.gone or photo not in self.main.row_of:
            return None
        return self.main, self.main.row_of[photo]

    def photos_of(self, product_id: str) -> list[tuple[Part, int]]:
        """Where a product's photos lie."""
        return [
            (part, row)
            for part, alive in self.parts
            for row in part.rows_of.get(product_id, [])
            if alive is None or alive[row]
        ]

    @cached_property
    def first_photos(self) -> tuple[tuple[Part, np.ndarray], ...]:
        """Where the first photo of each product that is there lies: rows of the large part, and of what came since
        for the products that it has none of."""
        rows = self.main.first_rows
        if self.alive is not None:
            here = self.alive[rows]
            others = [self._first_in_main(self.main.product(row)) for row in rows[~here].tolist()]
            rows = np.sort(np.append(rows[here], [row for row in others if row is not None]).astype(np.int64))
        new = self.fresh.first_rows.tolist()
        fresh = [row for row in new if self._first_in_main(self.fresh.product(row)) is None]
        return (self.main, rows), (self.fresh, np.array(fresh, np.int64))

    def _first_in_main(self, product: str) -> int | None:
        """The row of the product's first photo in the large part that did not go."""
        rows = self.main.rows_of.get(product, [])
        return next((row for row in rows if self.alive is None or self.alive[row]), None)

    def photos(self) -> tuple[Embeddings, pa.Table]:
        """All that is there, and what is known of it."""
        main, known = self.main.embeddings, self.main.known
        if self.alive is not None:
            main, known = main.take(self.alive), known.filter(pa.array(self.alive))
        if not len(self.fresh):
            return main, known
        return joined(main, self.fresh.embeddings), pa.concat_tables([known, self.fresh.known])

    @property
    def designs(self) -> bool:
        """Whether same designs can be looked for."""
        return self.main.designs

    def check_designs(self) -> None:
        """Raises Unable where same designs cannot be looked for."""
        if not self.designs:
            raise Unable(
                "The store has no vectors of designs; train with --set 'heads=[identity, design]' and embed again."
            )

    @property
    def columns(self) -> list[str]:
        """What is known of photos beside their ids."""
        return [name for name in self.main.known.column_names if name not in ("id", "product_id")]

    def changed(self, embeddings: Embeddings, known: pa.Table, version: int) -> "Snapshot":
        """With photos taken in, replacing those of the same ids. `known` has all columns."""
        keep = ~np.isin(self.fresh.embeddings.ids, embeddings.ids)
        beside = joined(self.fresh.embeddings.take(keep), embeddings)
        table = pa.concat_tables([self.fresh.known.filter(pa.array(keep)), known.cast(self.fresh.known.schema)])
        gone = self.gone | {photo for photo in embeddings.ids.tolist() if photo in self.main.row_of}
        return self.without(gone, Part(beside, table), version)

    def deleted(self, ids: Sequence[str], version: int) -> "Snapshot":
        """Without some photos."""
        keep = ~np.isin(self.fresh.embeddings.ids, np.array(list(ids), str))
        fresh = Part(self.fresh.embeddings.take(keep), self.fresh.known.filter(pa.array(keep)))
        return self.without(self.gone | {photo for photo in ids if photo in self.main.row_of}, fresh, version)

    def without(self, gone: frozenset[str], fresh: Part, version: int) -> "Snapshot":
        """With other photos gone from the large part, and others beside it."""
        alive = None
        if gone:
            alive = np.ones(len(self.main), bool)
            alive[[self.main.row_of[photo] for photo in gone]] = False
        return replace(self, fresh=fresh, gone=frozenset(gone), alive=alive, version=version)


def joined(one: Embeddings, other: Embeddings) -> Embeddings:
    """Two as one."""
    ids, products, vectors = (
        np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("ids", "product_ids", "vectors")
    )
    extra = {name: np.concatenate([one.extra[name], other.extra[name]]) for name in one.extra}
    return Embeddings(ids, products, vectors, one.made_by, extra)


def followed(snapshot: Snapshot, embeddings: Embeddings, known: pa.Table, version: int) -> Snapshot:
    """The snapshot as the store is now: what differs from the large part lies beside it."""
    main = snapshot.main
    columns = main.known.column_names
    if known.column_names != columns:  # a new column: everything is another row
        part = Part(embeddings, known, large=True)
        return Snapshot(part, empty_part(part), version=version)
    place = np.array([main.row_of.get(photo, -1) for photo in embeddings.ids.tolist()], np.int64)
    there = np.flatnonzero(place >= 0)
    same = (main.embeddings.vectors[place[there]] == embeddings.vectors[there]).all(axis=1)
    old = main.known.take(pa.array(place[there]))
    for name in columns:
        ours, theirs = old.column(name), known.column(name).take(pa.array(there))
        equal = pa.compute.equal(ours, theirs).fill_null(False)
        both = pa.compute.and_(ours.is_null(), theirs.is_null())
        same &= pa.compute.or_(equal, both).to_numpy(zero_copy_only=False).astype(bool)
    changed = np.ones(len(embeddings), bool)
    changed[there[same]] = False
    kept = set(embeddings.ids[there[same]].tolist())
    gone = frozenset(photo for photo in main.row_of if photo not in kept)
    fresh = Part(embeddings.take(changed), known.filter(pa.array(changed)).cast(main.known.schema))
    return snapshot.without(gone, fresh, version)


@dataclass(frozen=True)
class Query:
    """What is looked for: unit vectors (Q, D) that ask together, how many products, which, and by which
    likeness."""

    vectors: np.ndarray
    k: int = 24
    conditions: tuple[str, ...] = ()
    design: bool = False
    without: str = ""
    """A product that is not to be found: the one that asks."""


def search(snapshot: Snapshot, query: Query) -> list[Neighbour]:
    """The nearest products, each by its nearest photo, falling. Raises NatviewsError for a bad condition."""
    best: dict[str, tuple[float, Part, int]] = {}
    own = len(snapshot.photos_of(query.without)) if query.without else 0
    for part, alive in snapshot.parts:
        where = part.allowed(query.conditions)
        if alive is not None:
            where = alive if where is None else where & alive
        wanted = min(len(part), SPARE * query.k + own)
        if wanted:
            _offer(part, query, where, wanted, best)
    best.pop(query.without, None)
    ranked = sorted(best.items(), key=lambda held: (-held[1][0], held[0]))[: query.k]
    facts = facts_of([(part, row) for _, (_, part, row) in ranked])
    return [
        Neighbour(product, str(part.embeddings.ids[row]), score, known)
        for (product, (score, part, row)), known in zip(ranked, facts, strict=True)
    ]


def _offer(
    part: Part,
    query: Query,
    where: np.ndarray | None,
    wanted: int,
    best: dict[str, tuple[float, Part, int]],
) -> None:
    """Puts each product's best photo in a part into `best`; looks for more where few products hold many photos,
    until every vector that asks has found `k` of them."""
    while True:
        rows, scores = part.look(query.vectors, wanted, where=where, design=query.design)
        fewest = query.k
        for line, values in zip(rows.tolist(), scores.tolist(), strict=True):
            seen = set()
            for row, score in zip(line, values, strict=True):
                product = "" if row < 0 else str(part.embeddings.product_ids[row])
                seen.add(product)
                if row >= 0 and (product not in best or score > best[product][0]):
                    best[product] = (score, part, row)
            fewest = min(fewest, len(seen - {query.without, ""}))
        if fewest == query.k or wanted >= len(part) or (rows < 0).any():
            return
        wanted = min(len(part), 4 * wanted)
