import pytest
import torch
from lightly.loss import LeJEPALoss
from methods.toys import START, assert_same, make, views
from torch.nn import functional as F

from natviews.methods.lejepa import normality

TINY = {"hidden": 16, "out": 5, "slices": 32}


@pytest.mark.parametrize(("weight", "knots", "reach"), [(0.05, 17, 3.0), (0.3, 9, 4.0)])
def test_loss_and_gradients_are_those_of_an_independent_implementation(weight, knots, reach):
    method = make("lejepa", **TINY, weight=weight, knots=knots, reach=reach)
    data = views(count=3, locals=2)
    reference = LeJEPALoss(weight, sigreg_knots=knots, sigreg_t_max=reach, sigreg_num_vectors=32)
    # Batch norm sees the views of one size together.
    large, small = (method.projector(method.online(torch.cat(x))) for x in (data.globals, data.locals))
    torch.manual_seed(5)
    expected = reference(global_proj=large.view(3, 6, 5), local_proj=small.view(2, 6, 5))
    torch.manual_seed(5)
    assert_same(method, method.loss(data, START).total, expected, atol=1e-6)


def test_it_is_defined_without_local_views():
    method, data = make("lejepa", **TINY), views()
    torch.manual_seed(5)
    loss = method.loss(data, START)
    z = method.projector(method.online(torch.cat(data.globals))).view(2, 6, 5)
    assert torch.allclose(loss.parts["invariance"], ((z[0] - z[1]) / 2).square().mean())
    torch.manual_seed(5)
    directions = F.normalize(torch.randn(5, 32), dim=0)
    assert torch.allclose(loss.parts["sigreg"], normality(z @ directions, 17, 3.0))


def test_normality_is_the_integral_row_by_row():
    torch.manual_seed(0)
    s = torch.randn(1, 6, 1)

    def integrand(t):
        phi = sum(torch.exp(1j * t * value) for value in s.flatten()) / 6
        return (phi - torch.exp(-t * t / 2)).abs() ** 2 * torch.exp(-t * t / 2)

    width = 6 / 400
    total = sum(integrand(torch.tensor(-3 + width * (i + 0.5))) for i in range(400)) * width
    assert torch.allclose(normality(s, 401, 3.0), 6 * total, atol=1e-4)
