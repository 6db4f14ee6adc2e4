import numpy as np
import torch
from methods.toys import START, Pixels, assert_same, make, views


def test_loss_and_gradients_are_equations_2_and_3():
    method, data = make("rotnet", lambda: Pixels(4)), views(3, side=4)
    losses = []
    for photo in torch.cat(data.globals):
        for turns in range(4):
            turned = torch.from_numpy(np.rot90(photo.numpy(), turns, axes=(1, 2)).copy())
            p = method.classifier(method.online(turned[None]))[0]
            losses.append(-(p[turns].exp() / p.exp().sum()).log())
    loss = method.loss(data, START)
    assert_same(method, loss.total, sum(losses) / len(losses))
    assert len(loss.vectors) == 6
