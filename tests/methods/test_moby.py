import pytest
import torch
from methods.toys import START, assert_same, gradients, make, mean_over_pairs, views
from torch.nn import functional as F

TINY = {"queue": 10, "hidden": 16, "out": 5}


def by_hand(method, x_1, x_2):
    """MoCo's loss in both directions, each against the queue of its keys' view, row by row."""
    q = [F.normalize(method.predictor(method.student(x)), dim=1) for x in (x_1, x_2)]
    k = [F.normalize(method.teacher(x), dim=1).detach() for x in (x_1, x_2)]
    return contrast(q[0], k[1], method.queue_2.keys.clone()) + contrast(q[1], k[0], method.queue_1.keys.clone())


def contrast(q, k, queue, tau=0.2):
    losses = []
    for i in range(len(q)):
        positive = (q[i].dot(k[i]) / tau).exp()
        losses.append(-(positive / (positive + sum((q[i].dot(key) / tau).exp() for key in queue))).log())
    return sum(losses) / len(losses)


def test_loss_gradients_and_both_queues_are_the_papers_step_by_step():
    method = make("moby", **TINY)
    for step in range(4):
        products = torch.arange(4) + 4 * step
        data = views(4, seed=step, products=products)
        x_1, x_2 = data.globals
        expected = by_hand(method, x_1, x_2)
        assert_same(method, method.loss(data, START).total, expected)
        places = (torch.arange(4) + 4 * step) % 10
        for queue, x in ((method.queue_1, x_1), (method.queue_2, x_2)):
            assert torch.allclose(queue.keys[places], F.normalize(method.teacher(x), dim=1))
            assert torch.equal(queue.products[places], products)


def test_swapping_the_views_and_the_queues_changes_nothing():
    method, data = make("moby", **TINY), views()
    method.eval()
    loss = method.loss(data, START).total
    method.queue_1, method.queue_2 = method.queue_2, method.queue_1
    assert torch.allclose(method.loss(data._replace(globals=data.globals[::-1]), START).total, loss)
    assert not torch.allclose(method.loss(data, START).total, loss)


def test_more_than_two_views_are_the_mean_over_pairs_where_the_queues_are_equal():
    method, data = make("moby", **TINY), views(count=3)
    method.queue_2.load_state_dict(method.queue_1.state_dict())
    expected = mean_over_pairs(method, data, lambda pair: by_hand(method, *pair.globals))
    assert_same(method, method.loss(data, START).total, expected)


@pytest.mark.parametrize("queue", ["queue_1", "queue_2"])
@pytest.mark.parametrize(("shows", "matters"), [(2, False), (9, False), (-1, True), (7, True)])
def test_a_key_of_the_same_product_or_of_one_beside_it_is_no_negative(queue, shows, matters):
    made = []
    for key in torch.eye(5)[:2]:
        method = make("moby", **TINY)
        getattr(method, queue).keys[3], getattr(method, queue).products[3] = key, shows
        data = views(2, products=torch.tensor([2, 2]), distractors=torch.tensor([[9, -1], [9, -1]]))
        loss = method.loss(data, START).total
        made.append(torch.cat([loss.view(1), gradients(method, loss)]))
    assert torch.equal(*made) != matters
