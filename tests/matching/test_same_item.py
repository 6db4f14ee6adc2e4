import dataclasses

import numpy as np
import pyarrow.parquet
import pytest

from natviews.index import ApproximateIndex, approximate, choosing
from natviews.matching import (
    Choosing,
    Labels,
    Scoring,
    compare,
    comparison,
    match_halves,
    match_sides,
    read_labels,
    same_items,
)
from natviews.matching.candidates import candidates
from natviews.matching.decision import write_decision
from natviews.matching.same_item import MATCHES, chosen
from natviews.types import NatviewsError

PHOTOS_ALONE = Scoring(titles="none")


def hits(decision, truth):
    pairs = zip(*(decision.table.column(f"{end}_product").to_pylist() for end in ("query", "match")), strict=True)
    return np.array([truth.get(one) == other for one, other in pairs])


@pytest.fixture(scope="module")
def compared(shops):
    return compare(shops.ours, shops.theirs, PHOTOS_ALONE)


def test_realised_precision_keeps_its_promise_and_recall_is_not_given_away(shops_of):
    kept, found = [], []
    for seed in range(8):
        shops = shops_of(seed, products=200, noise=1.0)
        right = hits(match_sides(shops.ours, shops.theirs, PHOTOS_ALONE, Choosing(0.9)), shops.truth)
        kept.append(not len(right) or right.mean() >= 0.9)
        found.append(right.sum() / len(shops.truth))
    assert np.mean(kept) >= 0.9 and np.mean(found) > 0.7


def test_where_they_sell_nothing_of_ours_nothing_is_claimed(shops_of):
    for seed in range(3):
        shops = shops_of(seed, products=200, overlap=0.0)
        assert not len(match_sides(shops.ours, shops.theirs, PHOTOS_ALONE, Choosing(0.8)))


def test_colourways_that_look_alike_are_claimed_only_as_far_as_they_can_be_told(shops_of):
    shops = shops_of(1, products=200, noise=1.0, close=0.35)
    right = hits(match_sides(shops.ours, shops.theirs, PHOTOS_ALONE, Choosing(0.8)), shops.truth)
    assert not len(right) or right.mean() >= 0.8


def test_the_table_has_its_form_and_its_evidence(shops, compared, tmp_path):
    decided = same_items(compared)
    table = decided.table
    assert table.schema == MATCHES and len(table) > 100
    assert table.column_names[:5] == ["query", "match", "rank", "score", "probability"]
    rows = table.to_pylist()
    place = {photo: row for row, photo in enumerate(shops.ours.embeddings.ids.tolist())}
    theirs = {photo: row for row, photo in enumerate(shops.theirs.embeddings.ids.tolist())}
    for row in rows[:20]:
        own = shops.ours.embeddings.vectors[shops.ours.embeddings.product_ids == row["query_product"]]
        other = shops.theirs.embeddings.vectors[shops.theirs.embeddings.product_ids == row["match_product"]]
        cosine = (
            shops.ours.embeddings.vectors[place[row["query"]]]
            @ (shops.theirs.embeddings.vectors[theirs[row["match"]]])
        )
        assert cosine == pytest.approx((own @ other.T).max(), abs=1e-5), "the two most similar photos are shown"
        assert row["query"].startswith(row["query_product"]) and row["match"].startswith(row["match_product"])
        assert row["rank"] == 1 and row["margin"] > 0 and row["runner_up"] != row["match_product"]
        assert row["title_score"] is None and 0 <= row["probability"] <= 1
    out = write_decision(decided, tmp_path / "m.parquet")
    again = pyarrow.parquet.read_table(out)
    assert again.to_pylist() == rows and (tmp_path / "m.csv").read_text().count("\n") == len(rows) + 1
    assert float(again.schema.metadata[b"natviews.promise.target"]) == 0.95


def test_probabilities_are_true(shops_of):
    said, true = [], []
    for seed in range(3):
        shops = shops_of(seed, products=200, noise=1.1)
        pairs = compare(shops.ours, shops.theirs, PHOTOS_ALONE)
        decided = same_items(pairs, Choosing(rule="best", ranks=2))
        said.append(decided.table.column("probability").to_numpy())
        true.append(hits(decided, shops.truth))
    said, true = np.concatenate(said), np.concatenate(true)
    assert abs(said.mean() - true.mean()) < 0.05
    assert true[said > 0.9].mean() > 0.85 and true[said < 0.1].mean() < 0.1


def test_likely_pairs_to_judge_are_listed_beside_the_accepted(compared):
    accepted, listed = same_items(compared), same_items(compared, Choosing(ranks=3))
    table = listed.table.to_pydict()
    assert sum(table["accepted"]) == len(accepted) < len(listed)
    assert set(table["rank"]) == {1, 2, 3}
    kept = {row["query"]: row["score"] for row in accepted.table.to_pylist()}
    assert min(kept.values()) == pytest.approx(accepted.promise.score)


