"""Answers: kept whatever happens, and what they promise."""

import csv
import io
import json
import threading

import numpy as np
import pytest

from natviews.matching.promises import lower_bound, precision_by_labels
from natviews.serving.answers import Answer, Answers
from natviews.serving.reviewing import Pair, Review
from natviews.types import NatviewsError


def pairs(count=200):
    """The higher the score, the likelier the same."""
    rng = np.random.default_rng(0)
    return [
        Pair(f"o{k}", f"t{k}", f"o{k}.jpg", f"t{k}.jpg", float(score)) for k, score in enumerate(rng.random(count))
    ]


def same(pair):
    return "yes" if pair.score > 0.4 else "no"


def test_answers_outlive_torn_lines_other_writers_and_come_in_order(tmp_path):
    path = tmp_path / "deep" / "answers.jsonl"
    one, other = Answers(path), Answers(path)
    threads = [
        threading.Thread(target=lambda who=who, k=k: who.append(Answer(f"o{k}", "t", "yes", 0.5)))
        for k, who in enumerate([one, other] * 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.ours for answer in one.latest()} == {f"o{k}" for k in range(20)}
    with path.open("ab") as file:
        file.write(b'{"ours": "torn", "th')
    assert len(one.latest()) == 20
    other.append(Answer("o3", "t", "no", 0.5))
    path.open("ab").write(b'[1]\n"x"\n{"ours": 1}\n\xff\xfe\n')
    for reader in (one, Answers(path)):
        latest = {answer.ours: answer.said for answer in reader.latest()}
        assert len(latest) == 20 and latest["o3"] == "no" and "torn" not in latest
    with pytest.raises(NatviewsError, match="yes, no, unsure"):
        Answer("a", "b", "maybe", 0.1)


def test_an_answer_is_on_the_disk_before_it_is_acknowledged(tmp_path, monkeypatch):
    import os

    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    Answers(tmp_path / "a.jsonl").append(Answer("o", "t", "yes", 0.5))
    assert synced == [(tmp_path / "a.jsonl").stat().st_size] and synced[0] > 20


def test_pairs_are_drawn_by_chance_and_each_is_asked_once(tmp_path):
    listed = sorted(pairs(), key=lambda pair: -pair.score)
    review = Review(listed, Answers(tmp_path / "a.jsonl"))
    asked = []
    for _ in range(60):
        (pair,) = review.next()
        review.say(pair.ours, pair.theirs, "unsure")
        asked.append(pair)
    assert len({pair.ours for pair in asked}) == 60
    mean = np.mean([pair.score for pair in asked])
    assert abs(mean - np.mean([pair.score for pair in listed])) < 0.08, "not the likeliest first"
    with pytest.raises(NatviewsError, match="not among those"):
        review.say("o1", "t2", "yes")


def test_two_people_who_begin_elsewhere_judge_different_pairs_and_together_all(tmp_path):
    review = Review(pairs(), Answers(tmp_path / "a.jsonl"))
    count, asked = len(review.pairs), []
    while True:
        both = [pair for begin in (0.0, 0.5) for pair in review.next(1, begin)]
        if not both:
            break
        asked += both if both[0] != both[1] else both[:1]
        for pair in both:
            review.say(pair.ours, pair.theirs, same(pair))
    assert len(asked) == len({(pair.ours, pair.theirs) for pair in asked}) == count
    assert asked[: 2 * (count // 4) : 2] == review.pairs[: count // 4]
    assert review.next(3, 0.99) == []


def test_the_promise_tightens_with_the_answers_and_is_that_of_the_labels(tmp_path):
    review = Review(pairs(), Answers(tmp_path / "a.jsonl"))
    lows, widths, missing = [], [], []
    said = []
    for number in range(120):
        (pair,) = review.next()
        review.say(pair.ours, pair.theirs, same(pair))
        said.append(pair)
        if number in (4, 19, 59, 119):
            now = review.standing(0.8)
            lows.append(now.low)
            widths.append(now.high - now.low)
            missing.append(now.promise.missing)
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.2
    right = np.array([same(pair) == "yes" for pair in said])
    wanted = precision_by_labels(np.array([pair.score for pair in said]), right, 0.8)
    assert now.promise == wanted and wanted.kept and 0.2 < wanted.score < 0.5
    assert now.low == pytest.approx(lower_bound(right.sum(), len(right)))
    assert now.accepted == sum(pair.score >= wanted.score for pair in review.pairs)
    assert missing[0] > 0 and missing[-1] == 0
    assert (np.diff(now.curve[1]) >= -1e-9).all() and now.curve[1][0] < 0.2 < 0.8 < now.curve[1][-1]


def test_the_last_answer_to_a_pair_counts_and_unsure_promises_nothing(tmp_path):
    review = Review(pairs(), Answers(tmp_path / "a.jsonl"))
    (pair,) = review.next()
    for said, counts in (("yes", (1, 0, 0)), ("no", (0, 1, 0)), ("unsure", (0, 0, 1))):
        review.say(pair.ours, pair.theirs, said)
        now = review.standing(0.9)
        assert (now.yes, now.no, now.unsure) == counts and now.curve is None
    assert (now.low, now.high, now.promise.kept) == (0.0, 1.0, False)


def test_the_api_asks_keeps_and_gives_labels_that_match_reads(writing, own_shop, tmp_path):
    from natviews.matching import read_labels

    before = writing.get("/v1/match?target=0.8&k=5").json()
    assert before["standing"]["pairs"] == 60 and len(before["pairs"]) == 5
    for number in range(12):
        (pair,) = writing.get("/v1/match").json()["pairs"]
        said = "unsure" if number == 5 else "yes" if pair["ours"] == pair["theirs"] else "no"
        answer = writing.post(
            "/v1/match?target=0.8", json={"ours": pair["ours"], "theirs": pair["theirs"], "said": said}
        )
        assert answer.status_code == 201, answer.text
    standing = answer.json()
    assert (
        standing["yes"] + standing["no"] == 11 and standing["unsure"] == 1 and standing["yes"] > standing["no"] > 0
    )
    assert 0 < standing["low"] < standing["yes"] / 11 < standing["high"] <= 1 and len(standing["curve"]) > 10
    text = writing.get("/v1/match/answers.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 11 and {row["same"] for row in rows} == {"0", "1"}
    (tmp_path / "labels.csv").write_text(text)
    assert read_labels(tmp_path / "labels.csv").same.sum() == standing["yes"]
    lines = (own_shop / "store" / "serving" / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 12 and json.loads(lines[0])["at"] > 0
    assert writing.post("/v1/match", json={"ours": "x", "theirs": "y", "said": "yes"}).status_code == 422
    assert writing.post("/v1/match", json={"ours": "x", "theirs": "y", "said": "perhaps"}).status_code == 422


def test_without_matches_the_stores_own_likeliest_pairs_are_asked(writing, own_shop):
    (own_shop / "matches.parquet").unlink()
    asked = writing.get("/v1/match?k=50").json()
    assert asked["pairs"] and all(pair["ours"] != pair["theirs"] for pair in asked["pairs"])
    together = [frozenset((pair["ours"], pair["theirs"])) for pair in asked["pairs"]]
    assert len(set(together)) == len(together)


def test_what_is_gone_is_asked_about_no_more_and_what_was_judged_still_counts(writing, own_shop):
    (own_shop / "matches.parquet").unlink()
    pairs = writing.get("/v1/match?k=50").json()["pairs"]
    kept, lost = pairs[0], next(p for p in pairs if not {p["ours"], p["theirs"]} & set(pairs[0].values()))
    writing.post("/v1/match", json={"ours": kept["ours"], "theirs": kept["theirs"], "said": "no"})
    photos = [item["id"] for item in writing.get(f"/v1/items?product_id={lost['ours']}").json()["items"]]
    assert writing.delete("/v1/items", params={"id": photos}).json()["deleted"] == len(photos)
    now = writing.get("/v1/match?k=50").json()
    assert all(lost["ours"] not in (pair["ours"], pair["theirs"]) for pair in now["pairs"])
    assert now["standing"]["no"] == 1


def test_ids_that_look_like_formulas_come_back_as_they_were(tmp_path):
    import pyarrow as pa

    from natviews.matching import read_labels
    from natviews.serving.tables import as_csv

    ids = ["-12", "@x", "'=1", "''+", "plain", "it's"]
    path = tmp_path / "labels.csv"
    path.write_bytes(as_csv(pa.table({"ours": ids, "theirs": ids[::-1], "same": [1] * len(ids)})))
    held = read_labels(path)
    assert held.ours.tolist() == ids and held.theirs.tolist() == ids[::-1]
    with path.open() as file:
        assert not [row for row in csv.reader(file) if row[0].startswith(("-", "@", "="))]


def test_groups_are_worked_out_from_the_store_where_nobody_wrote_them(writing, own_shop, photo_bytes):
    import time

    (own_shop / "groups.parquet").unlink()
    first = writing.get("/v1/tables/groups")
    assert first.status_code == 429 and "being worked out" in first.json()["detail"]
    until = time.monotonic() + 60
    while (answer := writing.get("/v1/tables/groups")).status_code == 429 and time.monotonic() < until:
        time.sleep(0.1)
    assert answer.status_code == 200 and "weakest" in answer.json()["columns"]
    photo = photo_bytes(0)
    for number in (1, 2):  # the same photo as two products
        form = {"id": f"same{number}", "product_id": f"same{number}"}
        assert writing.post("/v1/items", data=form, files={"photo": photo}).status_code == 201
    until = time.monotonic() + 60
    while time.monotonic() < until:  # meanwhile the last ones are shown
        answer = writing.get("/v1/tables/groups", params={"text": "same1"})
        assert answer.status_code == 200
        if answer.json()["total"]:
            break
        time.sleep(0.1)
    assert answer.json()["total"], "groups are worked out anew when the store has changed"
