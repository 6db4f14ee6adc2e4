"""FAISS's forms: their recall is what they say, and their file is whole or refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scattered_vectors import numbered, scattered, share_found

from natviews.index import FORMS, ApproximateIndex, ExactIndex, choosing, index_for, open_index, stored_embeddings
from natviews.index import approximate as approximate_module
from natviews.types import NatviewsError

PHOTOS = numbered(3000, width=32)
TESTS = Path(__file__).parents[1]
"""Where a process of its own finds `scattered_vectors`."""


@pytest.fixture(autouse=True)
def nothing_is_scanned_for_being_small(monkeypatch):
    monkeypatch.setattr(approximate_module, "SCANNED", 20)


@pytest.fixture(scope="module")
def built():
    return ApproximateIndex(PHOTOS)


@pytest.mark.parametrize("form", FORMS)
def test_the_recall_that_it_states_is_the_recall_that_it_has(form):
    index = ApproximateIndex(PHOTOS, form, recall=0.97)
    found, truth = (i.search(PHOTOS.vectors, 10, query_ids=PHOTOS.ids) for i in (index, ExactIndex(PHOTOS)))
    assert share_found(found, truth) == pytest.approx(index.recall.share, abs=0.02)
    assert index.recall.share >= 0.95 and index.recall.queries == 256


def test_more_recall_is_looked_for_harder():
    easy, hard = (ApproximateIndex(PHOTOS, recall=recall) for recall in (0.5, 0.999))
    assert easy.recall.effort < hard.recall.effort and easy.recall.share < hard.recall.share


def test_a_filter_that_leaves_half_costs_no_recall(built):
    mask = np.random.default_rng(0).random(3000) < 0.5
    found, truth = (i.search(PHOTOS.vectors[:300], 10, where=mask) for i in (built, ExactIndex(PHOTOS)))
    assert set(found.ids.ravel().tolist()) <= set(PHOTOS.ids[mask].tolist())
    assert share_found(found, truth) >= 0.97


def test_equals_are_in_no_order_of_the_catalogue():
    same = np.repeat(numbered(1, width=32).vectors, 300, axis=0)
    index = ApproximateIndex(
        type(PHOTOS)(PHOTOS.ids[:300], PHOTOS.product_ids[:300], same, PHOTOS.made_by), "flat"
    )
    found = index.search(same[:1], 250).ids[0]
    rows = [int(name[5:10]) for name in found.tolist()]
    assert abs(np.corrcoef(rows, np.arange(250))[0, 1]) < 0.3
    assert found.tolist() == index.search(same[:1], 250).ids[0].tolist()


def test_it_is_built_anew_when_a_quarter_is_dead_or_it_has_grown(monkeypatch):
    index, built = ApproximateIndex(PHOTOS), []
    monkeypatch.setattr(index, "_build", lambda: built.append(len(index._rows)))
    index.delete(PHOTOS.ids[:740])
    assert not built and len(index._rows) == 3000
    index.delete(PHOTOS.ids[740:800])
    assert built == [2200]
    for start in range(3000, 13_000, 1000):
        index.add(scattered([f"{i}" for i in range(start, start + 1000)], width=32))
    assert built == [2200, 12_200]


@pytest.mark.parametrize("form", FORMS)
def test_a_saved_index_answers_alike(form, tmp_path):
    index = ApproximateIndex(PHOTOS, form)
    index.delete(PHOTOS.ids[:50])
    index.add(scattered(["new", *PHOTOS.ids[60:70].tolist()], width=32))
    index.save(tmp_path / "a.index")
    again = open_index(tmp_path / "a.index")
    one, other = (i.search(PHOTOS.vectors[::10], 8) for i in (index, again))
    assert np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)
    assert (again.recall, again.made_by, again.form, again.reason) == (
        index.recall,
        index.made_by,
        index.form,
        index.reason,
    )
    assert np.array_equal(stored_embeddings(tmp_path / "a.index").vectors, index.embeddings.vectors)
    again.add(scattered(["newer"], width=32))
    assert again.delete(np.array(["newer", "new"])) == 2


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_refused_in_one_sentence(built, tmp_path, keep):
    path = tmp_path / "a.index"
    built.save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(NatviewsError, match="damaged") as caught:
        open_index(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_flipped_byte_is_read_without_a_word(built, tmp_path):
    path, rng = tmp_path / "a.index", np.random.default_rng(0)
    built.save(path)
    whole = bytearray(path.read_bytes())
    for place in [*rng.integers(0, len(whole), 20), *range(8, 1200, 97)]:
        whole[place] ^= 0x10
        path.write_bytes(whole)
        with pytest.raises(NatviewsError):
            open_index(path)
        whole[place] ^= 0x10
    path.write_bytes(whole)
    assert len(open_index(path)) == 3000


def test_a_full_disk_leaves_the_old_file(built, tmp_path):
    ApproximateIndex(numbered(30, width=32)).save(tmp_path / "a.index")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\nfrom scattered_vectors import numbered\n"
        "from natviews.index import ApproximateIndex\nfrom natviews.types import NatviewsError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"try: ApproximateIndex(numbered(3000, width=32), 'flat').save(Path({str(tmp_path / 'a.index')!r}))\n"
        "except NatviewsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTS)
    assert done.returncode == 0, done.stderr
    assert "a.index" in done.stdout and len(done.stdout.splitlines()) == 1
    assert len(open_index(tmp_path / "a.index")) == 30
    assert [path.name for path in tmp_path.iterdir()] == ["a.index"]


def test_the_index_is_chosen_by_size_and_memory_and_says_why(monkeypatch):
    monkeypatch.setattr(choosing, "EXACT_UP_TO", 2000)
    assert isinstance(index_for(PHOTOS.take(np.arange(2000))), ExactIndex)
    assert isinstance(index_for(PHOTOS, recall=1), ExactIndex)
    assert index_for(PHOTOS, recall=0.9).form.name == "ivf-sq8"
    tight = index_for(PHOTOS, recall=0.9, memory=60_000)
    assert tight.form.name == "ivf-pq" and "of the 0 MB" in tight.reason and "3,000" in tight.reason
    with pytest.raises(NatviewsError, match="more memory"):
        index_for(PHOTOS, memory=1000)
    with pytest.raises(NatviewsError, match="recall"):
        index_for(PHOTOS, recall=1.5)
    monkeypatch.setattr(choosing, "faiss_here", lambda: False)
    assert isinstance(index_for(PHOTOS), ExactIndex)


def test_an_unknown_form_is_refused():
    with pytest.raises(NatviewsError, match="'hnsw'"):
        ApproximateIndex(PHOTOS, "hnws")


def test_the_room_does_without_faiss():
    code = (
        "import sys; sys.modules['faiss'] = None; import natviews.index as i\n"
        "print('numba' in sys.modules, i.ExactIndex)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("False"), done.stderr


def test_it_searches_and_joins_where_another_library_has_changed_faisss_methods(tmp_path):
    program = (
        "import faiss.contrib.torch_utils\n"
        "from pathlib import Path\n"
        "from scattered_vectors import numbered\n"
        "from natviews.index import ApproximateIndex, join\n"
        "photos = numbered(2500, width=16)\n"
        f"joined = join(photos, photos, folder=Path({str(tmp_path)!r}))\n"
        "found = ApproximateIndex(photos, 'hnsw').search(photos.vectors[:3], 1).ids[:, 0]\n"
        "print((found == photos.ids[:3]).all() and joined.recall > 0.9)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=TESTS)
    assert done.stdout.split() == ["True"], done.stderr
