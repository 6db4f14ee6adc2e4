import pytest
import torch
from methods.toys import START, assert_same, make, views
from torch.nn import functional as F

from natviews.types import NatviewsError

B = 5
TINY = {"hidden": 16, "out": 8}


def by_hand(method, data, beside=()):
    """LooC's two losses by loops; `beside` are pairs of products that a collage shows together."""
    names = ("x_1", "x_2", "y_1", "y_2")
    features = method.online(torch.cat(data.globals))  # batch norm sees all views together
    vectors = {
        head: dict(zip(names, F.normalize(getattr(method, head)(features), dim=1).chunk(4), strict=True))
        for head in ("identify", "describe")
    }
    together = {frozenset(pair) for pair in beside}

    def apart(i, j):
        return i != j and frozenset((i, j)) not in together

    def term(z, row, partner, negatives):
        s = [torch.dot(z[row[0]][row[1]], z[name][k]) / method.tau for name, k in (partner, *negatives)]
        return -s[0] + torch.stack(s).logsumexp(0)

    z, identity = vectors["identify"], []
    for own, other in (("x_1", "x_2"), ("x_2", "x_1")):
        for i in range(B):
            kept = [(name, k) for name in ("x_1", "x_2") for k in range(B) if apart(i, k)]
            lost = [(name, k) for name in ("y_1", "y_2") for k in range(B) if k == i or apart(i, k)]
            identity.append(term(z, (own, i), (other, i), kept + lost))
    z, design = vectors["describe"], []
    for own in names:
        for i in range(B):
            negatives = [(name, k) for name in names for k in range(B) if apart(i, k)]
            design += [term(z, (own, i), (other, i), negatives) for other in names if other != own]
    return (torch.stack(identity).mean() + torch.stack(design).mean()) / 2


@pytest.mark.parametrize("beside", [(), ((1, 3),)])
def test_loss_and_gradients_are_those_of_the_formula(beside):
    distractors = torch.full((B, 2), -1)
    for i, j in beside:
        distractors[i, 1] = j
    method, data = make("twoheads", **TINY), views(B, count=4, distractors=distractors)
    assert_same(method, method.loss(data, START).total, by_hand(method, data, beside))


def test_another_colour_of_the_own_item_is_pushed_away_by_one_head_and_drawn_near_by_the_other():
    """Of one product there is nothing to tell but its colours."""
    method, data = make("twoheads", **TINY).eval(), views(2, count=4)
    data.globals[2].requires_grad_()
    figures = method.loss(data, START).parts
    for name, head, nearer in (("identity", method.identify, -1), ("design", method.describe, 1)):
        (gradient,) = torch.autograd.grad(figures[name], data.globals[2], retain_graph=True)
        x, y = (head(method.online(data.globals[k].detach())) for k in (0, 2))
        moved = head(method.online(data.globals[2].detach() - 1e-3 * gradient))
        assert (F.cosine_similarity(x, moved) - F.cosine_similarity(x, y)).mean() * nearer > 0


def test_other_views_than_four_are_refused():
    with pytest.raises(NatviewsError, match="views: recoloured"):
        make("twoheads", **TINY).loss(views(), START)
