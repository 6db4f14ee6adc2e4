"""What holds for an index because it is one: it finds what looking at every vector finds."""

import importlib
import importlib.util
import pkgutil

import numpy as np
import pytest
from scattered_vectors import MADE_BY, numbered, scattered, share_found

import natviews.index
from natviews.index import FORMS, ApproximateIndex, ExactIndex, Index, MilvusIndex, Store
from natviews.types import NatviewsError, Provenance

PHOTOS = numbered(700)
QUERIES = numbered(40, seed=1).vectors
RECALL = {ExactIndex: 1.0, Store: 1.0, ApproximateIndex: 0.95, MilvusIndex: 0.95}
"""What an index promises at least; the queries are too few to promise more of the approximate ones."""


def approximate(form):
    return lambda embeddings, folder: ApproximateIndex(embeddings, form)


MAKERS = {
    "exact": (ExactIndex, lambda embeddings, folder: ExactIndex(embeddings)),
    "store": (Store, lambda embeddings, folder: Store.create(folder / "store", embeddings)),
    "milvus": (MilvusIndex, lambda embeddings, folder: MilvusIndex.create(folder / "milvus.db", embeddings)),
    **{form: (ApproximateIndex, approximate(form)) for form in FORMS},
}
every_index = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture(autouse=True)
def nothing_is_scanned_for_being_small(monkeypatch):
    monkeypatch.setattr("natviews.index.approximate.SCANNED", 20)
    if importlib.util.find_spec("pymilvus"):
        monkeypatch.setattr("natviews.index.milvus.SCANNED", 100)


@pytest.fixture
def make(tmp_path):
    def made(name, embeddings=PHOTOS):
        if name == "milvus":
            pytest.importorskip("milvus_lite")
        return MAKERS[name][1](embeddings, tmp_path)

    return made


def test_every_index_there_is_takes_part():
    for module in pkgutil.iter_modules(natviews.index.__path__):
        importlib.import_module(f"natviews.index.{module.name}")
    assert {kind for kind in Index.__subclasses__() if kind.__module__.startswith("natviews")} == set(RECALL)
    assert {kind for kind, _ in MAKERS.values()} == set(RECALL)


@every_index
def test_it_finds_what_looking_at_every_vector_finds(make, name):
    index, exact = make(name), ExactIndex(PHOTOS)
    found, truth = (i.search(PHOTOS.vectors[::7], 10, query_ids=PHOTOS.ids[::7]) for i in (index, exact))
    assert share_found(found, truth) >= RECALL[MAKERS[name][0]]
    assert not (found.ids == PHOTOS.ids[::7, None]).any()
    assert found.ids.shape == (100, 10) and (found.ids != "").all()
    at = dict(zip(PHOTOS.ids.tolist(), PHOTOS.vectors, strict=True))
    for query, ids, scores in zip(PHOTOS.vectors[::7], found.ids, found.scores, strict=True):
        assert scores == pytest.approx([query @ at[i] for i in ids.tolist()], abs=1e-5)


@every_index
@pytest.mark.parametrize("share", [0.5, 0.05, 0.01])
def test_its_filters_are_exact(make, name, share):
    index = make(name)
    mask = np.random.default_rng(3).random(700) < share
    allowed = set(index.ids[mask].tolist())
    truth = ExactIndex(PHOTOS).search(QUERIES, 5, where=np.isin(PHOTOS.ids, list(allowed)))
    found = index.search(QUERIES, 5, where=mask)
    assert set(found.ids.ravel().tolist()) <= allowed
    assert (found.ids != "").all() == (len(allowed) >= 5)
    if share < 0.5:
        assert found.ids.tolist() == truth.ids.tolist()
    assert share_found(found, truth) >= RECALL[MAKERS[name][0]]


@every_index
def test_a_filter_that_leaves_too_few_ends_the_row(make, name):
    index = make(name)
    mask = np.zeros(700, bool)
    mask[[5, 300]] = True
    own = index.ids[[5]]
    found = index.search(index.vectors_of(own), 4, where=mask, query_ids=own)
    assert found.ids.tolist() == [[str(index.ids[300]), "", "", ""]]
    assert np.isneginf(found.scores[0, 1:]).all()
    assert not (index.search(QUERIES, 3, where=np.zeros(700, bool)).ids != "").any()


