"""What every view operation keeps to. A new one is found by its place in OPS; it needs a line in RANGES."""

import math
import random
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from natviews.config import check
from natviews.types import NatviewsError
from natviews.views import OPS, Policy, Shape, View, Window, op_named, render
from natviews.views.geometry import MIRROR, after, applied, inverse
from natviews.views.ops import Crops
from natviews.views.ops.colouring import lamp_gains
from natviews.views.view import Scene

DRAWS = 1000
HEIGHT, WIDTH = 150, 200
BOX = Window(30, 20, 170, 130)
SCENE = Scene([Shape(HEIGHT, WIDTH, BOX)] * 2, [Shape(60, 80)] * 5, [Shape(80, 60)] * 5)
NEAR = 1e-6


def source_view() -> View:
    view = View.of(SCENE, 0)
    view.crop(Window(10, 20, 106, 100), (64, 64))
    view.steps.append(("brightness", 1.1))
    return view


def draw(op, rng: random.Random) -> View:
    view = source_view()
    op.draw(view, rng)
    return view


def moved(view: View, x: float, y: float) -> tuple[float, float]:
    """Where a place of the new view (in shares of its sides) was in the old one."""
    change = after(inverse(source_view().anchor.homography), view.anchor.homography)
    u, v = applied(change, x * 64, y * 64)
    return u / 64, v / 64


def corners(view: View) -> list[tuple[float, float]]:
    return [moved(view, x, y) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]


def within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] - NEAR <= value <= bounds[1] + NEAR


def added(view: View) -> tuple:
    """The one step that was added."""
    assert view.steps[0] == ("brightness", 1.1)
    (step,) = view.steps[1:]
    return step


def flip_is_in_range(op, view):
    return np.allclose(corners(view), [(1, 0), (0, 0), (0, 1), (1, 1)])


def turn_is_in_range(op, view):
    middle, right = moved(view, 0.5, 0.5), moved(view, 1, 0.5)
    angle = math.degrees(math.atan2(right[1] - middle[1], right[0] - middle[0]))
    return np.allclose(middle, 0.5) and abs(angle) <= op.degrees + NEAR


