"""An encoder in 8 bits is kept where photos keep their nearest neighbours, and is taken like any other."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from natviews.catalog import pack
from natviews.cli import app
from natviews.encoders import Encoder, describer, embed_catalog, quantise, quantising
from natviews.encoders.describing import WORTH
from natviews.index import read_embeddings
from natviews.types import NatviewsError

for package in ("openvino", "nncf"):
    if importlib.util.find_spec(package) is None:  # importing it here would tell its makers
        pytest.skip(f"{package} is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def quantised(run, catalog, tmp_path_factory):
    """The folder of the tiny run's encoder in 8 bits, whatever that changes, and what is said of it."""
    out = tmp_path_factory.mktemp("quantised") / "encoder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantising, "LEAST", 0.0)
        kept = quantise(run.folder, catalog, out)
    return out, kept


def test_its_network_computes_in_8_bits_and_says_nearly_the_same(run, quantised, catalog):
    folder, _ = quantised
    graph = (folder / "quantised-32.xml").read_text(encoding="utf-8")
    assert "FakeQuantize" in graph and 'element_type="i8"' in graph
    photos = [pack(catalog, 64).pixels(row) for row in range(70)]
    exact, rough = Encoder.load(run.encoder), Encoder.load(folder)
    features = [np.concatenate(list(one.features(photos, describe=one.describe))) for one in (exact, rough)]
    cosines = (features[0] * features[1]).sum(axis=1)
    assert 0.9 < cosines.min() < cosines.max() < 1 - 1e-6
    assert describer(rough, 1) == describer(rough, WORTH) == rough.describe


def test_the_share_of_kept_neighbours_is_what_embedding_gives(run, quantised, catalog, tmp_path):
    folder, kept = quantised
    assert kept.n >= quantising.FEWEST and kept.low <= kept.value <= kept.high
    assert json.loads((folder / "encoder.json").read_text())["card"]["kept_neighbours"]["value"] == kept.value
    nearest = []
    for name, encoder in (("exact", run.encoder), ("rough", folder)):
        embed_catalog(Encoder.load(encoder), catalog, tmp_path / f"{name}.parquet")
        embeddings = read_embeddings(tmp_path / f"{name}.parquet")
        scores = embeddings.vectors @ embeddings.vectors.T - 9 * np.eye(len(embeddings))
        nearest.append(scores.argmax(axis=1))
    same = (nearest[0] == nearest[1]).mean()  # of all photos, those that calibrated too
    assert kept.value - 0.15 < same < kept.value + 0.1
    assert same > 0.5  # by chance it would be one of 300


def test_below_the_asked_share_nothing_is_written(run, catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(quantising, "LEAST", 1.01)
    with pytest.raises(NatviewsError, match=r"In 8 bits \d.*% .* of \d+ photos keep their nearest neighbour"):
        quantise(run.folder, catalog, tmp_path / "q")
    assert list(tmp_path.iterdir()) == []


def test_it_is_another_encoder_than_it_was_made_of(run, quantised):
    folder, _ = quantised
    exact, rough = Encoder.load(run.encoder), Encoder.load(folder)
    assert exact.digest() != rough.digest() == Encoder.load(folder).digest()
    assert (folder / "products.parquet").read_bytes() == (run.encoder / "products.parquet").read_bytes()


def test_a_file_that_was_changed_or_is_gone_is_named(quantised, tmp_path):
    folder, _ = quantised
    for change in ("changed", "gone"):
        copy = tmp_path / change
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        weights = copy / "quantised-32.bin"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x") if change == "changed" else weights.unlink()
        with pytest.raises(NatviewsError, match=r"quantised-32\.bin is not the file .* quantise it again"):
            Encoder.load(copy)


@pytest.mark.parametrize("package", ["openvino", "nncf"])
def test_without_its_packages_it_says_what_to_install(run, quantised, catalog, tmp_path, monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == package else found(name, *more)
    )
    with pytest.raises(NatviewsError, match=rf"8 bits need {package}.*natviews\[int8\]"):
        quantise(run.folder, catalog, tmp_path / "q")
    if package == "openvino":
        with pytest.raises(NatviewsError, match=r"by OpenVINO, not installed here.*natviews\[cpu\]"):
            Encoder.load(quantised[0])


def test_nothing_but_another_encoder_is_replaced(run, quantised, catalog, tmp_path):
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "mine", run.encoder):
        with pytest.raises(NatviewsError, match="holds something else than another encoder; name a new folder"):
            quantise(run.folder, catalog, out)
    with pytest.raises(NatviewsError, match="in 8 bits already"):
        quantise(quantised[0], catalog, tmp_path / "q")
    with pytest.raises(NatviewsError, match="40 readable photos are too few .* give a catalogue of 200 or more"):
        quantise(run.folder, catalog.take(np.arange(40)), tmp_path / "q")


def test_the_command_says_what_was_kept(run, catalog_path, tmp_path, monkeypatch):
    monkeypatch.setattr(quantising, "LEAST", 0.0)
    said = CliRunner().invoke(app, ["quantise", str(run.folder), str(catalog_path), "--out", str(tmp_path / "q")])
    assert said.exit_code == 0 and said.stdout.startswith(f"{tmp_path / 'q'}: in 8 bits ")
    assert said.stdout.endswith("photos keep their nearest neighbour.\n") and said.stdout.count("\n") <= 2
    assert Encoder.load(tmp_path / "q").quantised is not None


def test_nobody_is_told_that_nncf_is_used():
    code = (
        "import sys; from natviews.encoders.describing import openvino_without_reports as load;"
        "import openvino_telemetry; nncf = load('nncf'); from nncf.telemetry import telemetry;"
        "print(type(telemetry).__name__, sys.modules['openvino_telemetry'] is openvino_telemetry)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert said.stdout.split() == ["MagicMock", "True"], said.stderr
