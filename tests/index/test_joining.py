"""Joining whole catalogues: what looking at every pair finds, in pieces, and from where a kill left it."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet
import pytest
from scattered_vectors import numbered, share_found

from natviews.index import ExactIndex, join, joining, plan_join, read_embeddings, sources, write_embeddings
from natviews.types import Embeddings, Matches, NatviewsError, Provenance

PHOTOS = numbered(3000, width=32)
OTHERS = numbered(1500, width=32, seed=1)
TRUTH = ExactIndex(PHOTOS).search(PHOTOS.vectors, 10, query_ids=PHOTOS.ids)
MIXED = ExactIndex(PHOTOS).search(OTHERS.vectors, 10, query_ids=OTHERS.ids)


def whole(joined) -> Matches:
    pieces = list(joined)
    return Matches(
        *(np.concatenate([getattr(p, name) for p in pieces]) for name in ("query_ids", "ids", "scores"))
    )


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(joining, "MOST", 1000)
    monkeypatch.setattr("natviews.index.cells.STRETCH", 300)
    monkeypatch.setattr(sources, "STRETCH", 256)


def test_a_catalogue_is_joined_with_itself(tmp_path):
    joined = join(PHOTOS, PHOTOS, folder=tmp_path)
    found = whole(joined)
    assert joined.plan.parts == 1
    assert found.query_ids.tolist() == PHOTOS.ids.tolist()
    assert share_found(found, TRUTH) >= 0.98 and joined.recall == pytest.approx(
        share_found(found, TRUTH), abs=0.012
    )
    assert not (found.ids == PHOTOS.ids[:, None]).any()
    assert all(len(set(row)) == 10 for row in found.ids.tolist())
    at = dict(zip(PHOTOS.ids.tolist(), PHOTOS.vectors, strict=True))
    for query, ids, scores in zip(PHOTOS.vectors[::50], found.ids[::50], found.scores[::50], strict=True):
        assert scores == pytest.approx([query @ at[i] for i in ids.tolist()], abs=1e-5)


def test_all_is_found_where_all_is_wanted(tmp_path):
    found = whole(join(PHOTOS, PHOTOS, folder=tmp_path / "a", recall=1.0))
    assert share_found(found, TRUTH) >= 0.999
    found = whole(join(OTHERS, PHOTOS, folder=tmp_path / "b", recall=1.0))
    assert share_found(found, MIXED) >= 0.999


def test_half_the_visits_find_as_much_where_scores_count_twice():
    from natviews.index.cells import Shard

    shard = Shard([PHOTOS.vectors], 3000, 32)
    rows = np.arange(0, 3000, 6)
    once, twice = (
        shard.visits(PHOTOS.vectors[rows], 0.99, 10, own=rows, mutual=mutual) for mutual in (False, True)
    )
    assert twice.cells <= 0.7 * once.cells


def test_two_catalogues_are_joined_in_parts(tmp_path, small_parts):
    joined = join(OTHERS, PHOTOS, folder=tmp_path)
    assert joined.plan.parts == 6 and joined.plan.shard == 1000 and joined.plan.piece == 750
    pieces = list(joined)
    assert [len(piece.ids) for piece in pieces] == [750, 750]
    found = whole(joined)
    assert found.query_ids.tolist() == OTHERS.ids.tolist() and share_found(found, MIXED) >= 0.98
    assert not (found.ids == OTHERS.ids[:, None]).any()  # they have ids in common


def test_a_file_is_joined_in_stretches_as_embeddings_are(tmp_path, small_parts):
    path = tmp_path / "photos.parquet"
    write_embeddings(PHOTOS, path)
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path), path, row_group_size=700)
    one, other = whole(join(path, path, folder=tmp_path / "a")), whole(join(PHOTOS, PHOTOS, folder=tmp_path / "b"))
    assert np.array_equal(one.ids, other.ids) and one.scores == pytest.approx(other.scores, abs=1e-6)
    assert share_found(one, TRUTH) >= 0.98 and np.array_equal(read_embeddings(path).ids, one.query_ids)


def test_parts_that_are_there_are_not_made_again(tmp_path, small_parts, monkeypatch):
    before = whole(join(PHOTOS, PHOTOS, folder=tmp_path))
    parts = sorted(tmp_path.glob("*/part-*"))
    assert len(parts) == 9
    parts[4].unlink()
    made = []
    work = joining._Work._part
    monkeypatch.setattr(joining._Work, "_part", lambda self, *rest: made.append(self.first) or work(self, *rest))
    again = whole(join(PHOTOS, PHOTOS, folder=tmp_path))
    assert made == [1000] and np.array_equal(before.ids, again.ids)
    whole(join(PHOTOS, PHOTOS, 5, folder=tmp_path))
    changed = Embeddings(PHOTOS.ids, PHOTOS.product_ids, PHOTOS.vectors[::-1].copy(), PHOTOS.made_by)
    whole(join(changed, changed, folder=tmp_path, recall=0.9))
    assert len(made) == 19


def test_parts_of_the_same_embeddings_in_another_order_are_not_reused(tmp_path):
    whole(join(PHOTOS, PHOTOS, folder=tmp_path))
    order = np.random.default_rng(0).permutation(len(PHOTOS))
    turned = PHOTOS.take(order)
    truth = Matches(TRUTH.query_ids[order], TRUTH.ids[order], TRUTH.scores[order])
    assert share_found(whole(join(turned, turned, folder=tmp_path)), truth) >= 0.98
    renamed = Embeddings(PHOTOS.ids[order], PHOTOS.product_ids, PHOTOS.vectors, PHOTOS.made_by)
    found = whole(join(renamed, renamed, folder=tmp_path))
    assert found.query_ids.tolist() == renamed.ids.tolist() and len(list(tmp_path.glob("*/part-*"))) == 3


def test_a_join_that_was_killed_ends_as_if_it_had_not_been(tmp_path):
    path = tmp_path / "photos.parquet"
    write_embeddings(PHOTOS, path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom natviews.index import join, joining\njoining.MOST = 300\n"
        f"print('go', flush=True); joined = join(*[Path({str(path)!r})] * 2, folder=Path(sys.argv[1]))\n"
        "joined.write(Path(sys.argv[2]))"
    )
    start = lambda name: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", code, str(tmp_path / name), str(tmp_path / f"{name}.parquet")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    process = start("killed")
    process.stdout.readline()
    while len(list(tmp_path.glob("killed/*/part-*"))) < 7:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed.parquet").exists()
    assert [start(name).wait() for name in ("killed", "whole")] == [0, 0]
    one, other = (pyarrow.parquet.read_table(tmp_path / f"{name}.parquet") for name in ("killed", "whole"))
    assert one.equals(other) and one.column_names == ["query", "match", "rank", "score"] and len(one) == 30_000
    assert not list(tmp_path.glob("killed/*/part-*"))


def test_a_plan_keeps_within_memory_and_says_itself():
    plan = plan_join(10_000_000, 10_000_000, 256, memory=1_300_000_000)
    assert plan.bytes <= 1_300_000_000 and plan.shard <= 1_000_000
    assert plan.shard * plan.piece * plan.parts >= 10**14
    assert "10,000,000 queries" in str(plan) and "within 1.1 GB" in str(plan)
    assert plan_join(10_000_000, 10_000_000, 256, memory=700_000_000).parts > plan.parts
    with pytest.raises(NatviewsError, match="at least"):
        plan_join(10_000_000, 10_000_000, 256, memory=100_000_000)


@pytest.mark.parametrize(("queries", "gallery"), [(0, 50), (50, 0), (1, 1), (3, 12), (50, 3)])
def test_small_catalogues_are_joined_exactly(tmp_path, queries, gallery):
    asked, held = numbered(queries, width=8), numbered(gallery, width=8, seed=3)
    found = list(join(asked, held, 5, folder=tmp_path))
    if not gallery or not queries:
        assert sum((piece.ids != "").sum() for piece in found) == 0
        return
    truth = ExactIndex(held).search(asked.vectors, 5, query_ids=asked.ids)
    assert found[0].ids.tolist() == truth.ids.tolist()


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(NatviewsError, match="32 and 16 numbers"):
        join(PHOTOS, numbered(5), folder=tmp_path)
    with pytest.raises(NatviewsError, match="same encoder"):
        join(PHOTOS, numbered(5, width=32, made_by=Provenance("b" * 64)), folder=tmp_path)
    with pytest.raises(NatviewsError, match="natviews embed"):
        join(tmp_path / "none.parquet", PHOTOS, folder=tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(NatviewsError, match="damaged"):
        join(tmp_path / "bad.parquet", PHOTOS, folder=tmp_path)
