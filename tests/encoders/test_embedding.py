import importlib.util
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from broken_photos import write_catalog
from PIL import Image, ImageDraw, ImageFont

from natviews.catalog import Catalog, read_photo, read_prepared, remote
from natviews.encoders import Architecture, Encoder, describing, embed_catalog, encode_file, stored_size
from natviews.index import read_embeddings
from natviews.types import NatviewsError, Provenance

SMALL = Architecture(name="small", size=32, options={"width": 16})


@pytest.fixture
def encoder(tmp_path):
    encoder = Encoder.create(SMALL)
    encoder.save(tmp_path / "encoder")
    return Encoder.load(tmp_path / "encoder")


def test_every_vector_is_filed_under_its_own_photo_among_broken_ones(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("natviews.encoders.embedding.CHUNK", 7)
    path, bad = write_catalog(tmp_path / "shop")
    catalog = Catalog.open(path)
    quarantine = embed_catalog(encoder, catalog, tmp_path / "e.parquet")
    assert [q.id for q in quarantine] == bad and all(q.reason for q in quarantine)
    embeddings = read_embeddings(tmp_path / "e.parquet")
    assert embeddings.ids.tolist() == [image for image in catalog.ids.tolist() if image not in set(bad)]
    for row, image in enumerate(embeddings.ids.tolist()):
        alone = encoder.encode([read_photo(catalog.folder / image, stored_size(32))])[0]
        assert np.allclose(alone, embeddings.vectors[row], atol=1e-5), image


def test_in_half_precision_a_photo_is_described_the_same_way_among_few_and_among_many(
    tmp_path, catalog, monkeypatch
):
    """So that a head, which makes much of small differences, still takes it for a copy of itself."""
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    monkeypatch.setattr(describing, "QUICK_IN_BFLOAT16", True)
    made = Encoder.create(Architecture(name="small", size=32, precision="bfloat16", options={"width": 16}))
    made.save(tmp_path / "encoder")
    few = catalog.take(np.arange(9))
    embed_catalog(made, few, tmp_path / "few.parquet")
    alone = [
        encode_file(catalog.folder / image, Provenance(made.digest(), location=str(tmp_path / "encoder")))
        for image in few.ids.tolist()
    ]
    monkeypatch.setattr(describing, "WORTH", 1)
    embed_catalog(made, few, tmp_path / "many.parquet")
    as_few, as_many = (read_embeddings(tmp_path / f"{name}.parquet").vectors for name in ("few", "many"))
    assert np.array_equal(as_few, as_many)
    np.testing.assert_allclose(np.concatenate(alone), as_many, atol=1e-6)


def test_a_chunk_of_nothing_but_broken_photos_is_no_trouble(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("natviews.encoders.embedding.CHUNK", 2)
    folder = tmp_path / "shop"
    path, _ = write_catalog(folder)
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], "images/empty.jpg,p0", "images/html.jpg,p0", *rows[1:4]]) + "\n")
    assert len(embed_catalog(encoder, Catalog.open(path), tmp_path / "e.parquet")) == 2
    assert len(read_embeddings(tmp_path / "e.parquet")) == 3


def test_no_readable_photo_is_an_error(tmp_path, encoder):
    (tmp_path / "catalog.csv").write_text("image,product_id\nnowhere.jpg,p\n")
    with pytest.raises(NatviewsError, match=r"None of the 1 photos.*nowhere\.jpg"):
        embed_catalog(encoder, Catalog.open(tmp_path / "catalog.csv"), tmp_path / "e.parquet")


def test_a_network_that_is_gone_stops_embedding_and_costs_no_photo(tmp_path, encoder, catalog, monkeypatch):
    monkeypatch.setattr("natviews.encoders.embedding.CHUNK", 7)
    monkeypatch.setattr(remote, "LOST", 10)
    reading, read = read_prepared, []

    def lost(path, *how):
        read.append(path)
        if path in [photo.path for photo in catalog.photos[9:25]]:
            raise remote.Unreachable("no answer")
        return reading(path, *how)

    out = tmp_path / "e.parquet"
    monkeypatch.setattr("natviews.encoders.embedding.read_prepared", lost)
    with pytest.raises(NatviewsError, match=r"^The last 10 photos could not be fetched \(no answer\); run again"):
        embed_catalog(encoder, catalog, out)
    monkeypatch.setattr(remote, "LOST", 30)
    assert len(embed_catalog(encoder, catalog.take(np.arange(30)), tmp_path / "some.parquet")) == 16
    monkeypatch.setattr(
        "natviews.encoders.embedding.read_prepared", lambda path, *how: read.append(path) or reading(path, *how)
    )
    read.clear()
    assert embed_catalog(encoder, catalog, out) == []
    assert len(read) == len(catalog) - 7  # the first part was kept, and none with a lost photo in it
    assert read_embeddings(out).ids.tolist() == catalog.ids.tolist()


def test_a_folder_in_the_place_of_the_embeddings_is_told_before_the_work(tmp_path, encoder, catalog, monkeypatch):
    monkeypatch.setattr("natviews.encoders.embedding.describer", None)  # not reached
    with pytest.raises(
        NatviewsError, match=r" is a folder; name a file for the embeddings, such as .*all\.parquet"
    ):
        embed_catalog(encoder, catalog, tmp_path)