@every_index
def test_random_changes_leave_what_a_dictionary_would_hold(make, name, tmp_path):
    rng, first = np.random.default_rng(4), numbered(60)
    index = make(name, first)
    model = dict(zip(first.ids.tolist(), first.vectors, strict=True))
    found = wanted = 0
    for step in range(40):
        if rng.random() < 0.6 or len(model) < 20:
            names = [f"shop/{i:05d}'s.jpg" for i in rng.choice(120, rng.integers(1, 12), replace=False)]
            added = scattered(names, seed=100 + step)
            index.add(added)
            model |= dict(zip(added.ids.tolist(), added.vectors, strict=True))
        else:
            names = [f"shop/{i:05d}'s.jpg" for i in rng.choice(120, rng.integers(1, 12), replace=False)]
            assert index.delete(np.array(names)) == len(set(names) & set(model))
            model = {key: vector for key, vector in model.items() if key not in names}
        if step % 10 == 9 and MAKERS[name][0] in (ExactIndex, ApproximateIndex):
            index.save(tmp_path / "kept")
            index = type(index).load(tmp_path / "kept")
        assert sorted(index.ids.tolist()) == sorted(model) and len(index) == len(model)
        query = QUERIES[step % 40]
        best = sorted(model, key=lambda key: -float(query @ model[key]))[:5]
        answer = index.search(query[None], 5).ids[0].tolist()
        assert set(answer) <= set(model)
        found, wanted = found + len(set(answer) & set(best)), wanted + 5
    assert found >= RECALL[MAKERS[name][0]] * wanted
    names = sorted(model)
    assert np.array_equal(index.vectors_of(np.array(names)), np.stack([model[key] for key in names]))
    assert index.photos().column("product_id").to_pylist() == [f"product of {i}" for i in index.ids.tolist()]


@every_index
def test_what_does_not_fit_is_refused_in_one_sentence(make, name):
    index = make(name)
    with pytest.raises(NatviewsError, match="8 numbers and those of the index 16"):
        index.add(numbered(3, width=8))
    with pytest.raises(NatviewsError, match="same encoder"):
        index.add(numbered(3, made_by=Provenance("b" * 64)))
    with pytest.raises(NatviewsError, match="no photo 'nowhere'"):
        index.vectors_of(np.array(["nowhere"]))
    assert len(index) == 700


@every_index
def test_a_question_that_makes_no_sense_is_refused(make, name):
    index = make(name)
    for queries, options, said in (
        (np.ones((2, 15), np.float32), {}, "Q, 16"),
        (np.full((2, 16), np.nan, np.float32), {}, "finite"),
        (QUERIES, {"where": np.ones(699, bool)}, "where must be bool"),
        (QUERIES, {"where": np.arange(700)}, "where must be bool"),
        (QUERIES, {"query_ids": PHOTOS.ids[:3]}, "40 queries but 3"),
    ):
        with pytest.raises(ValueError, match=said):
            index.search(queries, 5, **options)
    with pytest.raises(ValueError, match="k must be"):
        index.search(QUERIES, 0)


@every_index
def test_it_says_what_made_its_vectors_and_gives_them_back(make, name):
    index = make(name)
    assert index.made_by == MADE_BY
    given, kept = PHOTOS, index.embeddings
    order = np.argsort(kept.ids)
    assert kept.ids[order].tolist() == sorted(given.ids.tolist())
    assert np.array_equal(kept.vectors[order], given.vectors[np.argsort(given.ids)])
    assert kept.made_by == MADE_BY and np.array_equal(kept.ids, index.ids)


@every_index
def test_adding_changes_nothing_that_was_given(make, name):
    given, more = numbered(50), scattered(["shop/00003's.jpg", "new"], seed=9)
    before = given.vectors.copy()
    index = make(name, given)
    index.add(more)
    index.add(scattered(["new"], seed=10))
    index.delete(given.ids[:4])
    assert np.array_equal(given.vectors, before) and len(given.ids) == 50
    assert np.array_equal(more.vectors, scattered(["shop/00003's.jpg", "new"], seed=9).vectors)
    assert len(index) == 47


@every_index
def test_no_queries_give_no_matches(make, name):
    matches = make(name).search(np.empty((0, 16), np.float32), 5)
    assert matches.ids.shape == matches.scores.shape == (0, 5)
