import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from natviews.methods import METHODS, Loss, Progress, Views
from natviews.training.collapse import EVERY, LEAST, Watch, diagnosis, effective_rank, spread
from natviews.types import NatviewsError

ZERO = torch.zeros(())


def vectors(count=64, dim=32, seed=0):
    return F.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def watched(make_loss, steps=LEAST + 2 * EVERY):
    watch = Watch(steps)
    return [watch.look(step, make_loss(step)) for step in range(steps)]


def test_vectors_that_point_everywhere_have_spread_one_and_full_rank():
    many = vectors(4000, 16)
    assert spread(many) == pytest.approx(1, abs=0.01)
    assert effective_rank(many) == pytest.approx(16, rel=0.01)


def test_vectors_on_a_line_have_rank_one_and_equal_ones_no_spread():
    line = torch.outer(torch.linspace(-1, 1, 50), torch.ones(8))
    assert effective_rank(line) == pytest.approx(1, abs=0.01)
    assert spread(vectors(1).repeat(50, 1)) == pytest.approx(0, abs=1e-3)


def test_the_rank_is_the_same_whichever_side_is_longer():
    tall = vectors(40, 10)
    s = (torch.linalg.eigvalsh((tall - tall.mean(0)).T @ (tall - tall.mean(0)))).sqrt()
    share = s / s.sum()
    expected = math.exp(-(share * share.log()).sum())
    assert effective_rank(tall) == pytest.approx(expected, rel=1e-4)
    wide = vectors(10, 40)
    s = torch.linalg.svdvals(wide - wide.mean(0))[:9]
    share = s / s.sum()
    assert effective_rank(wide) == pytest.approx(math.exp(-(share * share.log()).sum()), rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "name", "mend"),
    [
        (Loss(ZERO, {}, vectors(1).repeat(64, 1)), "complete collapse", "learning rate"),
        (
            Loss(ZERO, {}, F.normalize(torch.outer(torch.linspace(-1, 1, 64), torch.ones(8)))),
            "dimensional",
            "visreg",
        ),
        (
            Loss(ZERO, {"teacher_entropy": torch.tensor(0.999)}, vectors()),
            "uniform collapse",
            "teacher_temperature",
        ),
        (Loss(ZERO, {"prototypes_entropy": torch.tensor(0.01)}, vectors()), "one prototype", "centre"),
    ],
    ids=["complete", "dimensional", "uniform", "one prototype"],
)
def test_a_dead_run_is_stopped_with_the_kind_of_its_collapse_and_the_mend(loss, name, mend):
    with pytest.raises(NatviewsError, match=name) as stopped:
        watched(lambda step: loss)
    assert mend in str(stopped.value)


def test_a_run_that_recovers_in_time_goes_on():
    dead = Loss(ZERO, {}, vectors(1).repeat(64, 1))
    watched(lambda step: dead if step < LEAST - EVERY else Loss(ZERO, {}, vectors()), steps=400)


def test_the_figures_come_every_tenth_step_and_never_from_a_loss_without_vectors():
    seen = watched(lambda step: Loss(ZERO, {}, vectors()), steps=EVERY + 1)
    assert [bool(figures) for figures in seen] == [True, *[False] * (EVERY - 1), True]
    assert seen[0].keys() == {"spread", "effective_rank"}
    assert Watch(100).look(0, Loss(ZERO)) == {}


def test_a_long_run_is_given_a_fifth_of_its_time():
    dead = Loss(ZERO, {}, vectors(1).repeat(64, 1))
    watch = Watch(10_000)
    for step in range(0, 2000, EVERY):
        watch.look(step, dead)
    with pytest.raises(NatviewsError, match="Stopped at step 2000"):
        watch.look(2000, dead)


class Flat(nn.Module):
    dim = 8

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, self.dim)

    def forward(self, x):
        return self.linear(x.flatten(1))


def trained(method, steps, rate=0.05):
    """The figures at the end of a short training on noise."""
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=rate, momentum=0.9)
    watch, figures = Watch(steps), {}
    for step in range(steps):
        torch.manual_seed(step)
        x = torch.randn(32, 3, 2, 2)
        views = Views([x, x + 0.1 * torch.randn_like(x)], torch.arange(32))
        now = Progress(step, steps, step / 10)
        loss = method.loss(views, now)
        loss.total.backward()
        method.before_step(now)
        optimiser.step()
        optimiser.zero_grad()
        method.after_step(now)
        figures = watch.look(step, loss) | {n: v.item() for n, v in loss.parts.items()} or figures
    return figures


def test_a_real_dino_without_sharpening_is_found_to_be_uniform():
    torch.manual_seed(0)
    flat = METHODS["dino"](Flat(), prototypes=64, hidden=16, bottleneck=8, teacher_temperature=5.0, momentum=0.9)
    with pytest.raises(NatviewsError, match="uniform collapse of the teacher"):
        trained(flat, 301)


def test_a_real_siamese_without_negatives_that_push_is_found_to_have_collapsed():
    """BYOL whose teacher is the student of the step before, without predictor and batch norm."""
    torch.manual_seed(0)
    byol = METHODS["byol"](Flat(), hidden=16, out=8, momentum=0.0)
    byol.student[1], byol.teacher[1], byol.predictor = nn.Identity(), nn.Identity(), nn.Identity()
    with pytest.raises(NatviewsError, match="complete collapse"):
        trained(byol, 1501, rate=0.2)


@pytest.mark.parametrize("name", ["simclr", "byol", "simsiam", "vicreg", "visreg"])
def test_healthy_runs_of_the_same_length_are_left_alone(name):
    torch.manual_seed(0)
    figures = trained(METHODS[name](Flat(), hidden=16, out=8), 201, rate=0.005)
    assert diagnosis({"spread": 1.0, "effective_rank": 9.0} | figures) is None
