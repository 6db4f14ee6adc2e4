import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog
from natviews.training.sampler import PairSampler
from natviews.types import NatviewsError


def shop(photos_per_product, groups=None, near=()):
    """A catalogue of products with these numbers of photos; `groups` names each product's group."""
    rows = [
        (f"{p}_{v}.jpg", f"p{p}", groups[p] if groups else f"p{p}", "1" if (p, v) in near else "0")
        for p, count in enumerate(photos_per_product)
        for v in range(count)
    ]
    names = ("image", "product_id", "dup_group", "near_dup_within")
    return Catalog(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), None)


def draws(sampler, epochs=1):
    return [sampler.draw(step) for step in range(epochs * sampler.steps_per_epoch)]


def test_a_batch_never_holds_a_product_twice_and_an_epoch_takes_each_once():
    catalog = shop([3] * 40)
    sampler = PairSampler(catalog, pairing="natural", batch=8, seed=0)
    epoch = draws(sampler)
    for batch in epoch:
        assert len({catalog.product_ids[draw.rows[0]] for draw in batch}) == 8
    taken = [catalog.product_ids[draw.rows[0]] for batch in epoch for draw in batch]
    assert sorted(taken) == sorted(f"p{i}" for i in range(40))


def test_natural_views_are_two_different_photos_of_one_product():
    catalog = shop([4] * 20)
    for batch in draws(PairSampler(catalog, pairing="natural", batch=10, seed=0), epochs=5):
        for draw in batch:
            assert len(set(draw.rows)) == 2
            assert len({catalog.product_ids[row] for row in draw.rows}) == 1


def test_every_pair_of_photos_is_drawn_about_equally_often():
    catalog = shop([3] * 4)
    sampler = PairSampler(catalog, pairing="natural", batch=4, seed=0)
    pairs = [draw.rows for batch in draws(sampler, epochs=1500) for draw in batch if draw.rows[0] < 3]
    counts = np.unique(np.array(pairs), axis=0, return_counts=True)[1]
    assert len(counts) == 6  # both orders: which photo is x' matters to local crops
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250 * 5 / 6)  # five standard deviations


def test_a_lone_photo_is_shown_twice_and_their_share_is_known():
    sampler = PairSampler(shop([1, 1, 2, 2]), pairing="natural", batch=4, seed=0)
    assert sorted(len(draw.rows) for draw in sampler.draw(0)) == [1, 1, 2, 2]
    assert sampler.share_with_two == 0.5


def test_augmented_pairs_are_one_photo_and_both_is_half_and_half():
    catalog = shop([3] * 50)
    augmented = PairSampler(catalog, pairing="augmented", batch=50, seed=0)
    assert {len(draw.rows) for draw in augmented.draw(0)} == {1}
    both = PairSampler(catalog, pairing="both", batch=50, seed=0)
    natural = sum(len(draw.rows) == 2 for batch in draws(both, epochs=40) for draw in batch)
    assert abs(natural - 1000) < 5 * np.sqrt(2000 / 4)  # five standard deviations


def test_near_copies_are_never_a_second_view():
    catalog = shop([3] * 10, near={(p, 2) for p in range(10)})
    for batch in draws(PairSampler(catalog, pairing="natural", batch=10, seed=0), epochs=20):
        assert all(not catalog.ids[row].endswith("_2.jpg") for draw in batch for row in draw.rows)


def test_near_identical_products_are_never_negatives_of_each_other():
    catalog = shop([2] * 12, groups=["a"] * 6 + [f"g{i}" for i in range(6)])
    sampler = PairSampler(catalog, pairing="natural", batch=7, seed=0)
    seen = set()
    for batch in draws(sampler, epochs=60):
        products = [catalog.product_ids[draw.rows[0]] for draw in batch]
        of_group = [name for name in products if int(name[1:]) < 6]
        assert len(of_group) <= 1
        seen.update(of_group)
    assert len(seen) == 6  # over the epochs each has its turn


