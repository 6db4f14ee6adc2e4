"""Policies: which photo each view shows, and which operations it meets."""

import random
from dataclasses import fields

import numpy as np
import pytest
import yaml

from natviews.types import NatviewsError
from natviews.views import POLICIES, Policy, Shape, Window, load_policy, policy
from natviews.views.geometry import applied
from natviews.views.ops import (
    Blur,
    Collage,
    Crops,
    Flip,
    Grey,
    Jitter,
    Perspective,
    Rotate,
    Solarise,
    Watermark,
)

PAIR = [(200, 300), (120, 80)]


def draw(chosen: Policy, photos=PAIR, product_type: str = "", seed: int = 0, **companions):
    return chosen.draw(photos, product_type, random.Random(seed), **companions)


def crops(count: int = 2, size: int = 64) -> Crops:
    return Crops(count=count, size=size)


def test_a_natural_pair_gives_one_global_view_of_each_photo_and_local_ones_of_the_first():
    views = draw(Policy(globals=crops(2, 64), locals=crops(5, 32)))
    assert [view.source for view in views] == [0, 1, 0, 0, 0, 0, 0]
    assert [view.size for view in views] == [(64, 64)] * 2 + [(32, 32)] * 5


def test_a_single_photo_gives_all_views():
    views = draw(Policy(globals=crops(2), locals=crops(3, 32)), PAIR[:1])
    assert [view.source for view in views] == [0] * 5


def test_further_global_views_take_turns():
    assert [view.source for view in draw(Policy(globals=crops(5)))] == [0, 1, 0, 1, 0]


def test_each_crop_lies_in_the_photo_that_it_shows():
    for seed in range(50):
        for view in draw(Policy(globals=crops(2), locals=crops(4, 32)), seed=seed):
            height, width = PAIR[view.source]
            left, top = applied(view.anchor.homography, 0, 0)
            right, bottom = applied(view.anchor.homography, *view.size)
            assert -1e-6 <= left < right <= width + 1e-6
            assert -1e-6 <= top < bottom <= height + 1e-6


def test_views_of_one_step_are_drawn_independently():
    views = draw(policy("skill", size=64, locals=4))
    assert len({view.anchor.homography for view in views}) == len(views)
    assert len({tuple(view.steps) for view in draw(policy("simclr"), seed=3)}) == 2


def test_the_product_type_selects_the_operations():
    by_type = {"shoe": (Flip(p=1.0),), "dress": (Grey(p=1.0),), "": (Rotate(p=1.0), Grey(p=1.0))}
    chosen = Policy(globals=crops(), by_type=by_type)
    assert [view.names for view in draw(chosen, product_type="shoe")] == [["flip"]] * 2
    assert [view.names for view in draw(chosen, product_type="Ball Gown")] == [["grey"]] * 2  # by its family
    assert [view.names for view in draw(chosen, product_type="hat")] == [["rotate", "grey"]] * 2
    assert [view.names for view in draw(chosen)] == [["rotate", "grey"]] * 2


def test_a_type_without_operations_of_its_own_or_of_all_has_none():
    chosen = Policy(globals=crops(), by_type={"shoe": (Flip(p=1.0),)})
    assert [view.names for view in draw(chosen, product_type="hat")] == [[]] * 2


def test_the_types_operations_come_before_the_crop_and_the_others_after():
    # A turn about the photo's middle moves a crop's middle; a turn of the view does not.
    size, crop = (100, 100), Crops(count=1, size=50, area=(0.04, 0.04), aspect=(1, 1))
    before = Policy(globals=crop, by_type={"": (Rotate(degrees=180, p=1.0),)})
    after = Policy(globals=crop, every=(Rotate(degrees=180, p=1.0),))
    for seed in range(20):
        view = draw(after, [size], seed=seed)[0]
        x, y = applied(view.anchor.homography, 25, 25)
        assert 10 <= x <= 90 and 10 <= y <= 90  # a fifth of the side about its middle fits the photo
    middles = [applied(draw(before, [size], seed=seed)[0].anchor.homography, 25, 25) for seed in range(200)]
    assert any(min(x, y, 100 - x, 100 - y) < 5 for x, y in middles)


