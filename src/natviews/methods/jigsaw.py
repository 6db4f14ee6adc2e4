"""Jigsaw: Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles. Noroozi and Favaro,
ECCV 2016. arXiv:1603.09246

    t_1 .. t_9 <- tiles of x, cut at random from the cells of a 3 x 3 grid, each with mean 0 and deviation 1
    pi         <- one of P permutations, far from one another in Hamming distance
    p          <- softmax(classify(join(encode(t_pi(1)), .. encode(t_pi(9)))))
    L          = mean of - log p[pi]

Section 3 and algorithm 1. A tile takes 64 px of a cell's 85, so that edges do not tell who is whose neighbour,
and is normalised by itself, so that neither does brightness; two thirds of the photos are grey, so
that colour fringes do not. One network sees each tile by itself: it needs no positions, so it should be a
convolutional one.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.methods.base import Loss, Method, Progress, Views
from natviews.methods.parts import width_of

GRID = 3
TILE = 64 / 85
"""The side of a tile as a share of its cell's."""


class Jigsaw(Method):
    """100 permutations, 512 features a tile before they are joined, and 4,096 units, as in the paper."""

    pairs = False
    permutations: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        *,
        permutations: int = 100,  # official permutations file
        tile: int = 512,  # figure 3
        hidden: int = 4096,  # figure 3
        grey: float = 0.66,  # VISSL's configuration
    ) -> None:
        super().__init__()
        self.online = encoder
        self.of_tile = nn.Sequential(nn.Linear(width_of(encoder), tile), nn.ReLU())
        self.classifier = nn.Sequential(
            nn.Linear(GRID * GRID * tile, hidden), nn.ReLU(), nn.Linear(hidden, permutations)
        )
        self.register_buffer("permutations", far_permutations(permutations))
        self.grey = grey

    @property
    def encoder(self) -> nn.Module:
        return self.online

    def loss(self, views: Views, progress: Progress) -> Loss:
        x = torch.cat(views.globals)  # (N, 3, S, S), N = 2B
        grey = torch.rand(len(x), 1, 1, 1, device=x.device) < self.grey
        tiles = tiles_of(torch.where(grey, x.mean(dim=1, keepdim=True), x))  # (N, 9, 3, t, t)
        pi = torch.randint(len(self.permutations), (len(x),), device=x.device)
        shuffled = tiles[torch.arange(len(x), device=x.device)[:, None], self.permutations[pi]]
        features = self.online(shuffled.flatten(0, 1))  # (9N, dim)
        p = self.classifier(self.of_tile(features).view(len(x), -1)).float()  # (N, P)
        accuracy = (p.argmax(dim=1) == pi).float().mean()
        vectors = F.normalize(features.detach().float(), dim=1)
        return Loss(F.cross_entropy(p, pi), {"accuracy": accuracy}, vectors)


def tiles_of(x: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 9, 3, t, t): a tile from a random place in each cell, row by row, each normalised."""
    cell = x.shape[-1] // GRID
    side = max(1, round(cell * TILE))
    free = cell - side + 1
    tiles = []
    for row, column in itertools.product(range(GRID), repeat=2):
        top, left = (int(torch.randint(free, ())) for _ in range(2))
        top, left = top + row * cell, left + column * cell
        tiles.append(x[:, :, top : top + side, left : left + side])
    stacked = torch.stack(tiles, dim=1)
    mean = stacked.mean(dim=(3, 4), keepdim=True)
    return (stacked - mean) / (stacked.std(dim=(3, 4), keepdim=True) + 1e-3)


def far_permutations(count: int) -> Tensor:
    """(count, 9): permutations of nine, each as far as can be from those before it; always the same ones."""
    rng = torch.Generator().manual_seed(0)
    everyone = torch.tensor(list(itertools.permutations(range(GRID * GRID))), dtype=torch.uint8)
    chosen = [int(torch.randint(len(everyone), (), generator=rng))]
    distance = torch.full((len(everyone),), GRID * GRID + 1, dtype=torch.uint8)
    for _ in range(count - 1):
        distance = torch.minimum(distance, (everyone != everyone[chosen[-1]]).sum(dim=1, dtype=torch.uint8))
        chosen.append(int(distance.argmax()))
    return everyone[chosen].long()
