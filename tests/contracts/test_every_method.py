"""What holds for a method because it is one."""

import inspect

import pytest
import torch

from natviews.config import check
from natviews.encoders import Architecture, Encoder
from natviews.methods import METHODS, Progress, Views
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

every_method = pytest.mark.parametrize("name", METHODS)


def make(name, seed=0):
    encoder = Encoder.create(SMALL_VIT if name in OF_PATCHES else SMALL_NET, seed=seed)
    parameters = inspect.signature(METHODS[name]).parameters
    values = OF_PATCHES.get(name) or {key: value for key, value in SMALL.items() if key in parameters}
    torch.manual_seed(seed)
    return METHODS[name](encoder, **values)


def views(seed=0, batch=8):
    generator = torch.Generator().manual_seed(seed)
    crops = [torch.randn(batch, 3, 32, 32, generator=generator) for _ in range(2)]
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
    method.loss(views(), NOW).total.backward()
    for key, parameter in method.trained.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@every_method
def test_a_teacher_moves_and_gets_no_gradient(name):
    method = make(name)
    if not hasattr(method, "teacher"):
        pytest.skip(f"{name} has no teacher")
    before = [parameter.clone() for parameter in method.teacher.parameters()]
    step(method, torch.optim.SGD(trainable(method), lr=0.1), views())
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, method.teacher.parameters(), strict=True)]
    assert any(moved)


@every_method
def test_the_state_holds_everything_that_shapes_the_future(name):
    """Two steps, saved and loaded in between, end where two steps in a row end."""
    straight = make(name)
    optimiser = torch.optim.SGD(trainable(straight), lr=0.1)
    step(straight, optimiser, views(1))
    loaded = make(name, seed=9)
    loaded.load_state_dict(straight.state_dict())
    for method in (straight, loaded):
        torch.manual_seed(3)  # a checkpoint holds the generator's state as well
        step(method, torch.optim.SGD(trainable(method), lr=0.1), views(2))
    for key, value in straight.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key


@every_method
def test_the_same_seed_gives_the_same_loss_to_the_bit(name):
    losses = [make(name).loss(views(), NOW).total for _ in range(2)]
    assert torch.equal(*losses)


@every_method
def test_training_makes_the_loss_smaller(name):
    method = make(name)
    optimiser = torch.optim.AdamW(trainable(method), lr=1e-3)
    losses = []
    for _ in range(30):
        torch.manual_seed(0)  # the same puzzle, the same directions, the same patches hidden
        losses.append(step(method, optimiser, views()).total.item())
    assert losses[-1] < max(losses[:6]) - 0.02  # by the sixth step a queue is full of real keys


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
