"""The torch renderer makes the CPU renderer's pictures."""

import random

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from natviews.views import OPS, POLICIES, Shape, View, Window, policy
from natviews.views.accelerator import atlas, render_batch, renderer
from natviews.views.cpu import render
from natviews.views.foreground import Foreground
from natviews.views.geometry import rotation
from natviews.views.ops import Crops
from natviews.views.pictures import Picture
from natviews.views.view import Scene

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
MOST = 0.2
"""Mean difference of a view in grey levels: a tenth of what is promised, for only then does every mistake show.
Measured: 0.05 at most, and 0.15 where one channel of a ground of one colour was rounded the other way."""
MOST_JPEG = 0.5
"""A level's difference beforehand may become several. Measured: 0.21."""


def product() -> np.ndarray:
    """A red product on white, which has a matte."""
    photo = np.full((301, 260, 3), 250, np.uint8)
    cv2.ellipse(photo, (130, 150), (70, 110), 15, 0, 360, (180, 40, 50), -1)
    return photo


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 7919 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def photos():
    """Real and synthetic, of even and odd sizes; read-only, as a memory-mapped pack hands them out."""
    made = [
        load_sample_image("china.jpg"),
        product(),
        noise(333, 257),
        load_sample_image("flower.jpg")[:399, :501],
    ]
    for photo in made:
        photo.flags.writeable = False
    return made


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


def shape(photo: np.ndarray) -> Shape:
    height, width = photo.shape[:2]
    return Shape(height, width, Window(0.2 * width, 0.1 * height, 0.8 * width, 0.95 * height))


def differences(scenes, device) -> np.ndarray:
    """(views,) mean absolute differences from the CPU renderer, in grey levels."""
    expected = [np.stack(pictures) for pictures in zip(*[render(*scene) for scene in scenes], strict=True)]
    made = render_batch(scenes, device)
    for pictures, wanted in zip(made, expected, strict=True):
        assert pictures.dtype == torch.uint8
        assert pictures.device.type == device.type
        assert pictures.shape == wanted.shape
    pairs = zip(made, expected, strict=True)
    return np.concatenate([np.abs(a.cpu().numpy().astype(int) - b).mean((1, 2, 3)) for a, b in pairs])


def of_policy(photos, name: str, product_type: str, count: int, size: int = 96):
    """Scenes of two anchors, a sibling and another product's photo, each turn about."""
    chosen, rng = policy(name, size=size), random.Random(0)
    scenes = []
    for i in range(count):
        a, b, c, d = (photos[(i + k) % len(photos)] for k in range(4))
        views = chosen.draw([shape(a), shape(b)], product_type, rng, siblings=[shape(c)], others=[shape(d)])
        scenes.append(([a, b, c, d], views))
    return scenes


def of_op(photos, name: str, count: int, **values):
    """Scenes of one view each, with the operation before or after the crop."""
    op, crops, rng = OPS[name](p=1.0, **values), Crops(count=1, size=96, area=(0.3, 1)), random.Random(0)
    scenes = []
    for i in range(count):
        a, b, c, d = (photos[(i + k) % len(photos)] for k in range(4))
        siblings, others = [c, d], [d, c, b]
        view = View.of(Scene([shape(a), shape(b)], [*map(shape, siblings)], [*map(shape, others)]), 0)
        for step in (op.apply, crops.draw) if i // len(photos) % 2 else (crops.draw, op.apply):
            step(view, rng)
        scenes.append(([a, b, *siblings, *others], [view]))
    return scenes


def whole(photo: np.ndarray) -> View:
    return View.of(Scene([shape(photo)]), 0)


@pytest.mark.parametrize("product_type", ["dress", "sofa", "shoes", ""])
@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_agrees_with_the_cpu_renderer(photos, device, name, product_type):
    assert differences(of_policy(photos, name, product_type, 8), device).max() <= MOST


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_operation_agrees_with_the_cpu_renderer(photos, device, name):
    most = MOST_JPEG if name == "jpeg" else MOST
    assert differences(of_op(photos, name, 24), device).max() <= most


@pytest.mark.parametrize("values", [{"places": ("tiled",)}, {"places": ("centre",)}, {"pool": "test"}], ids=str)
def test_every_kind_of_watermark_agrees(photos, device, values):
    assert differences(of_op(photos, "watermark", 8, **values), device).max() <= MOST


