"""The benchmark of the view engine runs, and its file holds every figure that is reported."""

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("albumentations")
pytest.importorskip("kornia")

ROOT = Path(__file__).parents[2]
OURS = {"natviews", "natviews, cached pyramid"}
FLOATS = {"torchvision", "albumentations, linear", "albumentations, area", "kornia, one photo",
          "kornia, 8 photos at once", *OURS}  # fmt: skip
UINT8 = {"torchvision", "albumentations, linear", "albumentations, area", *OURS}
CONTENDERS = {
    "DINO, float32": {"lightly", *FLOATS},
    "DINO, uint8": UINT8,
    "DINO with rotation and perspective, float32": FLOATS,
    "DINO with rotation and perspective, uint8": UINT8,
    "policies": {"skill", "sea", "simclr", "moco", "byol", "dino", "identity", "skill, drawing alone",
                 "dino, drawing alone"},
    "reading": {"packed", "Pillow", "Pillow shrunk to 384 px", "cv2", "cv2 shrunk to 384 px", "cv2 from 384 px"},
}  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "views.json"
    command = [sys.executable, ROOT / "benchmarks" / "views.py", "--quick", "--out", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {"printed": done.stdout, **json.loads(path.read_text(encoding="utf-8"))}


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield value


@pytest.mark.parametrize("tilted", [False, True])
@pytest.mark.parametrize("floats", [False, True])
def test_every_peer_makes_a_set(monkeypatch, tilted, floats):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    views_peers = importlib.import_module("views_peers")
    photos = list(np.random.default_rng(0).integers(0, 256, (8, 300, 300, 3), dtype=np.uint8))
    for peer in views_peers.peers(photos, views_peers.Ending(tilted=tilted, floats=floats)):
        views = [torch.as_tensor(view) for view in peer.make()]
        assert [max(view.shape[-2:]) if floats else max(view.shape) for view in views] == [224] * 2 + [96] * 6
        assert {view.dtype for view in views} == {torch.float32 if floats else torch.uint8}
        assert views[0].numel() == 3 * 224 * 224 * peer.items


@pytest.mark.parametrize("race", CONTENDERS)
def test_every_contender_has_its_times_and_ratios(result, race):
    found = result[race]
    assert set(found["seconds"]) == set(found["median"]) == CONTENDERS[race]
    judges = {"reading": {"packed"}, "policies": set()}.get(race, OURS)
    assert {ours: set(ratios) for ours, ratios in found["ratios"].items()} == dict.fromkeys(
        judges, CONTENDERS[race]
    )
    assert all(math.isfinite(value) and value > 0 for value in numbers(found))


def test_the_ratios_are_those_of_the_rounds(result):
    found = result["DINO, float32"]
    rounds = [a / b for a, b in zip(found["seconds"]["lightly"], found["seconds"]["natviews"], strict=True)]
    ratio = found["ratios"]["natviews"]["lightly"]
    assert (ratio["low"], ratio["high"]) == pytest.approx((min(rounds), max(rounds)))


def test_the_views_are_those_of_the_reference(result):
    assert 0 < result["difference"]["mean"] <= 1.0
    assert result["difference"]["mean"] <= result["difference"]["worst_photo"]


def test_training_says_how_long_it_waited(result):
    waited = result["waiting"]
    assert 0 <= waited["share"] < 1
    assert waited["images_per_second"] > 0
    assert waited["views_per_second"] == pytest.approx(4 * waited["images_per_second"])


def test_every_target_is_judged_and_printed(result):
    assert len(result["targets"]) == 9
    for target in result["targets"]:
        assert {"what", "goal", "median", "low", "high", "ok"} == set(target)
        assert target["what"] in result["printed"]


def test_the_machine_and_the_versions_are_named(result):
    assert {"albumentations", "kornia", "lightly", "torchvision"} <= set(result["machine"]["versions"])
    assert result["machine"]["cpu"]
