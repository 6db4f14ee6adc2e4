"""What the tests of methods share: a small encoder, views, and what it takes for two losses to be the same."""

import timm
import torch
from torch import nn

from natviews.methods import METHODS, Progress, Views

START = Progress(0, 100, 0.0)


class Flat(nn.Module):
    """An encoder: the mean of each channel, then a linear layer."""

    dim = 8

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, self.dim)

    def forward(self, x):
        return self.linear(x.mean(dim=(2, 3)))


class Pixels(nn.Module):
    """An encoder that sees where a pixel is: a linear layer of all of them."""

    dim = 8

    def __init__(self, side):
        super().__init__()
        self.linear = nn.Linear(3 * side * side, self.dim)

    def forward(self, x):
        return self.linear(x.flatten(1))


def vit(depth):
    """A vision transformer of patches of 4 px. Without blocks a token knows its own patch alone."""
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=16, patch_size=4, embed_dim=24, depth=depth, num_heads=3, num_classes=0
    )


def make(name, encoder=Flat, **values):
    """The method, its teacher moved away from the student."""
    torch.manual_seed(0)
    method = METHODS[name](encoder(), **values)
    with torch.no_grad():
        for parameter in method.teacher.parameters() if hasattr(method, "teacher") else []:
            parameter.add_(0.3 * torch.randn_like(parameter))
    return method


def views(batch=6, count=2, locals=0, seed=1, side=8, products=None, distractors=None):
    generator = torch.Generator().manual_seed(seed)
    crops = [torch.randn(batch, 3, side, side, generator=generator) for _ in range(count)]
    local = [torch.randn(batch, 3, side // 2, side // 2, generator=generator) for _ in range(locals)]
    return Views(crops, torch.arange(batch) if products is None else products, local, distractors)


def gradients(method, loss):
    """Of everything that is trained."""
    wanted = [parameter for parameter in method.parameters() if parameter.requires_grad]
    made = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True, materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in made])


def assert_same(method, loss, expected, atol=1e-9):
    """Equal, and so are the gradients."""
    assert torch.allclose(loss, expected.to(loss.dtype), rtol=0, atol=atol)
    assert torch.allclose(gradients(method, loss), gradients(method, expected), rtol=0, atol=atol)


def mean_over_pairs(method, data, loss):
    """The mean of a loss of two views over all pairs of views."""
    crops = data.globals
    pairs = [(i, j) for i in range(len(crops)) for j in range(i)]
    return sum(loss(data._replace(globals=[crops[j], crops[i]])) for i, j in pairs) / len(pairs)
