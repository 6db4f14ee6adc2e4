import pytest

from natviews.encoders import Encoder
from natviews.methods import METHODS, Progress
from natviews.training import Recipe
from natviews.training.optimising import optimiser_of, set_rates
from natviews.training.recipe import Schedule


def test_the_rate_of_a_constant_part_does_not_fall_and_lars_leaves_norms_alone():
    encoder = Encoder.create(Recipe.load("demo").encoder)
    method = METHODS["simsiam"](encoder, hidden=32, out=32, bottleneck=16)
    schedule = Schedule(
        optimiser="lars", lr=0.2, head_lr=0.5, warmup_epochs=0, epochs=10, weight_decay=(1e-4, 1e-4)
    )
    optimiser = optimiser_of(method, schedule)
    assert type(optimiser).__name__ == "Lars"
    predictor = {id(parameter) for parameter in method.predictor.parameters()}
    for fraction, factor in ((0, 1.0), (50, 0.5), (99, 0.0)):
        set_rates(optimiser, schedule, Progress(fraction, 100, fraction / 10))
        for group in optimiser.param_groups:
            full = 0.1 if group["rate"] == 0.5 else 0.2
            constant = id(group["params"][0]) in predictor
            assert group["lr"] == pytest.approx(full if constant else full * factor, abs=1e-3)
            # LARS adapts rates only where it decays, and neither concerns biases and norms.
            assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
