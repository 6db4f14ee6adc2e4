"""What every view operation keeps to. A new one is found by its place in OPS; it needs a line in RANGES."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from natviews.config import check
from natviews.types import NatviewsError
from natviews.views import OPS, Policy, View
from natviews.views.ops import Crops

DRAWS = 2000
NEEDED = {"crops": {"count": 2, "size": 64}}
"""Parameters without a default."""
HEIGHT, WIDTH = 150, 200
ROUNDING = 1e-9


def make(name: str, **values):
    return OPS[name](**NEEDED.get(name, {}), **values)


def source_view(size: int = 64) -> View:
    homography = np.array([[1.5, 0, 10], [0, 1.25, 20], [0, 0, 1.0]])
    return View(1, size, homography, (("brightness", 1.1),), 0.7, ("crop",))


def draw(op, rng: np.random.Generator) -> View:
    return op.draw(1, (HEIGHT, WIDTH), rng) if isinstance(op, Crops) else op.draw(source_view(), rng)


def numbers(view: View) -> tuple:
    return view.source, view.size, view.homography.tobytes(), view.colour, view.blur, view.names


def transform(view: View) -> np.ndarray:
    """What an operation did to the geometry of the source view: from the new view's px to the old one's."""
    return np.linalg.inv(source_view().homography) @ view.homography


def crop_is_in_range(op, view: View) -> bool:
    width, height = view.homography[0, 0] * view.size, view.homography[1, 1] * view.size
    left, top = view.homography[:2, 2]
    share, aspect = width * height / (WIDTH * HEIGHT), width / height
    inside = min(left, top) >= 0 and left + width <= WIDTH + ROUNDING and top + height <= HEIGHT + ROUNDING
    return (
        inside
        and op.area[0] - ROUNDING <= share <= op.area[1] + ROUNDING
        and op.aspect[0] - ROUNDING <= aspect <= op.aspect[1] + ROUNDING
    )


def flip_is_in_range(op, view: View) -> bool:
    return np.allclose(transform(view), [[-1, 0, 64], [0, 1, 0], [0, 0, 1]])


def turn_is_in_range(op, view: View) -> bool:
    turn = transform(view)
    angle = np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))
    return abs(angle) <= op.degrees + ROUNDING and np.allclose(turn[:2, :2] @ turn[:2, :2].T, np.eye(2))


def jitter_is_in_range(op, view: View) -> bool:
    steps = dict(view.colour[1:])
    factors = all(
        max(0.0, 1 - strength) <= steps[name] <= 1 + strength
        for name, strength in (
            ("brightness", op.brightness),
            ("contrast", op.contrast),
            ("saturation", op.saturation),
        )
    )
    return factors and -op.hue <= steps["hue"] <= op.hue and len(steps) == 4


def grey_is_in_range(op, view: View) -> bool:
    return view.colour[1:] == (("grey", 1.0),)


def blur_is_in_range(op, view: View) -> bool:
    added = np.sqrt(view.blur**2 - 0.7**2) * 224 / view.size
    return op.sigma[0] - 1e-6 <= added <= op.sigma[1] + 1e-6


RANGES = {
    "crops": crop_is_in_range,
    "flip": flip_is_in_range,
    "rotate": turn_is_in_range,
    "jitter": jitter_is_in_range,
    "grey": grey_is_in_range,
    "blur": blur_is_in_range,
}
WITH_CHANCE = sorted(set(OPS) - {"crops"})
"""A crop begins a view, so it is not left to chance."""
every_op = pytest.mark.parametrize("name", sorted(OPS))


def test_every_operation_declares_its_ranges_here():
    assert set(RANGES) == set(OPS)


@every_op
def test_the_same_seed_gives_the_same_view(name):
    op = make(name)
    for seed in range(20):
        assert numbers(draw(op, np.random.default_rng(seed))) == numbers(draw(op, np.random.default_rng(seed)))


@every_op
def test_drawn_parameters_stay_in_their_declared_ranges(name):
    op, rng = make(name), np.random.default_rng(0)
    assert all(RANGES[name](op, draw(op, rng)) for _ in range(DRAWS))


@every_op
def test_no_other_source_of_chance_is_used(name, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("chance must come from the generator that was handed over")

    for function in ("random", "uniform", "rand", "normal", "randint", "permutation"):
        monkeypatch.setattr(np.random, function, refuse)
    rng = np.random.default_rng(0)
    monkeypatch.setattr(np.random, "default_rng", refuse)
    draw(make(name), rng)


@pytest.mark.parametrize("name", WITH_CHANCE)
def test_the_view_that_came_in_is_not_changed(name):
    op, before = make(name), source_view()
    after = op.draw(before, np.random.default_rng(0))
    assert numbers(before) == numbers(source_view())
    assert after is not before
    assert (after.source, after.size) == (before.source, before.size)
    assert after.names == ("crop", name)


@every_op
def test_an_operation_cannot_be_changed(name):
    op = make(name)
    for field in fields(op):
        if field.name != "_":
            with pytest.raises(FrozenInstanceError):
                setattr(op, field.name, 0.5)


@every_op
def test_operations_with_the_same_parameters_are_equal(name):
    assert make(name) == make(name)
    assert hash(make(name)) == hash(make(name))


@pytest.mark.parametrize("name", WITH_CHANCE)
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_probability_is_honoured(name, p):
    chosen, rng = Policy(globals=Crops(count=1, size=16), after=(make(name, p=p),)), np.random.default_rng(0)
    applied = sum(name in chosen.draw([(20, 20)], "", rng)[0].names for _ in range(DRAWS))
    # Four standard deviations of the binomial: a right implementation fails once in 16,000 seeds.
    assert abs(applied - p * DRAWS) <= 4 * np.sqrt(DRAWS * p * (1 - p))


@pytest.mark.parametrize("name", WITH_CHANCE)
def test_an_operation_has_a_probability_of_its_own(name):
    assert 0 < make(name).p <= 1


@every_op
def test_a_misspelt_parameter_is_refused_with_the_right_one(name):
    right = max((field.name for field in fields(OPS[name]) if field.name != "_"), key=len)
    misspelt = right + right[-1]
    with pytest.raises(NatviewsError, match=f"{name} has no '{misspelt}'; (did you mean|it knows) .*{right}"):
        check(OPS[name], NEEDED.get(name, {}) | {misspelt: 1}, name)
    with pytest.raises(TypeError):
        make(name, **{misspelt: 1})


@every_op
def test_parameters_are_given_by_name_alone(name):
    with pytest.raises(TypeError):
        OPS[name](*NEEDED.get(name, {"p": 0.5}).values())