def test_a_step_is_the_same_whatever_was_drawn_before():
    catalog = shop([3] * 30)
    straight = PairSampler(catalog, pairing="both", batch=8, seed=5)
    expected = [straight.draw(step) for step in range(9)]
    jumping = PairSampler(catalog, pairing="both", batch=8, seed=5)
    assert [jumping.draw(step) for step in (7, 2, 8)] == [expected[7], expected[2], expected[8]]
    assert PairSampler(catalog, pairing="both", batch=8, seed=6).draw(0) != expected[0]


def test_a_batch_larger_than_the_catalogue_takes_it_whole():
    sampler = PairSampler(shop([2] * 5), pairing="natural", batch=64, seed=0)
    assert sampler.batch == 5 and sampler.steps_per_epoch == 1


def test_one_product_is_too_few():
    with pytest.raises(NatviewsError, match="at least two products"):
        PairSampler(shop([3]), pairing="natural", batch=4, seed=0)


def test_companions_are_other_photos_of_the_product_and_photos_of_other_products():
    catalog = shop([4] * 12)
    for batch in draws(PairSampler(catalog, pairing="natural", batch=6, seed=0, companions=5), epochs=3):
        for draw in batch:
            own = catalog.product_ids[draw.rows[0]]
            assert {catalog.product_ids[row] for row in draw.siblings} == {own}
            assert len({*draw.rows, *draw.siblings}) == 4
            assert len(draw.others) == 5 and len({number for _, number in draw.others}) == 5
            assert own not in {catalog.product_ids[row] for row, _ in draw.others}


def test_companions_bear_their_products_numbers():
    catalog = shop([2] * 9)
    drawn = [
        draw
        for batch in draws(PairSampler(catalog, pairing="natural", batch=9, seed=0, companions=8))
        for draw in batch
    ]
    number_of = {catalog.product_ids[draw.rows[0]]: draw.product for draw in drawn}
    for draw in drawn:
        assert all(number_of[catalog.product_ids[row]] == number for row, number in draw.others)


def test_companions_change_nothing_else_that_is_drawn():
    catalog = shop([3] * 12)
    plain = draws(PairSampler(catalog, pairing="natural", batch=6, seed=0))
    with_companions = draws(PairSampler(catalog, pairing="natural", batch=6, seed=0, companions=3))
    rows = [[draw.rows for batch in made for draw in batch] for made in (plain, with_companions)]
    assert rows[0] == rows[1]


def test_with_more_views_as_many_photos_of_a_product_are_drawn_as_it_has():
    catalog = shop([1, 2, 3, 6])
    for batch in draws(PairSampler(catalog, pairing="natural", batch=4, seed=0, views=4), epochs=5):
        for draw in batch:
            photos = {1: 1, 2: 2, 3: 3, 6: 4}[(catalog.product_ids == catalog.product_ids[draw.rows[0]]).sum()]
            assert len(set(draw.rows)) == len(draw.rows) == photos


def typed_shop(counts):
    """Products of two photos, so many of each type."""
    types = [kind for kind, count in counts.items() for _ in range(count)]
    rows = [(f"{p}_{v}.jpg", f"p{p}", f"p{p}", "0", kind) for p, kind in enumerate(types) for v in range(2)]
    names = ("image", "product_id", "dup_group", "near_dup_within", "product_type")
    return Catalog(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), None)


def test_within_a_column_batches_are_of_one_value_as_far_as_they_can_be():
    catalog = typed_shop({"dress": 21, "shirt": 17, "hat": 3, "shoe": 2})
    sampler = PairSampler(catalog, pairing="natural", batch=8, seed=0, within="product_type")
    for epoch in range(5):
        kinds = [
            [catalog.product_types[draw.rows[0]] for draw in sampler.draw(epoch * sampler.steps_per_epoch + step)]
            for step in range(sampler.steps_per_epoch)
        ]
        pure = sorted(batch[0] for batch in kinds if len(set(batch)) == 1)
        assert pure == ["dress", "dress", "shirt", "shirt"]
        assert len(kinds) == 5  # and one of what is left of each


