import numpy as np
import pytest

from natviews.matching.candidates import candidates
from natviews.matching.presumed import NonMatches, halves, joined, non_matches, type_scale


def gallery_draw(rng, queries, size, kept=10):
    """The `kept` highest of `size` wrong scores a query, queries differing in how crowded it is about them."""
    level = rng.normal(0, 0.5, size=(queries, 1))
    return -np.sort(-(level + rng.normal(size=(queries, size))), axis=1)[:, :kept]


@pytest.mark.parametrize("size", [100, 400, 2000])
def test_a_smaller_gallery_is_foretold_and_a_larger_one_never_underrated(size):
    rng = np.random.default_rng(0)
    known = NonMatches(gallery_draw(rng, 4000, 1000), np.full(4000, ""), 1000)
    there = gallery_draw(rng, 4000, size)[:, 0]
    for threshold in (3.0, 3.5, 4.0, 4.5):
        foretold = known.events(np.array([threshold]), size)[0] * known.scale(size) / 4000
        true = (there >= threshold).mean()
        if size <= 1000:
            assert foretold == pytest.approx(true, rel=0.15, abs=0.01)
        else:
            assert true * 0.9 <= foretold
            assert threshold < 4.5 or foretold <= 2 * true


def test_thinning_agrees_with_thinning_by_hand():
    rng = np.random.default_rng(1)
    known = NonMatches(gallery_draw(rng, 300, 50, kept=50), np.full(300, ""), 50)
    by_hand = np.mean([(known.best(20, np.random.default_rng(seed)) >= 1.5).sum() for seed in range(300)])
    assert known.events(np.array([1.5]), 20)[0] == pytest.approx(by_hand, rel=0.03)


def test_only_held_out_products_teach_and_near_identical_ones_never_do(shops_of):
    shops = shops_of(2, products=60, unseen=False)
    side = shops.ours
    assert 0 < side.held_out.sum() < 60
    found = candidates(side, side)
    learnt = non_matches(side, found)
    assert len(learnt.scores) == side.held_out.sum()
    best = found.take(found.first & side.held_out[found.query])
    assert np.array_equal(learnt.scores[:, 0], best.score)
    twin = int(best.match[0])
    group = np.where(np.isin(side.product, [best.query[0], twin]), "twins", side.embeddings.product_ids)
    grouped = type(side)(side.name, side.embeddings, side.table.append_column("dup_group", [group.tolist()]))
    assert non_matches(grouped, found).scores[0, 0] < best.score[0]


def test_halves_part_a_products_photos_and_leave_lone_ones_out(shops_of):
    side = shops_of(3, products=40, photos=(1, 4)).ours
    one, other, numbers = halves(side, side.held_out, np.random.default_rng(0))
    assert np.array_equal(numbers, np.flatnonzero(side.counts > 1))
    assert one.products.tolist() == other.products.tolist() == side.products[numbers].tolist()
    assert not set(one.embeddings.ids) & set(other.embeddings.ids)
    assert len(one.embeddings) + len(other.embeddings) == side.counts[numbers].sum()


def test_types_with_their_own_scale_meet_on_one_and_a_rare_type_follows_everyone():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 500), rng.normal(5, 2, 500), [40.0]])[:, None]
    types = np.repeat(["plain", "crowded", "rare"], [500, 500, 1])
    nothing = NonMatches(scores, types, 100)
    scale = type_scale(nothing)
    even = scale.standardised(scores, types)[:, 0]
    for name in ("plain", "crowded"):
        assert abs(even[types == name].mean()) < 0.1 and even[types == name].std() == pytest.approx(1, abs=0.2)
    assert even[-1] > 3, "one product must not make its own scale"
    assert scale.standardised(np.array([1.0]), np.array(["new"])) == scale.standardised(
        np.array([1.0]), np.array(["*"])
    )


def test_the_more_careful_side_speaks():
    rng = np.random.default_rng(0)
    low, high = (NonMatches(rng.normal(shift, 1, (200, 3)), np.full(200, ""), 100) for shift in (0, 1))
    assert joined(low, high, 100) is high and joined(high, low, 100) is high
    none = NonMatches(np.empty((0, 1)), np.empty(0, str), 100)
    assert joined(none, low, 100) is low and joined(low, none, 100) is low
