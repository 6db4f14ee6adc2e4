import math

import pytest
import timm
import torch
from methods.toys import Flat, make
from timm.layers import DropPath
from torch import nn

from natviews.methods import METHODS, Progress, Views
from natviews.methods.parts import in_groups, mlp, teacher_of

STEPS = 10
TINY = {"hidden": 16, "out": 5}
TEACHERS = {
    "mocov2": {"queue": 8, **TINY},
    "mocov3": TINY,
    "moby": {"queue": 8, **TINY},
    "byol": TINY,
    "dino": {"prototypes": 8, "hidden": 16, "bottleneck": 4},
}
# Its momentum after step s of STEPS, where it starts at 0.9: the fraction of the schedule, or None for constant.
FRACTIONS = {
    "mocov2": lambda s: None,
    "mocov3": lambda s: (s + 1) / STEPS,  # moved before the next step, by that step's momentum
    "moby": lambda s: (s + 1) / STEPS,
    "byol": lambda s: s / STEPS,
    "dino": lambda s: s / STEPS,
}


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_follows_by_its_schedule_step_after_step(name):
    method = make(name, momentum=0.9, **TEACHERS[name])
    expected = [parameter.clone() for parameter in method.teacher.parameters()]
    for step in range(STEPS):
        fraction = FRACTIONS[name](step)
        momentum = 0.9 if fraction is None else 1 - 0.1 * (math.cos(math.pi * fraction) + 1) / 2
        with torch.no_grad():
            for parameter in method.student.parameters():
                parameter.add_(torch.randn_like(parameter))
        expected = [
            momentum * t + (1 - momentum) * s for t, s in zip(expected, method.student.parameters(), strict=True)
        ]
        method.after_step(Progress(step, STEPS, 0.0))
        for ours, theirs in zip(method.teacher.parameters(), expected, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_starts_as_its_student(name):
    method = METHODS[name](Flat(), **TEACHERS[name])
    for theirs, ours in zip(method.teacher.parameters(), method.student.parameters(), strict=True):
        assert torch.equal(theirs, ours)


@pytest.mark.parametrize("drop", [DropPath(0.5), nn.Dropout(0.5), nn.Dropout2d(0.5)])
def test_a_teacher_drops_nothing_and_its_student_goes_on(drop):
    student, x = nn.Sequential(drop), torch.ones(64, 4, 1, 1)
    teacher = teacher_of(student)
    assert student.training and teacher.training
    assert torch.equal(teacher(x), x)
    assert not torch.equal(student(x), x)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {"img_size": 32, "depth": 2, "drop_path_rate": 0.5, "proj_drop_rate": 0.5}),
        ("mobilenetv3_small_100", {"drop_rate": 0.5}),  # drops units by itself, without a module
    ],
)
def test_neither_does_the_teacher_of_a_timm_network(name, options):
    student, x = timm.create_model(name, num_classes=0, **options), torch.randn(4, 3, 32, 32)
    teacher = teacher_of(student)
    assert torch.equal(teacher(x), teacher(x))
    assert not torch.equal(student(x), student(x))


def test_the_batch_norm_of_a_teacher_has_statistics_of_what_the_teacher_makes():
    """Its student's are of other weights: the teacher, measured, would be another network than was trained."""
    method, x = make("byol", momentum=1.0, **TINY), torch.randn(64, 3, 8, 8)
    for step in range(100):
        method.loss(Views([x, x], torch.arange(64)), Progress(step, 100, 0.0))
        method.after_step(Progress(step, 100, 0.0))
    inside = method.teacher[1][0](method.teacher[0](x))
    assert torch.allclose(method.teacher[1][1].running_mean, inside.mean(dim=0), atol=1e-3)
    assert torch.allclose(method.teacher[1][1].running_var, inside.var(dim=0), rtol=1e-2)


def test_groups_are_parts_in_order_and_have_statistics_of_their_own():
    x = torch.randn(7, 3)
    norm = nn.BatchNorm1d(3, affine=False)
    made = in_groups(norm, x, 2, shuffled=False)
    assert torch.equal(made, torch.cat([norm(x[:4]), norm(x[4:])]))
    assert torch.equal(in_groups(norm, x, 1, shuffled=True), norm(x))
    assert torch.equal(in_groups(nn.Identity(), x, 3, shuffled=True), x)


def test_no_group_is_of_one_row():
    assert torch.isfinite(in_groups(nn.BatchNorm1d(3), torch.randn(5, 3), 8, shuffled=True)).all()


def test_a_head_is_what_papers_draw():
    plain = mlp(4, 5, 6, 7)
    assert [type(layer).__name__ for layer in plain] == [*("Linear", "BatchNorm1d", "ReLU") * 2, "Linear"]
    assert [layer.bias is None for layer in plain if isinstance(layer, nn.Linear)] == [True, True, False]
    ended = mlp(4, 5, 6, last_norm=True)
    assert ended[-2].bias is None and not ended[-1].affine
