"""An encoder for programs without natviews: timm's weights, an ONNX graph, OpenVINO's IR.

The graphs hold all that comes after the cut of a photo: raw RGB pixels go in, final unit vectors come out, in
float32. Every file is run beside torch before it may stay. Cutting a photo is left to the caller, since
decoding and resampling differ between programs; `Encoder.pictures` is how natviews does it.
"""

import copy
import errno
import importlib.util
import json
import math
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from natviews import __version__
from natviews.config import choose
from natviews.encoders.architecture import OWN, colour_statistics
from natviews.encoders.describing import openvino_model, openvino_without_reports
from natviews.encoders.encoder import Encoder
from natviews.encoders.quantised import sha256
from natviews.encoders.tensors import save_tensors
from natviews.files import whole_folder
from natviews.progress import progress
from natviews.types import NatviewsError

EXPORT_CARD = "export.json"
LEAST_COSINE = 0.9999
"""Between a file's vector of a picture and torch's: what rounding in float32 stays well above."""
CHECKED = 16
"""Pictures that every file is checked with."""
ONNX_BYTES = 2**31 - 2**20
"""What one ONNX file can hold, with a little for the graph itself: protobuf counts with 31 bits."""

Pictures = dict[str, np.ndarray]
"""What a graph is given, by the name of its input: pictures (N, S, S, 3) uint8 RGB."""


@dataclass(frozen=True)
class Export:
    """A finished export: `cosines` by format, the least between its vectors and torch's; `left_out` and why."""

    folder: Path
    cosines: dict[str, float]
    left_out: str = ""

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {_floored(least)}" for name, least in self.cosines.items())
        omitted = f"; {self.left_out}" if self.left_out else ""
        return f"{self.folder} (least cosine to torch's vectors of {CHECKED} pictures: {figures}{omitted})"


@dataclass(frozen=True)
class _Format:
    """`write` makes the files in a folder; `run` gives what comes out of them for some pictures."""

    files: tuple[str, ...]
    write: Callable[[Encoder, Path], None]
    run: Callable[[Encoder, Path, Pictures], list[np.ndarray]]
    packages: tuple[str, ...] = ()
    extra: str = ""


class Graph(nn.Module):
    """All of an encoder but the cut of the photo, as one forward pass.

    A batch of pictures (B, S, S, 3) uint8 RGB for each of `sizes_of(encoder)` -> unit vectors (B, width), and
    those of the design head where there is one.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        encoder = self.encoder
        shown = dict(zip(sizes_of(encoder), pictures, strict=True))
        directions = [
            F.normalize(encoder.wide_features(encoder.prepare(shown[size])), dim=1)
            for size in encoder.architecture.sizes
        ]
        features = F.normalize(torch.stack(directions).sum(dim=0), dim=1)
        vectors = features if encoder.head is None else encoder.head(features)
        return (vectors,) if encoder.design is None else (vectors, encoder.design(features))


def sizes_of(encoder: Encoder) -> list[int]:
    """The sizes in px that a graph has inputs for: each once, also where a size counts twice."""
    return list(dict.fromkeys(encoder.architecture.sizes))


def export_encoder(encoder: Encoder, out: Path, *, wanted: str = "all") -> Export:
    """Writes the folder `out`: the files of a format (`timm`, `onnx`, `openvino` or `all`) and `export.json`.

    An earlier export there is replaced. Raises NatviewsError where a package is missing, `out` holds anything
    else or cannot be written, the network does not fit the format, or a file gives other vectors than torch;
    then nothing is left.
    """
    chosen, left_out = _chosen(encoder, wanted)
    _check_packages(chosen)
    _check_place(out)
    encoder = copy.deepcopy(encoder).cpu().eval()  # the caller's stays where it is, training or not
    pictures, expected = _checked_with(encoder)
    cosines = {}
    with whole_folder(out) as folder:
        for name in chosen:
            with progress(f"writing {name} and running it"):
                cosines[name] = _written(encoder, name, folder, pictures, expected)
        digests = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        card = json.dumps(_card(encoder, digests, cosines), indent=2)
        (folder / EXPORT_CARD).write_text(card, encoding="utf-8")
    return Export(out, cosines, left_out)


def _chosen(encoder: Encoder, wanted: str) -> tuple[list[str], str]:
    """The formats to write, and what of all was left out and why."""
    own, name = encoder.architecture.name in OWN, encoder.architecture.name
    choose(wanted, dict.fromkeys([*FORMATS, "all"]), "format")
    if wanted != "all":
        if own and wanted == "timm":
            raise NatviewsError(
                f"{name!r} is natviews' own network, unknown to timm; export it as onnx or openvino."
            )
        return [wanted], ""
    if own:
        return [
            form for form in FORMATS if form != "timm"
        ], f"no timm file, since {name!r} is natviews' own network"
    return list(FORMATS), ""


def _check_packages(chosen: list[str]) -> None:
    for name in chosen:
        missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            raise NatviewsError(
                f"The format {name} needs {' and '.join(missing)}, not installed here: "
                f"run `pip install 'natviews[{FORMATS[name].extra}]'`, or choose another --format."
            )


def _check_place(out: Path) -> None:
    """Only an earlier export is ever replaced."""
    if out.exists() and not out.is_dir():
        raise NatviewsError(f"{out} is a file; name a folder for the export.")
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    ours = {EXPORT_CARD, *(name for form in FORMATS.values() for name in form.files)}
    if there and (EXPORT_CARD not in there or there - ours):
        other = min(there - ours or there)
        raise NatviewsError(f"{out} holds {other}, which is of no export; name a new folder.")


def _checked_with(encoder: Encoder) -> tuple[Pictures, list[np.ndarray]]:
    """Pictures, and what the encoder itself makes of them in float32: by its own way, not by `Graph`'s."""
    photos = _photos()
    features = np.concatenate(list(encoder.features(photos, describe=encoder.wide_features)))
    expected = [encoder.through_head(features)]
    if encoder.design is not None:
        expected.append(encoder.design.vectors(features))
    looks = [np.stack(look) for look in zip(*map(encoder.pictures, photos), strict=True)]
    return {_input(size): look for size, look in zip(encoder.architecture.sizes, looks, strict=True)}, expected


