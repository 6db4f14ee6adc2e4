"""Which photos make the views of a step: different photos of one product, one photo twice, or either."""

from dataclasses import dataclass, replace

import numpy as np

from natviews.catalog import Catalog
from natviews.training.recipe import Pairing
from natviews.types import NatviewsError


@dataclass(frozen=True)
class Draw:
    """What one row of a batch shows: photos `rows`, as many as there are views or fewer, of the product numbered
    `product`."""

    product: int
    rows: tuple[int, ...]
    rng_key: tuple[int, ...]
    """Seeds the views: chance depends on seed, step and place alone, never on threads or restarts."""
    siblings: tuple[int, ...] = ()
    """Further photos of the product, for a collage."""
    others: tuple[tuple[int, int], ...] = ()
    """Photos of other products, for a collage, each with its product's number."""


class PairSampler:
    """Draws batches in which no two rows show the same product, nor two near-identical ones.

    `natural`: `views` photos of the product, or as many as it has, which take turns; `augmented`: one photo;
    `both`: either, at random. An epoch takes every product once. With `within`, a column's name, the products of
    a batch share its value wherever enough products do; the others are put together, neighbours in value.

    The catalogue needs the columns `dup_group` and `near_dup_within`: one product of a group is taken per
    epoch, near-copies never. With every row come up to `companions` siblings and as many photos of other
    products, for collages.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        pairing: Pairing,
        batch: int,
        seed: int,
        views: int = 2,
        companions: int = 0,
        within: str = "",
    ) -> None:
        fresh = np.flatnonzero(catalog.column("near_dup_within") != "1")
        products = {
            name: kept
            for name, rows in catalog.products.items()
            if len(kept := np.intersect1d(rows, fresh, assume_unique=True))
        }
        group_of = dict(zip(catalog.product_ids.tolist(), catalog.column("dup_group").tolist(), strict=True))
        groups: dict[str, list[np.ndarray]] = {}
        for name, rows in products.items():
            groups.setdefault(group_of[name], []).append(rows)
        self._groups = list(groups.values())
        if len(self._groups) < 2:
            raise NatviewsError("Training needs at least two products; the split `train` has fewer.")
        self.batch = min(batch, len(self._groups))
        self.pairing, self.seed, self.views, self.companions = pairing, seed, views, companions
        kinds = _kinds(catalog, within)
        self._kinds = np.array([kinds[rows[0][0]] for rows in self._groups])
        self.share_with_two = float(np.mean([len(rows) > 1 for rows in products.values()]))
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))

    @property
    def steps_per_epoch(self) -> int:
        """The last batch of an epoch is whole or not taken."""
        return len(self._groups) // self.batch

    def epoch(self, step: int) -> float:
        """How many passes over the products lie before a step."""
        return step / self.steps_per_epoch

    def draw(self, step: int) -> list[Draw]:
        """The batch of this step; the same for the same seed, whatever was drawn before."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, self._ordered(np.random.default_rng([self.seed, 0, epoch])))
        numbers = self._order[1][position * self.batch : (position + 1) * self.batch]
        return [self._draw_one(int(number), (self.seed, 1, step, place)) for place, number in enumerate(numbers)]

    def _ordered(self, rng: np.random.Generator) -> np.ndarray:
        """All products in an order whose consecutive batches are each of one kind, as far as they can be."""
        order = rng.permutation(len(self._groups))
        pure, rest = [], []
        for kind in np.unique(self._kinds):
            numbers = order[self._kinds[order] == kind]
            whole = len(numbers) // self.batch * self.batch
            pure += np.split(numbers[:whole], whole // self.batch) if whole else []
            rest.append(numbers[whole:])
        mixed = np.concatenate(rest)
        tail = len(mixed) % self.batch
        if tail:  # what no batch holds is another part every time
            mixed = np.roll(mixed, -int(rng.integers(len(mixed))))
        several = [*pure, *np.split(mixed[: len(mixed) - tail], len(mixed) // self.batch or 1)]
        return np.concatenate([several[i] for i in rng.permutation(len(several))])

    def _draw_one(self, number: int, key: tuple[int, ...]) -> Draw:
        rng = np.random.default_rng(key)
        alternatives = self._groups[number]
        rows = alternatives[rng.integers(len(alternatives))]
        natural = self.pairing == "natural" or (self.pairing == "both" and rng.random() < 0.5)
        count = min(self.views, len(rows)) if natural else 1
        chosen = rng.choice(rows, size=count, replace=False)
        drawn = Draw(number, tuple(int(row) for row in chosen), (*key, 2))
        return self._with_companions(drawn, rows, rng) if self.companions else drawn

    def _with_companions(self, drawn: Draw, rows: np.ndarray, rng: np.random.Generator) -> Draw:
        rest = np.setdiff1d(rows, drawn.rows)
        siblings = rng.choice(rest, size=min(len(rest), self.companions), replace=False)
        count = min(self.companions, len(self._groups) - 1)
        # Numbers without the row's own: those from it on are moved up by one.
        numbers = rng.choice(len(self._groups) - 1, size=count, replace=False)
        others = [
            (self._any_photo(number, rng), number) for number in (int(n) + (n >= drawn.product) for n in numbers)
        ]
        return replace(drawn, siblings=tuple(int(row) for row in siblings), others=tuple(others))

    def _any_photo(self, number: int, rng: np.random.Generator) -> int:
        rows = self._groups[number][rng.integers(len(self._groups[number]))]
        return int(rows[rng.integers(len(rows))])


def _kinds(catalog: Catalog, within: str) -> np.ndarray:
    """What the products of a batch share, (N,): nothing, a column, or the type, which a catalogue need not say."""
    if not within:
        return np.full(len(catalog), "")
    return catalog.product_types if within == "product_type" else catalog.column(within)
