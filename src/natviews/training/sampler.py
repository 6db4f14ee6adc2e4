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
        self._groups = _Groups.of(catalog)
        if len(self._groups) < 2:
            raise NatviewsError("Training needs at least two products; the split `train` has fewer.")
        self.batch = min(batch, len(self._groups))
        self.pairing, self.seed, self.views, self.companions = pairing, seed, views, companions
        kinds = _kinds(catalog, within)
        self._kinds = kinds[self._groups.first_rows]
        self.share_with_two = float(np.mean(np.diff(self._groups.starts) > 1))
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
        sorted_by_kind = order[np.argsort(self._kinds[order], kind="stable")]
        for numbers in np.split(sorted_by_kind, np.flatnonzero(np.diff(self._kinds[sorted_by_kind])) + 1):
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
        rows = self._groups.rows(number, rng)
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
        rows = self._groups.rows(number, rng)
        return int(rows[rng.integers(len(rows))])


@dataclass(frozen=True)
class _Groups:
    """Groups of near-identical products, as four arrays: an object for each of a million photos takes minutes.

    Group i has the products `products[i]` to `products[i + 1]`, product j the photos `photos[starts[j]:starts[j +
    1]]`, rows of the catalogue.
    """

    products: np.ndarray
    starts: np.ndarray
    photos: np.ndarray

    @classmethod
    def of(cls, catalog: Catalog) -> "_Groups":
        """Of the photos that are no near-copies; groups in the order of their first products' names."""
        product, group = catalog.numbers("product_id"), catalog.numbers("dup_group")
        group_of = np.empty(product.max() + 1, np.int64)
        group_of[product] = group  # of several the last
        fresh = np.flatnonzero(catalog.column("near_dup_within") != "1")
        names, product = np.unique(product[fresh], return_inverse=True)
        _, first, of_product = np.unique(group_of[names], return_index=True, return_inverse=True)
        place = np.argsort(np.argsort(first))[of_product]
        order = np.lexsort((product, place[product]))
        changed = np.diff(product[order]).astype(bool)
        starts = np.flatnonzero(np.r_[len(fresh) > 0, changed, len(fresh) > 0])
        products = np.searchsorted(np.sort(place), np.arange(len(first) + 1))
        return cls(products, starts, fresh[order])

    def __len__(self) -> int:
        return len(self.products) - 1

    @property
    def first_rows(self) -> np.ndarray:
        """The first photo of each group's first product."""
        return self.photos[self.starts[self.products[:-1]]]

    def rows(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """The photos of one of a group's products, each as likely."""
        product = self.products[number] + rng.integers(self.products[number + 1] - self.products[number])
        return self.photos[self.starts[product] : self.starts[product + 1]]


def _kinds(catalog: Catalog, within: str) -> np.ndarray:
    """What the products of a batch share, (N,) as numbers: nothing, a column, or the type, which a catalogue need
    not say."""
    if not within or (within == "product_type" and not catalog.has(within)):
        return np.zeros(len(catalog), int)
    return catalog.numbers(within)
