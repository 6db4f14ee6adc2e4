"""Pixels, against torchvision's float operations as the reference, and on photos of every shape."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from natviews.views import POLICIES, View, policy, render
from natviews.views.ops import Blur, Crops, Flip, Rotate

SIDE = 224
COLOUR_BOUND = 0.5
"""Mean absolute difference in grey levels: half a level is what rounding once to 8 bits may cost."""
HUE_BOUND = 1.5
"""Hue passes through 8-bit hue, saturation and value, which costs more."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The reference works on small pictures, for which more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["china", "flower"])
def photo(request) -> np.ndarray:
    """A photograph (427, 640): one of fine tiles and railings, one with soft backgrounds."""
    return np.ascontiguousarray(load_sample_image(f"{request.param}.jpg"))


@pytest.fixture(scope="module")
def square(photo) -> np.ndarray:
    return np.ascontiguousarray(photo[100 : 100 + SIDE, 200 : 200 + SIDE])


def as_floats(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255


def aliasing(photo: np.ndarray, box: tuple[int, int, int, int], size: int) -> float:
    """What the reference itself loses, in mean grey levels, when it leaves anti-aliasing out."""
    without = resized(photo, box, size, antialias=False)
    return np.abs(as_levels(resized(photo, box, size)) - as_levels(without)).mean()


def as_levels(picture: torch.Tensor) -> np.ndarray:
    return (picture.clamp(0, 1) * 255).permute(1, 2, 0).numpy()


def plain(size: int = SIDE) -> View:
    """The photo itself, for a photo of that size."""
    return View(0, size, np.eye(3))


def crop(box: tuple[int, int, int, int], size: int) -> View:
    top, left, height, width = box
    return View(0, size, np.array([[width / size, 0, left], [0, height / size, top], [0, 0, 1.0]]))


def differences(photo: np.ndarray, view: View, expected: torch.Tensor) -> np.ndarray:
    rendered = render(photo, [view])[0]
    assert rendered.shape == (view.size, view.size, 3)
    assert rendered.dtype == np.uint8
    return np.abs(rendered.astype(float) - as_levels(expected))


class Fixed:
    """Stands in for a generator where a test chooses what is drawn."""

    def __init__(self, value: float) -> None:
        self.value = value

    def uniform(self, low: float, high: float) -> float:
        assert low <= self.value <= high
        return self.value


@pytest.mark.parametrize("amount", [0.0, 0.2, 0.6, 1.0, 1.4, 1.8])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_a_colour_factor_matches_the_reference(square, name, amount):
    expected = getattr(reference, f"adjust_{name}")(as_floats(square), amount)
    assert differences(square, plain().with_colour(((name, amount),), name), expected).mean() <= COLOUR_BOUND


@pytest.mark.parametrize("amount", [-0.5, -0.2, -0.03, 0.0, 0.1])
def test_a_hue_shift_matches_the_reference(square, amount):
    expected = reference.adjust_hue(as_floats(square), amount)
    assert differences(square, plain().with_colour((("hue", amount),), "hue"), expected).mean() <= HUE_BOUND


def test_grey_matches_the_reference(square):
    expected = reference.rgb_to_grayscale(as_floats(square), 3)
    assert differences(square, plain().with_colour((("grey", 1.0),), "grey"), expected).mean() <= COLOUR_BOUND


def test_colour_steps_are_applied_in_their_order(square):
    steps = (("brightness", 1.8), ("contrast", 0.3))
    expected = reference.adjust_contrast(reference.adjust_brightness(as_floats(square), 1.8), 0.3)
    other = reference.adjust_brightness(reference.adjust_contrast(as_floats(square), 0.3), 1.8)
    assert differences(square, plain().with_colour(steps, "jitter"), expected).mean() <= 2 * COLOUR_BOUND
    assert differences(square, plain().with_colour(steps, "jitter"), other).mean() > 10


def test_an_unknown_colour_step_is_refused(square):
    with pytest.raises(ValueError, match="no colour step 'gamma'"):
        render(square, [plain().with_colour((("gamma", 1.0),), "gamma")])


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5, 1.0, 2.0, 3.0])
def test_a_blur_matches_the_reference(square, sigma):
    kernel = 2 * int(4 * sigma + 2) + 1
    view = Blur(sigma=(0.1, 3.0)).draw(plain(), Fixed(sigma))
    assert view.blur == pytest.approx(sigma)
    expected = reference.gaussian_blur(as_floats(square), [kernel, kernel], [sigma, sigma])
    assert differences(square, view, expected).mean() <= COLOUR_BOUND


def test_a_flip_matches_the_reference_exactly(square):
    expected = reference.horizontal_flip(as_floats(square))
    assert differences(square, Flip().draw(plain(), Fixed(0)), expected).max() < 0.01


@pytest.mark.parametrize("degrees", [-20, -7, 3, 15, 90])
def test_a_rotation_matches_the_reference(square, degrees):
    # Outside the photo the border is continued here and black there: only the inscribed disc is compared.
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    disc = np.hypot(x - SIDE / 2, y - SIDE / 2) < SIDE / 2 - 2
    view = Rotate(degrees=90).draw(plain(), Fixed(degrees))
    expected = reference.rotate(as_floats(square), degrees, interpolation=InterpolationMode.BILINEAR)
    assert differences(square, view, expected)[disc].mean() <= COLOUR_BOUND


def resized(photo: np.ndarray, box: tuple[int, int, int, int], size: int, antialias: bool = True) -> torch.Tensor:
    return reference.resized_crop(as_floats(photo), *box, [size, size], antialias=antialias)


def test_a_crop_at_the_photos_own_scale_is_exact(photo):
    assert np.array_equal(render(photo, [crop((100, 200, 96, 96), 96)])[0], photo[100:196, 200:296])


