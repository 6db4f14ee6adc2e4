"""Parting a catalogue into train, val and test, so that nothing seen in training is met in the test."""

import hashlib

import numpy as np

from natviews.catalog.catalog import Catalog
from natviews.catalog.duplicates import product_groups, repeated_photos, telling_pairs
from natviews.catalog.packed import PackedPhotos

SHARES = {"train": 0.60, "val": 0.15, "test": 0.25}


def with_groups(packed: PackedPhotos) -> PackedPhotos:
    """The photos with the columns `dup_group` and `near_dup_within`, found unless the catalogue has them.

    `dup_group` (text) is shared by products that have a near-identical photo in common, and a product whose cells
    are blank is its own;
    `near_dup_within` is '1' for a near-copy of an earlier photo of the same product.
    """
    catalog = _without_blank_groups(packed.catalog)
    if not (catalog.has("dup_group") and catalog.has("near_dup_within")):
        pairs = telling_pairs(catalog.product_ids, packed.hashes)
        if not catalog.has("dup_group"):
            catalog = catalog.with_column("dup_group", product_groups(catalog.product_ids, pairs))
        if not catalog.has("near_dup_within"):
            repeated = repeated_photos(catalog.product_ids, pairs)
            catalog = catalog.with_column("near_dup_within", np.where(repeated, "1", "0"))
    return packed.with_catalog(catalog)


def _without_blank_groups(catalog: Catalog) -> Catalog:
    """The catalogue with blank cells of `dup_group` filled: as the product's first given one, else by its name."""
    if not catalog.has("dup_group"):
        return catalog
    given, products = catalog.column("dup_group"), catalog.product_ids
    blank = given == ""
    if not blank.any():
        return catalog
    named = ~blank
    said = dict(zip(products[named][::-1].tolist(), given[named][::-1].tolist(), strict=True))
    given = given.astype(object)
    given[blank] = [said.get(product, product) for product in products[blank].tolist()]
    return catalog.with_column("dup_group", given)


def with_split(packed: PackedPhotos, seed: int = 0) -> PackedPhotos:
    """The photos with `dup_group`, `near_dup_within` and `split`; a given `split` is honoured.

    Otherwise groups of products are ranked by a hash of their name and the ranking is cut by SHARES: a
    product keeps its split when the catalogue grows, except near the cuts.
    """
    packed = with_groups(packed)
    if packed.catalog.has("split"):
        return packed
    return packed.with_catalog(_split(packed.catalog, seed))


def _split(catalog: Catalog, seed: int) -> Catalog:
    names, group = np.unique(catalog.column("dup_group"), return_inverse=True)
    draw = [hashlib.blake2b(f"{seed}\x1f{name}".encode(), digest_size=8).digest() for name in names]
    rank = np.empty(len(names))
    rank[np.argsort(np.array(draw))] = (np.arange(len(names)) + 0.5) / len(names)
    cuts = np.cumsum(list(SHARES.values()))[:-1]
    return catalog.with_column("split", np.array(list(SHARES))[np.searchsorted(cuts, rank)][group])
