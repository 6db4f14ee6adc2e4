import random

import numpy as np
import pytest
import torch

from natviews.catalog import pack, with_split
from natviews.training.loader import NOBODY, batches
from natviews.training.sampler import PairSampler
from natviews.views import Policy, policy, render
from natviews.views.ops import CentralCrop, Collage, Crops


def stream(catalog, threads, start=0, stop=4):
    packed = with_split(pack(catalog, 96))
    sampler = PairSampler(packed.catalog, pairing="natural", batch=6, seed=3)
    chosen = policy("dino", size=48, locals=2)
    return packed, sampler, chosen, list(batches(packed, sampler, chosen, start=start, stop=stop, threads=threads))


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(catalog):
    one, four = (stream(catalog, threads)[3] for threads in (1, 4))
    for a, b in zip(one, four, strict=True):
        for x, y in zip([*a.globals, *a.locals, a.products], [*b.globals, *b.locals, b.products], strict=True):
            assert torch.equal(x, y)


def test_a_stream_begun_later_goes_on_where_the_other_was(catalog):
    whole = stream(catalog, 2)[3]
    rest = stream(catalog, 2, start=2)[3]
    assert len(rest) == 2
    assert torch.equal(whole[3].globals[1], rest[1].globals[1])


def test_the_second_global_view_shows_the_second_photo_and_local_ones_the_first(catalog):
    packed, sampler, chosen, made = stream(catalog, 2)
    for place, draw in enumerate(sampler.draw(0)):
        photos = [packed.pixels(row) for row in draw.rows]
        views = chosen.draw([p.shape[:2] for p in photos], "", random.Random(repr(draw.rng_key)))
        sources = [0, 1 if len(photos) > 1 else 0, 0, 0]
        for view, source, crop in zip(views, sources, [*made[0].globals, *made[0].locals], strict=True):
            assert np.array_equal(crop[place].numpy(), render(photos, [view])[0])
            assert view.source == source


def test_sizes_are_the_policys(catalog):
    batch = stream(catalog, 2, stop=1)[3][0]
    assert [tuple(crop.shape) for crop in batch.globals] == [(6, 48, 48, 3)] * 2
    assert [tuple(crop.shape) for crop in batch.locals] == [(6, 24, 24, 3)] * 2
    assert batch.globals[0].dtype == torch.uint8


def test_a_collage_names_the_products_that_it_shows_beside_the_rows_own(catalog):
    packed = with_split(pack(catalog, 96))
    every = Policy(globals=Crops(count=2, size=48), one_side=(Collage(cells=(6, 6), p=1.0),))
    sampler = PairSampler(packed.catalog, pairing="natural", batch=16, seed=3, companions=every.companions)
    (batch,) = batches(packed, sampler, every, start=0, stop=1, threads=2)
    draws = sampler.draw(0)
    assert batch.distractors.shape == (16, 5)
    for row, draw in zip(batch.distractors.tolist(), draws, strict=True):
        beside = {number for _, number in draw.others}
        shown = set(row) - {NOBODY}
        assert shown <= beside and draw.product not in shown
        sizes = [
            [packed.size(n) for n in rows] for rows in (draw.rows, draw.siblings, [n for n, _ in draw.others])
        ]
        views = every.draw(sizes[0], "", random.Random(repr(draw.rng_key)), siblings=sizes[1], others=sizes[2])
        numbered = dict(
            enumerate((number for _, number in draw.others), start=len(draw.rows) + len(draw.siblings))
        )
        assert shown == {numbered[n] for view in views for n in view.shown if n in numbered}
    # Of five cells beside the view, half show other products where the product has as many photos itself.
    assert (batch.distractors != NOBODY).float().mean() > 0.4


def test_without_a_collage_nobody_is_named(catalog):
    batch = stream(catalog, 2, stop=1)[3][0]
    assert batch.distractors.shape == (6, 0)


def test_a_policy_that_goes_by_the_products_box_is_given_it(catalog):
    packed = with_split(pack(catalog, 96))
    seen = []

    class Watching(Policy):
        def draw(self, anchors, product_type, rng, **companions):
            seen.extend(anchors)
            return super().draw(anchors, product_type, rng, **companions)

    for by_type in ({"": (CentralCrop(p=1.0),)}, {}):
        sampler = PairSampler(packed.catalog, pairing="natural", batch=16, seed=3)
        list(batches(packed, sampler, Watching(globals=Crops(count=2, size=48), by_type=by_type),
                     start=0, stop=1, threads=1))  # fmt: skip
    known = [shape.foreground is not None for shape in seen]
    assert np.mean(known[: len(known) // 2]) > 0.5 and not any(known[len(known) // 2 :])


def test_a_photo_that_cannot_be_rendered_stops_the_stream(catalog, monkeypatch):
    def fail(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr("natviews.training.loader.render_into", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        stream(catalog, 2, stop=1)


def test_on_an_accelerator_the_same_batches_are_made(catalog):
    packed = with_split(pack(catalog, 96))
    for name in ("dino", "sea"):
        chosen = policy(name, size=48)
        sampler = PairSampler(packed.catalog, pairing="natural", batch=6, seed=3, companions=chosen.companions)
        how = {"start": 0, "stop": 2, "threads": 2}
        on_cpu = batches(packed, sampler, chosen, **how)
        on_device = batches(packed, sampler, chosen, **how, accelerator=torch.device("cpu"))
        for one, other in zip(on_cpu, on_device, strict=True):
            assert torch.equal(one.products, other.products) and torch.equal(one.distractors, other.distractors)
            for a, b in zip([*one.globals, *one.locals], [*other.globals, *other.locals], strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype
                assert (a.float() - b.float()).abs().mean() < 0.2