def test_operations_come_in_the_order_type_one_side_every_each():
    chosen = Policy(
        globals=crops(2),
        locals=crops(1, 32),
        by_type={"": (Flip(p=1.0),)},
        one_side=(Collage(p=1.0),),
        every=(Jitter(p=1.0), Grey(p=1.0)),
        per_global=((Blur(p=1.0),), (Solarise(p=1.0),)),
        per_local=(Rotate(p=1.0),),
    )
    drawn = [[name for name in view.names if name != "collage"] for view in draw(chosen)]
    assert drawn == [
        ["flip", "jitter", "grey", "blur"],
        ["flip", "jitter", "grey", "solarise"],
        ["flip", "jitter", "grey", "rotate"],
    ]
    with_collage = next(view.names for view in draw(chosen) if "collage" in view.names)
    assert with_collage.index("flip") < with_collage.index("collage") < with_collage.index("jitter")


def test_entries_per_global_take_turns():
    chosen = Policy(globals=crops(4), per_global=((Grey(p=1.0),), (Flip(p=1.0),)))
    assert [view.names for view in draw(chosen)] == [["grey"], ["flip"]] * 2


def test_one_side_is_either_of_the_global_views_and_never_both_or_a_local_one():
    chosen = Policy(globals=crops(2), locals=crops(2, 32), one_side=(Collage(p=1.0),))
    sides = []
    for seed in range(400):
        on = [i for i, view in enumerate(draw(chosen, seed=seed)) if "collage" in view.names]
        assert len(on) == 1 and on[0] < 2
        sides += on
    assert np.mean(sides) == pytest.approx(0.5, abs=0.1)  # four standard deviations


def test_a_collage_shows_the_companions_it_is_given():
    chosen = Policy(globals=crops(1), one_side=(Collage(cells=(5, 5), p=1.0),))
    view = draw(chosen, [(50, 50)], siblings=[(60, 60)] * 2, others=[(70, 70)] * 5)[0]
    assert len(view.shown) == 5 and set(view.shown) <= set(range(8))
    assert chosen.companions == 4
    assert Policy(globals=crops()).companions == 0


def test_the_same_seed_gives_the_same_views():
    chosen = policy("skill", size=64, locals=4)
    assert draw(chosen, seed=5) == draw(chosen, seed=5)
    assert draw(chosen, seed=5) != draw(chosen, seed=6)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_draws_two_global_views_of_the_size_asked_for(name):
    chosen = policy(name, size=96)
    assert chosen.size == 96
    views = draw(chosen)
    assert [view.source for view in views[:2]] == [0, 1]
    assert [view.size for view in views[:2]] == [(96, 96)] * 2


