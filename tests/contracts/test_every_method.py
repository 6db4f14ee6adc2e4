"""What holds for a method because it is one.

Run as a script it is one of two processes that train together: see `on_two_processes`.
"""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn import functional as F

from natviews.config import check
from natviews.encoders import Architecture, Encoder
from natviews.methods import METHODS, Progress, Views
from natviews.report.explanations import explanation
from natviews.types import NatviewsError

SMALL = {
    "hidden": 32,
    "prototypes": 64,
    "bottleneck": 16,
    "out": 16,
    "queue": 32,
    "permutations": 10,
    "slices": 64,
}
OF_PATCHES = {
    "mae": {"hidden": 0.75, "decoder": 32, "blocks": 2, "heads": 2},
    "simmim": {"hidden": 0.6, "square": 8},
}
SMALL_NET = Architecture(name="small", size=32, options={"width": 16})
SMALL_VIT = Architecture(
    name="vit_tiny_patch16_224", size=32, options={"patch_size": 8, "img_size": 32, "depth": 2, "embed_dim": 48}
)
NOW = Progress(5, 100, 2.0)
# A shift of all vectors changes neither distances nor variances, nor what a batch norm makes of them.
SHIFTS = {
    "byol": {"student.1.3.bias"},
    "moby": {"student.1.3.bias"},
    "vicreg": {"expander.6.bias"},
}
SYMMETRIC = ["byol", "dino", "lejepa", "moby", "mocov3", "rotnet", "simclr", "simsiam", "vicreg", "visreg"]
# What they draw is drawn row by row: two processes do to their halves what one does to one after the other.
ROW_BY_ROW = {"jigsaw", "mae", "siamese", "simmim"}

every_method = pytest.mark.parametrize("name", METHODS)


def make(name, seed=0):
    encoder = Encoder.create(SMALL_VIT if name in OF_PATCHES else SMALL_NET, seed=seed)
    parameters = inspect.signature(METHODS[name]).parameters
    values = OF_PATCHES.get(name) or {key: value for key, value in SMALL.items() if key in parameters}
    torch.manual_seed(seed)
    return METHODS[name](encoder, **values)


def views(name, seed=0, batch=8, size=32):
    generator = torch.Generator().manual_seed(seed)
    count = 4 if name == "twoheads" else 2
    crops = [torch.randn(batch, 3, size, size, generator=generator) for _ in range(count)]
    local = [torch.randn(batch, 3, 16, 16, generator=generator) for _ in range(2)]
    return Views(crops, torch.arange(batch), local)


def step(method, optimiser, data):
    loss = method.loss(data, NOW)
    loss.total.backward()
    method.before_step(NOW)
    optimiser.step()
    optimiser.zero_grad()
    method.after_step(NOW)
    return loss


def trainable(method):
    return [parameter for parameter in method.parameters() if parameter.requires_grad]


@every_method
def test_gradients_reach_the_encoder_that_is_trained(name):
    method = make(name)
    method.loss(views(name), NOW).total.backward()
    for key, parameter in method.trained.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@every_method
def test_gradients_reach_all_that_is_trained(name):
    method = make(name)
    method.loss(views(name), NOW).total.backward()
    for key, parameter in method.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert (parameter.grad.norm() < 1e-6) == (key in SHIFTS.get(name, ())), key


@every_method
def test_a_teacher_moves_and_gets_no_gradient(name):
    method = make(name)
    if not hasattr(method, "teacher"):
        pytest.skip(f"{name} has no teacher")
    before = [parameter.clone() for parameter in method.teacher.parameters()]
    step(method, torch.optim.SGD(trainable(method), lr=0.1), views(name))
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, method.teacher.parameters(), strict=True)]
    assert any(moved)


@every_method
def test_the_state_holds_everything_that_shapes_the_future(name):
    """Two steps, saved and loaded in between, end where two steps in a row end."""
    straight = make(name)
    optimiser = torch.optim.SGD(trainable(straight), lr=0.1)
    step(straight, optimiser, views(name, 1))
    loaded = make(name, seed=9)
    loaded.load_state_dict(straight.state_dict())
    for method in (straight, loaded):
        torch.manual_seed(3)  # a checkpoint holds the generator's state as well
        step(method, torch.optim.SGD(trainable(method), lr=0.1), views(name, 2))
    for key, value in straight.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key


@every_method
def test_the_same_seed_gives_the_same_loss_to_the_bit(name):
    losses = [make(name).loss(views(name), NOW).total for _ in range(2)]
    assert torch.equal(*losses)


@every_method
def test_training_makes_the_loss_smaller(name):
    method = make(name)
    optimiser = torch.optim.AdamW(trainable(method), lr=1e-3)
    losses = []
    for _ in range(30):
        torch.manual_seed(0)  # the same puzzle, the same directions, the same patches hidden
        losses.append(step(method, optimiser, views(name)).total.item())
    assert losses[-1] < max(losses[:6]) - 0.02  # by the sixth step a queue is full of real keys


def loss_and_gradients(name, method, half):
    torch.manual_seed(0)
    # Batch norm over few rows is rough in itself; and the half-precision gradient of a convolution with a stride
    # that sees one pixel, as it would of a jigsaw's tile, is whatever lay in memory (torch 2.15, oneDNN).
    data = views(name, batch=32, size=96 if name == "jigsaw" else 32)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = method.loss(data, NOW).total
    loss.backward()
    return loss, torch.cat([parameter.grad.flatten() for parameter in trainable(method)])


