"""Several processes of one run: equal to one, and none is left waiting for one that has gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from natviews.catalog import pack, with_split
from natviews.encoders import Encoder
from natviews.methods import METHODS
from natviews.training import Recipe, Run, loop, processes
from natviews.training.checkpoints import Checkpoints
from natviews.training.loop import sampler_of
from natviews.types import NatviewsError

PROGRAM = """
import sys
from natviews.cli import main
from natviews.training import loop
loop.CHECKPOINT_SECONDS = 0
main()
"""
UNFOLDED = PROGRAM.replace("main()", "architecture.fold = lambda network: None\nmain()").replace(
    "import loop", "import loop\nfrom natviews.encoders import architecture"
)
"""Weights in shares are learnt with norms apart from convolutions, which rounds otherwise."""
SETTINGS = (
    "encoder={name: small, size: 32, crop: 1.0, batchnorm: frozen, options: {width: 16}}",
    "method={name: dino, prototypes: 64, hidden: 32, bottleneck: 16}",
    "views={name: dino, size: 32, locals: 2}",
    "training.batch=16",
    "training.warmup_epochs=1",
    "training.measures=2",
    "training.precision=float32",
)
"""Nothing in it depends on how a batch is shared: on the CPU, batch norm would."""


def start(catalog_path, out, count, *settings, program=PROGRAM):
    (out.parent / "program.py").write_text(program)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"] if count > 1 else []
    command = [sys.executable, *launcher, out.parent / "program.py", "train", catalog_path, "--out", out]
    command += ["--recipe", "demo", *(part for setting in (*SETTINGS, *settings) for part in ("--set", setting))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def finished(process):
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err[-2000:]
    return out


def losses(run):
    return [entry["loss"] for entry in run.curves() if "loss" in entry]


def weights(run):
    """All that the run ended with: student, teacher and centre."""
    state = Checkpoints(run.folder / "checkpoints").load()["method"]
    return torch.cat([value.double().flatten() for value in state.values()])


@pytest.fixture(scope="module")
def by_two(catalog_path, tmp_path_factory):
    """A run of two processes, and what it said."""
    out = tmp_path_factory.mktemp("two") / "run"
    return Run(out), finished(start(catalog_path, out, 2, "training.epochs=4"))


@pytest.fixture(scope="module")
def alone(catalog_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("one") / "run"
    finished(start(catalog_path, out, 1, "training.epochs=4"))
    return Run(out)


def test_two_processes_do_as_one_does(alone, by_two):
    both, said = by_two
    assert len(losses(both)) == len(losses(alone)) == 12
    # A process logs the loss of its own rows.
    assert torch.allclose(weights(both), weights(alone), rtol=0, atol=1e-5)
    assert losses(alone)[-1] < losses(alone)[0] - 0.01  # something was learnt
    assert said.count("report.html") == 1  # one of them speaks


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(int(pid) for pid in found)


def test_one_that_is_killed_ends_the_run_and_the_same_command_goes_on(catalog_path, tmp_path, by_two):
    run = Run(tmp_path / "run")
    process = start(catalog_path, run.folder, 2, "training.epochs=4")
    deadline = time.monotonic() + 120
    while len(list(run.folder.glob("checkpoints/*.ckpt"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(children(process)[-1], signal.SIGKILL)
    killed = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - killed < 30 and process.returncode != 0
    assert "natviews: " in err and "command" in err and "SIGKILL" in err
    assert not run.is_finished
    finished(start(catalog_path, run.folder, 2, "training.epochs=4"))
    assert torch.equal(weights(run), weights(by_two[0])) and losses(run) == losses(by_two[0])


def test_weights_in_shares_are_those_of_one_process_also_after_a_kill(catalog_path, tmp_path):
    run, alone = Run(tmp_path / "run"), Run(tmp_path / "alone")
    finished(start(catalog_path, alone.folder, 1, "training.epochs=4", program=UNFOLDED))
    process = start(catalog_path, run.folder, 2, "training.epochs=4", "training.shard=true")
    deadline = time.monotonic() + 120
    while len(losses(run)) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(children(process)[-1], signal.SIGKILL)
    process.communicate(timeout=60)
    [*_, last] = sorted(run.folder.glob("checkpoints/0*.ckpt"))
    assert not run.is_finished and 0 < int(last.stem) < 12
    finished(start(catalog_path, run.folder, 2, "training.epochs=4", "training.shard=true"))
    assert torch.allclose(weights(run), weights(alone), rtol=0, atol=1e-5)
    ours, theirs = (Encoder.load(each.encoder).state_dict() for each in (run, alone))
    assert all(torch.allclose(ours[name], theirs[name], rtol=0, atol=1e-4) for name in theirs)


def test_another_number_of_processes_cannot_go_on():
    states = {"cpu": torch.get_rng_state()[None].repeat(2, 1)}
    with pytest.raises(NatviewsError, match="begun by 2 processes and cannot be continued by 3"):
        processes.set_random_states(SimpleNamespace(world_size=3, global_rank=0), states)


def test_each_process_has_a_chance_of_its_own_again():
    states = {"cpu": torch.stack([torch.Generator().manual_seed(seed).get_state() for seed in (5, 6)])}
    drawn = []
    with torch.random.fork_rng():
        for rank in range(2):
            one = SimpleNamespace(world_size=2, global_rank=rank, device=torch.device("cpu"))
            processes.set_random_states(one, states)
            drawn.append(torch.rand(1).item())
    assert drawn == [torch.rand(1, generator=torch.Generator().manual_seed(seed)).item() for seed in (5, 6)]


@pytest.mark.parametrize("name", ["mobilenetv2_050", "small"])
def test_batch_norm_over_all_processes_leaves_the_network_what_it_was(name):
    encoder = Encoder.create(Recipe.of({"encoder": {"name": name, "size": 64}}).encoder)
    method = METHODS["byol"](encoder, hidden=16, out=8)
    torch.manual_seed(0)
    photos = torch.randn(4, 3, 64, 64)
    method.train()
    method.student(photos)  # statistics and scales of its own
    before = method.eval().student(photos)
    activations = sum(isinstance(module, nn.ReLU | nn.ReLU6) for module in encoder.modules())
    processes.normalise_together(method)
    assert torch.equal(method.eval().student(photos), before)
    assert sum(isinstance(module, nn.ReLU | nn.ReLU6) for module in encoder.modules()) == activations > 0
    norms = [each for each in method.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(each, nn.SyncBatchNorm) for each in norms)


def test_frozen_batch_norm_is_not_taken_over_all_processes():
    frozen = {"name": "mobilenetv2_050", "size": 64, "batchnorm": "frozen"}
    method = METHODS["byol"](Encoder.create(Recipe.of({"encoder": frozen}).encoder), hidden=16, out=8)
    processes.normalise_together(method)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in method.encoder.modules())
    assert isinstance(method.predictor[1], nn.SyncBatchNorm)  # the heads' moves


def test_training_on_several_gpus_takes_batch_norm_over_all_of_them():
    """Stands in for GPUs: the device alone is said to be one."""
    recipe = Recipe.load("demo", [*SETTINGS, "encoder={name: mobilenetv2_050, size: 32}"])
    fabric = SimpleNamespace(world_size=2, global_rank=0, device=torch.device("cuda"))
    seen = []

    def setup(method):
        seen.append(method)
        raise KeyboardInterrupt

    fabric.setup_module = setup
    with torch.random.fork_rng(), pytest.raises(KeyboardInterrupt):
        loop.set_up(fabric, recipe, encoder := Encoder.create(recipe.encoder))
    photos = torch.randn(4, 3, 32, 32)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in seen[0].modules())
    assert torch.equal(seen[0].encoder.eval()(photos), encoder.eval()(photos))


def test_a_batch_that_cannot_be_shared_equally_is_refused(catalog):
    packed = with_split(pack(catalog, 64))
    with pytest.raises(NatviewsError, match=r"3 processes cannot share a batch of 16 products.* 15\."):
        sampler_of(Recipe.load("demo", [*SETTINGS]), packed.catalog, shared_by=3)


def test_what_slurm_started_is_joined(monkeypatch):
    monkeypatch.setattr(processes.SLURMEnvironment, "detect", staticmethod(lambda: True))
    assert processes._counts({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}) == (8, 2)


def test_other_errors_are_not_taken_for_a_lost_process():
    with pytest.raises(RuntimeError, match="mine"), processes.ending_together(SimpleNamespace(world_size=2)):
        raise RuntimeError("mine")
    with (
        pytest.raises(NatviewsError, match="Another of the 2 processes"),
        processes.ending_together(SimpleNamespace(world_size=2)),
    ):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer")
