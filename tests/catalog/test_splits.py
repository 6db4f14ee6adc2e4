"""Splits that part no group of products, keep their shares and hardly move when the catalogue grows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog, PackedPhotos, with_split
from natviews.catalog.splits import SHARES, with_groups


def packed(product_ids: list[str], hashes: np.ndarray | None = None, **columns: list[str]) -> PackedPhotos:
    """Packed photos without pixels; unless given, no two hashes are near each other."""
    count = len(product_ids)
    texts = {"image": [f"{i}.jpg" for i in range(count)], "product_id": product_ids, **columns}
    catalog = Catalog(pa.table({name: pa.array(column, pa.string()) for name, column in texts.items()}), Path("/"))
    if hashes is None:
        hashes = np.random.default_rng(0).integers(0, 2**42, (count, 2), dtype=np.uint64)
    return PackedPhotos(
        catalog, hashes, [], np.empty(0, np.uint8), pa.table({"offset": np.zeros(count, np.int64)})
    )


def several(products: int, photos: int = 3) -> list[str]:
    return [f"product {i:05d}" for i in range(products) for _ in range(photos)]


def split_of(photos: PackedPhotos) -> dict[str, str]:
    return dict(zip(photos.catalog.product_ids.tolist(), photos.catalog.splits.tolist(), strict=True))


def shares(splits: list[str]) -> dict[str, float]:
    return {name: splits.count(name) / len(splits) for name in SHARES}


def test_the_shares_add_up():
    assert sum(SHARES.values()) == pytest.approx(1)
    assert list(SHARES) == ["train", "val", "test"]


@pytest.mark.parametrize("products", [20, 100, 1000])
def test_the_shares_are_kept_to_within_one_product(products):
    found = shares(list(split_of(with_split(packed(several(products)))).values()))
    assert found == pytest.approx(SHARES, abs=1 / products)


def test_photos_follow_their_products_also_in_their_shares():
    rng = np.random.default_rng(1)
    names = [f"{i:04d}" for i in range(1000) for _ in range(rng.integers(1, 9))]
    assert shares(with_split(packed(names)).catalog.splits.tolist()) == pytest.approx(SHARES, abs=0.04)


def test_the_split_is_the_same_every_time_and_in_every_order():
    names = several(200)
    one, other = with_split(packed(names)), with_split(packed(names[::-1]))
    assert split_of(one) == split_of(other) == split_of(with_split(packed(names)))


def test_another_seed_gives_another_split():
    photos = packed(several(200))
    one, other = split_of(with_split(photos)), split_of(with_split(photos, seed=1))
    moved = np.mean([one[name] != other[name] for name in one])
    assert moved == pytest.approx(1 - sum(share**2 for share in SHARES.values()), abs=0.12)  # as if drawn anew


def test_the_split_does_not_follow_the_products_names():
    splits = np.array(list(split_of(with_split(packed(several(1000)))).values()))
    assert shares(splits[:500].tolist()) == pytest.approx(SHARES, abs=0.08)


def test_products_keep_their_split_when_others_are_added():
    before = split_of(with_split(packed(several(1000))))
    after = split_of(with_split(packed(several(1000) + [f"new {i}" for i in range(100)])))
    changed = [name for name in before if before[name] != after[name]]
    # Only those near the two cuts may move; products drawn anew would move in more than half of the cases.
    assert len(changed) <= 0.05 * len(before)
    assert all({before[name], after[name]} != {"train", "test"} for name in changed)


def test_groups_are_never_parted():
    # A hundred families of five products: each shares one near-identical photo with the next.
    rng = np.random.default_rng(0)
    names = several(500, photos=2)
    hashes = rng.integers(0, 2**42, (1000, 2), dtype=np.uint64)
    for product in range(500):
        if product % 5:
            hashes[2 * product] = hashes[2 * product - 1]
    photos = with_split(packed(names, hashes))
    groups = photos.catalog.column("dup_group")
    assert len(set(groups)) == 100
    assert (groups[::10] == photos.catalog.product_ids[::10]).all()
    pairs = set(zip(groups.tolist(), photos.catalog.splits.tolist(), strict=True))
    assert len(pairs) == 100
    assert shares([split for _, split in pairs]) == pytest.approx(SHARES, abs=0.01)


def test_near_copies_within_a_product_are_marked():
    hashes = np.random.default_rng(0).integers(0, 2**42, (6, 2), dtype=np.uint64)
    hashes[4] = hashes[1]
    hashes[5] = hashes[0]
    photos = with_groups(packed(["a", "b", "a", "a", "b", "c"], hashes))
    assert photos.catalog.column("near_dup_within").tolist() == ["0", "0", "0", "0", "1", "0"]
    assert photos.catalog.column("dup_group").tolist() == ["a", "b", "a", "a", "b", "a"]


def test_a_given_split_is_honoured():
    names = several(10, photos=2)
    given = ["test" if name.endswith(("0", "5")) else "train" for name in names]
    photos = with_split(packed(names, split=given))
    assert photos.catalog.splits.tolist() == given
    assert photos.catalog.has("dup_group")


def test_given_groups_are_honoured():
    names = several(40, photos=2)
    groups = [f"group {int(name[-2:]) // 4}" for name in names]
    photos = with_split(packed(names, dup_group=groups))
    assert photos.catalog.column("dup_group").tolist() == groups
    assert len(set(zip(groups, photos.catalog.splits.tolist(), strict=True))) == 10
    assert photos.catalog.has("near_dup_within")


@pytest.mark.parametrize("more", [{}, {"near_dup_within": ["0"] * 40}], ids=["", "with near_dup_within"])
def test_a_product_whose_group_is_blank_is_its_own(more):
    names = several(20, photos=2)
    groups = ["twins" if name.endswith(("03", "04")) and i % 2 else "" for i, name in enumerate(names)]
    photos = with_split(packed(names, dup_group=groups, **more))
    expected = ["twins" if name.endswith(("03", "04")) else name for name in names]
    assert photos.catalog.column("dup_group").tolist() == expected
    assert photos.catalog.near_identical_groups() == 1
    assert shares(photos.catalog.splits.tolist()) == pytest.approx(SHARES, abs=0.1)


@pytest.mark.parametrize("products", [1, 2, 3, 4])
def test_a_handful_of_products_is_split_without_complaint(products):
    photos = with_split(packed(several(products)))
    assert set(photos.catalog.splits) <= set(SHARES)
    assert "train" in photos.catalog.splits


def test_the_pixels_stay_with_their_photos():
    photos = packed(several(10))
    split = with_split(photos)
    assert split.catalog.ids.tolist() == photos.catalog.ids.tolist()
    assert split.hashes is photos.hashes
    assert split._store is photos._store
