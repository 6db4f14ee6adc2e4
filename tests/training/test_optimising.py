"""The optimiser's groups and rates, and what changes a pretrained encoder less."""

import copy
import json
import math
import sys

import pytest
import torch

from natviews.encoders import Architecture, Encoder, add_adapters, without_adapters
from natviews.methods import METHODS, Progress, Views
from natviews.training import Recipe, loop, train
from natviews.training.optimising import hold_encoder, optimiser_of, set_rates
from natviews.training.recipe import Schedule
from natviews.types import NatviewsError

SMALL = Architecture(name="small", size=32, options={"width": 16})
VIT = Architecture(
    name="vit_tiny_patch16_224",
    size=32,
    options={"patch_size": 8, "img_size": 32, "depth": 2, "embed_dim": 48, "dynamic_img_size": True},
)
MOBILE = Architecture(name="mobilenetv2_050", size=32)


def simclr(architecture=SMALL):
    torch.manual_seed(0)
    return METHODS["simclr"](Encoder.create(architecture), hidden=32, out=16)


def views(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Views([torch.randn(4, 3, 32, 32, generator=generator) for _ in range(2)], torch.arange(4))


def rates_of(optimiser, method):
    """The rate of every parameter by its name."""
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    return {name: rates[id(parameter)] for name, parameter in method.named_parameters()}


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


def falling(angle):
    """Half a cosine at an angle in degrees, from 1 at 0 to 0 at 180."""
    return (1 + math.cos(math.radians(angle))) / 2


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
@pytest.mark.parametrize(
    ("step", "of_heads", "of_encoder"),
    # 10 epochs of 10 steps: heads are warm at 10 and on the cosine to 100, an angle of 2 degrees a step; the
    # encoder waits until 20 and is warm at 30, on the same cosine.
    [
        (0, 1 / 11, 0),
        (5, 6 / 11, 0),
        (10, 1, 0),
        (19, falling(18), 0),
        (20, falling(20), falling(40) / 11),
        (25, falling(30), falling(40) * 6 / 11),
        (29, falling(38), falling(40) * 10 / 11),
        (30, falling(40), falling(40)),
        (55, 0.5, 0.5),
        (99, falling(178), falling(178)),
        (100, 0, 0),
    ],
)
def test_every_rate_is_what_it_is_by_hand(name, step, of_heads, of_encoder):
    schedule = Schedule(
        optimiser=name,
        epochs=10,
        lr=0.1,
        head_lr=3.0,
        warmup_epochs=1,
        layer_decay=0.5,
        heads_first=2,
        weight_decay=(0.2, 0.4),
    )
    method = simclr()
    optimiser = optimiser_of(method, schedule)
    set_rates(optimiser, schedule, Progress(step, 100, step / 10))
    rates = rates_of(optimiser, method)
    assert rates.keys() == {name for name, _ in method.named_parameters()}
    for parameter, rate in rates.items():
        assert rate == pytest.approx(0.1 * by_hand(parameter, of_heads, of_encoder), abs=1e-12), parameter
    for group in optimiser.param_groups:
        decay = 0.2 + 0.2 * (1 - falling(1.8 * step))
        assert all(group["weight_decay"] == pytest.approx(decay if p.ndim > 1 else 0) for p in group["params"])


def by_hand(parameter, of_heads, of_encoder):
    if parameter.startswith("projector"):
        return 3 * of_heads
    layer = 0 if "stem" in parameter else 1 + int(parameter.split("stages.")[1][0])
    return of_encoder * 0.5 ** (5 - layer)


@pytest.mark.parametrize("steps", [1, 3, 37, 1000])
@pytest.mark.parametrize("heads_first", [0, 0.5, 3, 7, 9.9])
@pytest.mark.parametrize("warmup", [0, 0.3, 4, 50])
def test_no_rate_is_negative_or_above_its_peak_and_all_end_at_zero(steps, heads_first, warmup):
    schedule = Schedule(epochs=10, lr=0.1, warmup_epochs=warmup, heads_first=heads_first, layer_decay=0.9)
    method = simclr()
    optimiser = optimiser_of(method, schedule)
    course = []
    for step in [*range(0, steps, max(1, steps // 100)), steps]:
        set_rates(optimiser, schedule, Progress(step, steps, 10 * step / steps))
        course.append(rates_of(optimiser, method))
    ends = {"online.backbone.stages.4.body.3.weight": heads_first, "projector.0.weight": 0}
    for name, waits in ends.items():
        rates = [rate[name] for rate in course]
        assert all(0 <= rate <= 0.1 for rate in rates) and rates[-1] == pytest.approx(0, abs=1e-12)
        top = rates.index(max(rates))
        assert rates[: top + 1] == sorted(rates[: top + 1])
        assert rates[top:] == sorted(rates[top:], reverse=True)
        if steps == 1000:
            assert max(rates) > 0 and rates.count(0) <= 1 + 10 * waits + 1e-9


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [
        (SMALL, 6),
        (VIT, 3),
        (MOBILE, 18),
        (Architecture(name="resnet18", size=32), 9),
        (Architecture(name="vit_tiny_patch16_224"), 13),
    ],
    ids=lambda value: value.name if isinstance(value, Architecture) else str(value),
)
def test_each_layer_is_slower_than_the_one_after_it(architecture, layers):
    method = simclr(architecture)
    optimiser = optimiser_of(method, Schedule(layer_decay=0.7))
    rates = {id(p): group["rate"] for group in optimiser.param_groups for p in group["params"]}
    # All these networks name their parameters in the order in which a photo meets them.
    course = [rates[id(parameter)] for parameter in method.online.parameters()]
    assert course == sorted(course)
    assert sorted(set(course)) == pytest.approx([0.7**distance for distance in reversed(range(layers))])
    assert {rates[id(parameter)] for parameter in method.projector.parameters()} == {1.0}
    assert optimiser.param_groups[0]["rate"] == 1.0  # what the log shows


def test_layers_that_cannot_be_told_apart_are_refused_where_they_have_to_be():
    method = simclr(Architecture(name="pit_ti_224"))
    optimiser_of(method, Schedule())
    with pytest.raises(NatviewsError, match=r"PoolingVisionTransformer.*layer_decay to 1"):
        optimiser_of(method, Schedule(layer_decay=0.9))


def test_heads_first_is_refused_where_there_are_none():
    method = simclr()
    method.projector.requires_grad_(False)
    optimiser_of(method, Schedule())
    with pytest.raises(NatviewsError, match=r"SimCLR trains nothing but the encoder.*heads_first"):
        optimiser_of(method, Schedule(heads_first=1))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("layer_decay=0", "layer_decay must be above 0 and at most 1"),
        ("layer_decay=1.1", "layer_decay must be above 0 and at most 1"),
        ("layer_decay=.nan", "layer_decay must be above 0 and at most 1"),
        ("heads_first=-1", "heads_first must be 0 to less than all 60 epochs, not -1"),
        ("heads_first=60", "heads_first must be 0 to less than all 60 epochs, not 60"),
        ("heads_first=.nan", "heads_first must be 0 to less than all 60 epochs"),
        ("lora=-1", "lora must be a rank"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(setting, said):
    with pytest.raises(NatviewsError, match=said):
        Recipe.load("demo", [f"training.{setting}"])


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("architecture", [SMALL, MOBILE, VIT], ids=lambda architecture: architecture.name)
def test_the_fused_optimiser_moves_the_weights_as_the_plain_one_does(architecture, device):
    """Even where parameters lie in memory channels last, and after its state was saved and loaded."""
    method = simclr(architecture).to(device)
    schedule = Schedule(warmup_epochs=0, epochs=10, lr=1e-3)
    optimiser = optimiser_of(method, schedule)
    plain_method = copy.deepcopy(method)
    plain = torch.optim.AdamW(
        [
            {**{key: group[key] for key in ("rate", "decayed", "constant", "of_encoder")}, "params": parameters}
            for group in optimiser.param_groups
            for parameters in [twins(group["params"], method, plain_method)]
        ],
        fused=False,
        foreach=False,
    )
    for step in range(4):
        if step == 2:
            state = optimiser.state_dict()
            optimiser = optimiser_of(method, schedule)
            optimiser.load_state_dict(copy.deepcopy(state))
        method.zero_grad()
        method.loss(moved(views(step), device), Progress(step, 10, step)).total.backward()
        for parameter, twin in zip(method.parameters(), plain_method.parameters(), strict=True):
            twin.grad = parameter.grad.clone()
            assert lies_as(parameter) == lies_as(parameter.grad)  # else the fused one mixes its elements up
        for moving in (optimiser, plain):
            set_rates(moving, schedule, Progress(step, 10, step))
            moving.step()
    assert all(group["fused"] for group in optimiser.param_groups)
    for (name, parameter), twin in zip(method.named_parameters(), plain_method.parameters(), strict=True):
        assert torch.allclose(parameter, twin, rtol=1e-4, atol=1e-7), name


def twins(parameters, method, other):
    """The parameters of another copy of the method that are in the places of these."""
    wanted = {id(parameter) for parameter in parameters}
    pairs = zip(method.parameters(), other.parameters(), strict=True)
    return [twin for parameter, twin in pairs if id(parameter) in wanted]


def lies_as(tensor):
    """How far apart neighbours are in memory, in the directions that have any."""
    return [step for step, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]


def moved(batch, device):
    return Views([crop.to(device) for crop in batch.globals], batch.products.to(device))


class Stopped(Exception):
    """A run is to stop here, as if it were killed."""


WITH_TEACHER = [
    "method={name: dino, prototypes: 64, hidden: 32, bottleneck: 16}",
    "views={name: skill, locals: 2, size: 32}",
]
FIRST = ["training.heads_first=1.5", "training.layer_decay=0.6"]  # 3 steps an epoch: steps 0 to 4
ADAPTED = ["encoder.name=vit_tiny_patch16_224", f"encoder.options={json.dumps(VIT.options)}", "training.lora=4"]
RUNS = {
    "simclr": FIRST,
    "dino": FIRST + WITH_TEACHER,
    "simclr adapted": FIRST + ADAPTED,
    "dino adapted": ADAPTED + WITH_TEACHER,
}


class Watched:
    """A tiny run that is looked at after each step, and stopped after some."""

    def __init__(self, catalog, folder, settings, tiny_settings, stops=()):
        if any("dino" in setting for setting in settings):
            tiny_settings = [s for s in tiny_settings if "method" not in s]
        self.recipe = Recipe.load("demo", [*tiny_settings, *settings])
        self.states, self.encoders, self.moved_by = [], [], []
        real, left, measure = loop.step_once, list(stops), loop._measure

        def last_is_best(*arguments):
            return measure(*arguments[:-1], loop.Best())

        def step(fabric, method, optimiser, schedule, batch, now, watch):
            if now.step == 0:
                self.states.append(copy.deepcopy(method.module.state_dict()))
            figures = real(fabric, method, optimiser, schedule, batch, now, watch)
            self.states.append(copy.deepcopy(method.module.state_dict()))
            self.encoders.append(copy.deepcopy(method.module.encoder))
            state = optimiser.state
            self.moved_by.append({name for name, p in method.module.named_parameters() if p in state})
            if left and now.step == left[0]:
                left.pop(0)
                raise Stopped
            return figures

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "step_once", step)
            patch.setattr(loop, "_measure", last_is_best)
            patch.setattr(loop, "CHECKPOINT_SECONDS", 0)
            for _ in stops:
                with pytest.raises(Stopped):
                    train(catalog, self.recipe, folder)
            self.run = train(catalog, self.recipe, folder)

    def changed(self, before, after, where):
        """Which of those entries of the state, weights or statistics, differ between two moments."""
        one, other = self.states[before], self.states[after]
        return {name for name in one if name.startswith(where) and not torch.equal(one[name], other[name])}


@pytest.fixture(scope="module")
def watched(catalog, tmp_path_factory, tiny_settings):
    made = {}

    def of(name):
        if name.endswith("adapted"):
            pytest.importorskip("peft")
        if name not in made:
            made[name] = Watched(catalog, tmp_path_factory.mktemp("whole"), RUNS[name], tiny_settings)
        return made[name]

    return of


@pytest.mark.parametrize(
    ("name", "encoders", "heads"),
    [
        ("simclr", ("online",), "projector"),
        ("dino", ("student.0", "teacher.0"), "student.1"),
        ("simclr adapted", ("online",), "projector"),
    ],
)
def test_heads_first_keeps_every_encoder_as_it_is_and_then_lets_it_go(watched, name, encoders, heads):
    run = watched(name)
    assert len(run.states) == 13
    for step in range(1, 6):
        assert not run.changed(0, step, encoders), step
        assert run.changed(step - 1, step, heads), step
        assert not {parameter for parameter in run.moved_by[step - 1] if parameter.startswith(encoders)}
    learns = {
        parameter
        for parameter in run.states[0]
        if parameter.startswith(encoders) and ("lora" in parameter or not name.endswith("adapted"))
    }
    assert all(run.changed(5, 6, encoder) for encoder in encoders)
    assert run.changed(5, 12, encoders) == learns


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_stopped_twice_ends_as_one_that_is_not(watched, name, catalog, tmp_path, tiny_settings):
    whole = watched(name)
    stopped = Watched(catalog, tmp_path, RUNS[name], tiny_settings, stops=(3, 7))
    assert stopped.run.recipe == whole.run.recipe
    for key, value in whole.states[-1].items():
        assert torch.equal(value, stopped.states[-1][key]), key
    rates = [[entry["lr"] for entry in run.run.curves() if "lr" in entry] for run in (whole, stopped)]
    assert rates[0] == rates[1] and len(rates[0]) == 12


@pytest.mark.parametrize("name", ["simclr adapted", "dino adapted"])
def test_only_adapters_of_the_encoder_learn_and_a_plain_encoder_is_kept(watched, name, monkeypatch):
    run = watched(name)
    learnt = {p for p in run.moved_by[-1] if p.startswith(("online", "student.0"))}
    assert learnt and all(".lora_" in parameter for parameter in learnt)
    assert len(learnt) == 2 * 4 * 2  # A and B of four layers in each of two blocks
    of_encoder = ("online", "student.0", "teacher.0")
    assert run.changed(0, 12, of_encoder) and all(".lora_" in key for key in run.changed(0, 12, of_encoder))

    monkeypatch.setitem(sys.modules, "peft", None)
    best = run.run.folder / "checkpoints" / "best"
    kept = Encoder.load(best)
    assert kept.state_dict().keys() == Encoder.create(VIT).state_dict().keys()
    assert Encoder.load(run.run.encoder).backbone.state_dict().keys() == kept.backbone.state_dict().keys()
    x = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = kept(x)
        assert torch.allclose(features, run.encoders[-1].eval()(x), atol=1e-5)
        assert not torch.allclose(features, Encoder.load(run.run.start)(x), atol=1e-3)


def test_an_adapted_encoder_begins_as_it_was_and_merging_leaves_it_as_it_is():
    pytest.importorskip("peft")
    plain, x = Encoder.create(VIT).eval(), torch.randn(3, 3, 32, 32)
    adapted = copy.deepcopy(plain)
    add_adapters(adapted, 2)
    adapted.eval()
    assert torch.equal(adapted(x), plain(x))
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            assert 2 in parameter.shape
            torch.nn.init.normal_(parameter, std=0.1)
    before = adapted(x)
    merged = without_adapters(adapted)
    assert torch.allclose(merged(x), before, atol=1e-5) and not torch.allclose(before, plain(x), atol=0.1)
    assert torch.equal(adapted(x), before) and any(".lora_" in name for name in adapted.state_dict())
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert without_adapters(plain) is plain
    state, layer = adapted.state_dict(), "backbone.blocks.1.mlp.fc1"
    A, B = (state[f"{layer}.lora_{letter}.default.weight"] for letter in "AB")
    expected = plain.state_dict()[f"{layer}.weight"] + B @ A
    assert torch.allclose(merged.state_dict()[f"{layer}.weight"], expected, atol=1e-6)


def test_layers_keep_their_rates_with_adapters():
    pytest.importorskip("peft")
    encoder = Encoder.create(VIT)
    add_adapters(encoder, 2)
    method = METHODS["simclr"](encoder, hidden=32, out=16)
    optimiser = optimiser_of(method, Schedule(layer_decay=0.5))
    rates = {id(p): group["rate"] for group in optimiser.param_groups for p in group["params"]}
    for name, parameter in method.online.named_parameters():
        if parameter.requires_grad:
            assert rates[id(parameter)] == (0.5 if "blocks.0" in name else 1.0), name


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        (MOBILE, r"mobilenetv2_050 has none.*training\.lora to 0"),
        (Architecture(name="levit_128s", size=224), r"batch norm would move; set encoder\.batchnorm to frozen"),
    ],
)
def test_what_cannot_be_adapted_is_refused(architecture, said):
    pytest.importorskip("peft")
    with pytest.raises(NatviewsError, match=said):
        add_adapters(Encoder.create(architecture), 4)


def test_adapters_without_peft_are_refused_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(NatviewsError, match=r"pip install 'natviews\[lora\]'"):
        add_adapters(Encoder.create(VIT), 4)


def test_without_heads_first_nothing_is_held():
    method = simclr().train()
    schedule = Schedule()
    hold_encoder(method, optimiser_of(method, schedule), schedule, Progress(0, 10, 0.0))
    assert all(module.training for module in method.modules())
    assert all(parameter.requires_grad for parameter in method.parameters())