@every_method
def test_half_precision_gives_about_the_same_loss_and_gradients(name):
    (loss, gradients), (halved, rough) = (loss_and_gradients(name, make(name), half) for half in (False, True))
    assert torch.allclose(halved, loss, rtol=0.02, atol=0.01)
    assert F.cosine_similarity(gradients, rough, dim=0) > 0.85
    assert rough.norm() / gradients.norm() == pytest.approx(1, abs=0.1)


@every_method
def test_only_networks_run_in_half_precision(name):
    """Where they do not, autocast changes nothing: a loss is computed from their vectors in float32."""
    method = make(name)
    for module in method.modules():
        module.forward = torch.autocast("cpu", enabled=False)(module.forward)
    assert torch.equal(loss_and_gradients(name, method, True)[0], loss_and_gradients(name, make(name), False)[0])


@pytest.mark.parametrize("name", SYMMETRIC)
def test_the_order_of_the_two_views_is_nothing_where_the_paper_is_symmetric(name):
    losses = []
    for order in (1, -1):
        method, data = make(name), views(name)
        if name == "moby" and order == -1:
            method.queue_1, method.queue_2 = method.queue_2, method.queue_1
        torch.manual_seed(0)
        losses.append(method.loss(data._replace(globals=data.globals[::order]), NOW).total)
    assert torch.allclose(*losses, rtol=1e-5)


def train(name, steps, average=lambda gradient: gradient):
    """Gradients of the first step and the state after all. A step is one or several batches, all of equal weight.

    Batch norm is in evaluation mode: its statistics are a process's own unless it is made `SyncBatchNorm`.
    """
    method = make(name)
    for module in method.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    optimiser, first = torch.optim.SGD(trainable(method), lr=0.01), []
    for number, batches in enumerate(steps):
        for batch in batches:
            torch.manual_seed(number)
            (method.loss(batch, NOW).total / len(batches)).backward()
        for parameter in trainable(method):
            parameter.grad = average(parameter.grad)
        first = first or [parameter.grad.clone() for parameter in trainable(method)]
        method.before_step(NOW)
        optimiser.step()
        optimiser.zero_grad()
        method.after_step(NOW)
    return {"gradients": first, "state": method.state_dict()}


def joined(name):
    """Three steps' batches. A collage in each half shows a product of the other."""
    beside = torch.full((8, 2), -1)
    beside[1, 0], beside[6, 1] = 5, 2
    return [
        views(name, seed)._replace(products=torch.arange(8) + 8 * seed, distractors=beside) for seed in range(3)
    ]


def half(batch, rank):
    rows = slice(4 * rank, 4 * rank + 4)
    crops, local = ([crop[rows] for crop in crops] for crops in (batch.globals, batch.locals))
    return Views(crops, batch.products[rows], local, batch.distractors[rows])


def one_of_two(rank, folder):
    """Trains every method with the other process, each on its half of every batch, and saves what came of it."""

    def average(gradient):
        dist.all_reduce(gradient)
        return gradient / 2

    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    made = {name: train(name, [[half(batch, rank)] for batch in joined(name)], average) for name in METHODS}
    torch.save(made, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def on_two_processes(tmp_path_factory):
    """What each of two processes made of every method, on half of every batch."""
    folder = tmp_path_factory.mktemp("two")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, __file__, str(rank), str(folder)] for rank in range(2)]
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@every_method
def test_two_processes_train_as_one_does_on_the_joined_batch(name, on_two_processes):
    """Gradients, averaged over processes, and everything after three steps: queues and centres as well."""
    first, second = (made[name] for made in on_two_processes)
    steps = [[half(batch, 0), half(batch, 1)] if name in ROW_BY_ROW else [batch] for batch in joined(name)]
    alone = train(name, steps)
    for ours, theirs in zip(first["gradients"], alone["gradients"], strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5 * (1 + theirs.abs().max()))
    for key, value in alone["state"].items():
        assert torch.equal(first["state"][key], second["state"][key]), key
        assert torch.allclose(first["state"][key], value, rtol=1e-3, atol=1e-5), key


@every_method
def test_a_misspelt_parameter_is_refused_by_name(name):
    parameter = next((p for p in inspect.signature(METHODS[name]).parameters if p != "encoder"), None)
    if parameter is None:
        pytest.skip(f"{name} has no parameters")
    with pytest.raises(NatviewsError, match=f"did you mean '{parameter}'"):
        check(METHODS[name], {parameter + "x": 1}, name)


@every_method
def test_its_file_opens_with_the_paper_and_its_algorithm(name):
    box = inspect.getdoc(inspect.getmodule(METHODS[name]))
    assert ("arXiv:" in box or "doi:" in box) and "<-" in box
    assert len(inspect.getsource(inspect.getmodule(METHODS[name])).splitlines()) <= 130


@every_method
def test_it_is_explained_with_its_box_its_parameters_and_where_they_come_from(name):
    said = explanation(name)
    assert inspect.getdoc(inspect.getmodule(METHODS[name])) in said
    assert f"methods/{name}.py" in said
    for parameter in inspect.signature(METHODS[name]).parameters.values():
        if parameter.name != "encoder":
            (line,) = (line for line in said.splitlines() if line.startswith(f"  {parameter}"))
            assert line.removeprefix(f"  {parameter}").strip(), f"no source: {line}"


if __name__ == "__main__":
    one_of_two(int(sys.argv[1]), Path(sys.argv[2]))