def shares(name: str, draws: int = 2000, product_type: str = "", of=slice(0, 2)) -> dict[str, float]:
    """How often each operation takes part in a global view, of photos whose product's box is known."""
    chosen, rng = policy(name, size=64), random.Random(0)
    photos = [Shape(200, 300, Window(50, 20, 250, 180)), Shape(120, 80, Window(10, 10, 70, 110))]
    names = [view.names for _ in range(draws // 2) for view in chosen.draw(photos, product_type, rng)[of]]
    return {op: float(np.mean([op in done for done in names])) for op in {op for done in names for op in done}}


CLOTHES = {"flip": 0.5, "rotate": 0.5, "centralcrop": 0.5, "perspective": 0.3, "patchzoom": 0.3, "erase": 0.2}
COLOUR = {"jitter": 0.8, "grey": 0.5, "blur": 0.5}


# Each share of 2,000 draws lies within 0.045 of its probability: four standard deviations of p 0.5.
@pytest.mark.parametrize(
    ("name", "product_type", "expected"),
    [
        ("none", "", {}),
        ("simclr", "", {"flip": 0.5, "jitter": 0.8, "grey": 0.2, "blur": 0.5}),
        ("moco", "", {"flip": 0.5, "jitter": 0.8, "grey": 0.2, "blur": 0.5}),
        ("identity", "", {"flip": 0.5, "jitter": 0.8}),
        ("byol", "", {"flip": 0.5, "jitter": 0.8, "grey": 0.2, "blur": 0.55, "solarise": 0.1}),
        ("dino", "", {"flip": 0.5, "jitter": 0.8, "grey": 0.2, "blur": 0.55, "solarise": 0.1}),
        # A collage is on one side of a pair: in half as many views.
        (
            "sea",
            "",
            {"flip": 0.5, "perspective": 0.5, "rotate": 0.3, "watermark": 0.3, "jitter": 0.8, "collage": 0.05},
        ),
        ("skill", "", COLOUR | {"flip": 0.5, "perspective": 0.3}),
        ("skill", "dress", COLOUR | CLOTHES),
        ("skill", "shirt", COLOUR | CLOTHES),
        ("skill", "jeans", COLOUR | {k: v for k, v in CLOTHES.items() if k != "patchzoom"}),
        ("skill", "boots", COLOUR | {"flip": 0.5, "rotate": 0.5, "perspective": 0.5}),
        (
            "skill",
            "sofa",
            COLOUR | {"flip": 0.5, "rotate": 0.3, "perspective": 0.3, "zoomout": 0.3, "background": 0.3},
        ),
        ("skill-no-local", "dress", COLOUR | {"flip": 0.5}),
        ("skill-weak-colour", "dress", dict.fromkeys(COLOUR, 0.1) | CLOTHES),
    ],
)
def test_a_policy_applies_its_operations_as_often_as_its_paper_says(name, product_type, expected):
    assert shares(name, product_type=product_type) == pytest.approx(expected, abs=0.045)


@pytest.mark.parametrize("name", ["byol", "dino"])
def test_the_two_global_views_of_an_asymmetric_policy_differ(name):
    first, second = (shares(name, of=slice(i, i + 1)) for i in range(2))
    assert first["blur"] == 1.0 and "solarise" not in first
    assert second["blur"] == pytest.approx(0.1, abs=0.04) and second["solarise"] == pytest.approx(0.2, abs=0.05)


def test_watermarks_and_collages_come_as_often_as_in_sea():
    chosen, rng = policy("sea", size=64), random.Random(0)
    steps = [chosen.draw(PAIR, "", rng, others=[(9, 9)] * 5) for _ in range(4000)]
    marked = np.mean(["watermark" in view.names for views in steps for view in views])
    collaged = np.mean([any("collage" in view.names for view in views) for views in steps])
    # Four standard deviations of 8,000 and of 4,000 draws; 0.32 or 0.12 would be seen with a power above 0.97.
    assert marked == pytest.approx(0.30, abs=0.0205)
    assert collaged == pytest.approx(0.10, abs=0.019)


def test_no_policy_at_all_is_the_largest_centred_square():
    for view in draw(policy("none", size=64), [(200, 300)]):
        assert applied(view.anchor.homography, 0, 0) == pytest.approx((50, 0))
        assert applied(view.anchor.homography, 64, 64) == pytest.approx((250, 200))
        assert view.steps == []


def test_the_identity_policy_keeps_colour():
    chosen = policy("identity")
    assert {type(op) for op in chosen.every} == {Flip, Jitter}
    assert chosen.every[1].hue == pytest.approx(0.04)


def test_two_product_types_differ_in_what_they_allow():
    chosen = policy("skill")
    assert chosen.of_type("sofa") != chosen.of_type("dress")
    turns = {
        kind: next(op.degrees for op in chosen.of_type(kind) if isinstance(op, Rotate)) for kind in ("sofa", "bag")
    }
    assert turns == {"sofa": 10, "bag": 30}
    assert chosen.needs_foreground("dress") and not chosen.needs_foreground("bag")


def test_the_sea_policy_has_the_rulings_strengths():
    chosen = policy("sea")
    ops = {type(op): op for op in (*chosen.every, *chosen.one_side)}
    assert ops[Perspective].distortion == 0.4 and ops[Rotate].degrees == 30
    jitter = ops[Jitter]
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.6, 0.4, 0.8, 0.1)
    assert ops[Watermark].scale == (0.1, 0.4) and ops[Watermark].opacity == (0.3, 0.8)
    assert ops[Watermark].pool == "train"
    assert ops[Collage].cells == (1, 6)


@pytest.mark.parametrize(("size", "local"), [(224, 96), (96, 40), (64, 24), (32, 16)])
def test_local_views_are_smaller_in_the_proportion_of_dino(size, local):
    chosen = policy("skill", size=size, locals=3)
    assert (chosen.locals.size, chosen.locals.count) == (local, 3)
    assert chosen.locals.area[1] == chosen.globals.area[0]


def test_the_skill_policy_may_go_without_local_views():
    assert policy("skill", locals=0).locals is None
    assert len(draw(policy("skill", size=64, locals=0))) == 2


def test_the_strength_scales_the_colour_jitter():
    jitter = policy("simclr", strength=0.5).every[1]
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == pytest.approx(
        (0.4, 0.4, 0.4, 0.1)
    )


JEWELLERY = """
views:
  name: own
  globals: {count: 2, area: [0.5, 1.0]}
  locals: {count: 4, size: 96, area: [0.1, 0.5]}
  by_type:
    ring: [{rotate: {degrees: 180, p: 1.0}}]
    "": [flip]
  every:
    - jitter: {brightness: 0.2, hue: 0}
  per_global: [[blur], [grey, solarise]]
"""


def test_a_policy_of_ones_own_is_a_block_of_yaml(tmp_path):
    file = tmp_path / "jewellery.yaml"
    file.write_text(JEWELLERY)
    assert load_policy(str(file), size=160) == Policy(
        globals=Crops(count=2, size=160, area=(0.5, 1.0)),
        locals=Crops(count=4, size=96, area=(0.1, 0.5)),
        by_type={"ring": (Rotate(degrees=180.0, p=1.0),), "": (Flip(),)},
        every=(Jitter(brightness=0.2, hue=0.0),),
        per_global=((Blur(),), (Grey(), Solarise())),
    )
    assert load_policy("moco", size=96) == policy("moco", size=96)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"every": ["flpi"]}, "There is no operation 'flpi'; did you mean 'flip'?"),
        ({"every": [{"rotate": {"degres": 5}}]}, "every: rotate has no 'degres'; did you mean 'degrees'?"),
        ({"every": [{"rotate": {"degrees": 500}}]}, "degrees = 500.0 must be a number within 0 to 180"),
        ({"every": [{"rotate": {}, "flip": {}}]}, "is neither an operation's name nor"),
        ({"every": [{"rotate": 5}]}, "must be a mapping"),
        ({"every": "flip"}, "does not fit"),
        ({"every": [3]}, "is neither an operation's name nor"),
        ({"globals": {"count": 2, "aera": [0.5, 1]}}, "globals has no 'aera'; did you mean 'area'?"),
        ({"locals": {"count": 2}}, "locals: size is missing"),
        ({"by_typ": {}}, "did you mean 'by_type'?"),
        ({"by_type": {"dress": [{"erase": {"p": 2}}]}}, "p = 2.0 must be a number within 0 to 1"),
    ],
)
def test_a_mistake_in_a_policy_of_ones_own_is_refused_when_it_is_written(wrong, said):
    with pytest.raises(NatviewsError) as caught:
        policy("own", **wrong)
    assert said in str(caught.value)


def test_a_file_without_a_policy_is_refused(tmp_path):
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump({"method": "simclr"}))
    with pytest.raises(NatviewsError, match="other.yaml has no block `views:` with a name"):
        load_policy(str(file))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("simcrl", {}, "There is no policy 'simcrl'; did you mean 'simclr'?"),
        ("simclr", {"strenght": 1}, "did you mean 'strength'?"),
        ("skill", {"size": "large"}, "does not fit"),
        ("simclr", {"area": (0.5, 0.1)}, "must be a rising range"),
        ("simclr", {"strength": -1}, "must be a number within"),
        ("skill", {"locals": -1}, "must be within 1 to 100"),
        ("sea", {"watermark": 1.1}, "p = 1.1 must be a number within 0 to 1"),
    ],
)
def test_a_wrong_policy_or_parameter_is_refused(name, values, said):
    with pytest.raises(NatviewsError) as caught:
        policy(name, **values)
    assert said in str(caught.value)


def test_a_policy_is_data():
    assert policy("skill") == policy("skill")
    assert all(field.init for field in fields(Policy))
