import pytest
import torch
from lightly.loss import DINOLoss
from methods.toys import START, Flat, assert_same
from torch.nn import functional as F

from natviews.methods import METHODS, Progress, Views
from natviews.types import NatviewsError

PROTOTYPES = 32


def make(**values):
    torch.manual_seed(0)
    return METHODS["dino"](Flat(), prototypes=PROTOTYPES, hidden=16, bottleneck=8, **values)


def views(batch=6, locals=2, globals=2):
    torch.manual_seed(1)
    crops = [torch.randn(batch, 3, 8, 8) for _ in range(globals)]
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
    expected = reference(teacher, [method.student(crop) for crop in [*data.globals, *data.locals]], epoch=0)
    assert_same(method, method.loss(data, START).total, expected)
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


def moved_apart(**values):
    """A method whose teacher and centre are of their own."""
    method = make(**values)
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        method.centre.normal_()
    return method


def by_hand(method, data, pairs):
    """The mean cross-entropy of (view of the teacher, view of the student), at temperatures 0.04 and 0.1."""
    crops = [*data.globals, *data.locals]
    losses = []
    for i, j in pairs:
        for x, y in zip(crops[i], crops[j], strict=True):
            P_t = F.softmax((method.teacher(x[None]).detach() - method.centre) / 0.04, dim=1)
            losses.append(-(P_t * F.softmax(method.student(y[None]) / 0.1, dim=1).log()).sum())
    return sum(losses) / len(losses)


def test_every_global_view_of_the_teacher_meets_every_other_view_of_the_student():
    method, data = moved_apart(), views(globals=3, locals=1)
    expected = by_hand(method, data, [(i, j) for i in range(3) for j in range(4) if i != j])
    assert_same(method, method.loss(data, START).total, expected)


def test_literal_pairs_global_views_of_the_teacher_with_local_ones_of_the_student_alone():
    method, data = moved_apart(literal=True), views()
    expected = by_hand(method, data, [(0, 2), (0, 3), (1, 2), (1, 3)])
    assert_same(method, method.loss(data, START).total, expected)
    with pytest.raises(NatviewsError, match="literal needs local views"):
        method.loss(data._replace(locals=[]), START)


def test_the_centre_is_an_average_of_step_after_step():
    method, expected = make(centre_momentum=0.8), torch.zeros(PROTOTYPES)
    for step in range(3):
        data = views()._replace(globals=[torch.randn(6, 3, 8, 8), torch.randn(6, 3, 8, 8)])
        expected = 0.8 * expected + 0.2 * method.teacher(torch.cat(data.globals)).mean(dim=0)
        method.loss(data, Progress(step, 10, 0.0))
        assert torch.allclose(method.centre, expected)
    method.eval().loss(data, START)
    assert torch.allclose(method.centre, expected)


def test_batch_norm_spreads_what_an_encoder_gives_all_photos_alike():
    """Without it a head at its start answers alike wherever the features share a large mean."""
    torch.manual_seed(2)
    features = 10 + torch.randn(64, Flat.dim)
    spreads = []
    for norm in (False, True):
        spreads.append(make(norm=norm).student[1](features).std(dim=0).mean().item())
    assert spreads[1] > 5 * spreads[0]