@pytest.mark.parametrize("threshold", [0.0, 40.5, 200.0, 256.0])
def test_solarising_agrees_at_every_threshold(photos, device, threshold):
    """A level's difference beforehand may become 255 at the threshold."""
    scenes = of_op(photos, "solarise", 8, threshold=(threshold, threshold))
    assert differences(scenes, device).max() <= MOST


SHAPES = [(8, 8), (500, 1), (1, 500), (1, 1), (3, 2), (37, 53), (2000, 3000)]


@pytest.mark.parametrize("size", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["skill", "sea", "none"])
def test_photos_of_every_shape_agree(device, name, size):
    scenes = of_policy([noise(*size), noise(50, 41), noise(*size), noise(*size)], name, "dress", 4, size=64)
    assert differences(scenes, device).max() <= MOST


@pytest.mark.parametrize("width", [*range(255, 262), 509, 1021])
def test_levels_of_odd_sizes_agree(device, width):
    """Seen so small that levels of halves of halves are read, turned and not."""
    photo = noise(517, width)
    views = [whole(photo) for _ in range(2)]
    views[0].transform(rotation(0.3, views[0].size))
    for view in views:
        view.crop(Window(0, 0, width, 517), (40, 32))
    assert differences([([photo], views)], device).max() <= MOST


@pytest.mark.parametrize("sigma", [0.0, 0.2, 1.0, 7.5, 30.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5), (40, 31)], ids=str)
def test_blur_wider_than_the_view_agrees(device, size, sigma):
    photo = noise(*size)
    view = whole(photo)
    view.steps.append(("blur", sigma))
    assert differences([([photo], [view])], device).max() <= MOST


@pytest.mark.parametrize("seed", range(4))
def test_steps_in_any_sequence_agree(photos, device, seed):
    rng = random.Random(seed)
    scenes = []
    for photo in photos:
        view = whole(photo)
        view.crop(Window(10, 10, 200, 210), (48, 56))
        steps = [
            ("brightness", 1.4), ("contrast", 1.7), ("saturation", 0.3), ("hue", -0.35), ("grey", 0.5),
            ("gains", 1.2, 0.9, 0.6), ("solarise", 140.0), ("blur", 1.1), ("contrast", 0.4),
        ]  # fmt: skip
        view.steps = rng.sample(steps, rng.randint(3, len(steps)))
        scenes.append(([photo], [view]))
    assert differences(scenes, device).max() <= 2 * MOST  # factors above 1 make differences larger, too


def test_every_width_of_blur_has_the_same_weights(device):
    """A single light pixel shows them. They do not depend on the wider blurs beside them, either."""
    photo = np.zeros((25, 25, 3), np.uint8)
    photo[12, 12] = 255
    scenes = []
    for sigma in [*np.linspace(0.05, 6, 300), 30.0]:
        view = whole(photo)
        view.steps.append(("blur", float(sigma)))
        scenes.append(([photo], [view]))
    assert differences(scenes, device).max() == 0


def test_jpeg_after_other_steps_agrees(photos, device):
    """On flat pictures, where encoding spreads no difference: only rounding beforehand matters."""
    scenes = []
    for level in range(100, 130):
        photo = np.full((16, 16, 3), level, np.uint8)
        view = whole(photo)
        view.steps += [("brightness", 1.23), ("jpeg", 95.0), ("contrast", 1.5)]
        scenes.append(([photo], [view]))
    assert differences(scenes, device).max() == 0


def test_photos_of_one_size_that_are_read_at_different_levels_agree(device):
    """Those are halved together where they can be; of some, the product is cut out."""
    scenes = []
    for i in range(24):
        photo = np.roll(product(), i, axis=1)
        view = whole(photo)
        view.anchor.cut_out = i % 3 == 0
        view.transform(rotation(0.1 * i, view.size))
        view.crop(Window(0, 0, 260, 301), (16, 16)) if i % 2 else view.crop(
            Window(50, 50, 66 + i, 66 + i), (16, 16)
        )
        scenes.append(([photo], [view]))
    assert differences(scenes, device).max() <= MOST


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)], ids=str)
def test_a_thin_photo_by_itself_is_read_no_further_than_its_end(device, size):
    view = whole(noise(*size))
    view.transform(rotation(0.2, size))
    view.crop(Window(0, 0, size[1], size[0]), (20, 20))
    assert differences([([noise(*size)], [view])], device).max() <= MOST


