import torch

from natviews.catalog import pack, with_split
from natviews.training.loader import batches
from natviews.training.sampler import PairSampler
from natviews.views import policy, render


def stream(catalog, threads, start=0, stop=4):
    packed = with_split(pack(catalog, 96))
    sampler = PairSampler(packed.catalog, pairing="natural", batch=6, seed=3)
    chosen = policy("skill", size=48, locals=2)
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
    import numpy as np

    packed, sampler, chosen, made = stream(catalog, 2)
    for place, draw in enumerate(sampler.draw(0)):
        photos = [packed.pixels(row) for row in draw.rows]
        views = chosen.draw([p.shape[:2] for p in photos], "", np.random.default_rng(draw.rng_key))
        sources = [0, 1 if len(photos) > 1 else 0, 0, 0]
        for view, source, crop in zip(views, sources, [*made[0].globals, *made[0].locals], strict=True):
            assert np.array_equal(crop[place].numpy(), render(photos[source], [view])[0])


def test_sizes_are_the_policys(catalog):
    batch = stream(catalog, 2, stop=1)[3][0]
    assert [tuple(crop.shape) for crop in batch.globals] == [(6, 48, 48, 3)] * 2
    assert [tuple(crop.shape) for crop in batch.locals] == [(6, 24, 24, 3)] * 2
    assert batch.globals[0].dtype == torch.uint8