def test_within_a_column_no_product_comes_twice_and_every_one_comes_in_time():
    catalog = typed_shop({"dress": 21, "shirt": 17, "hat": 3, "shoe": 2})
    sampler = PairSampler(catalog, pairing="natural", batch=8, seed=0, within="product_type")
    seen = set()
    for epoch in range(30):
        products = [draw.product for s in range(sampler.steps_per_epoch) for draw in sampler.draw(epoch * 5 + s)]
        assert len(products) == len(set(products)) == 40
        seen |= set(products)
    assert len(seen) == 43


def test_without_a_column_batches_mix_everything():
    catalog = typed_shop({"dress": 40, "shirt": 40})
    sampler = PairSampler(catalog, pairing="natural", batch=20, seed=0)
    assert all(len({catalog.product_types[d.rows[0]] for d in batch}) == 2 for batch in draws(sampler))


def test_a_catalogue_that_says_no_types_is_of_one_and_another_columns_absence_is_named():
    catalog = shop([2] * 12)
    batches = draws(PairSampler(catalog, pairing="natural", batch=6, seed=0, within="product_type"))
    assert [len(batch) for batch in batches] == [6, 6]
    with pytest.raises(NatviewsError, match="no column 'shpo'"):
        PairSampler(catalog, pairing="natural", batch=6, seed=0, within="shpo")


def groups_by_products(catalog):
    """Each group's products' rows, going through the products one by one; groups as their first products come."""
    fresh = catalog.column("near_dup_within") != "1"
    group_of = dict(zip(catalog.product_ids.tolist(), catalog.column("dup_group").tolist(), strict=True))
    groups = {}
    for name, rows in catalog.products.items():
        if fresh[rows].any():
            groups.setdefault(group_of[name], []).append(rows[fresh[rows]].tolist())
    return list(groups.values())


@pytest.mark.parametrize("seed", range(5))
def test_the_groups_are_those_of_going_through_the_products(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, 60).tolist()
    near = {(p, v) for p, count in enumerate(counts) for v in range(count) if rng.random() < 0.3}
    mixed = shop(counts, groups=[f"g{i}" for i in rng.integers(0, 40, 60)], near=near)
    catalog = mixed.take(rng.permutation(len(mixed)))
    expected = groups_by_products(catalog)
    sampler = PairSampler(catalog, pairing="natural", batch=4, seed=0)
    groups = sampler._groups
    found = [
        [groups.photos[groups.starts[p] : groups.starts[p + 1]].tolist() for p in range(first, last)]
        for first, last in zip(groups.products[:-1], groups.products[1:], strict=True)
    ]
    assert found == expected
    assert groups.first_rows.tolist() == [group[0][0] for group in expected]
    assert sampler.share_with_two == np.mean([len(rows) > 1 for group in expected for rows in group])


DRAWN = [
    (2, (9,), (7, 8), ((11, 3), (12, 0))),
    (0, (13,), (14, 12), ((5, 1), (9, 2))),
    (1, (3,), (), ((12, 0), (8, 2))),
    (3, (11, 10), (), ((9, 2), (1, 0))),
]


def test_draws_are_what_they_were():
    """Taken when groups were lists: a seed goes on giving the same training."""
    catalog = shop([3, 1, 2, 4, 2, 3], groups=list("abbcda"), near={(3, 0)})
    drawn = PairSampler(catalog, pairing="both", batch=4, seed=3, companions=2).draw(1)
    assert [(d.product, d.rows, d.siblings, d.others) for d in drawn] == DRAWN


def test_only_near_copies_are_too_few():
    catalog = shop([1, 1, 1], near={(0, 0), (1, 0), (2, 0)})
    with pytest.raises(NatviewsError, match="at least two products"):
        PairSampler(catalog, pairing="natural", batch=4, seed=0)
