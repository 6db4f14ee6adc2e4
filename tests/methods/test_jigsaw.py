import pytest
import torch
from methods.toys import START, Pixels, assert_same, make, views

from natviews.methods.jigsaw import far_permutations, tiles_of

TINY = {"permutations": 20, "tile": 6, "hidden": 16}


def cells(photo):
    """The nine cells of a photo of 6 px, row by row, each channel with mean 0 and deviation 1."""
    made = []
    for row in range(3):
        for column in range(3):
            cell = photo[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            deviation = cell.std(dim=(1, 2), keepdim=True)
            made.append((cell - cell.mean(dim=(1, 2), keepdim=True)) / (deviation + 1e-3))
    return torch.stack(made)


def test_a_permutation_is_applied_to_the_tiles_and_is_what_must_be_told():
    """Tiles of 6 px photos are whole cells, so that each can be recognised."""
    method, data = make("jigsaw", lambda: Pixels(2), grey=0.0, **TINY), views(8, side=6)
    shown = []
    method.online.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    loss = method.loss(data, START).total
    shuffled, whole = shown[0].unflatten(0, (16, 9)), torch.stack([cells(x) for x in torch.cat(data.globals)])
    pi = []
    for tiles, cell in zip(shuffled, whole, strict=True):
        restored = [
            k for k, order in enumerate(method.permutations) if torch.allclose(tiles[order.argsort()], cell)
        ]
        pi += restored
    assert len(pi) == 16 and len(set(pi)) > 4
    losses = []
    for tiles, k in zip(shuffled, pi, strict=True):
        joined = torch.cat([method.of_tile(method.online(tile[None]))[0] for tile in tiles])
        p = method.classifier(joined).exp()
        losses.append(-(p[k] / p.sum()).log())
    assert_same(method, loss, sum(losses) / 16)


@pytest.mark.parametrize(("grey", "share"), [(0.0, 0.0), (0.66, 0.66), (1.0, 1.0)])
def test_a_share_of_the_photos_is_grey(grey, share):
    method = make("jigsaw", lambda: Pixels(2), grey=grey, **TINY)
    shown = []
    method.online.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    method.loss(views(200, side=6), START)
    photos = shown[0].unflatten(0, (400, 9))
    assert (photos == photos[:, :, :1]).all(dim=(1, 2, 3, 4)).float().mean() == pytest.approx(share, abs=0.08)


def test_a_tile_is_cut_somewhere_in_its_cell_and_is_normalised_by_itself():
    x = torch.arange(30.0 * 30).view(1, 1, 30, 30).expand(1, 3, -1, -1)
    places = set()
    for seed in range(30):
        torch.manual_seed(seed)
        tiles = tiles_of(x)
        assert tiles.shape == (1, 9, 3, 8, 8)
        assert torch.allclose(tiles.mean(dim=(3, 4)), torch.zeros(1, 9, 3), atol=1e-9)
        assert torch.allclose(tiles.std(dim=(3, 4)), torch.ones(1, 9, 3), atol=1e-3)
    for seed in range(60):  # one bright pixel: where it is in a tile tells where the tile was cut
        torch.manual_seed(seed)
        bright = torch.zeros(1, 3, 30, 30)
        bright[:, :, 15, 15] = 1
        middle = tiles_of(bright)[0, 4, 0]
        places.add(divmod(int(middle.argmax()), 8))
    assert places == {(row, column) for row in (3, 4, 5) for column in (3, 4, 5)}


def test_permutations_are_different_far_apart_and_always_the_same():
    chosen = far_permutations(100)
    assert torch.equal(chosen.sort(dim=1).values, torch.arange(9).expand(100, 9))
    apart = (chosen[:, None] != chosen).sum(dim=2)[~torch.eye(100, dtype=torch.bool)]
    assert apart.min() >= 6 and apart.double().mean() > 8.02  # of 9; drawn at random they would be 2 to 4 and 8.0
    assert torch.equal(chosen[:10], far_permutations(10))
