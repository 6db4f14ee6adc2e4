import torch
from methods.toys import START, assert_same, make, views

MARGIN = 0.12
"""Some pairs are beyond it."""


def by_hand(method, data, turn, barred=()):
    """Hadsell's equation 4, of unit vectors, over the same item's pairs and others `turn` places away."""
    g_1, g_2 = (method.projector(method.online(x)) for x in data.globals)
    g_1, g_2 = (g / g.norm(dim=1, keepdim=True) for g in (g_1, g_2))
    losses = []
    for i in range(len(g_1)):
        other = (i - turn) % len(g_1)
        losses.append((g_1[i] - g_2[i]).norm() ** 2 / 2)
        if {i, other} not in barred:
            losses.append(max(torch.tensor(0.0), MARGIN - (g_1[i] - g_2[other]).norm()) ** 2 / 2)
    return sum(losses) / len(losses)


def made(data, seed):
    """A method, its loss, and by how many places it turned."""
    method = make("siamese", margin=MARGIN, out=5)
    torch.manual_seed(seed)
    turn = int(torch.randint(1, len(data.products), ()))
    torch.manual_seed(seed)
    return method, method.loss(data, START), turn


def test_loss_and_gradients_are_equation_4():
    data, turns = views(), set()
    for seed in range(20):
        method, loss, turn = made(data, seed)
        assert_same(method, loss.total, by_hand(method, data, turn), atol=1e-5)
        turns.add(turn)
        assert 0 < loss.parts["easy_negatives"] < 1
    assert turns == {1, 2, 3, 4, 5}  # every other product, and never a row's own


def test_a_product_beside_the_rows_own_is_not_another_either_way():
    beside = torch.full((6, 1), -1)
    beside[0] = 2
    data = views(distractors=beside)
    for seed in range(12):
        method, loss, turn = made(data, seed)
        assert_same(method, loss.total, by_hand(method, data, turn, [{0, 2}]), atol=1e-5)
