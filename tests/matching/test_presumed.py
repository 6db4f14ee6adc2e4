import numpy as np
import pytest

from natviews.matching.candidates import Candidates, candidates
from natviews.matching.presumed import NonMatches, carried_over, halves, joined, non_matches, type_scale


def known_wrong(scores, types=None, gallery=100):
    """Of products whose candidates are nobody else's."""
    types = np.full(len(scores), "") if types is None else types
    return NonMatches(scores, np.arange(scores.size).reshape(scores.shape), types, gallery)


def gallery_draw(rng, queries, size, kept=10):
    """The `kept` highest of `size` wrong scores a query, queries differing in how crowded it is about them."""
    level = rng.normal(0, 0.5, size=(queries, 1))
    return -np.sort(-(level + rng.normal(size=(queries, size))), axis=1)[:, :kept]


@pytest.mark.parametrize("size", [100, 400, 2000])
def test_a_smaller_gallery_is_foretold_and_a_larger_one_never_underrated(size):
    rng = np.random.default_rng(0)
    known = known_wrong(gallery_draw(rng, 4000, 1000), gallery=1000)
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
    known = known_wrong(gallery_draw(rng, 300, 50, kept=50), gallery=50)
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
    nothing = known_wrong(scores, types)
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
    low, high = (known_wrong(rng.normal(shift, 1, (200, 3))) for shift in (0, 1))
    assert joined(low, high, 100) is high and joined(high, low, 100) is high
    none = known_wrong(np.empty((0, 1)))
    assert joined(none, low, 100) is low and joined(low, none, 100) is low


def test_rivals_are_those_that_score_higher_with_the_same_candidate():
    scores = np.array([[0.9, 0.2], [0.7, 0.5], [0.7, -np.inf]])
    candidates = np.array([[4, 5], [4, 6], [4, -1]])
    assert NonMatches(scores, candidates, np.full(3, ""), 10).rivals.tolist() == [[0, 0], [1, 0], [1, 0]]


@pytest.mark.parametrize("asked", [60, 200])
def test_how_many_are_each_others_likeliest_is_foretold(asked):
    rng = np.random.default_rng(2)
    foretold, there = [], []
    for _ in range(60):
        drawn = rng.normal(size=(200, 300))
        best = np.argsort(-drawn, axis=1)[:, :10]
        own = NonMatches(np.take_along_axis(drawn, best, axis=1), best, np.full(200, ""), 300)
        foretold.append(own.events(np.array([2.5]), 300, asked)[0] / 200)
        pairs = rng.normal(size=(asked, 300))
        likeliest = pairs.argmax(axis=1)
        mutual = pairs.argmax(axis=0)[likeliest] == np.arange(asked)
        there.append((mutual & (pairs.max(axis=1) >= 2.5)).mean())
    assert np.mean(foretold) == pytest.approx(np.mean(there), rel=0.05)
    alone = own.events(np.array([2.5]), 300)[0] / 200
    assert alone > 1.15 * np.mean(foretold), "the rule spares some"


def across_of(scores):
    """Candidates of queries (Q, K), each list falling."""
    queries, places = scores.shape
    query = np.repeat(np.arange(queries), places)
    flat, match = scores.ravel(), np.tile(np.arange(places), queries)
    return Candidates(query, match, flat, np.full(len(flat), np.nan), flat, query, match)


@pytest.mark.parametrize("shop, other", [(200, 200), (600, 200), (200, 600)])
def test_what_is_more_alike_within_a_shop_is_drawn_together(shop, other):
    rng = np.random.default_rng(3)  # scores about their usual neighbours, as natviews takes them
    own = known_wrong(1.5 * gallery_draw(rng, 1000, shop), gallery=shop)
    between = gallery_draw(rng, 1000, other)
    with_matches = np.where(np.arange(10) == 0, 9.0, np.roll(between, 1, axis=1))
    carried = carried_over(own, across_of(np.where(rng.random((1000, 1)) < 0.3, with_matches, between)))
    for level in (4.0, 4.5):
        true = (between[:, 0] >= level).mean()
        there = carried.events(np.array([level]), other)[0] * carried.scale(other) / 1000
        before = own.events(np.array([level]), other)[0] * own.scale(other) / 1000
        assert true * 0.9 <= there < before, "nearer to the truth, from the safe side"


def test_nothing_is_carried_over_that_might_lower_a_wrong_pair_too_much():
    rng = np.random.default_rng(4)
    own = known_wrong(gallery_draw(rng, 500, 200), gallery=200)
    between = gallery_draw(rng, 500, 200)
    assert carried_over(own, across_of(1.5 * between)) is own, "wider across"
    assert carried_over(own, across_of(0.5 * between[:, :5])) is own, "lists too short"
    ended = np.where(np.arange(10) < rng.integers(4, 10, size=(500, 1)), 0.5 * between, -np.inf)
    assert carried_over(own, across_of(ended)) is own, "most lists too short"
    assert carried_over(own, across_of(np.empty((0, 10)))) is own, "nothing to look at"
    siblings = known_wrong(np.hstack([rng.normal(8, 0.1, (500, 4)), own.scores[:, :6]]), gallery=200)
    assert carried_over(siblings, across_of(between)) is siblings, "five colours of each design, one across"
    lower = carried_over(own, across_of(0.5 * between - 3.0))
    assert np.median(lower.scores[:, 8]) == pytest.approx(np.median(own.scores[:, 8])), "not lowered as a whole"