def perspective_is_in_range(op, view):
    there = after(inverse(view.anchor.homography), source_view().anchor.homography)
    seen = [applied(there, x * 64, y * 64) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    inwards = [(abs(x / 64 - (i in (1, 2))), abs(y / 64 - (i > 1))) for i, (x, y) in enumerate(seen)]
    return all(within(step, (0, op.distortion / 2)) for corner in inwards for step in corner)


def zoom_out_is_in_range(op, view):
    (left, top), _, (right, bottom), _ = corners(view)
    return within(right - left, op.factor) and left <= NEAR and top <= NEAR and min(right, bottom) >= 1 - NEAR


def central_crop_is_in_range(op, view):
    left, top, right, bottom = (*applied(view.anchor.homography, 0, 0), *applied(view.anchor.homography, 64, 64))
    share = (right - left) / (BOX.right - BOX.left)
    return np.allclose([share, (left + right) / 2, (top + bottom) / 2], [op.share, 100, 75])


def patch_is_in_range(op, view):
    left, _, right, _ = (*applied(view.anchor.homography, 0, 0), *applied(view.anchor.homography, 64, 64))
    return within((right - left) / (BOX.right - BOX.left), op.share) and within((left + right) / 2, (65, 135))


def jitter_is_in_range(op, view):
    steps = dict(view.steps[1:])
    strengths = {"brightness": op.brightness, "contrast": op.contrast, "saturation": op.saturation}
    factors = all(within(steps[name], (max(0.0, 1 - s), 1 + s)) for name, s in strengths.items())
    return factors and within(steps["hue"], (-op.hue, op.hue)) and len(steps) == 4


def lamp_is_in_range(op, view):
    name, red, green, blue = added(view)
    cool, hot = (lamp_gains(kelvin) for kelvin in op.kelvin)
    return name == "gains" and green == 1 and hot[0] <= red <= cool[0] and cool[2] <= blue <= hot[2]


def blur_is_in_range(op, view):
    name, sigma = added(view)
    return name == "blur" and within(sigma * 224 / 64, op.sigma)


def covers_within(view, layer=-1):
    back = inverse(view.layers[layer].clip)
    (left, top), (right, bottom) = applied(back, 0, 0), applied(back, 1, 1)
    assert -NEAR <= left <= right <= 64 + NEAR and -NEAR <= top <= bottom <= 64 + NEAR
    return (right - left) / 64, (bottom - top) / 64


def erase_is_in_range(op, view):
    width, height = covers_within(view)
    return width * height <= op.area[1] + NEAR and view.layers[-1].source.kind == "colour"


def ground_is_in_range(op, view):
    return view.layers[0].source.kind == "ground" and view.anchor.cut_out and len(view.layers) == 2


def watermark_is_in_range(op, view):
    mark = view.layers[-1]
    size = within(max(covers_within(view)), op.scale) if mark.clip else mark.repeat
    return size and within(mark.opacity, op.opacity) and mark.source.kind == "train mark"


def collage_is_in_range(op, view):
    for layer in range(len(view.layers)):
        covers_within(view, layer)
    return within(len(view.layers), op.cells) and view.shown.count(0) == 1


RANGES = {
    "background": ground_is_in_range,
    "blur": blur_is_in_range,
    "centralcrop": central_crop_is_in_range,
    "collage": collage_is_in_range,
    "erase": erase_is_in_range,
    "flip": flip_is_in_range,
    "grey": lambda op, view: added(view) == ("grey", 1.0),
    "jitter": jitter_is_in_range,
    "jpeg": lambda op, view: added(view)[0] == "jpeg" and within(added(view)[1], op.quality),
    "patchzoom": patch_is_in_range,
    "perspective": perspective_is_in_range,
    "planckian": lamp_is_in_range,
    "rotate": turn_is_in_range,
    "solarise": lambda op, view: added(view)[0] == "solarise" and within(added(view)[1], op.threshold),
    "watermark": watermark_is_in_range,
    "zoomout": zoom_out_is_in_range,
}
every_op = pytest.mark.parametrize("name", sorted(OPS))


def test_every_operation_declares_its_ranges_here():
    assert set(RANGES) == set(OPS)


@every_op
def test_the_same_seed_gives_the_same_view(name):
    op = OPS[name]()
    for seed in range(20):
        assert draw(op, random.Random(seed)) == draw(op, random.Random(seed))


@every_op
def test_drawn_parameters_stay_in_their_declared_ranges(name):
    op, rng = OPS[name](), random.Random(0)
    assert all(RANGES[name](op, draw(op, rng)) for _ in range(DRAWS))


@every_op
def test_an_operation_that_does_something_changes_the_view(name):
    assert any(draw(OPS[name](), random.Random(seed)) != source_view() for seed in range(5))


@every_op
def test_no_other_source_of_chance_is_used(name, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("chance must come from the generator that was handed over")

    op, rng = OPS[name](), random.Random(0)
    draw(op, random.Random(0))  # generated pictures are seeded by their number, whenever they are made
    for function in ("random", "uniform", "rand", "normal", "randint", "permutation", "default_rng"):
        monkeypatch.setattr(np.random, function, refuse)
    for function in ("random", "uniform", "randint", "randrange", "choice", "shuffle", "sample"):
        monkeypatch.setattr(random, function, refuse)
    draw(op, rng)


@every_op
def test_an_operation_cannot_be_changed(name):
    op = OPS[name]()
    for field in fields(op):
        if field.name != "_":
            with pytest.raises(FrozenInstanceError):
                setattr(op, field.name, 0.5)


@every_op
def test_operations_with_the_same_parameters_are_equal(name):
    assert OPS[name]() == OPS[name]()
    assert hash(OPS[name]()) == hash(OPS[name]())


@every_op
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_the_probability_is_honoured(name, p):
    chosen, rng = Policy(globals=Crops(count=1, size=16), every=(op_named(name, p=p),)), random.Random(0)
    applied = sum(
        name in chosen.draw([Shape(20, 20, Window(5, 5, 15, 15))], "", rng)[0].names for _ in range(DRAWS)
    )
    # Four standard deviations of the binomial: a right implementation fails once in 16,000 seeds.
    assert abs(applied - p * DRAWS) <= 4 * np.sqrt(DRAWS * p * (1 - p))


@every_op
def test_an_operation_has_a_probability_of_its_own(name):
    assert 0 < OPS[name]().p <= 1


@every_op
def test_what_is_drawn_can_be_rendered_and_mirrored(name):
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (shape.height, shape.width, 3), dtype=np.uint8) for shape in SCENE.photos]
    for seed in range(3):
        view = draw(OPS[name](), random.Random(seed))
        picture = render(photos, [view])[0]
        assert picture.shape == (64, 64, 3)
        view.steps = [
            step for step in view.steps if step[0] not in ("jpeg", "blur")
        ]  # these do not mirror to the bit
        plain = render(photos, [view])[0]
        view.transform(MIRROR)
        difference = np.abs(render(photos, [view])[0][:, ::-1].astype(int) - plain)
        assert np.mean(difference > 2) < 0.02  # edges of layers may fall on either of two pixels


@every_op
def test_a_misspelt_parameter_is_refused_with_the_right_one(name):
    right = max((field.name for field in fields(OPS[name]) if field.name != "_"), key=len)
    misspelt = right + right[-1]
    with pytest.raises(NatviewsError, match=f"{name} has no '{misspelt}'; (did you mean|it knows) .*{right}"):
        check(OPS[name], {misspelt: 1}, name)
    with pytest.raises(TypeError):
        OPS[name](**{misspelt: 1})


@every_op
def test_parameters_are_given_by_name_alone(name):
    with pytest.raises(TypeError):
        OPS[name](0.5)


@every_op
def test_an_operation_says_what_it_does(name):
    assert OPS[name].__doc__ and not OPS[name].__doc__.startswith(OPS[name].__name__ + "(")
