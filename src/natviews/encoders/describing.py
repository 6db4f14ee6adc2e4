"""Describing many photos on a CPU: by OpenVINO where it is installed (`pip install natviews[cpu]`), else by torch.

OpenVINO runs the same network in the same precision (in float32 where that is faster), 1.2 to 3 times as fast;
unit features differ by what rounding does to them: a cosine of 0.9999 in float32; in bfloat16 0.997 in the
middle and 0.976 at worst (MobileNetV2, 500 photos), which a head makes more of.
"""

import importlib
import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from llvmlite.binding import get_host_cpu_features
from torch import Tensor, nn

if TYPE_CHECKING:
    from natviews.encoders.encoder import Encoder

Describe = Callable[[Tensor], Tensor]
"""Prepared photos (B, 3, S, S) -> features (B, width)."""

WORTH = 512
"""Fewer photos are described by torch: setting OpenVINO up takes a second for each size."""
AT_ONCE = 2
"""Photos that a core describes at a time, each core others: what lies between layers stays in its caches."""
QUICK_IN_BFLOAT16 = bool(get_host_cpu_features().get("amx-bf16"))
"""Without matrix units float32 is not only the more exact but the faster (measured: 1.5 times, MobileNetV2)."""


def describer(encoder: "Encoder", photos: int) -> Describe:
    """The quickest way to `encoder.describe` so many photos; the encoder must not be trained meanwhile."""
    if (
        encoder.quantised
        or photos < WORTH
        or encoder.device.type != "cpu"
        or importlib.util.find_spec("openvino") is None
    ):
        return encoder.describe
    return _OpenVINO(encoder)


class _OpenVINO:
    """`encoder.describe`, converted for each size of photos when that is first met."""

    def __init__(self, encoder: "Encoder") -> None:
        self._encoder = encoder
        self._of_size: dict[int, Describe] = {}

    def __call__(self, x: Tensor) -> Tensor:
        size = x.shape[-1]
        if size not in self._of_size:
            self._of_size[size] = self._converted(x[:1])
        return self._of_size[size](x)

    def _converted(self, example: Tensor) -> Describe:
        openvino_without_reports()
        from openvino.frontend import OpConversionFailure

        try:
            model = describing_model(self._encoder, example)
        except OpConversionFailure as error:
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"OpenVINO cannot run {self._encoder.architecture.name} ({reason}); torch does.", stacklevel=2
            )
            return self._encoder.describe
        return side_by_side(model, self._encoder.width, reduced_precision=self._encoder.reduced_precision)


def side_by_side(model: Any, width: int, *, reduced_precision: bool) -> Describe:
    """An `openvino.Model` or a file of one, of one input and one output `width` wide, on this machine's cores."""
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if reduced_precision and QUICK_IN_BFLOAT16 else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "THROUGHPUT",  # several photos side by side, not all threads at one
        "ENABLE_CPU_PINNING": False,  # else two processes share the first cores and leave the others idle
    }
    return _SideBySide(openvino_without_reports().Core().compile_model(model, "CPU", settings), width)


class _SideBySide:
    """A compiled model of one input and one output `width` wide, a few photos to each of its streams in turn."""

    def __init__(self, compiled: Any, width: int) -> None:
        self._width, self._busy = width, threading.Lock()
        self._streams = openvino_without_reports().AsyncInferQueue(compiled)
        self._streams.set_callback(self._keep)

    def __call__(self, x: Tensor) -> Tensor:
        photos = x.contiguous().numpy()
        features = np.empty((len(photos), self._width), np.float32)
        with self._busy:
            for begin in range(0, len(photos), AT_ONCE):
                rows = slice(begin, begin + AT_ONCE)
                self._streams.start_async([photos[rows]], features[rows])
            self._streams.wait_all()
        return torch.from_numpy(features)

    @staticmethod
    def _keep(request: Any, rows: np.ndarray) -> None:
        rows[:] = request.get_output_tensor(0).data


def openvino_without_reports(package: str = "openvino") -> Any:
    """The package openvino, or another by its makers, loaded when this is called: it takes a while, few need it.

    Importing it tells its makers so, by `openvino_telemetry`; where that is absent it does without, so here it is
    absent while the package is loaded.
    """
    hidden = "openvino_telemetry"
    there = sys.modules.get(hidden)
    sys.modules[hidden] = None  # type: ignore[assignment]  # an import of it fails
    try:
        return importlib.import_module(package)
    finally:
        del sys.modules[hidden]
        if there is not None:
            sys.modules[hidden] = there


def describing_model(encoder: "Encoder", example: Tensor) -> Any:
    """What describes photos of one size, as an `openvino.Model`; `example` (1, 3, S, S) is a prepared one."""
    return openvino_model(_Describing(encoder), (example,))


class _Describing(nn.Module):
    """`wide_features` as the forward pass of a module, which is what can be traced."""

    def __init__(self, encoder: "Encoder") -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder.wide_features(x)


def openvino_model(module: nn.Module, examples: tuple[Tensor, ...]) -> Any:
    """A module as an `openvino.Model` in evaluation, for batches of any length of what the examples are.

    Raises openvino.frontend.OpConversionFailure where an operation is unknown to it. Its frontend is called
    directly, since `openvino.convert_model` reports its use to its makers.
    """
    openvino_without_reports()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings(), torch.inference_mode():
        # torch.export, which tracing is deprecated for, takes six times as long.
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(module.eval(), examples, check_trace=False)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, example_input=examples)  # it must live until all is converted
    model = frontend.convert(frontend.load(decoder))
    shapes = zip(model.inputs, examples, strict=True)
    model.reshape({port: [-1, *example.shape[1:]] for port, example in shapes})
    return model
