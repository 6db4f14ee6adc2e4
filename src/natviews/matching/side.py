"""One side of a comparison: a catalogue's vectors, and what its rows say of the products behind them."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from natviews.catalog import Catalog, content_key, write_quarantine
from natviews.index import Index, Store, index_for, read_embeddings
from natviews.index.learnt import learnt_splits
from natviews.types import Embeddings, NatviewsError, Provenance

HELD_OUT = 0.25
"""The share of the products that teach what a score is worth where the catalogue has no `split`."""


@dataclass(frozen=True)
class Side:
    """A catalogue's photos with their vectors. `table` has a row of text for each of them, in their order.

    Products are numbered from 0 in the alphabetical order of their ids; arrays (P,) are in that order.
    """

    name: str
    embeddings: Embeddings
    table: pa.Table
    unseen: bool = False
    """Whether the encoder has met none of these photos in training: then all products teach."""
    folder: Path = Path()
    """What the photos' paths are relative to."""

    def __post_init__(self) -> None:
        if len(self.table) != len(self.embeddings):
            raise ValueError(f"{len(self.embeddings)} vectors but {len(self.table)} rows")

    def __len__(self) -> int:
        return len(self.products)

    @cached_property
    def products(self) -> np.ndarray:
        """(P,) the ids of the products."""
        return np.unique(self.embeddings.product_ids)

    @cached_property
    def product(self) -> np.ndarray:
        """(N,) the number of each photo's product."""
        return np.searchsorted(self.products, self.embeddings.product_ids)

    @cached_property
    def photo_rows(self) -> np.ndarray:
        """(N,) the photos' rows, those of product 0 first, then those of 1 and so on."""
        return np.argsort(self.product, kind="stable")

    @cached_property
    def counts(self) -> np.ndarray:
        """(P,) how many photos each product has."""
        return np.bincount(self.product, minlength=len(self.products))

    @cached_property
    def starts(self) -> np.ndarray:
        """(P,) where each product's photos begin in `photo_rows`."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def means(self) -> np.ndarray:
        """(P, D) the direction of the mean of each product's vectors, of length 1."""
        sums = np.zeros((len(self.products), self.embeddings.vectors.shape[1]), np.float32)
        np.add.at(sums, self.product, self.embeddings.vectors)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)

    @cached_property
    def index(self) -> Index:
        """What finds its photos: exact, or an approximate one where there are very many."""
        return index_for(self.embeddings)

    def has(self, column: str) -> bool:
        """Whether the catalogue has such a column."""
        return column in self.table.column_names

    def take(self, rows: np.ndarray) -> "Side":
        """The side of some photos: a boolean mask (N,)."""
        return replace(self, embeddings=self.embeddings.take(rows), table=self.table.filter(pa.array(rows)))

    def text(self, column: str) -> np.ndarray:
        """(P,) a column's first given value for each product, '' where it has none or there is no such column."""
        values = np.full(len(self.products), "", object)
        if self.has(column):
            given = self.table.column(column).to_numpy(zero_copy_only=False)
            rows = self.photo_rows[::-1]
            rows = rows[np.array([bool(value) for value in given[rows]], bool)] if len(rows) else rows
            values[self.product[rows]] = given[rows]  # the last one written is the first of the product
        return values.astype(str)

    def numbers(self, column: str) -> np.ndarray:
        """(P,) a column as numbers, NaN where a product has none that can be read."""
        return np.array([_number(value) for value in self.text(column).tolist()], float)

    @cached_property
    def types(self) -> np.ndarray:
        """(P,) the products' types, '' where the catalogue does not say."""
        return self.text("product_type")

    @cached_property
    def groups(self) -> np.ndarray:
        """(P,) the number of each product's group of near-identical ones, as far as the catalogue has
        `dup_group`."""
        given = self.text("dup_group")
        return np.unique(np.where(given == "", self.products, given), return_inverse=True)[1]

    @cached_property
    def held_out(self) -> np.ndarray:
        """(P,) bool: products that the encoder was not trained on, which say what a score is worth.

        The catalogue's `val`; where it has no split, what `held_out_from` says.
        """
        if self.unseen:
            return np.ones(len(self.products), bool)
        if self.has("split"):
            return self.text("split") == "val"
        return held_out_from(self.embeddings.made_by, self.products)


def held_out_from(made_by: Provenance, products: np.ndarray) -> np.ndarray:
    """(P,) bool: the products that were in `val` when the encoder was trained, as far as that is kept beside it,
    and a quarter of those that it has never met."""
    split = learnt_splits(made_by, products)
    return (split == "val") | ((split == "") & held_out_by_name(products))


def held_out_by_name(products: np.ndarray) -> np.ndarray:
    """(P,) bool: a quarter of the products, the same ones whatever others there are."""
    return np.array([drawn_by_name(name) for name in products.tolist()], float) < HELD_OUT * 2**32


