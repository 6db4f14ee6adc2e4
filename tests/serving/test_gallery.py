"""What is searched is what the store holds, through many changes: judged by looking at every vector."""

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from natviews.index import Store
from natviews.serving.batching import Batcher
from natviews.serving.gallery import Gallery
from natviews.serving.problems import Busy
from natviews.serving.snapshot import Query, search
from natviews.types import Embeddings, NatviewsError, Provenance


def unit(rng, count, width=12):
    vectors = rng.normal(size=(count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embeddings(rng, names, products):
    design = {"design": unit(rng, len(names))}
    return Embeddings(np.array(names), np.array(products), unit(rng, len(names)), Provenance("e"), design)


def known(names, colours):
    return pa.table({"id": list(names), "colour": list(colours)})


@pytest.fixture
def gallery(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"i{k}" for k in range(60)]
    held = embeddings(rng, names, [f"p{k // 3}" for k in range(60)])
    Store.create(tmp_path / "store", held, known(names, ["red", "blue"] * 30))
    made = Gallery(tmp_path / "store")
    yield made
    made.close()


def truth(store, query):
    """Products by their best photo, from the store itself."""
    held, colours = (
        store.embeddings,
        dict(zip(*(store.photos()[n].to_pylist() for n in ("id", "colour")), strict=True)),
    )
    vectors = held.extra["design"] if query.design else held.vectors
    best = {}
    wanted = {text.split("=")[1] for text in query.conditions}
    for photo, product, score in zip(
        held.ids, held.product_ids, (vectors @ query.vectors.T).max(axis=1), strict=True
    ):
        if product != query.without and (not wanted or colours[photo] in wanted):
            best[product] = max(best.get(product, -9), float(score))
    return sorted(best.items(), key=lambda one: -one[1])[: query.k]


def check(gallery, rng):
    store = Store(gallery.place)
    photos = store.photos()
    colour = dict(zip(photos.column("id").to_pylist(), photos.column("colour").to_pylist(), strict=True))
    for design in (False, True):
        for conditions, without in (((), ""), (("colour=red",), ""), ((), "p3"), (("colour=green",), "p1")):
            query = Query(unit(rng, 2), 7, conditions, design, without)
            found, wanted = search(gallery.snapshot, query), truth(store, query)
            assert [one.product_id for one in found] == [name for name, _ in wanted]
            assert [one.facts for one in found] == [{"colour": colour[one.photo]} for one in found]
            np.testing.assert_allclose([one.score for one in found], [score for _, score in wanted], atol=1e-5)
    assert len(gallery.snapshot) == len(store)


def test_after_any_changes_searches_find_what_the_store_holds(gallery, monkeypatch):
    import natviews.serving.gallery as module

    rng = np.random.default_rng(1)
    other = Store(gallery.place)  # another server's
    check(gallery, rng)
    for step in range(16):
        ids = sorted(set(Store(gallery.place).ids.tolist()))
        some = [str(name) for name in rng.choice(ids, 3, replace=False)]
        kind = step % 4
        if kind == 0:
            names = [*some[:2], f"n{step}"]
            held = embeddings(rng, names, ["p1", f"q{step}", f"q{step}"])
            assert [
                f.result(20)
                for f in [
                    gallery.upsert(held.take(np.array([k])), known(names[k : k + 1], ["green"])) for k in range(3)
                ]
            ] == [1, 1, 1]
        elif kind == 1:
            assert gallery.delete([some[0], "nobody"]).result(20) == 1
        elif kind == 2:
            other.upsert(
                embeddings(rng, [some[0], f"o{step}"], ["p2", f"o{step}"]),
                known([some[0], f"o{step}"], ["red"] * 2),
            )
            other.delete(np.array([some[1]]))
            gallery.catch_up()
        else:  # both at once
            other.upsert(embeddings(rng, [f"b{step}"], ["p5"]), known([f"b{step}"], ["blue"]))
            gallery.upsert(embeddings(rng, [f"c{step}"], ["p6"]), known([f"c{step}"], ["red"])).result(20)
            gallery.catch_up()
        if step == 10:
            monkeypatch.setattr(module, "BESIDE", 1)
            gallery.catch_up()
            assert not gallery.snapshot.gone and not len(gallery.snapshot.fresh), "the large index is made anew"
        check(gallery, rng)


def test_what_one_writes_at_once_is_one_version_and_the_last_of_an_id_counts(gallery):
    rng = np.random.default_rng(2)
    before = Store(gallery.place).version
    with gallery._writing:  # the writer waits, so that these come together
        futures = [
            gallery.upsert(embeddings(rng, ["same"], [f"s{k}"]), known(["same"], ["red"])) for k in range(20)
        ]
        time.sleep(0.05)
    assert [future.result(20) for future in futures] == [1] * 20
    assert Store(gallery.place).version <= before + 2
    assert gallery.snapshot.photos_of("s19") and not gallery.snapshot.photos_of("s18")


def test_what_follows_a_write_comes_in_the_order_of_the_writes_and_what_fails_is_told(gallery):
    rng, done = np.random.default_rng(4), []

    def fails():
        raise OSError("no space")

    with gallery._writing:  # the writer waits, so that these come together
        first = gallery.upsert(embeddings(rng, ["a"], ["pa"]), known(["a"], ["red"]), lambda: done.append("kept"))
        second = gallery.delete(["a"], lambda: done.append("dropped"))
        third = gallery.upsert(embeddings(rng, ["a"], ["pa"]), known(["a"], ["red"]), lambda: done.append("again"))
        last = gallery.upsert(embeddings(rng, ["b"], ["pb"]), known(["b"], ["red"]), fails)
    assert [future.result(20) for future in (first, second, third)] == [1, 1, 1]
    assert done == ["kept", "dropped", "again"]
    with pytest.raises(OSError, match="no space"):
        last.result(20)


def test_each_product_that_is_there_is_listed_once_by_a_photo_that_is_there(gallery):
    rng, held = np.random.default_rng(5), Store(gallery.place).embeddings
    products = dict(zip(held.ids.tolist(), held.product_ids.tolist(), strict=True))
    several = next(p for p in products.values() if list(products.values()).count(p) > 1)
    first = next(photo for photo, product in products.items() if product == several)
    gone = next(p for p in products.values() if p != several)
    added = embeddings(rng, ["more", "new"], [several, "new"])
    gallery.upsert(added.take(np.array([0])), known(["more"], ["red"])).result(20)
    gallery.upsert(added.take(np.array([1])), known(["new"], ["red"])).result(20)
    gallery.delete([first, *(photo for photo, product in products.items() if product == gone)]).result(20)
    listed = [
        part.product(row) for part, rows in gallery.snapshot.first_photos for row in rows.tolist()
        if gallery.snapshot.place(str(part.embeddings.ids[row])) == (part, row)
    ]  # fmt: skip
    assert sorted(listed) == sorted({*products.values(), "new"} - {gone})
    there, facts = gallery.snapshot.photos()
    now = Store(gallery.place)
    assert sorted(there.ids.tolist()) == sorted(now.ids.tolist()) and facts.num_rows == len(there)


def test_a_product_of_many_photos_hides_no_other_one_from_any_photo_that_asks(gallery):
    """One vector's nearest photos are all of one product; what is nearest after it is still found by that vector,
    among new photos as well, though other vectors have found enough."""
    rng = np.random.default_rng(5)
    asking = unit(rng, 2)

    def near(vector, share, count):
        made = share * vector + 0.02 * rng.normal(size=(count, 12)).astype(np.float32) + (1 - share) * unit(rng, 1)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    for shares in ((1.0, 0.95), (0.9, 0.85)):
        vectors = np.concatenate([near(asking[0], shares[0], 40), near(asking[0], shares[1], 1)])
        names = [f"{shares[0]}/{k}" for k in range(41)]
        products = [f"many{shares[0]}"] * 40 + [f"one{shares[1]}"]
        held = Embeddings(np.array(names), np.array(products), vectors, Provenance("e"), {"design": vectors})
        gallery.upsert(held, known(names, ["red"] * 41)).result(30)
        for k in (1, 2, 3, 4):
            query = Query(asking, k)
            found, wanted = search(gallery.snapshot, query), truth(Store(gallery.place), query)
            assert [one.product_id for one in found] == [name for name, _ in wanted]


def test_columns_that_are_not_given_are_kept(gallery):
    rng = np.random.default_rng(3)
    gallery.upsert(embeddings(rng, ["i0"], ["p0"]), pa.table({"id": ["i0"]})).result(20)
    part, row = gallery.snapshot.place("i0")
    assert part is gallery.snapshot.fresh and part.facts([row]) == [{"colour": "red"}]


def test_a_parquet_is_read_and_never_written(tmp_path):
    from natviews.index import write_embeddings

    rng = np.random.default_rng(4)
    held = embeddings(rng, ["a", "b"], ["p", "q"])
    write_embeddings(held, tmp_path / "e.parquet")
    gallery = Gallery(tmp_path / "e.parquet")
    try:
        assert search(gallery.snapshot, Query(held.vectors[:1], 5))[0].product_id == "p"
        with pytest.raises(NatviewsError, match="cannot be written to"):
            gallery.upsert(held, known(["a"], [""]))
    finally:
        gallery.close()


def test_a_batch_holds_what_came_together_and_an_error_is_everyones():
    batches, go = [], threading.Event()

    def work(asked):
        go.wait(5)
        batches.append(asked)
        if "bad" in asked:
            raise ValueError("bad")
        return [ValueError(one) if one == "odd" else one.upper() for one in asked]

    batcher = Batcher(work, most=4, wait=0.05, name="test", room=8)
    first = [batcher.submit(one) for one in ("a", "odd", "c", "d")]
    time.sleep(0.2)
    second = [batcher.submit(one) for one in ("bad", "x")]
    go.set()
    assert [future.result(5) for future in (first[0], first[2], first[3])] == ["A", "C", "D"]
    with pytest.raises(ValueError, match="odd"):
        first[1].result(5)
    for future in second:
        with pytest.raises(ValueError, match="bad"):
            future.result(5)
    assert batches == [["a", "odd", "c", "d"], ["bad", "x"]]
    go.clear()
    waiting = [batcher.submit("y")]
    time.sleep(0.1)
    waiting += [batcher.submit("z") for _ in range(8)]
    with pytest.raises(Busy):
        batcher.submit("too much")
    go.set()
    batcher.close()
    assert all(future.result(0) in ("Y", "Z") for future in waiting)
    with pytest.raises(Busy):
        batcher.submit("late")


def test_with_two_threads_two_batches_are_at_work_and_all_is_done_at_the_end():
    together = threading.Barrier(2)

    def work(asked):
        together.wait(10)  # raises where nobody else is at work
        return [(threading.get_ident(), tuple(asked))] * len(asked)

    batcher = Batcher(work, most=2, wait=0.05, name="test", threads=2)
    futures = [batcher.submit(number) for number in range(8)]
    batcher.close()
    done = [future.result(0) for future in futures]
    assert {asked for _, asked in done} == {(0, 1), (2, 3), (4, 5), (6, 7)}
    assert len({thread for thread, _ in done}) == 2
