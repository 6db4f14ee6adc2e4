"""The durable store: nothing acknowledged is lost, nothing is half there, whoever else writes or dies."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scattered_vectors import numbered, scattered

from natviews.index import Store, allowed, open_index, stored_embeddings, stored_photos
from natviews.index import lance as lance_module
from natviews.types import Embeddings, NatviewsError

TESTS = str(Path(__file__).parents[1])
WRITER = """
import sys, numpy as np
sys.path.insert(0, {tests!r})
from pathlib import Path
from scattered_vectors import scattered
from natviews.index import Store
store, name, rounds = Store(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for i in range(rounds):
    store.upsert(scattered([f"{{name}} {{i}} {{j}}" for j in range(3)], seed=i))
    if i % 3 == 2:
        assert store.delete(np.array([f"{{name}} {{i - 1}} 0"])) == 1
    print(i, flush=True)
"""


def known(ids, **columns):
    return pa.table({"id": list(ids)} | columns)


def writer(store, name, rounds):
    code = WRITER.format(tests=TESTS)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(store), name, str(rounds)], stdout=subprocess.PIPE, text=True
    )


def expected(name, rounds):
    gone = {f"{name} {i - 1} 0" for i in range(rounds) if i % 3 == 2}
    return {f"{name} {i} {j}" for i in range(rounds) for j in range(3)} - gone


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def test_what_is_known_of_photos_is_kept_beside_their_vectors(path):
    given = numbered(30)
    Store.create(path, given, known(given.ids[::-1], price=[str(i) for i in range(30)], title=["ä 'x'"] * 30))
    photos = Store(path).photos()
    assert photos.column_names == ["id", "product_id", "price", "title"]
    assert photos.column("price").to_pylist() == [str(29 - i) for i in range(30)]
    assert stored_photos(path).equals(photos) and np.array_equal(stored_embeddings(path).vectors, given.vectors)
    assert open_index(path).search(given.vectors[:1], 1, where=allowed(photos, ["price<3"])).ids.size == 1


def test_further_vectors_are_kept_and_must_stay_the_same(path):
    plain = numbered(20)
    headed = Embeddings(
        plain.ids, plain.product_ids, plain.vectors, plain.made_by, {"design": numbered(20, width=4).vectors}
    )
    store = Store.create(path, headed)
    assert np.array_equal(Store(path).embeddings.extra["design"], headed.extra["design"])
    assert store.upsert(headed).same == 20
    with pytest.raises(NatviewsError, match="the store design, vector"):
        store.upsert(plain)


def test_an_upsert_writes_what_changed_and_says_so(path):
    given = numbered(40)
    store = Store.create(path, given, known(given.ids, price=["5"] * 40))
    version = store._table.version
    done = store.upsert(given, known(given.ids, price=["5"] * 40))
    assert (done.added, done.changed, done.same) == (0, 0, 40) and store._table.version == version
    done = store.upsert(given, known(given.ids, price=["5"] * 39 + ["6"]))
    assert (done.added, done.changed, done.same) == (0, 1, 39)
    moved = scattered([*given.ids[:3].tolist(), "new"], seed=8)
    assert str(store.upsert(moved)) == "1 added, 3 changed, 0 as they were"
    photos = {row["id"]: row for row in store.photos().to_pylist()}
    assert photos[given.ids[39]]["price"] == "6" and photos[given.ids[0]]["price"] == "5"  # not given: stays
    assert photos["new"]["price"] is None
    assert np.array_equal(store.vectors_of(moved.ids), moved.vectors)


def test_what_is_known_of_photos_that_a_table_does_not_list_stays(path):
    given = numbered(10)
    store = Store.create(path, given, known(given.ids, price=["5"] * 10))
    done = store.upsert(given, known([*given.ids[:2].tolist(), "foreign"], price=["6", None, "7"]))
    assert (done.added, done.changed, done.same) == (0, 2, 8)
    assert {row["id"]: row["price"] for row in store.photos().to_pylist()} == dict.fromkeys(
        given.ids.tolist(), "5"
    ) | {given.ids[0]: "6", given.ids[1]: None}


def test_a_new_column_joins_the_old_ones(path):
    given = numbered(10)
    store = Store.create(path, given, known(given.ids, price=["5"] * 10))
    store.upsert(given.take(np.arange(2)), known(given.ids[:2], **{'a "b"': ["x", "y"]}))
    assert store.photos().column('a "b"').to_pylist().count(None) == 8
    assert store.photos().column("price").null_count == 0
    with pytest.raises(NatviewsError, match="no column 'vector'"):
        store.upsert(given, known(given.ids, vector=["x"] * 10))


@pytest.mark.parametrize("name", ["it's", "a' OR '1'='1", 'say "x"', "a\\b", "%_", "ä\n\t", "'); DROP", "日本"])
def test_an_id_is_never_read_as_a_command(path, name):
    store = Store.create(path, scattered([name, "other", "third"]))
    assert store.delete(np.array(["' OR '1'='1"])) == 0 and len(store) == 3
    assert store.delete(np.array([name])) == 1
    assert sorted(store.ids) == ["other", "third"]


def test_a_store_is_seen_as_it_was_until_it_is_refreshed(path):
    one, other = Store.create(path, numbered(20)), Store(path)
    mask = np.arange(20) < 5
    one.delete(one.ids[:10])
    assert len(other) == 20 and set(other.search(numbered(2).vectors, 9, where=mask).ids.ravel()) <= {
        *numbered(5).ids,
        "",
    }
    other.refresh()
    assert len(other) == 10 and other.ids.tolist() == one.ids.tolist()


def test_two_processes_write_to_one_store(path):
    Store.create(path, scattered(["first"]))
    writers = [writer(path, name, 9) for name in ("a", "b")]
    assert [process.wait(120) for process in writers] == [0, 0]
    assert set(Store(path).ids.tolist()) == {"first"} | expected("a", 9) | expected("b", 9)
    assert len(Store(path)) == len(set(Store(path).ids.tolist()))


@pytest.mark.parametrize(
    "write", [lambda store: store.upsert(scattered(["a"])), lambda store: store.delete(["a"])]
)
def test_a_writer_waits_for_the_one_before_it(path, write):
    store = Store.create(path, scattered(["first"]))
    thread = threading.Thread(target=write, args=(store,))
    with lance_module._writing(path):
        before = Store(path).version
        thread.start()
        thread.join(1)
        assert thread.is_alive() and Store(path).version == before
    thread.join(60)
    assert not thread.is_alive()


def test_nothing_acknowledged_is_lost_to_a_kill(path):
    Store.create(path, scattered(["first"]))
    rng = np.random.default_rng(0)
    for kill in range(3):
        process = writer(path, f"k{kill}", 10_000)
        assert process.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.15)))
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
        process.wait()
        rounds = (int(said[-1]) if said else 0) + 1
        store = Store(path)
        ours = {name for name in store.ids.tolist() if name.startswith(f"k{kill} ")}
        assert expected(f"k{kill}", rounds) - {f"k{kill} {rounds - 1} 0"} <= ours
        assert ours <= {f"k{kill} {i} {j}" for i in range(rounds + 1) for j in range(3)}
        for i in range(rounds):  # a batch is there whole
            assert {f"k{kill} {i} 1", f"k{kill} {i} 2"} <= ours
        names = np.array(sorted(f"k{kill} 0 {j}" for j in range(3)))
        assert np.array_equal(store.vectors_of(names[1:]), scattered(names, seed=0).vectors[1:])
        store.upsert(scattered([f"after {kill}"]))


def test_versions_are_tidied_as_it_goes(path, monkeypatch):
    monkeypatch.setattr(lance_module, "TIDIED_EVERY", 4)
    monkeypatch.setattr(lance_module, "KEPT_FOR", timedelta(0))
    store = Store.create(path, scattered(["first"]))
    for i in range(12):
        store.upsert(scattered([f"{i}"]))
    assert len(store._latest().list_versions()) <= 6
    assert len(list((path / "photos.lance" / "data").iterdir())) <= 8
    assert len(Store(path)) == 13


def test_a_full_disk_is_said_and_what_was_there_stays(path):
    Store.create(path, numbered(50))
    code = (
        "import resource, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"sys.path.insert(0, {TESTS!r})\n"
        "from pathlib import Path\nfrom scattered_vectors import numbered\nfrom natviews.index import Store\n"
        "from natviews.types import NatviewsError\n"
        f"store = Store(Path({str(path)!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: store.upsert(numbered(3000, seed=5))\nexcept NatviewsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout and len(done.stdout.splitlines()) == 1
    store = Store(path)
    assert np.array_equal(store.vectors_of(numbered(50).ids), numbered(50).vectors) and len(store) == 50
    assert store.upsert(numbered(60, seed=5)).added == 10


def test_a_damaged_or_absent_store_is_refused_in_one_sentence(path, tmp_path):
    with pytest.raises(NatviewsError, match="no store at"):
        Store(path)
    Store.create(path, numbered(50))
    with pytest.raises(NatviewsError, match="there already"):
        Store.create(path, numbered(50))
    for version in (path / "photos.lance" / "_versions").iterdir():
        version.write_bytes(version.read_bytes()[:20])
    with pytest.raises(NatviewsError, match="damaged") as caught:
        Store(path)
    assert "\n" not in str(caught.value)


def test_a_store_is_never_made_in_a_folder_of_something_else(tmp_path):
    (tmp_path / "photo.jpg").write_text("x")
    with pytest.raises(NatviewsError, match="there already"):
        Store.create(tmp_path, numbered(5))


def test_a_copy_holds_the_same(path, tmp_path):
    store = Store.create(path, numbered(9), known(numbered(9).ids, title=list("abcdefghi")))
    store.save(tmp_path / "copy")
    assert json.dumps(Store(tmp_path / "copy").photos().to_pylist()) == json.dumps(store.photos().to_pylist())
    assert Store(tmp_path / "copy").made_by == store.made_by