def drawn_by_name(product: str) -> int:
    """A number from 0 to 2**32 by chance, always the same for a product."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(product.encode(), digest_size=4).digest())


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def side_of(embeddings: Embeddings, catalog: Catalog, *, name: str, unseen: bool = False) -> Side:
    """Embeddings with the rows of their catalogue. Raises NatviewsError where a photo is not in it."""
    place = {photo: row for row, photo in enumerate(catalog.ids.tolist())}
    missing = [photo for photo in embeddings.ids.tolist() if photo not in place]
    if missing:
        raise NatviewsError(
            f"{len(missing)} photos of {name} are not in its catalogue, such as {missing[0]!r}; "
            "name the catalogue that was embedded, or embed again."
        )
    rows = [place[photo] for photo in embeddings.ids.tolist()]
    return Side(name, embeddings, catalog.table.take(pa.array(rows, pa.int64())), unseen, catalog.folder)


def open_side(
    place: str | Path,
    *,
    catalog: str | Path | None = None,
    encoder: str | Path | None = None,
    beside: Path = Path(),
    encoding: str = "utf-8",
    unseen: bool = False,
) -> Side:
    """The side at `place`: embeddings (Parquet), a store's folder, or a catalogue that `encoder` describes first.

    The rows come from the catalogue that the embeddings name, or from `catalog`. A catalogue is described into a
    file in the folder `beside`, which a killed command continues. Raises NatviewsError where something is absent,
    or the catalogue is not the one that was embedded.
    """
    place = Path(place)
    if _holds_vectors(place):
        return _from_parquet(place, catalog, encoding, unseen)
    if place.is_dir() and Store.is_at(place):
        return _from_store(place, unseen)
    if encoder is None:
        raise NatviewsError(
            f"{place} holds no embeddings; make them with `natviews embed`, or give --encoder RUN."
        )
    return _from_parquet(_described(place, Path(encoder), beside, encoding), place, encoding, unseen)


def _holds_vectors(place: Path) -> bool:
    if place.suffix.lower() != ".parquet" or not place.is_file():
        return False
    try:
        return "vector" in pa.parquet.read_schema(place).names
    except (pa.ArrowException, OSError) as error:
        raise NatviewsError(f"{place} is damaged: {' '.join(str(error).split())}") from None


def _from_parquet(place: Path, catalog: str | Path | None, encoding: str, unseen: bool) -> Side:
    embeddings = read_embeddings(place)
    source = catalog or embeddings.made_by.source
    if not source:
        raise NatviewsError(f"{place} does not say where its catalogue lies; name it with --catalog.")
    rows = Catalog.open(source, encoding=encoding)
    if catalog is None and embeddings.made_by.catalog not in ("", rows.digest):
        raise NatviewsError(
            f"{source} has changed since {place} was made; embed again, or name it with --catalog."
        )
    return side_of(embeddings, rows, name=str(place), unseen=unseen)


def _from_store(place: Path, unseen: bool) -> Side:
    """A store keeps vectors and rows together, so no catalogue is needed; the photos lie where it lay."""
    store = Store(place)  # opened once: what is written meanwhile would give the rows another order
    embeddings = store.embeddings
    source = Path(embeddings.made_by.source)
    folder = source if source.is_dir() else source.parent
    return Side(str(place), embeddings, store.photos(), unseen, folder)


def _described(catalog: Path, encoder: Path, beside: Path, encoding: str) -> Path:
    """The embeddings of a catalogue, made where there are none yet by this encoder."""
    from natviews.progress import progress

    with progress("loading torch"):
        from natviews.encoders import Encoder, embed_catalog

    made, photos = Encoder.load(encoder), Catalog.open(catalog, encoding=encoding)
    out = beside / f"{_name(catalog, photos)}.embeddings.parquet"
    if out.is_file():
        there = read_embeddings(out).made_by
        if (there.encoder, there.catalog) == (made.digest(), photos.digest):
            return out
    where, source = str(encoder.absolute()), str(catalog.absolute())
    bad = embed_catalog(made, photos, out, location=where, source=source)
    if bad:
        write_quarantine(bad, out.with_suffix(".quarantine.csv"))
    return out


def _name(catalog: Path, photos: Catalog) -> str:
    """What tells a catalogue's photos from those of another of this name, and from what they were before."""
    from hashlib import sha256

    place = catalog.absolute()
    words = f"{place}\x1f{content_key(photos)}".encode("utf-8", "surrogateescape")
    return f"{place.stem if place.stem != 'catalog' else place.parent.name}-{sha256(words).hexdigest()[:16]}"


def check_comparable(ours: Side, theirs: Side) -> None:
    """Raises NatviewsError where two sides were not described by the same encoder."""
    one, other = ours.embeddings, theirs.embeddings
    if one.made_by.encoder != other.made_by.encoder or one.vectors.shape[1:] != other.vectors.shape[1:]:
        raise NatviewsError(
            f"{ours.name} and {theirs.name} were described by different encoders, so their vectors cannot be "
            "compared; embed one of them again with the other's encoder."
        )
