import pytest
import torch
from lightly.loss import DINOLoss
from torch import nn

from natviews.methods import METHODS, Progress, Views

PROTOTYPES = 32
START = Progress(0, 100, 0.0)


class Flat(nn.Module):
    """An encoder for tests: the mean of each channel, then a linear layer."""

    dim = 8

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, self.dim)

    def forward(self, x):
        return self.linear(x.mean(dim=(2, 3)))


def make(**values):
    torch.manual_seed(0)
    return METHODS["dino"](Flat(), prototypes=PROTOTYPES, hidden=16, bottleneck=8, **values)


def views(batch=6, locals=2):
    torch.manual_seed(1)
    crops = [torch.randn(batch, 3, 8, 8) for _ in range(2)]
    return Views(crops, torch.arange(batch), [torch.randn(batch, 3, 4, 4) for _ in range(locals)])


def test_loss_gradients_and_centre_are_those_of_an_independent_implementation():
    method, data = make(), views()
    with torch.no_grad():  # a teacher that has moved away from its student, and a centre from zero
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        method.centre.copy_(torch.randn(PROTOTYPES))
    reference = DINOLoss(PROTOTYPES, warmup_teacher_temp=0.04, teacher_temp=0.04, warmup_teacher_temp_epochs=1)
    reference.center.copy_(method.centre.view_as(reference.center))
    with torch.no_grad():
        teacher = [method.teacher(crop) for crop in data.globals]
    student = [method.student(crop) for crop in [*data.globals, *data.locals]]
    expected = reference(teacher, student, epoch=0)
    expected.backward()
    gradients = [p.grad.clone() for p in method.student.parameters()]
    method.zero_grad()
    loss = method.loss(data, START)
    loss.total.backward()
    assert torch.allclose(loss.total, expected, atol=1e-6)
    for ours, theirs in zip(method.student.parameters(), gradients, strict=True):
        assert torch.allclose(ours.grad, theirs, atol=1e-6)
    assert torch.allclose(method.centre, reference.center.view(-1), atol=1e-6)


def test_the_centre_starts_at_zero_and_moves_by_a_tenth():
    method, data = make(), views()
    with torch.no_grad():
        mean = torch.cat([method.teacher(crop) for crop in data.globals]).mean(dim=0)
    method.loss(data, START)
    assert torch.allclose(method.centre, 0.1 * mean, atol=1e-6)


def test_the_centre_is_part_of_the_state():
    method = make()
    method.loss(views(), START)
    again = make()
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.centre, method.centre)


def test_the_last_layer_keeps_still_for_the_first_epoch():
    method = make()
    method.loss(views(), START).total.backward()
    method.before_step(START)
    assert method.student[1].prototypes.weight.grad is None
    method.loss(views(), START).total.backward()
    method.before_step(Progress(2, 100, 1.0))
    assert method.student[1].prototypes.weight.grad is not None


def test_gradients_are_clipped_parameter_by_parameter():
    method = make(clip=0.01, freeze_last_layer_epochs=0)
    (method.loss(views(), START).total * 1000).backward()
    method.before_step(START)
    norms = [parameter.grad.norm() for parameter in method.student.parameters()]
    assert max(norms) == pytest.approx(0.01, rel=1e-3)
    assert sum(norm > 0.0099 for norm in norms) > 1  # a global clip would leave one norm of 0.01 in all


def test_the_teacher_moves_once_a_step_by_one_minus_momentum():
    method = make(momentum=0.9)
    before = method.teacher[0].linear.weight.clone()
    with torch.no_grad():
        method.student[0].linear.weight.add_(1)
    method.after_step(START)
    assert torch.allclose(method.teacher[0].linear.weight, before + 0.1, atol=1e-6)


def test_the_teacher_temperature_warms_up():
    method = make(warmup_teacher_temperature=0.02, teacher_temperature=0.07, warmup_teacher_epochs=10)
    cold = method.loss(views(), START).parts["teacher_entropy"]
    warm = method.loss(views(), Progress(50, 100, 20.0)).parts["teacher_entropy"]
    assert warm > cold
