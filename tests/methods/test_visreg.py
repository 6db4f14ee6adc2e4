import torch
from lightly.loss import VISRegLoss
from methods.toys import START, assert_same, make, views

TINY = {"hidden": 16, "out": 5, "slices": 32}


def test_loss_and_gradients_are_those_of_an_independent_implementation():
    weights = {"weight": 0.6, "scale": 2.0, "shape": 3.0, "centre": 5.0}
    method, data = make("visreg", **TINY, **weights), views(count=3, locals=2)
    reference = VISRegLoss(0.6, 32, lambda_scale=2.0, lambda_shape=3.0, lambda_center=5.0)
    # Batch norm sees the views of one size together.
    large, small = (method.projector(method.online(torch.cat(x))) for x in (data.globals, data.locals))
    torch.manual_seed(5)
    expected = reference(global_proj=large.view(3, 6, 5), local_proj=small.view(2, 6, 5))
    torch.manual_seed(5)
    assert_same(method, method.loss(data, START).total, expected, atol=1e-5)


def test_its_weights_are_the_papers():
    loss = make("visreg", **TINY).loss(views(), START)
    parts = loss.parts
    assert torch.allclose(
        loss.total, 0.1 * parts["invariance"] + 0.9 * (parts["scale"] + parts["shape"] + parts["centre"])
    )
