"""Prices, gaps, opportunities, groups, copies, colourways, attributes and profiles, on shops with known truth."""

import dataclasses

import numpy as np
import pytest

from natviews.matching import (
    Choosing,
    Scoring,
    colourway_pairs,
    compare,
    copied_photos,
    gap_items,
    inferred_attributes,
    match_sides,
    opportunities,
    price_comparison,
    read_history,
    same_item_groups,
    user_profile,
)
from natviews.matching import groups as groups_module
from natviews.matching.gaps import GAPS, OPPORTUNITIES, demand_of
from natviews.matching.groups import first_from_second
from natviews.matching.prices import PRICES, robust_z
from natviews.types import Embeddings, NatviewsError

PHOTOS_ALONE = Scoring(titles="none")


def with_column(side, name, values):
    """The side with a column (N,) of text for its photos."""
    table = side.table.drop_columns([name]) if side.has(name) else side.table
    return dataclasses.replace(side, table=table.append_column(name, [np.asarray(values).tolist()]))


@pytest.fixture(scope="module")
def asked_by_them(shops):
    return compare(shops.theirs, shops.ours, PHOTOS_ALONE)


def test_prices_of_the_same_items_with_outliers_and_history(shops, tmp_path):
    theirs = shops.theirs
    cheap, unknown, strange = list(shops.truth.values())[:3]
    said = {cheap: "1.00", unknown: "", strange: "n/a"}
    prices = [said.get(p, "") if p in said else v.as_py() for p, v in
              zip(theirs.embeddings.product_ids.tolist(), theirs.table.column("price"), strict=True)]  # fmt: skip
    theirs = with_column(theirs, "price", prices)
    (tmp_path / "h.csv").write_text(
        f"product_id,date,price\n{cheap},2026-02-01,1.0\n{cheap},2026-01-01,4.0\n{cheap},2026-03-01,oops\n"
    )
    matches = match_sides(shops.ours, theirs, PHOTOS_ALONE)
    decided = price_comparison(matches, shops.ours, theirs, history=read_history(tmp_path / "h.csv"))
    assert decided.table.schema == PRICES and len(decided) == len(matches) > 100
    rows = decided.table.to_pylist()
    assert rows[0]["match_product"] == cheap and rows[0]["outlier"] and rows[0]["ratio"] > 5
    assert rows[0]["their_lowest"] == 1.0 and rows[0]["their_change"] == pytest.approx(-0.75)
    assert {row["match_product"] for row in rows[-2:]} == {unknown, strange}
    assert all(row["ratio"] is None and row["outlier"] is False for row in rows[-2:])
    same = [row for row in rows[1:-2] if shops.truth.get(row["query_product"]) == row["match_product"]]
    assert len(same) > 100 and all(row["difference"] == 0 and not row["outlier"] for row in same)
    assert "should be looked at" in decided.sentences[0]
    with pytest.raises(NatviewsError, match="no column 'price'"):
        nothing = dataclasses.replace(theirs, table=theirs.table.drop_columns(["price"]))
        price_comparison(matches, shops.ours, nothing)