def test_rules(compared):
    pairs = compared.pairs
    best, mutual, single = (chosen(compared, rule) for rule in ("best", "mutual", "one-to-one"))
    assert len(best) == len(np.unique(pairs.query)) >= len(mutual)
    assert len(np.unique(mutual.match)) == len(mutual)
    likeliest = {int(m): int(q) for q, m in zip(pairs.turned().match, pairs.turned().query, strict=True)}
    assert likeliest  # the other side has candidates at all
    for query, match, score in zip(mutual.query, mutual.match, mutual.score, strict=True):
        assert score == pairs.score[pairs.match == match].max() == pairs.score[pairs.query == query].max()
    assert len(np.unique(single.query)) == len(np.unique(single.match)) == len(single) >= len(mutual)
    with pytest.raises(NatviewsError, match="no rule 'mutul'"):
        Choosing(rule="mutul")


def test_each_others_likeliest_are_so_among_all_of_ours_where_they_list_an_item_many_times(side_of_items):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, 48))
    listed = np.repeat(np.arange(30), 15)  # more listings of an item than candidates are kept
    ours, _ = side_of_items("ours", "p", np.repeat(np.arange(30), 3), centres, rng, noise=1.0)
    theirs, _ = side_of_items("theirs", "q", listed, centres, rng, noise=1.0)
    taken = chosen(compare(ours, theirs, Scoring(titles="none", neighbourhood=False)), "mutual")
    cosine = ours.means @ theirs.means.T
    assert len(taken) > 10
    assert np.array_equal(cosine[:, taken.match].argmax(axis=0), taken.query)


@pytest.mark.parametrize("rule", ["mutual", "best", "one-to-one"])
def test_a_promise_counts_on_each_others_likeliest_only_where_only_these_are_taken(compared, rule, monkeypatch):
    seen, promised = [], comparison.Comparison.precision

    def precision(self, taken, target, *, mutual):
        seen.append(mutual)
        return promised(self, taken, target, mutual=mutual)

    monkeypatch.setattr(comparison.Comparison, "precision", precision)
    same_items(compared, Choosing(0.9, rule=rule))
    assert seen == [rule == "mutual"]


def test_what_wrong_pairs_score_between_two_sides_changes_nothing_but_the_promise_of_precision(shops, monkeypatch):
    """The mixture, and so the promise of `gaps`, finds by itself how much lower they score."""
    before = compare(shops.ours, shops.theirs, PHOTOS_ALONE)
    monkeypatch.setattr(comparison, "carried_over", lambda nothing, across: nothing.rescored(nothing.scores / 9))
    after = compare(shops.ours, shops.theirs, PHOTOS_ALONE)
    assert after.mixture == before.mixture and np.array_equal(after.matched, before.matched)
    assert after.recall(0.9) == before.recall(0.9)
    assert np.array_equal(*(one.probability(one.pairs.score) for one in (before, after)))
    taken = chosen(before, "mutual")
    assert after.precision(taken, 0.9, mutual=True).score < before.precision(taken, 0.9, mutual=True).score


def test_conformal_selection_is_the_second_way(shops, compared):
    decided = same_items(compared, Choosing(0.9, conformal=True))
    right = hits(decided, shops.truth)
    assert decided.promise is None and right.mean() > 0.85 and right.sum() > 0.8 * len(shops.truth)


def test_conformal_selection_counts_all_that_asked_and_not_only_the_pairs_that_a_rule_took(shops_of):
    wrong = []
    for seed in range(8):
        shops = shops_of(seed, products=200, noise=1.2, close=0.8, overlap=0.2)
        right = hits(
            match_sides(shops.ours, shops.theirs, PHOTOS_ALONE, Choosing(0.8, conformal=True)), shops.truth
        )
        wrong.append(1 - right.mean() if len(right) else 0.0)
    assert np.mean(wrong) <= 0.2


def test_judged_pairs_take_the_place_of_presumed_ones(shops, compared, tmp_path):
    top = chosen(compared, "mutual")
    ours, theirs = shops.ours.products[top.query], shops.theirs.products[top.match]
    same = np.array([shops.truth.get(one) == other for one, other in zip(ours, theirs, strict=True)])
    text = ["ours,theirs,same", *(f"{a},{b},{int(s)}" for a, b, s in zip(ours, theirs, same, strict=True))]
    (tmp_path / "judged.csv").write_text("\n".join(text) + "\n")
    labels = read_labels(tmp_path / "judged.csv")
    decided = same_items(compared, Choosing(0.9), labels=labels)
    assert decided.promise.basis == "labels" and decided.promise.n == len(top)
    assert hits(decided, shops.truth).mean() >= 0.9 and len(decided) > 100
    few = Labels(ours[:5], theirs[:5], same[:5])
    assert "more would be needed" in same_items(compared, Choosing(0.99), labels=few).sentences[1]
    with pytest.raises(NatviewsError, match="None of the 1 judged pairs"):
        same_items(compared, labels=Labels(np.array(["x"]), np.array(["y"]), np.array([True])))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ours,theirs\na,b\n", "no column 'same'"),
        ("ours,theirs,same\na,b,perhaps\n", "row 1"),
        (None, "no judged"),
    ],
)
def test_judged_pairs_that_cannot_be_read(text, said, tmp_path):
    if text:
        (tmp_path / "j.csv").write_text(text)
    with pytest.raises(NatviewsError, match=said):
        read_labels(tmp_path / "j.csv")


