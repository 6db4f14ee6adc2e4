"""Policies: which photo each view shows, and which operations it meets."""

import numpy as np
import pytest

from natviews.types import NatviewsError
from natviews.views import POLICIES, Policy, policy
from natviews.views.ops import Blur, Crops, Flip, Grey, Jitter, Rotate

PAIR = [(200, 300), (120, 80)]


def draw(chosen: Policy, photos=PAIR, product_type: str = "", seed: int = 0):
    return chosen.draw(photos, product_type, np.random.default_rng(seed))


def crops(count: int = 2, size: int = 64) -> Crops:
    return Crops(count=count, size=size)


def test_a_natural_pair_gives_one_global_view_of_each_photo_and_local_ones_of_the_first():
    views = draw(Policy(globals=crops(2, 64), locals=crops(5, 32)))
    assert [view.source for view in views] == [0, 1, 0, 0, 0, 0, 0]
    assert [view.size for view in views] == [64, 64, 32, 32, 32, 32, 32]


def test_a_single_photo_gives_all_views():
    views = draw(Policy(globals=crops(2), locals=crops(3, 32)), PAIR[:1])
    assert [view.source for view in views] == [0] * 5


def test_further_global_views_take_turns():
    assert [view.source for view in draw(Policy(globals=crops(5)))] == [0, 1, 0, 1, 0]


def test_each_crop_lies_in_the_photo_that_it_shows():
    for seed in range(50):
        for view in draw(Policy(globals=crops(2), locals=crops(4, 32)), seed=seed):
            height, width = PAIR[view.source]
            left, top = view.homography[:2, 2]
            right, bottom = (view.homography @ [view.size, view.size, 1])[:2]
            assert -1e-6 <= left < right <= width + 1e-6
            assert -1e-6 <= top < bottom <= height + 1e-6


def test_views_of_one_step_are_drawn_independently():
    views = draw(policy("skill", size=64, locals=4))
    assert len({view.homography.tobytes() for view in views}) == len(views)
    assert len({view.colour for view in draw(policy("simclr"), seed=3)}) == 2


def test_the_product_type_selects_the_operations():
    chosen = Policy(globals=crops(), by_type={"shoe": (Flip(p=1.0),), "": (Rotate(p=1.0), Grey(p=1.0))})
    assert [view.names for view in draw(chosen, product_type="shoe")] == [("crop", "flip")] * 2
    assert [view.names for view in draw(chosen, product_type="hat")] == [("crop", "rotate", "grey")] * 2
    assert [view.names for view in draw(chosen)] == [("crop", "rotate", "grey")] * 2


def test_a_type_without_operations_of_its_own_or_of_all_has_none():
    chosen = Policy(globals=crops(), by_type={"shoe": (Flip(p=1.0),)})
    assert [view.names for view in draw(chosen, product_type="hat")] == [("crop",)] * 2


def test_operations_come_in_the_order_type_colour_after():
    chosen = Policy(
        globals=crops(1),
        locals=crops(1, 32),
        after=(Blur(p=1.0),),
        colour=(Jitter(p=1.0), Grey(p=1.0)),
        by_type={"": (Flip(p=1.0),)},
    )
    assert [view.names for view in draw(chosen)] == [("crop", "flip", "jitter", "grey", "blur")] * 2


def test_the_same_seed_gives_the_same_views():
    chosen = policy("skill", size=64, locals=4)
    for one, two, other in zip(draw(chosen, seed=5), draw(chosen, seed=5), draw(chosen, seed=6), strict=True):
        assert np.array_equal(one.homography, two.homography)
        assert (one.source, one.size, one.colour, one.blur, one.names) == (
            two.source,
            two.size,
            two.colour,
            two.blur,
            two.names,
        )
        assert not np.array_equal(one.homography, other.homography)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_draws_two_global_views_of_the_size_asked_for(name):
    chosen = policy(name, size=96)
    assert chosen.size == 96
    views = draw(chosen)
    assert [view.source for view in views[:2]] == [0, 1]
    assert [view.size for view in views[:2]] == [96, 96]


def shares(name: str, draws: int = 2000, **values) -> dict[str, float]:
    """How often each operation takes part in a global view."""
    chosen, rng = policy(name, size=64, **values), np.random.default_rng(0)
    names = [view.names for _ in range(draws // 2) for view in chosen.draw(PAIR, "", rng)[:2]]
    return {op: np.mean([op in done for done in names]) for op in {op for done in names for op in done}}


# Each share of 2,000 draws lies within 0.045 of its probability: four standard deviations of p 0.5.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", {}),
        ("simclr", {"flip": 0.5, "jitter": 0.8, "grey": 0.2, "blur": 0.5}),
        ("identity", {"flip": 0.5, "jitter": 0.8}),
        ("skill", {"flip": 0.5, "rotate": 0.5, "jitter": 0.8, "grey": 0.5, "blur": 0.5}),
    ],
)
def test_a_policy_applies_its_operations_as_often_as_its_paper_says(name, expected):
    assert shares(name) == pytest.approx({"crop": 1.0} | expected, abs=0.045)


def test_no_policy_at_all_is_the_largest_centred_square():
    views = draw(policy("none", size=64), [(200, 300)])
    for view in views:
        assert np.allclose(view.homography, [[200 / 64, 0, 50], [0, 200 / 64, 0], [0, 0, 1]])


def test_the_identity_policy_keeps_colour():
    chosen = policy("identity")
    kinds = {type(op) for op in (*chosen.by_type[""], *chosen.colour, *chosen.after)}
    assert kinds == {Flip, Jitter}
    assert chosen.colour[0].hue == pytest.approx(0.04)


@pytest.mark.parametrize(("size", "local"), [(224, 96), (96, 40), (64, 24), (32, 16)])
def test_local_views_are_smaller_in_the_proportion_of_dino(size, local):
    chosen = policy("skill", size=size, locals=3)
    assert (chosen.locals.size, chosen.locals.count) == (local, 3)
    assert chosen.locals.area[1] == chosen.globals.area[0]


def test_the_skill_policy_may_go_without_local_views():
    assert policy("skill", locals=0).locals is None
    assert len(draw(policy("skill", size=64, locals=0))) == 2


def test_the_strength_scales_the_colour_jitter():
    jitter = policy("simclr", strength=0.5).colour[0]
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == pytest.approx(
        (0.4, 0.4, 0.4, 0.1)
    )


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("simcrl", {}, "There is no policy 'simcrl'; did you mean 'simclr'?"),
        ("simclr", {"strenght": 1}, "did you mean 'strength'?"),
        ("skill", {"size": "large"}, "does not fit"),
        ("simclr", {"area": (0.5, 0.1)}, "must be a range"),
        ("simclr", {"strength": -1}, "hue = -0.2 must be within 0 to 0.5"),
        ("skill", {"locals": -1}, "must be at least 1"),
    ],
)
def test_a_wrong_policy_or_parameter_is_refused(name, values, said):
    with pytest.raises(NatviewsError) as caught:
        policy(name, **values)
    assert said in str(caught.value)
