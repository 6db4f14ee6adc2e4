import numpy as np
import pyarrow as pa
import pytest

from natviews.catalog import Catalog
from natviews.evaluation import label_free_figures
from natviews.training import measuring
from natviews.training.measuring import (
    Known,
    choose_design_head,
    choose_head,
    has_natural_views,
    judging_of,
    measure,
    measure_label_free,
    measure_through_heads,
)


def shop(products=30, photos=3, near=(), group="p{}".format):
    rows = [
        (f"{p}_{v}", f"p{p}", group(p), "1" if (p, v) in near else "0")
        for p in range(products)
        for v in range(photos)
    ]
    names = ("image", "product_id", "dup_group", "near_dup_within")
    return Catalog(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), None)


def vectors(catalog, nuisance, seed=0, dim=16):
    """Products of their own direction; photos moved along four shared directions by `nuisance`."""
    rng = np.random.default_rng(seed)
    product = np.unique(catalog.product_ids, return_inverse=True)[1]
    found = rng.normal(size=(product.max() + 1, dim))[product] + 0.3 * rng.normal(size=(len(product), dim))
    found[:, :4] += nuisance * rng.normal(size=(len(product), 4))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("catalog", "has"),
    [
        (shop(), True),
        (shop(photos=1), False),
        (shop(products=1), False),
        (shop(photos=2, near={(p, 1) for p in range(30)}), False),
        (shop(products=2, group=lambda p: "one"), False),
        (shop(products=3, group=lambda p: f"g{p // 2}"), True),
    ],
)
def test_natural_views_are_second_photos_that_are_no_near_copies(catalog, has):
    assert has_natural_views(catalog) == has


def test_near_copies_neither_ask_nor_answer():
    catalog = shop(products=4, near={(0, 2)})
    judging = judging_of(catalog)
    assert judging.queries.sum() == judging.gallery.sum() == 11
    assert 2 not in measure(vectors(catalog, 0.0), catalog).rows


def test_near_copies_are_no_views_for_label_free_figures():
    catalog = shop(products=20, near={(p, 2) for p in range(20)})
    found = vectors(catalog, 1.0, dim=40)
    fresh = catalog.column("near_dup_within") != "1"
    figures = measure_label_free(found, catalog)
    assert figures == label_free_figures(found[fresh], catalog.product_ids[fresh])
    assert figures != label_free_figures(found, catalog.product_ids) and len(figures) == 3


def test_a_head_is_kept_where_photos_vary_along_shared_directions():
    learn, held_out = shop(products=200), shop(products=60)
    choice = choose_head(Known(learn, vectors(learn, 4.0)), Known(held_out, vectors(held_out, 4.0, seed=1)))
    assert choice.head is not None
    assert max(choice.tried.values()) > choice.tried[None] + 0.1


def test_no_head_is_kept_where_none_helps():
    """Photos of a product are equal in training: their scatter is noise that has nothing to teach."""
    learn, held_out = shop(products=4, photos=2), shop(products=60)
    choice = choose_head(Known(learn, vectors(learn, 0.0)), Known(held_out, vectors(held_out, 0.0, seed=1)))
    best = max(choice.tried, key=lambda shrinkage: choice.tried[shrinkage])
    assert (choice.head is None) == (best is None)
    assert choice.tried[None] >= 0.9


@pytest.mark.parametrize("nearly, kept", [(0.0, 12), (0.99, 4)])
def test_no_more_directions_are_kept_than_do_best_on_held_out_products(monkeypatch, nearly, kept):
    """Twelve directions tell products apart; of 60 the others are noise."""
    monkeypatch.setattr(measuring, "KEPT", 40)
    monkeypatch.setattr(measuring, "OTHERS_KEPT", (4, 12, 10**6))
    monkeypatch.setattr(measuring, "NEARLY", nearly)

    def known(products, seed):
        catalog, rng = shop(products), np.random.default_rng(seed)
        telling = 0.3 * rng.normal(size=(products, 12))[np.repeat(np.arange(products), 3)]
        found = np.hstack([telling, np.zeros((len(catalog), 48))]) + 0.2 * rng.normal(size=(len(catalog), 60))
        return Known(catalog, (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32))

    choice = choose_head(known(300, 0), known(60, 1))
    assert set(choice.kept) == {4, 12, 40, 60} and choice.kept[40] == max(choice.tried.values())
    assert max(choice.kept, key=choice.kept.get) == 12 and choice.head.kept == kept


def shifted(vectors_, by, seed=3):
    """The same photos recoloured: moved along one direction more, at random."""
    moved = vectors_.copy()
    moved[:, 4] += by * np.random.default_rng(seed).normal(size=len(vectors_))
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def test_a_design_head_does_not_see_colour_where_the_other_does():
    learn, held_out = shop(products=200), shop(products=60)
    known = [
        Known(catalog, v := vectors(catalog, 1.0, seed=seed), shifted(v, 2.0))
        for seed, catalog in enumerate((learn, held_out))
    ]
    heads = choose_head(*known).head, choose_design_head(*known).head
    asked, asking = known[1].features, known[1].recoloured

    def found(head):
        return measure(head.vectors(asked), held_out, queries=head.vectors(asking)).values["recall@1"].mean()

    assert found(heads[1]) > found(heads[0]) + 0.2


def test_changed_queries_ask_while_what_is_to_be_found_is_not_changed():
    catalog = shop(products=40)
    plain = vectors(catalog, 0.0)
    changed = shifted(plain, 5.0)
    own, asked = measure(plain, catalog), measure(plain, catalog, queries=changed)
    assert np.array_equal(own.rows, asked.rows)
    assert asked.values["recall@1"].mean() < own.values["recall@1"].mean()
    assert np.array_equal(measure(plain, catalog, queries=plain).values["map@r"], own.values["map@r"])


def mean(values):
    return float(values.values["map@r"].mean())


def test_what_a_head_mends_is_not_held_against_an_encoder():
    """The better encoder without a head is the worse one with it, which is how it will be used."""
    catalog = shop(products=80)
    mendable, plain = vectors(catalog, 3.0), vectors(catalog, 0.0)
    plain += 0.2 * np.random.default_rng(5).normal(size=plain.shape).astype(np.float32)  # no direction's fault
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert mean(measure(mendable, catalog)) < mean(measure(plain, catalog)) - 0.1
    assert measure_through_heads(mendable, catalog) > measure_through_heads(plain, catalog) + 0.1


def test_no_product_is_seen_through_a_head_that_was_fitted_on_it():
    """In more dimensions than photos a head that knows the products makes anything of noise."""
    catalog = shop(products=40)
    noise = np.random.default_rng(0).normal(size=(len(catalog), 200)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    assert measure_through_heads(noise, catalog) < 0.1
    itself = Known(catalog, noise)
    assert max(choose_head(itself, itself).tried.values()) > 0.5


def test_where_a_half_has_no_natural_views_the_features_are_judged_as_they_are():
    catalog = shop(products=40, near={(p, v) for p in range(40) for v in (1, 2) if p != 3})
    found = vectors(catalog, 1.0)
    assert measure_through_heads(found, catalog) == mean(measure(found, catalog))


def test_a_half_of_near_identical_products_alone_is_no_half_to_try_heads_on():
    """Groups are halved by turns: here the products of the second half are all near-identical."""
    catalog = shop(products=8, group=lambda p: "b" if p > 5 else "ac"[p % 2])
    found = vectors(catalog, 1.0)
    assert measure_through_heads(found, catalog) == mean(measure(found, catalog))