def test_titles_help_where_photos_cannot_tell_and_photos_alone_are_always_said(shops_of):
    shops = shops_of(4, products=200, noise=1.6, close=0.5)
    by_photos = compare(shops.ours, shops.theirs, PHOTOS_ALONE)
    by_both = compare(shops.ours, shops.theirs)
    assert by_both.by_titles and not by_photos.by_titles
    first = [c.pairs.take(c.pairs.first) for c in (by_photos, by_both)]
    ours, theirs = shops.ours.products, shops.theirs.products
    right = [
        np.mean([shops.truth.get(ours[q]) == theirs[m] for q, m in zip(p.query, p.match, strict=True)])
        for p in first
    ]
    assert right[1] > right[0] + 0.02
    decided = match_sides(shops.ours, shops.theirs)
    assert "By photos alone" in decided.sentences[-1] and "photos and titles" in decided.sentences[0]


def test_sides_that_cannot_be_compared_or_hold_little(shops, shops_of):
    other = dataclasses.replace(
        shops.theirs.embeddings, made_by=dataclasses.replace(shops.theirs.embeddings.made_by, encoder="another")
    )
    with pytest.raises(NatviewsError, match="different encoders"):
        compare(shops.ours, dataclasses.replace(shops.theirs, embeddings=other))
    nobody = shops.theirs.take(np.zeros(len(shops.theirs.embeddings), bool))
    for ours, theirs in ((shops.ours, nobody), (nobody, shops.ours), (nobody, nobody)):
        assert len(match_sides(ours, theirs)) == 0
    one = shops.ours.take(shops.ours.product == 0)
    assert len(match_sides(one, shops.theirs).table) <= 1
    lone = shops_of(5, products=100, photos=(1, 1))
    decided = match_sides(lone.ours, lone.theirs, PHOTOS_ALONE)
    assert decided.table.column("probability").null_count == len(decided), "no product shows what a match scores"


def test_a_product_type_with_few_products_has_a_promise_too(shops_of):
    shops = shops_of(6, products=200, noise=0.8)
    rare = shops.ours.products[:3]
    table = shops.ours.table
    place = table.column_names.index("product_type")
    types = np.where(
        np.isin(shops.ours.embeddings.product_ids, rare), "rare", shops.ours.types[shops.ours.product]
    )
    ours = dataclasses.replace(shops.ours, table=table.set_column(place, "product_type", [types.tolist()]))
    decided = match_sides(ours, shops.theirs, PHOTOS_ALONE)
    assert hits(decided, shops.truth).mean() >= 0.95


def test_comparing_by_best_mean_and_set(shops):
    side = shops.ours
    found = {how: candidates(side, shops.theirs, how=how) for how in ("best", "mean", "set")}
    one, other = int(found["best"].query[0]), int(found["best"].match[0])
    theirs = shops.theirs.embeddings.vectors[shops.theirs.product == other]
    cosine = side.embeddings.vectors[side.product == one] @ theirs.T
    means = [s.embeddings.vectors[s.product == p].mean(axis=0) for s, p in ((side, one), (shops.theirs, other))]
    expected = {
        "best": cosine.max(),
        "set": (cosine.max(axis=0).mean() + cosine.max(axis=1).mean()) / 2,
        "mean": means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]),
    }
    for how, pairs in found.items():
        score = pairs.image[(pairs.query == one) & (pairs.match == other)]
        assert score == pytest.approx(expected[how], abs=1e-5)
    with pytest.raises(NatviewsError, match="not by 'median'"):
        Scoring(how="median")


def test_a_rehearsal_on_halves_finds_products_again(shops):
    decided = match_halves(shops.ours, Choosing(0.9, ranks=2))
    table = decided.table.to_pydict()
    right = np.array(table["query_product"]) == np.array(table["match_product"])
    accepted = np.array(table["accepted"])
    assert right[accepted].mean() >= 0.9 and accepted.sum() > 100
    assert all(query != match for query, match in zip(table["query"], table["match"], strict=True))


def test_a_side_of_very_many_photos_is_searched_by_an_approximate_index(shops, monkeypatch):
    exact = match_sides(shops.ours, shops.theirs).table
    monkeypatch.setattr(choosing, "EXACT_UP_TO", 100)
    monkeypatch.setattr(approximate, "SCANNED", 20)
    sides = [dataclasses.replace(side) for side in (shops.ours, shops.theirs)]  # which keep no index yet
    table = match_sides(*sides).table
    assert all(isinstance(side.index, ApproximateIndex) for side in sides)
    found, expected = (
        set(zip(*(t[name].to_pylist() for name in ("query_product", "match_product")), strict=True))
        for t in (table, exact)
    )
    assert len(found & expected) > 0.95 * len(expected) > 0 and len(found - expected) <= 0.05 * len(expected)
