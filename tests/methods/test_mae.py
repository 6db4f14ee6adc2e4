import pytest
import torch
from methods.toys import START, assert_same, make, views, vit

from natviews.methods.tokens import patches_of

TINY = {"decoder": 16, "heads": 2}


def predicted(method, data):
    """The loss, the predictions (B, N, 48), and where in a photo the pixels are that reach them (B, N)."""
    made = []
    handle = method.out.register_forward_hook(lambda _, inputs, y: made.append(y))
    crops = [crop.requires_grad_() for crop in data.globals]
    loss = method.loss(data, START).total
    handle.remove()
    reach = torch.autograd.grad(made[0].square().sum(), crops, retain_graph=True)
    return loss, made[0], by_patch(torch.cat(reach)).abs().sum(dim=2) > 0


def by_patch(x):
    """(B, 16, 48): the pixels of each patch of 4 px, pixel by pixel."""
    rows = []
    for photo in x:
        for top in range(0, 16, 4):
            for left in range(0, 16, 4):
                rows.append(photo[:, top : top + 4, left : left + 4].permute(1, 2, 0).flatten())
    return torch.stack(rows).unflatten(0, (len(x), 16))


def of_hidden(y, data, seen, normalise):
    """The mean squared error over the patches that are not seen."""
    losses = []
    for patch, pixels in zip(y[~seen], by_patch(torch.cat(data.globals))[~seen], strict=True):
        if normalise:
            pixels = (pixels - pixels.mean()) / (pixels.var() + 1e-6).sqrt()
        losses.append(sum((a - b) ** 2 for a, b in zip(patch, pixels, strict=True)) / 48)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_is_over_patches_that_no_prediction_sees(normalise):
    method, data = make("mae", lambda: vit(1), blocks=1, normalise=normalise, **TINY), views(3, side=16)
    loss, y, seen = predicted(method, data)
    assert seen.sum(dim=1).tolist() == [4] * 6  # of 16, three quarters are hidden
    assert len({tuple(row) for row in seen.tolist()}) > 1
    assert_same(method, loss, of_hidden(y, data, seen, normalise))


def test_every_token_comes_back_to_its_own_place():
    """Without blocks on either side a prediction depends on its own patch, where that is seen, and on no other."""
    method, data = make("mae", lambda: vit(0), blocks=0, **TINY), views(2, side=16)
    _, y, seen = predicted(method, data)
    for patch in range(16):
        reach = torch.autograd.grad(y[:, patch].square().sum(), data.globals, retain_graph=True)
        reached = by_patch(torch.cat(reach)).abs().sum(dim=2) > 0
        own = torch.zeros(16, dtype=torch.bool)
        own[patch] = True
        assert torch.equal(reached, seen & own)
    of_place = [{tuple(row) for row in y[~seen[:, n], n].tolist()} for n in range(16)]
    assert all(len(rows) <= 1 for rows in of_place)  # where nothing is seen there is the place alone,
    assert len(set().union(*of_place)) == sum(map(bool, of_place))  # and no two places are alike


def test_patches_are_cut_row_by_row():
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(patches_of(x, 4), by_patch(x))
