import pytest
import torch
from methods.test_mae import by_patch, predicted
from methods.toys import make, views, vit

from natviews.types import NatviewsError


def test_the_loss_is_the_mean_distance_over_patches_that_no_prediction_sees():
    method, data = make("simmim", lambda: vit(1), square=4), views(3, side=16)
    loss, y, seen = predicted(method, data)
    assert seen.sum(dim=1).tolist() == [6] * 6  # of 16, six tenths are hidden, rounded up
    pairs = zip(y[~seen].flatten(), by_patch(torch.cat(data.globals))[~seen].flatten(), strict=True)
    distances = [abs(a - b) for a, b in pairs]
    assert torch.allclose(loss, sum(distances) / len(distances))


def test_whole_squares_are_hidden_and_every_prediction_is_of_its_own_patch():
    method, data = make("simmim", lambda: vit(0), square=8), views(2, side=16)
    _, y, seen = predicted(method, data)
    squares = seen.view(4, 2, 2, 2, 2).transpose(2, 3).flatten(3)
    assert torch.equal(squares.all(dim=3), squares.any(dim=3))
    assert squares[..., 0].sum(dim=(1, 2)).tolist() == [1] * 4
    for patch in range(16):
        reach = torch.autograd.grad(y[:, patch].square().sum(), data.globals, retain_graph=True)
        reached = by_patch(torch.cat(reach)).abs().sum(dim=2) > 0
        own = torch.zeros(16, dtype=torch.bool)
        own[patch] = True
        assert torch.equal(reached, seen & own)


def test_a_square_that_cuts_patches_is_refused():
    with pytest.raises(NatviewsError, match="not a multiple of the patch's side, 4 px"):
        make("simmim", lambda: vit(1), square=6)