def _photos() -> list[np.ndarray]:
    """Blocks of colour under a light from one side, with a little noise: (H, W, 3) uint8, the same each time."""
    rng, photos = np.random.default_rng(0), []
    for _ in range(CHECKED):
        rows, columns = rng.integers(2, 12, 2)
        blocks = np.kron(rng.uniform(0, 255, (rows, columns, 3)), np.ones((360 // rows, 300 // columns, 1)))
        left, right = rng.uniform(0.4, 1, 2)
        light = np.linspace(left, right, blocks.shape[1])[None, :, None]
        photos.append((blocks * light + rng.normal(0, 8, blocks.shape)).clip(0, 255).astype(np.uint8))
    return photos


def _written(encoder: Encoder, name: str, folder: Path, pictures: Pictures, expected: list[np.ndarray]) -> float:
    """Writes one format's files and runs them: the least cosine to what is expected."""
    form, network = FORMATS[name], encoder.architecture.name
    try:
        form.write(encoder, folder)
        # A batch of one and one of the rest: a graph may have been fixed to the number that it was made with.
        batches = [{key: value[part] for key, value in pictures.items()} for part in (slice(1), slice(1, None))]
        parts = [form.run(encoder, folder, batch) for batch in batches]
        given = [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
        least = min(_least_cosine(*pair) for pair in zip(given, expected, strict=True))
    except (NatviewsError, OSError):
        raise
    except Exception as error:  # exporters and runtimes raise whatever they meet
        if shutil.disk_usage(folder).free < _weight(encoder):  # of which OpenVINO says only "iostream error"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise NatviewsError(
            f"{network} cannot be written as {name} ({reason}); choose another --format."
        ) from error
    if least < LEAST_COSINE:
        raise NatviewsError(
            f"As {name}, {network} gives other vectors than torch (a cosine of {_floored(least)}, where "
            f"{LEAST_COSINE} is asked for), so nothing was written; choose another --format."
        )
    return least


def _least_cosine(given: np.ndarray, expected: np.ndarray) -> float:
    """Over pairs of unit vectors (N, D). Taken from their distance, so that a wrong length lowers it as well."""
    distance = given.astype(np.float64) - expected
    cosines = 1 - np.square(distance).sum(axis=1) / 2
    return float(np.nan_to_num(cosines, nan=-1).min())


def _input(size: int) -> str:
    return f"photo_{size}"


def _examples(encoder: Encoder) -> tuple[Tensor, ...]:
    """Two pictures of each size: a batch of one would be taken for a fixed number."""
    return tuple(torch.zeros(2, size, size, 3, dtype=torch.uint8) for size in sizes_of(encoder))


def _weight(encoder: Encoder) -> int:
    """Bytes of all its numbers: about the size of a file of it."""
    return sum(tensor.nbytes for tensor in encoder.state_dict().values())


def _write_timm(encoder: Encoder, folder: Path) -> None:
    architecture = encoder.architecture
    mean, std = (" ".join(map(str, values)) for values in colour_statistics(architecture, encoder.backbone))
    said = {"timm": architecture.name, "mean": mean, "std": std}  # as `described_by` reads it
    if "pad_type" in architecture.options:
        said["pad_type"] = str(architecture.options["pad_type"])
    save_tensors(encoder.backbone.state_dict(), folder / TIMM, said)


def _run_timm(encoder: Encoder, folder: Path, pictures: Pictures) -> list[np.ndarray]:
    """Through a backbone that timm has built, in the encoder's place of its own."""
    again = copy.deepcopy(encoder)
    again.backbone = timm.create_model(encoder.architecture.name, num_classes=0, **encoder.architecture.options)
    again.backbone.load_state_dict(load_file(folder / TIMM), strict=True)
    with torch.inference_mode():
        return [output.numpy() for output in Graph(again.eval())(*map(torch.from_numpy, pictures.values()))]


def _write_onnx(encoder: Encoder, folder: Path) -> None:
    import onnx

    weight = _weight(encoder)
    if weight > ONNX_BYTES:
        raise NatviewsError(
            f"{encoder.architecture.name} weighs {weight / 2**30:.1f} GB and one ONNX file holds less than 2; "
            "export it as openvino."
        )
    examples, photos = _examples(encoder), torch.export.Dim("photos")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own making: nobody can mend them here
        program = torch.onnx.export(
            Graph(encoder).eval(),
            examples,
            dynamo=True,
            verbose=False,
            input_names=[_input(size) for size in sizes_of(encoder)],
            output_names=list(encoder.widths),
            dynamic_shapes=(tuple({0: photos} for _ in examples),),
        )
    assert program is not None  # it is for every graph that dynamo has exported
    onnx.save_model(_without_traces(program.model_proto), folder / ONNX)


def _without_traces(model: Any) -> Any:
    """The model without the exporter's notes, which name the files and folders of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def _run_onnx(encoder: Encoder, folder: Path, pictures: Pictures) -> list[np.ndarray]:
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # which it has on Windows
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(folder / ONNX, settings, providers=["CPUExecutionProvider"])
    return session.run(list(encoder.widths), pictures)


def _write_openvino(encoder: Encoder, folder: Path) -> None:
    openvino = openvino_without_reports()
    model = openvino_model(Graph(encoder), _examples(encoder))
    for port, size in zip(model.inputs, sizes_of(encoder), strict=True):
        port.get_tensor().set_names({_input(size)})
    for port, name in zip(model.outputs, encoder.widths, strict=True):
        port.get_tensor().set_names({name})
    openvino.save_model(model, folder / IR[0], compress_to_fp16=False)


def _run_openvino(encoder: Encoder, folder: Path, pictures: Pictures) -> list[np.ndarray]:
    openvino = openvino_without_reports()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(folder / IR[0], "CPU", settings)
    given = compiled(pictures)
    return [np.array(given[name]) for name in encoder.widths]


TIMM, ONNX, IR = "backbone.safetensors", "encoder.onnx", ("encoder.xml", "encoder.bin")
FORMATS = {
    "timm": _Format((TIMM,), _write_timm, _run_timm),
    "onnx": _Format((ONNX,), _write_onnx, _run_onnx, ("onnx", "onnxscript", "onnxruntime"), "export"),
    "openvino": _Format(IR, _write_openvino, _run_openvino, ("openvino",), "cpu"),
}


def _card(encoder: Encoder, digests: dict[str, str], cosines: dict[str, float]) -> dict[str, Any]:
    """What `export.json` says, for people and programs."""
    architecture = encoder.architecture
    mean, std = colour_statistics(architecture, encoder.backbone)
    return {
        "natviews": __version__,
        "torch": torch.__version__,
        "encoder": encoder.digest(),
        "architecture": asdict(architecture),
        "heads": [name for name in ("head", "design") if getattr(encoder, name) is not None],
        "preprocessing": {
            "preparation": architecture.preparation,
            "crop": architecture.crop,
            "sizes": sizes_of(encoder),
            "colours": "RGB",
            "mean": list(mean),
            "std": list(std),
            "how": "After the preparation, if any: the square in the centre of the photo whose side is `crop` of "
            "the photo's shorter side, resampled with an anti-aliasing triangle filter to each size. The graphs "
            "take it as it is; for the timm file, (value / 255 - mean) / std.",
        },
        "inputs": {_input(size): ["uint8", "N", size, size, 3] for size in sizes_of(encoder)},
        "outputs": {name: ["float32", "N", width] for name, width in encoder.widths.items()},
        "files": digests,
        "compared": {"with": "torch in float32", "pictures": CHECKED, "least_cosine": cosines},
    }


def _floored(cosine: float) -> str:
    """Six decimals, never rounded up: 1.000000 is said of equality alone."""
    return f"{math.floor(cosine * 1e6) / 1e6:.6f}"
