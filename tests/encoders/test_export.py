"""What is exported gives the encoder's vectors elsewhere, or is not there."""

import errno
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from natviews.cli import app
from natviews.encoders import Architecture, Encoder, Whitening, described_by, export_encoder
from natviews.encoders.describing import openvino_without_reports
from natviews.encoders.export import CHECKED, FORMATS, LEAST_COSINE, Graph
from natviews.encoders.small import SmallNet
from natviews.types import NatviewsError

SMALL = {"name": "small", "size": 32, "options": {"width": 16}}
NETWORKS = {
    "small": SMALL,
    "stages at two sizes with two heads": {
        "name": "mobilenetv2_050",
        "size": 64,
        "also": (90,),
        "features": "stages+colours",
    },
    "vit": {"name": "vit_tiny_patch16_224", "size": 32, "options": {"patch_size": 8, "img_size": 32, "depth": 3}},
    "a size that counts twice": SMALL | {"also": (48, 32), "mean": (0.2, 0.4, 0.6), "std": (0.1, 0.2, 0.3)},
}
GRAPHS = ("onnx", "openvino")
ROOT = Path(__file__).parents[2]


def need(form: str) -> None:
    """Skips where the format's packages are not installed."""
    for package in FORMATS[form].packages:
        if importlib.util.find_spec(package) is None:  # importing it here would tell OpenVINO's makers
            pytest.skip(f"{package} is not installed")


def photos(count: int, seed: int = 5) -> list[np.ndarray]:
    """Blocks of colour, no two photos alike."""
    rng = np.random.default_rng(seed)
    return [
        np.kron(rng.integers(0, 255, (9, 7, 3), np.uint8), np.ones((12, 15, 1), np.uint8)) for _ in range(count)
    ]


def untrained(network: str) -> Encoder:
    """A network whose batch norm has seen photos, since else all photos look the same to it."""
    encoder = Encoder.create(Architecture(**NETWORKS[network])).train()
    with torch.no_grad():
        for size in encoder.architecture.sizes * 2:
            looks = [encoder.pictures(photo)[encoder.architecture.sizes.index(size)] for photo in photos(24, 1)]
            encoder(encoder.prepare(torch.from_numpy(np.stack(looks))))
    encoder.eval()
    return with_heads(encoder) if "heads" in network else encoder


