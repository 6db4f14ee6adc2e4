import pytest

from natviews.config import check
from natviews.methods import METHODS, RULES, Scale, scalable

SCALES = [Scale(photos, steps) for photos in (1, 60, 3_000, 80_000, 10**7) for steps in (1, 300, 10_000, 10**6)]


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_every_method_takes_what_the_rules_give_it(scale):
    for method in METHODS.values():
        values = {name: RULES[name](scale) for name in scalable(method)}
        assert check(method, values, "method") == values


@pytest.mark.parametrize("name", RULES)
def test_some_method_has_what_a_rule_is_for(name):
    assert any(name in scalable(method) for method in METHODS.values())


def test_what_is_published_is_for_much_data_and_little_data_gets_less():
    imagenet = Scale(1_280_000, 500_000)
    assert RULES["queue"](imagenet) == RULES["prototypes"](imagenet) == 65536
    assert RULES["momentum"](imagenet) == 0.996
    for rule in RULES.values():
        values = [rule(Scale(photos, photos)) for photos in (100, 1_000, 10_000, 100_000, 1_000_000)]
        assert values == sorted(values) and values[0] < values[-1]


@pytest.mark.parametrize("photos", [700, 3_335, 100_000])
def test_a_queue_holds_at_most_a_tenth_of_the_photos(photos):
    assert photos / 20 < RULES["queue"](Scale(photos, 1)) <= photos / 10