def test_a_history_is_told_by_its_dates_and_not_by_their_letters(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(
        "product_id,date,price\na,2026-01-10T18:00,2.0\na,2026-01-10T09:00+02:00,4.0\na,20260109,8.0\n"
    )
    history = read_history(path)
    assert history.lowest == {"a": 2.0} and history.change == {"a": -0.75}
    for date in ("2026-1-5", "31.01.2026", ""):
        path.write_text(f"product_id,date,price\na,2026-01-10,2.0\na,{date},4.0\n")
        with pytest.raises(NatviewsError, match="history.csv, row 3: the date .* write dates as 2026-01-31"):
            read_history(path)


def test_robust_z_sees_what_a_mean_would_hide():
    values = np.array([0.0, 0.1, -0.1, 0.05, -0.05, np.nan, 30.0])
    z = robust_z(values)
    assert z[-1] > 100 and np.isnan(z[5]) and np.abs(z[:5]).max() < 3
    assert robust_z(np.array([1.0, 1, 1, 1, 9]))[-1] > 3  # the median deviation is nought
    assert not robust_z(np.ones(4)).any() and len(robust_z(np.empty(0))) == 0


def test_gaps_keep_their_promise_and_list_most_of_what_we_lack(shops, asked_by_them):
    decided = gap_items(asked_by_them, 0.95)
    assert decided.table.schema == GAPS
    sold, listed = set(shops.truth.values()), set(decided.table.column("product").to_pylist())
    assert len(listed & sold) <= 0.05 * len(sold)
    assert len(listed - sold) > 0.9 * (300 - len(sold))
    scores = decided.table.column("score").to_numpy()
    assert (np.diff(scores) >= 0).all() and scores.max() < decided.promise.score
    looser = gap_items(asked_by_them, 0.5)
    assert len(looser) > len(decided)


def test_no_gap_is_claimed_of_too_little_and_everything_is_one_beside_nothing(shops):
    few = shops.theirs.take(shops.theirs.product < 10), shops.ours.take(shops.ours.product < 10)
    decided = gap_items(compare(*few, PHOTOS_ALONE), 0.99)
    assert not len(decided) and "too few" in decided.sentences[0]
    nobody = shops.ours.take(np.zeros(len(shops.ours.embeddings), bool))
    beside = gap_items(compare(shops.theirs, nobody, PHOTOS_ALONE), 0.9)
    assert len(beside) == len(shops.theirs) and beside.table.column("nearest").to_pylist() == [""] * 300


def test_what_sells_best_and_we_lack_comes_first(shops):
    sold = set(shops.truth.values())
    planted = [p for p in shops.theirs.products.tolist() if p not in sold][:20]
    sales = np.where(np.isin(shops.theirs.embeddings.product_ids, planted), "9000", "12")
    theirs = with_column(shops.theirs, "sales", sales)
    decided = opportunities(compare(theirs, shops.ours, PHOTOS_ALONE), 0.95)
    assert decided.table.schema == OPPORTUNITIES
    first = decided.table.column("product").to_pylist()[:20]
    assert len(set(first) & set(planted)) >= 18
    row = decided.table.to_pylist()[0]
    assert row["rank"] == 1 and row["sales"] == 9000 and row["price_band"] in ("low", "middle", "high")
    ours = shops.ours
    price, types = ours.numbers("price"), ours.types
    cuts = np.quantile(theirs.numbers("price")[theirs.types == row["product_type"]], [1 / 3, 2 / 3])
    low, high = {"low": (-1, cuts[0]), "middle": (*cuts,), "high": (cuts[1], 1e9)}[row["price_band"]]
    assert row["ours_in_band"] == ((types == row["product_type"]) & (price >= low) & (price < high)).sum()


def test_demand_needs_no_column_and_a_missing_value_is_the_middle(shops):
    side = dataclasses.replace(shops.theirs, table=shops.theirs.table.drop_columns(["sales"]))
    assert (demand_of(side) == 0.5).all()
    some = np.where(shops.theirs.product == 0, "", np.where(shops.theirs.product == 1, "99", "5"))
    demand = demand_of(with_column(shops.theirs, "sales", some))
    assert demand[0] == 0.5 and demand[1] == demand.max() > 0.9


def test_a_crowd_with_one_placeholder_for_a_photo_is_cut_and_nobody_is_lost(side_of_items, monkeypatch):
    monkeypatch.setattr(groups_module, "LARGEST", 5)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 48))
    crowd = [*range(1, 60), *[0] * 11]
    side, ids = side_of_items("shop", "p", crowd, centres, rng, noise=0, photos=(1, 1))
    grouped = same_item_groups(side, 0.9, scoring=PHOTOS_ALONE).table.column("product").to_pylist()
    assert sorted(grouped) == sorted(product for product, item in ids.items() if item == 0)


def test_groups_are_not_chained_and_name_their_weakest_link(side_of_items):
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(260, 48))
    side, ids = side_of_items("shop", "p", [*range(200), *range(40)], centres, rng, noise=0.3)
    decided = same_item_groups(side, 0.9, scoring=PHOTOS_ALONE)
    found = {}
    for row in decided.table.to_pylist():
        found.setdefault(row["group"], []).append(row)
    right = [len({ids[row["product"]] for row in group}) == 1 for group in found.values()]
    assert np.mean(right) >= 0.9 and len(found) >= 30
    thrice, ids = side_of_items("shop", "p", [*range(60), 0, 0], centres, rng, noise=0, photos=(2, 2))
    group = same_item_groups(thrice, 0.9, scoring=PHOTOS_ALONE).table.to_pylist()
    assert [ids[row["product"]] for row in group] == [0, 0, 0] and {row["size"] for row in group} == {3}
    assert {group[0]["weakest_one"], group[0]["weakest_other"]} < {row["product"] for row in group}
    assert group[0]["weakest"] == pytest.approx(1, abs=1e-5)
    # In a chain a-b-c of nearly one photo, a and c differ more: that is no group of three.
    angle = np.arccos(0.9995)
    turned = np.zeros((3, 48))
    turned[:, 0], turned[:, 1] = np.cos(angle * np.arange(3)), np.sin(angle * np.arange(3))
    chained, ids = side_of_items(
        "chain", "c", [*range(60), 260, 261, 262], np.vstack([centres, turned]), rng, noise=0, photos=(1, 1)
    )
    group = same_item_groups(chained, 0.9, scoring=PHOTOS_ALONE).table.to_pylist()
    assert len(group) == 2 and 261 in {ids[row["product"]] for row in group}