@pytest.mark.parametrize(
    ("box", "size"), [((100, 200, 96, 128), 224), ((50, 60, 60, 50), 96), ((5, 7, 30, 35), 64)]
)
def test_an_enlarging_crop_matches_the_reference(photo, box, size):
    assert differences(photo, crop(box, size), resized(photo, box, size)).mean() <= COLOUR_BOUND


SHRINKING = [
    ((0, 0, 427, 640), 224),
    ((0, 0, 427, 640), 64),
    ((20, 30, 300, 400), 224),
    ((20, 30, 300, 400), 96),
    ((100, 200, 224, 224), 96),
    ((100, 200, 96, 128), 64),
    ((10, 10, 400, 300), 64),
    ((5, 7, 230, 235), 224),
]


@pytest.mark.parametrize(("box", "size"), SHRINKING)
def test_a_shrinking_crop_is_near_the_reference(photo, box, size):
    # Two anti-aliasing filters differ most on fine detail at scales near 1; measured: 0.2 to 5.7 levels.
    assert differences(photo, crop(box, size), resized(photo, box, size)).mean() <= 6.0


def test_shrinking_crops_are_near_the_reference_on_average(photo):
    means = [differences(photo, crop(box, size), resized(photo, box, size)).mean() for box, size in SHRINKING]
    assert np.mean(means) <= 3.2  # measured: 2.9 on fine detail and 1.4 on soft


@pytest.mark.parametrize(
    ("box", "size"), [((0, 0, 427, 640), 64), ((20, 30, 300, 400), 64), ((10, 10, 400, 300), 64)]
)
def test_shrinking_much_is_anti_aliased(photo, box, size):
    ours = differences(photo, crop(box, size), resized(photo, box, size)).mean()
    assert ours <= 0.4 * aliasing(photo, box, size)


@pytest.mark.parametrize(("box", "size"), [((20, 30, 300, 400), 224), ((10, 10, 400, 300), 224)])
def test_shrinking_a_little_is_nearer_to_the_reference_than_no_anti_aliasing(photo, box, size):
    ours = differences(photo, crop(box, size), resized(photo, box, size)).mean()
    assert ours <= aliasing(photo, box, size)


def test_a_crop_of_unlike_shrinking_along_its_axes_is_anti_aliased_along_each():
    stripes = np.zeros((32, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    view = crop((0, 0, 32, 640), 32)  # not shrunk along y, by 20 along x
    assert np.abs(render(stripes, [view])[0].astype(float) - 127.5).max() <= 8


def test_a_shrunk_crop_lies_where_it_should():
    # A dark half and a light half: their border must stay in the middle, at every scale and offset.
    halves = np.zeros((400, 400, 3), np.uint8)
    halves[:, 200:] = 255
    for size, box in ((64, (0, 0, 400, 400)), (50, (37, 50, 300, 300)), (33, (0, 101, 198, 198))):
        row = render(halves, [crop(box, size)])[0][size // 2, :, 0].astype(float)
        assert (255 - row).sum() / 255 == pytest.approx(size / 2, abs=0.1)


def test_what_lies_outside_the_photo_continues_its_border():
    photo = np.zeros((20, 20, 3), np.uint8)
    photo[0, 0] = photo[:, 0] = photo[0, :] = (255, 0, 0)
    corner = render(photo, [View(0, 20, np.array([[1, 0, -30], [0, 1, -30], [0, 0, 1.0]]))])[0]
    assert (corner == (255, 0, 0)).all()


SHAPES = [(8, 8), (500, 1), (1, 500), (1, 1), (2000, 3000), (37, 53)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_renders_photos_of_every_shape_and_leaves_them_alone(name, shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = photo.copy()
    photo.flags.writeable = False  # as a memory-mapped pack hands them out
    chosen, rng = policy(name, size=64), np.random.default_rng(0)
    for _ in range(3):
        views = chosen.draw([shape], "", rng)
        for view, picture in zip(views, render(photo, views), strict=True):
            assert picture.shape == (view.size, view.size, 3)
            assert picture.dtype == np.uint8
            assert not np.shares_memory(picture, photo)
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_photo_of_one_colour_keeps_it_in_every_crop(shape, colour):
    photo = np.full((*shape, 3), colour, np.uint8)
    crops, rng = Crops(count=1, size=64), np.random.default_rng(0)
    for _ in range(3):
        view = Rotate().draw(Flip().draw(crops.draw(0, shape, rng), rng), rng)
        assert (render(photo, [view])[0] == colour).all()


def test_a_part_of_a_larger_array_renders_like_its_copy():
    large = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    part = large[20:150:2, 30:200]
    views = policy("skill", size=64).draw([part.shape[:2]], "", np.random.default_rng(0))
    for one, other in zip(render(part, views), render(part.copy(), views), strict=True):
        assert np.array_equal(one, other)


def test_the_same_seed_gives_the_same_bytes(photo):
    chosen = policy("skill", size=64)

    def pictures(seed: int) -> bytes:
        views = chosen.draw([photo.shape[:2]], "", np.random.default_rng(seed))
        return b"".join(picture.tobytes() for picture in render(photo, views))

    assert pictures(7) == pictures(7)
    assert pictures(7) != pictures(8)


def test_the_number_of_threads_does_not_change_the_bytes(photo):
    views = policy("skill", size=64).draw([photo.shape[:2]], "", np.random.default_rng(0))
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = [picture.tobytes() for picture in render(photo, views)]
        cv2.setNumThreads(4)
        assert [picture.tobytes() for picture in render(photo, views)] == alone
    finally:
        cv2.setNumThreads(threads)
