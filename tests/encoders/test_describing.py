"""OpenVINO describes photos as torch does."""

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from natviews.encoders import Architecture, Encoder, describer, describing
from natviews.encoders.describing import WORTH

if importlib.util.find_spec("openvino") is None:  # importing it here would tell its makers
    pytest.skip("openvino is not installed", allow_module_level=True)

NETWORKS = {
    "small": {"name": "small", "size": 32, "options": {"width": 16}},
    "stages at two sizes": {"name": "mobilenetv2_050", "size": 64, "also": (90,), "features": "stages"},
    "stages and colours": {"name": "mobilenetv2_050", "size": 64, "also": (120,), "features": "stages+colours"},
    "padded to the photo's size": {"name": "mobilenetv2_050", "size": 75, "options": {"pad_type": "same"}},
    "vit": {"name": "vit_tiny_patch16_224", "size": 32, "options": {"patch_size": 8, "img_size": 32, "depth": 3}},
}


def photos(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        np.kron(rng.integers(0, 255, (9, 7, 3), np.uint8), np.ones((12, 12, 1), np.uint8)) for _ in range(count)
    ]


@pytest.mark.parametrize("network", NETWORKS)
def test_it_describes_as_torch_does(network):
    encoder = untrained(network, "float32")
    by_torch, by_openvino = both(encoder)
    assert by_openvino.shape == by_torch.shape == (70, encoder.width)
    assert (by_torch * by_openvino).sum(axis=1).min() > 0.99999
    assert not np.array_equal(by_torch, by_openvino)  # it was not torch twice


@pytest.mark.parametrize("network", NETWORKS)
def test_half_precision_costs_no_more_than_in_torch(monkeypatch, network):
    monkeypatch.setattr(describing, "QUICK_IN_BFLOAT16", True)
    exact, _ = both(untrained(network, "float32"))
    by_torch, by_openvino = (
        1 - (exact * half).sum(axis=1).mean() for half in both(untrained(network, "bfloat16"))
    )
    assert 1e-6 < by_openvino < 2 * by_torch


def test_half_precision_is_not_taken_where_it_is_slower(monkeypatch):
    monkeypatch.setattr(describing, "QUICK_IN_BFLOAT16", False)
    full, half = (both(untrained("vit", precision))[1] for precision in ("float32", "bfloat16"))
    assert np.array_equal(full, half)


def both(encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Features by torch and by OpenVINO."""
    describe = describer(encoder, WORTH)
    assert describe != encoder.describe
    shown = photos(70)  # a batch, and a smaller one
    return tuple(np.concatenate(list(encoder.features(shown, describe=by))) for by in (None, describe))


def untrained(network: str, precision: str) -> Encoder:
    encoder = Encoder.create(Architecture(**NETWORKS[network], precision=precision))
    return encoder if network == "small" else with_statistics(encoder)


def with_statistics(encoder: Encoder) -> Encoder:
    """Batch norm that has seen photos: with statistics of 0 and 1 an untrained network gives nothing but noise."""
    encoder.train()
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.randn(16, 3, encoder.size, encoder.size))
    return encoder.eval()


def test_threads_may_describe_at_the_same_time():
    encoder = Encoder.create(Architecture(**NETWORKS["small"])).eval()
    describe = describer(encoder, WORTH)
    asked = [torch.randn(7, 3, 32, 32) for _ in range(8)]
    alone = [describe(x) for x in asked]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(describe, asked * 4))
    assert all(torch.equal(one, other) for one, other in zip(alone * 4, together, strict=True))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux says where a thread may run")
def test_no_thread_is_bound_to_a_core(monkeypatch):
    """Two processes whose threads were bound would share the first cores."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    describe = describer(Encoder.create(Architecture(**NETWORKS["small"])).eval(), WORTH)
    x = torch.randn(512, 3, 32, 32)
    describe(x)
    bound = set()
    with ThreadPoolExecutor(1) as pool:
        work = [pool.submit(describe, x) for _ in range(20)]
        while not work[-1].done():
            for thread in Path("/proc/self/task").iterdir():
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    bound.add(len(os.sched_getaffinity(int(thread.name))))
    assert bound == {len(os.sched_getaffinity(0))}


def test_few_photos_are_not_worth_it():
    encoder = Encoder.create(Architecture(**NETWORKS["small"]))
    assert describer(encoder, WORTH - 1) == encoder.describe


def test_a_network_that_it_cannot_run_is_run_by_torch():
    class Odd(nn.Module):
        num_features = 3

        def forward(self, x):
            return torch.linalg.eigvals(x.mean(dim=1)).abs()[:, :3]

    encoder = Encoder.create(Architecture(**NETWORKS["small"]))
    encoder.backbone = Odd()
    x = torch.randn(2, 3, 16, 16)
    # Odd has no parameters to ask for the device.
    encoder.backbone.register_parameter("unused", nn.Parameter(torch.zeros(1)))
    with pytest.warns(UserWarning, match="OpenVINO cannot run small"):
        features = describer(encoder, WORTH)(x)
    assert torch.allclose(F.normalize(features), F.normalize(encoder.describe(x)))


DESCRIBE = """
import multiprocessing.process, socket, sys
def refuse(*_, **__):
    print("a connection was opened")
socket.socket.connect = socket.getaddrinfo = multiprocessing.process.BaseProcess.start = refuse
import torch
from natviews.encoders import Architecture, Encoder, describer
describer(Encoder.create(Architecture(name="small", size=32)), 1000)(torch.randn(2, 3, 32, 32))
print("openvino" in sys.modules, "openvino_telemetry" in sys.modules)
"""


def test_nobody_is_told(tmp_path):
    """OpenVINO reports that it is imported and what its converter is used for, from an identity kept at home."""
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE], env=os.environ | home, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True False\n"
    assert not (tmp_path / "intel").exists()