def beyond_the_horizon(photo: np.ndarray, repeat: bool, w: float) -> View:
    """Seen so obliquely that what lies right of the column `w` is behind the viewer."""
    view = whole(photo)
    view.size = (40, 48)
    view.layers[0].homography = (-80.0, 3.0, 1000.0, 5.0, -60.0, 900.0, -1.0, 0.0, w)
    view.layers[0].repeat = repeat
    return view


@pytest.mark.parametrize("repeat", [False, True])
def test_what_lies_behind_the_horizon_is_not_painted(photos, device, repeat):
    view = beyond_the_horizon(photos[0], repeat, w=15.37)
    assert differences([(photos[:1], [view])], device).max() <= MOST


@pytest.mark.parametrize("repeat", [False, True])
def test_the_horizon_itself_is_not_painted(device, repeat):
    """w is 0 in the middle of the pixels of column 15: no place in the photo at all."""
    photo = np.full((50, 60, 3), 255, np.uint8)
    photo[[0, -1]] = photo[:, [0, -1]] = 0
    (pictures,) = render_batch([([photo], [beyond_the_horizon(photo, repeat, w=15.5)])], device)
    assert not pictures[0, :, 15:].any()
    assert not repeat or pictures[0, :, :15].any()


def test_a_picture_brings_its_product_along(photos, device):
    """Found by the caller, who has it still from drawing: here another product than would be found."""
    photo, mask = product(), np.zeros((30, 26), np.uint8)
    mask[:15] = 1
    given = Picture(photo, Foreground(photo.shape[:2], Window(0, 0, 260, 150), mask, 1.0))
    view = whole(photo)
    view.anchor.cut_out = True
    assert differences([([given], [view])], device).max() <= MOST
    assert not torch.equal(
        render_batch([([given], [view])], device)[0], render_batch([([photo], [view])], device)[0]
    )


def test_no_photo_is_modified(photos, device):
    before = [photo.copy() for photo in photos]
    render_batch(of_policy(photos, "sea", "", 4), device)
    assert all(np.array_equal(photo, copy) for photo, copy in zip(photos, before, strict=True))


def test_a_part_of_a_larger_array_renders_like_its_copy(photos, device):
    part = photos[0][20:150:2, 300:30:-1]
    views = policy("skill", size=64).draw([part.shape[:2]], "", random.Random(0))
    for one, other in zip(
        render_batch([([part], views)], device), render_batch([([part.copy()], views)], device), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("most", [1, 96 * 96 * 3])
def test_the_bytes_depend_neither_on_the_batch_nor_on_how_much_is_made_at_a_time(
    photos, device, most, monkeypatch
):
    scenes = of_policy(photos, "sea", "sofa", 6) + of_policy(photos, "moco", "", 3)
    together = render_batch(scenes, device)
    assert all(torch.equal(a, b) for a, b in zip(together, render_batch(scenes, device), strict=True))
    for module in (atlas, renderer):
        monkeypatch.setattr(module, "MOST_PIXELS", most)
    assert all(torch.equal(a, b) for a, b in zip(together, render_batch(scenes, device), strict=True))
    for i, scene in enumerate(scenes):
        for all_pictures, alone in zip(together, render_batch([scene], device), strict=True):
            assert torch.equal(all_pictures[i], alone[0])


def test_half_precision_around_it_changes_nothing(photos, device):
    scenes = of_policy(photos, "moco", "", 4)
    expected = render_batch(scenes, device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert all(torch.equal(a, b) for a, b in zip(expected, render_batch(scenes, device), strict=True))


def test_scenes_whose_views_do_not_match_are_refused(photos, device):
    (shown, views), *_ = of_policy(photos, "moco", "", 1)
    for scenes in ([], [(shown, [])], [(shown, views), (shown, views[:1])]):
        with pytest.raises(ValueError, match="as many views"):
            render_batch(scenes, device)


def test_an_unknown_step_is_refused(photos, device):
    view = whole(photos[0])
    view.steps.append(("sharpen", 1.0))
    with pytest.raises(ValueError, match="'sharpen'"):
        render_batch([(photos[:1], [view])], device)