def test_a_second_candidate_tells_how_often_there_is_a_first():
    rate = np.array([0.01, 0.1, 0.5, 2.0])
    two = 1 - np.exp(-rate) * (1 + rate)
    assert first_from_second(two) == pytest.approx(1 - np.exp(-rate), rel=0.01)
    assert first_from_second(np.zeros(1))[0] == pytest.approx(0, abs=1e-5)


def test_photos_in_two_listings_and_whose_they_are(shops):
    side = shops.ours
    vectors = side.embeddings.vectors.copy()
    rows = [side.photo_rows[side.starts[p]] for p in range(6)]
    for one, other in ((0, 1), (2, 3), (4, 5)):
        vectors[rows[other]] = vectors[rows[one]]
    sellers = np.array(["anna", "bert", "carl", "carl", "dora", ""] + ["x"] * (len(side) - 6))[side.product]
    made = Embeddings(side.embeddings.ids, side.embeddings.product_ids, vectors, side.embeddings.made_by)
    copies = copied_photos(with_column(dataclasses.replace(side, embeddings=made), "seller", sellers))
    kinds = {(row["product"], row["copy_product"]): row["kind"] for row in copies.table.to_pylist()}
    names = side.products.tolist()
    wanted = {(0, 1): "other seller", (2, 3): "same seller", (4, 5): "unknown"}
    assert {tuple(sorted(pair)): kind for pair, kind in kinds.items()} == {
        (names[a], names[b]): kind for (a, b), kind in wanted.items()
    }