def with_heads(encoder: Encoder) -> Encoder:
    features = np.concatenate(list(encoder.features(photos(60, 2))))
    products = np.arange(60).astype(str)
    encoder.head = Whitening.fit(features, np.repeat(products[:20], 3), shrinkage=0.5)
    encoder.design = Whitening.fit(features, np.repeat(products[:10], 6), shrinkage=0.9)
    return encoder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Each network in each format, made when it is first asked for: the encoder and the folder."""
    encoders: dict[str, Encoder] = {}
    folders: dict[tuple[str, str], Path] = {}

    def make(network: str, form: str) -> tuple[Encoder, Path]:
        need(form)
        if network not in encoders:
            encoders[network] = untrained(network)
        if (network, form) not in folders:
            out = tmp_path_factory.mktemp("exported") / form
            export_encoder(encoders[network], out, wanted=form)
            folders[network, form] = out
        return encoders[network], folders[network, form]

    return make


def by_onnx(folder: Path, shown: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "encoder.onnx", providers=["CPUExecutionProvider"])
    assert {(port.name, port.type) for port in session.get_inputs()} == {(name, "tensor(uint8)") for name in shown}
    names = [port.name for port in session.get_outputs()]
    return dict(zip(names, session.run(None, shown), strict=True))


def by_openvino(folder: Path, shown: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    openvino = openvino_without_reports()
    compiled = openvino.Core().compile_model(
        folder / "encoder.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    given = compiled(shown)
    return {name: given[name] for port in compiled.outputs for name in port.names & {"vector", "design"}}


RUN = {"onnx": by_onnx, "openvino": by_openvino}


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("form", GRAPHS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_graph_gives_the_encoders_vectors(exported, network, form, count):
    encoder, folder = exported(network, form)
    looks = [encoder.pictures(photo) for photo in photos(count)]
    shown = {f"photo_{size}": np.stack([look[i] for look in looks]) for i, size in enumerate(sizes(encoder))}
    given = RUN[form](folder, shown)

    features = np.concatenate(list(encoder.features(photos(count))))
    expected = {"vector": encoder.encode(photos(count))} | encoder.further_vectors(features)
    expected.pop("features", None)
    assert given.keys() == expected.keys()
    assert ("design" in given) == ("heads" in network)
    for name in given:
        assert given[name].dtype == np.float32 and given[name].shape == (count, encoder.width)
        assert np.allclose(np.linalg.norm(given[name], axis=1), 1, atol=1e-4)
        assert (given[name] * expected[name]).sum(axis=1).min() > 0.9999


def sizes(encoder: Encoder) -> list[int]:
    return sorted(set(encoder.architecture.sizes), key=encoder.architecture.sizes.index)


@pytest.mark.parametrize("network", NETWORKS)
def test_photos_differ_more_than_files_may(network):
    """Without this the test above could not fail."""
    encoder = untrained(network)
    vectors = encoder.encode(photos(5))
    assert (vectors @ vectors.T)[~np.eye(5, dtype=bool)].max() < 0.998
    if encoder.design is not None:
        features = np.concatenate(list(encoder.features(photos(5))))
        assert (vectors * encoder.design.vectors(features)).sum(axis=1).max() < 0.99


def test_each_size_says_as_much_as_the_others():
    """Also where features grow with the size: it is directions that a graph takes the mean of."""

    class Growing(SmallNet):
        def forward(self, x):
            return super().forward(x) * x.shape[-1] ** 4

    encoder = Encoder.create(Architecture(**NETWORKS["a size that counts twice"])).eval()
    encoder.backbone.__class__ = Growing
    looks = zip(*map(encoder.pictures, photos(3)), strict=True)
    shown = dict(
        zip(encoder.architecture.sizes, (torch.from_numpy(np.stack(look)) for look in looks), strict=True)
    )
    with torch.inference_mode():
        vectors = Graph(encoder)(*shown.values())[0].numpy()
    assert np.allclose(vectors, encoder.encode(photos(3)), atol=1e-5)


@pytest.mark.parametrize("network", ["stages at two sizes with two heads", "vit"])
def test_the_weights_are_timms(exported, network):
    encoder, folder = exported(network, "timm")
    file = folder / "backbone.safetensors"
    model = timm.create_model(encoder.architecture.name, num_classes=0, **encoder.architecture.options).eval()
    model.load_state_dict(load_file(file), strict=True)
    x = torch.randn(2, 3, encoder.size, encoder.size)
    with torch.no_grad():
        assert torch.allclose(model(x), encoder.backbone(x), rtol=1e-4, atol=1e-5)
    again = Encoder.create(encoder.architecture, weights=file)
    assert np.allclose(*(next(one.features(photos(3))) for one in (again, encoder)), atol=1e-5)


@pytest.mark.parametrize("given", [{}, {"mean": (0.1, 0.25, 0.3), "std": (0.5, 0.6, 0.7)}])
def test_the_weights_say_how_they_are_to_be_used(tmp_path, given):
    architecture = Architecture(name="mobilenetv2_050", size=75, options={"pad_type": "same"}, **given)
    encoder = Encoder.create(architecture, seed=3)
    export_encoder(encoder, tmp_path / "out", wanted="timm")
    file = tmp_path / "out" / "backbone.safetensors"
    said = described_by(file)
    colours = given or {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    assert said == {"name": "mobilenetv2_050", "options": {"pad_type": "same"}} | colours
    again = Encoder.create(Architecture(size=75, **said), weights=file)
    assert np.array_equal(again.encode(photos(3)), encoder.encode(photos(3)))


def test_all_are_written_with_a_card_that_is_true(tmp_path):
    for form in FORMATS:
        need(form)
    encoder = untrained("small")
    done = export_encoder(encoder, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"encoder.onnx", "encoder.xml", "encoder.bin", "export.json"}
    card = json.loads((tmp_path / "out" / "export.json").read_text())
    assert card["encoder"] == encoder.digest()
    assert card["architecture"] == json.loads(json.dumps(asdict(encoder.architecture)))
    assert card["files"] == {
        name: hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest()
        for name in written - {"export.json"}
    }
    assert card["inputs"] == {"photo_32": ["uint8", "N", 32, 32, 3]}
    assert card["outputs"] == {"vector": ["float32", "N", 128]}
    assert card["preprocessing"]["crop"] == 0.875 and card["preprocessing"]["sizes"] == [32]
    assert card["compared"]["least_cosine"] == done.cosines
    assert done.cosines.keys() == {"onnx", "openvino"} and min(done.cosines.values()) > 0.99999
    assert "onnx 0.99999" in str(done) and "no timm file, since 'small'" in str(done)


def test_the_card_tells_of_the_preparation(tmp_path):
    architecture = Architecture(name="resnet10t", size=32, preparation={"margin": 0.2})
    export_encoder(Encoder.create(architecture), tmp_path / "out", wanted="timm")
    card = json.loads((tmp_path / "out" / "export.json").read_text())
    assert card["preprocessing"]["preparation"] == {"margin": 0.2}


def test_the_files_say_nothing_of_the_machine_they_were_made_on(exported):
    for form, name in (("onnx", "encoder.onnx"), ("openvino", "encoder.xml")):
        said = (exported("small", form)[1] / name).read_bytes()
        assert len(said) > 1000
        assert str(ROOT).encode() not in said and b'File "' not in said and b"site-packages" not in said


def test_what_is_written_is_float32_whatever_the_encoder_runs_in(tmp_path):
    need("onnx")
    encoder = Encoder.create(Architecture(**SMALL, precision="bfloat16"))
    done = export_encoder(encoder, tmp_path / "out", wanted="onnx")
    assert done.cosines["onnx"] > 1 - 1e-7  # bfloat16 costs 1e-5 and more


def test_openvinos_numbers_keep_their_precision(exported):
    """By itself it saves weights in half precision, which costs too little to be seen in a small network."""
    encoder, folder = exported("small", "openvino")
    assert b"f16" not in (folder / "encoder.xml").read_bytes().lower()
    weights = sum(tensor.nbytes for tensor in encoder.backbone.parameters())
    assert (folder / "encoder.bin").stat().st_size >= weights


def test_the_encoder_stays_as_it_was(tmp_path):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32)).train()
    before = encoder.digest()
    export_encoder(encoder, tmp_path / "out", wanted="timm")
    assert encoder.training and encoder.backbone.training and encoder.digest() == before


def test_an_earlier_export_is_replaced_and_nothing_else(tmp_path):
    out, encoder = tmp_path / "out", Encoder.create(Architecture(name="resnet10t", size=32))
    out.mkdir()  # an empty folder is as good as none
    export_encoder(encoder, out, wanted="timm")
    (out / "encoder.onnx").write_text("of an earlier export")
    export_encoder(encoder, out, wanted="timm")
    assert {path.name for path in out.iterdir()} == {"backbone.safetensors", "export.json"}
    assert list(tmp_path.iterdir()) == [out]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(NatviewsError, match="holds notes.txt, which is of no export; name a new folder"):
        export_encoder(encoder, out, wanted="timm")
    with pytest.raises(NatviewsError, match="notes.txt is a file; name a folder"):
        export_encoder(encoder, out / "notes.txt", wanted="timm")
    (out / "notes.txt").unlink()
    (out / "export.json").unlink()
    with pytest.raises(NatviewsError, match="holds backbone.safetensors, which is of no export"):
        export_encoder(encoder, out, wanted="timm")


@pytest.mark.parametrize("form", FORMATS)
def test_other_vectors_are_refused_and_leave_no_files(form, tmp_path, monkeypatch):
    need(form)
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))
    forward = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, *x: (forward(self, *x)[0].roll(1, dims=1),))
    with pytest.raises(NatviewsError, match=f"As {form}, resnet10t gives other vectors .* 0.9999 is asked for"):
        export_encoder(encoder, tmp_path / "out", wanted=form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factor", [1.1, torch.nan])
def test_one_picture_with_another_length_or_no_vector_is_enough(factor, tmp_path, monkeypatch):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))
    forward = Graph.forward

    def spoil_the_last(self, *pictures):
        vectors = forward(self, *pictures)[0]
        return (torch.cat([vectors[:-1], vectors[-1:] * factor]),)

    monkeypatch.setattr(Graph, "forward", spoil_the_last)
    with pytest.raises(NatviewsError, match="gives other vectors"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")


def test_other_weights_are_refused_and_an_earlier_export_stays(tmp_path, monkeypatch):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))
    export_encoder(encoder, tmp_path / "out", wanted="timm")
    before = (tmp_path / "out" / "export.json").read_bytes()

    def save_noise(state, path, metadata):
        noise = {name: torch.rand(t.shape) if t.is_floating_point() else t for name, t in state.items()}
        save_file(noise, path, metadata)

    monkeypatch.setattr("natviews.encoders.export.save_tensors", save_noise)
    with pytest.raises(NatviewsError, match="gives other vectors"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")
    assert (tmp_path / "out" / "export.json").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_network_that_a_format_cannot_hold_is_told(tmp_path):
    need("openvino")

    class Odd(nn.Module):
        num_features = 3

        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return torch.linalg.eigvals(x.mean(dim=1)).abs()[:, :3]

    encoder = Encoder.create(Architecture(**SMALL))
    encoder.backbone = Odd()
    with pytest.raises(NatviewsError, match="small cannot be written as openvino .*; choose another --format"):
        export_encoder(encoder, tmp_path / "out", wanted="openvino")
    assert list(tmp_path.iterdir()) == []


def test_a_network_too_large_for_one_onnx_file_is_told(tmp_path, monkeypatch):
    need("onnx")
    monkeypatch.setattr("natviews.encoders.export.ONNX_BYTES", 1000)
    with pytest.raises(NatviewsError, match="weighs 0.0 GB and one ONNX file holds less than 2; export it as"):
        export_encoder(Encoder.create(Architecture(**SMALL)), tmp_path / "out", wanted="onnx")


@pytest.mark.parametrize(
    ("form", "package", "extra"),
    [("onnx", "onnxruntime", "export"), ("all", "onnxscript", "export"), ("openvino", "openvino", "cpu")],
)
def test_a_missing_package_is_named_with_its_extra(form, package, extra, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    there = {name for form in FORMATS.values() for name in form.packages} - {package}
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else object() if name in there else find(name, *rest),
    )
    with pytest.raises(NatviewsError) as caught:
        export_encoder(Encoder.create(Architecture(**SMALL)), tmp_path / "out", wanted=form)
    assert f"needs {package}, not installed here: run `pip install 'natviews[{extra}]'`" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_there_is_not_is_refused(tmp_path):
    encoder = Encoder.create(Architecture(**SMALL))
    with pytest.raises(NatviewsError, match="no format 'onx'; did you mean 'onnx'"):
        export_encoder(encoder, tmp_path / "out", wanted="onx")
    with pytest.raises(
        NatviewsError, match="'small' is natviews' own network, unknown to timm; export it as onnx"
    ):
        export_encoder(encoder, tmp_path / "out", wanted="timm")


def test_a_full_disk_is_told_as_one_and_not_as_a_fault_of_the_format(tmp_path, monkeypatch):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))

    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    def stream(*_, **__):
        raise RuntimeError("basic_ios::clear: iostream error")  # what OpenVINO says of a full disk

    monkeypatch.setattr("natviews.encoders.tensors.save_file", full)
    with pytest.raises(NatviewsError, match=r"^The disk is full while writing .*out; free some space"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")
    monkeypatch.setattr("natviews.encoders.tensors.save_file", stream)
    with pytest.raises(NatviewsError, match=r"iostream error\); choose another --format"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(NatviewsError, match=r"^The disk is full while writing .*out; free some space"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))
    (tmp_path / "file").write_text("a file")
    with pytest.raises(NatviewsError, match=r"file/out cannot be written"):
        export_encoder(encoder, tmp_path / "file" / "out", wanted="timm")

    def refuse(*_, **__):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("natviews.files.tempfile.mkdtemp", refuse)
    monkeypatch.setattr("natviews.encoders.export.save_tensors", None)  # not reached
    with pytest.raises(NatviewsError, match=r"out cannot be written: Permission denied; choose another place"):
        export_encoder(encoder, tmp_path / "out", wanted="timm")


EXPORT = """
import multiprocessing.process, socket, sys
from pathlib import Path
def refuse(*_, **__):
    print("a connection was opened")