PROGRAM = """
import sys, time
from pathlib import Path
import natviews.encoders.embedding as embedding
from natviews.catalog import Catalog
from natviews.encoders import Encoder
embedding.CHUNK = 16
inner = embedding._embed_chunk
def slowly(*arguments):
    time.sleep(0.15)
    return inner(*arguments)
if sys.argv[4] == "slowly":
    embedding._embed_chunk = slowly
print("ready", flush=True)
embedding.embed_catalog(Encoder.load(sys.argv[1]), Catalog.open(sys.argv[2]), Path(sys.argv[3]))
"""


def test_killed_half_way_and_run_again_gives_the_file_of_an_uninterrupted_run(tmp_path, encoder, catalog_path):
    def start(out, pace):
        arguments = [sys.executable, "-c", PROGRAM, tmp_path / "encoder", catalog_path, out, pace]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    assert start(whole, "fast").wait() == 0
    parts = tmp_path / ".killed.parquet.parts"
    for wanted in (2, 6):  # killed twice, with some chunks done
        process = start(killed, "slowly")
        deadline = time.monotonic() + 60
        while len(list(parts.glob("*.parquet"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not killed.exists()
    kept = {part: part.stat().st_mtime_ns for part in parts.glob("*.parquet")}
    assert len(kept) >= 6
    assert start(killed, "fast").wait() == 0
    assert killed.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def test_parts_of_another_encoder_are_not_taken(tmp_path, encoder, catalog, monkeypatch):
    monkeypatch.setattr("natviews.encoders.embedding.CHUNK", 64)
    out = tmp_path / "e.parquet"
    monkeypatch.setattr(
        "natviews.encoders.embedding.shutil.rmtree", lambda *a, **k: None
    )  # as if killed at the end
    embed_catalog(encoder, catalog, out)
    other = Encoder.create(SMALL, seed=8)
    embed_catalog(other, catalog, out)
    embeddings = read_embeddings(out)
    expected = other.encode([read_photo(catalog.photos[0].path, stored_size(32))])[0]
    assert np.allclose(embeddings.vectors[0], expected, atol=1e-5)
    assert embeddings.made_by.encoder == other.digest()


def test_a_photo_from_outside_is_encoded_as_the_store_was(tmp_path, encoder, catalog):
    out = tmp_path / "e.parquet"
    embed_catalog(encoder, catalog, out, location=str(tmp_path / "encoder"))
    embeddings = read_embeddings(out)
    vector = encode_file(catalog.photos[4].path, embeddings.made_by)
    assert np.allclose(vector[0], embeddings.vectors[4], atol=1e-5)
    Encoder.create(SMALL, seed=2).save(tmp_path / "encoder")
    with pytest.raises(NatviewsError, match="another one"):
        encode_file(catalog.photos[4].path, embeddings.made_by)


@pytest.fixture
def preparing(tmp_path):
    """An encoder that drops text cards, and crops to the product."""
    architecture = Architecture(name="small", size=32, options={"width": 16}, preparation={"margin": 0.1})
    Encoder.create(architecture).save(tmp_path / "preparing")
    return Encoder.load(tmp_path / "preparing")


def test_an_encoder_prepares_every_photo_in_its_own_way(tmp_path, preparing, encoder):
    canvas = np.full((200, 200, 3), 255, np.uint8)
    small, large = canvas.copy(), canvas.copy()
    small[140:160, 20:40], large[50:150, 50:150] = (200, 30, 30), (200, 30, 30)
    for name, photo in (("small", small), ("large", large)):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    (tmp_path / "catalog.csv").write_text("image,product_id\nsmall.png,p\nlarge.png,q\n")
    catalog = Catalog.open(tmp_path / "catalog.csv")
    likeness = {}
    for one in (preparing, encoder):
        embed_catalog(one, catalog, tmp_path / "e.parquet")
        vectors = read_embeddings(tmp_path / "e.parquet").vectors
        likeness[one] = float(vectors[0] @ vectors[1])
        location = str(tmp_path / ("preparing" if one is preparing else "encoder"))
        alone = encode_file(tmp_path / "small.png", Provenance(one.digest(), location=location))
        assert np.allclose(alone[0], vectors[0], atol=1e-5)  # a query is prepared as the store's photos were
    assert 1 - likeness[preparing] < 0.2 * (1 - likeness[encoder])


def test_what_shows_no_product_is_quarantined_with_that_reason(tmp_path, preparing):
    card = Image.new("RGB", (300, 300), "white")
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(14)
    for row in range(12):
        for column, text in enumerate(("Size", str(36 + row), "Chest", f"{90 + row} cm")):
            draw.text((15 + 70 * column, 12 + 24 * row), text, "black", font)
    card.save(tmp_path / "card.png")
    Image.new("RGB", (80, 80), "red").save(tmp_path / "a.png")
    (tmp_path / "catalog.csv").write_text("image,product_id\ncard.png,p\na.png,p\n")
    (bad,) = embed_catalog(preparing, Catalog.open(tmp_path / "catalog.csv"), tmp_path / "e.parquet")
    assert bad.id == "card.png" and "text card" in bad.reason
    assert read_embeddings(tmp_path / "e.parquet").ids.tolist() == ["a.png"]
    with pytest.raises(NatviewsError, match=r"card.png cannot be used: a text card"):
        encode_file(tmp_path / "card.png", Provenance(preparing.digest(), location=str(tmp_path / "preparing")))


def test_a_misspelt_step_of_preparation_is_refused_when_it_is_written():
    with pytest.raises(NatviewsError, match="encoder: preparation has no 'marginn'; did you mean 'margin'"):
        Architecture(name="small", size=32, preparation={"marginn": 0.1})
    with pytest.raises(NatviewsError, match="margin = 3.0 must be within"):
        Architecture(name="small", size=32, preparation={"margin": 3})