def colourway_side(side_of_items, heads):
    rng = np.random.default_rng(1)
    designs, colours = 2 * rng.normal(size=(80, 48)), 1.5 * rng.normal(size=(160, 48))
    identity = np.repeat(designs, 2, axis=0) + colours
    side, ids = side_of_items("shop", "p", list(rng.permutation(160)), identity, rng, noise=0.4)
    item = np.array([ids[p] for p in side.embeddings.product_ids.tolist()])
    if heads == 2:
        design = designs[item // 2] + 0.4 * rng.normal(size=(len(item), 48))
        design = (design / np.linalg.norm(design, axis=1, keepdims=True)).astype(np.float32)
        made = dataclasses.replace(side.embeddings, extra={"design": design})
        return dataclasses.replace(side, embeddings=made), ids
    return with_column(side, "colour", np.array(["red", "blue"])[item % 2]), ids


@pytest.mark.parametrize("heads", [2, 1])
def test_colourways_are_one_design_in_two_colours(side_of_items, heads):
    side, ids = colourway_side(side_of_items, heads)
    decided = colourway_pairs(side) if heads == 2 else colourway_pairs(side, share=0.999)
    rows = decided.table.to_pylist()
    right = [ids[row["product"]] // 2 == ids[row["colourway"]] // 2 for row in rows]
    if heads == 2:
        assert len(rows) > 30 and np.mean(right) > 0.95 and rows[0]["by"] == "identity head"
        assert len({frozenset((row["product"], row["colourway"])) for row in rows}) == len(rows)
    else:
        assert all(row["by"] == "attribute" and row["colour"] != row["colourway_colour"] for row in rows)


@pytest.mark.parametrize(("heads", "held_out", "missing"), [(1, 3, 1), (1, 0, 4), (2, 3, 1), (2, 5, 40)])
def test_no_colourways_are_listed_where_too_few_products_teach_and_it_is_said(
    side_of_items, heads, held_out, missing
):
    side, _ = colourway_side(side_of_items, heads)
    named = np.flatnonzero(side.counts > 1)[:held_out]
    split = np.where(np.isin(side.product, named), "val", "train")
    side = dataclasses.replace(with_column(side, "split", split), unseen=False)
    decided = colourway_pairs(side)
    assert len(decided) == 0 and not decided.promise.kept
    assert decided.sentences == (
        f"No colourways can be told: {held_out} held-out products with two photos or more are too few, by about "
        f"{missing}.",
    )


def test_attributes_are_read_off_neighbours_and_kept_back_where_they_are_unsure(side_of_items):
    rng = np.random.default_rng(2)
    kinds = 2.5 * rng.normal(size=(8, 48))
    centres = np.repeat(kinds, 50, axis=0) + 2 * rng.normal(size=(400, 48))
    facts = {
        "pattern": np.array([f"pattern{i // 50}" for i in range(400)]),
        "noise": rng.choice(["a", "b"], 400),
        "tags": np.array([f"all, tag{i // 50}" for i in range(400)]),
        "price": np.array([f"{10 + i // 50}" for i in range(400)]),
    }
    side, ids = side_of_items("shop", "p", list(rng.permutation(400)), centres, rng, noise=0.5, columns=facts)
    hidden = side.product % 5 == 0
    for name in facts:
        side = with_column(
            side, name, np.where(hidden, "", side.table.column(name).to_numpy(zero_copy_only=False))
        )
    decided = inferred_attributes(side, ["pattern"], precision=0.9)
    assert "judged" not in decided.sentences[0] and "products held out" in decided.sentences[0], (
        "nobody judged any"
    )
    assert decided.promise.basis == "values"
    rows = decided.table.to_pylist()
    right = [row["value"] == facts["pattern"][ids[row["product"]]] for row in rows]
    assert len(rows) > 40 and np.mean(right) >= 0.9
    assert np.mean([row["confidence"] for row in rows]) == pytest.approx(np.mean(right), abs=0.08)
    assert {row["product"] for row in rows} <= set(side.products[::5].tolist())
    assert not len(inferred_attributes(side, ["noise"], precision=0.9)), "a coin cannot be read off a photo"
    tags = inferred_attributes(side, ["tags"], kind="tags", precision=0.9).table.to_pylist()
    assert {"all"} < {row["value"] for row in tags}
    bands = inferred_attributes(side, ["price"], kind="band", precision=0.8).table.to_pylist()
    inside = [
        float(row["value"].split(" to ")[0]) <= float(facts["price"][ids[row["product"]]])
        <= float(row["value"].split(" to ")[1]) for row in bands
    ]  # fmt: skip
    assert len(bands) > 20 and np.mean(inside) >= 0.8
    unread = with_column(side, "price", np.where(hidden, "on request", side.table.column("price")))
    said = inferred_attributes(unread, ["price"], kind="band", precision=0.8).sentences[0]
    assert f"of {len(set(side.product[hidden]))} products without 'price'" in said, "what is no number is none"
    with pytest.raises(NatviewsError, match="no column 'patern'"):
        inferred_attributes(side, ["patern"])
    with pytest.raises(NatviewsError, match="not as 'colour'"):
        inferred_attributes(side, ["pattern"], kind="colour")


def test_a_profile_has_a_medoid_for_each_taste_and_proposes_what_was_not_liked(side_of_items):
    rng = np.random.default_rng(3)
    tastes = 3 * rng.normal(size=(3, 48))
    centres = np.repeat(tastes, 30, axis=0) + rng.normal(size=(90, 48))
    side, ids = side_of_items("shop", "p", list(range(90)), centres, rng, noise=0.2)
    liked = [name for name, item in ids.items() if item in (0, 1, 2, 3, 30, 31)]
    table = user_profile(side, liked, medoids=2, k=4).to_pydict()
    assert len(set(table["medoid"])) == 2 and set(table["medoid"]) <= set(liked)
    assert table["liked"][0] == 4 and not set(table["product"]) & set(liked)
    for medoid, product in zip(table["medoid"], table["product"], strict=True):
        assert ids[medoid] // 30 == ids[product] // 30
    assert len(user_profile(side, liked[:1])) == 5
    with pytest.raises(NatviewsError, match="'nobody' is no product"):
        user_profile(side, ["nobody"])


def test_a_stricter_promise_never_claims_more(shops):
    counts = [len(match_sides(shops.ours, shops.theirs, PHOTOS_ALONE, Choosing(p))) for p in (0.8, 0.99)]
    assert counts[0] >= counts[1]