socket.socket.connect = socket.getaddrinfo = multiprocessing.process.BaseProcess.start = refuse
from natviews.encoders import Architecture, Encoder, export_encoder
export_encoder(Encoder.create(Architecture(name="small", size=32)), Path(sys.argv[1]))
print("openvino" in sys.modules, "openvino_telemetry" in sys.modules)
"""


def test_nobody_is_told(tmp_path):
    """OpenVINO reports that it is imported and what its converter is used for, from an identity kept at home."""
    for form in FORMATS:
        need(form)
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-c", EXPORT, str(tmp_path / "out")]
    done = subprocess.run(command, env=os.environ | home, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
    assert not (tmp_path / "intel").exists()


def test_the_command_takes_a_run_or_an_encoders_folder(tmp_path):
    encoder = Encoder.create(Architecture(name="resnet10t", size=32))
    encoder.save(tmp_path / "run" / "encoder")
    for source in ("run", "run/encoder"):
        done = CliRunner().invoke(
            app, ["export", str(tmp_path / source), str(tmp_path / "out"), "--format", "timm"]
        )
        assert done.exit_code == 0, done.output
        closing = f"{tmp_path / 'out'} (least cosine to torch's vectors of {CHECKED} pictures: timm "
        assert done.output.splitlines()[-1].startswith(closing)
        assert float(done.output.split("timm ")[-1].strip(" )\n")) >= LEAST_COSINE
