import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from broken_photos import write_catalog

from natviews.catalog import Catalog, read_photo
from natviews.encoders import Architecture, Encoder, embed_catalog, encode_file, stored_size
from natviews.index import read_embeddings
from natviews.types import NatviewsError

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
