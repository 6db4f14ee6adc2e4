"""From a photo and drawn parameters to pixels, on the CPU.

All geometry is one homography, so the photo is sampled once, however many operations a policy names.
Shrinking is anti-aliased: the part of the photo that the view shows is first averaged down (INTER_AREA)
to about the view's own scale. OpenCV releases the GIL, so views are made in threads.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from natviews.views.view import ColourStep, View

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as torchvision and Pillow have it."""


SHRINK_SHARE = 0.8
"""How much of the shrinking averaging does. Sampling bilinearly afterwards blurs a little as well: doing all
of it by averaging was farther from an anti-aliased resize (2.9 grey levels on a sharp photo, not 2.1)."""


def render(photo: np.ndarray, views: Sequence[View]) -> list[np.ndarray]:
    """Each view of the photo: `photo` (H, W, 3) uint8 RGB -> (size, size, 3) uint8 RGB.

    The photo is not modified. What lies outside it continues its border.
    """
    return [_render(photo, view) for view in views]


def _render(photo: np.ndarray, view: View) -> np.ndarray:
    picture = _sample(photo, view.homography, view.size)
    for step in view.colour:
        picture = _colour(picture, step)
    if view.blur > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), view.blur, borderType=cv2.BORDER_REFLECT_101)
    return picture


def _sample(photo: np.ndarray, homography: np.ndarray, size: int) -> np.ndarray:
    """The photo seen through the homography, anti-aliased."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [size, size, 1], [0, size, 1]], float) @ homography.T
    corners = corners[:, :2] / corners[:, 2:]
    height, width = photo.shape[:2]
    left, top = np.floor(np.clip(corners.min(axis=0) - 1, 0, (width - 1, height - 1))).astype(int)
    right, bottom = np.ceil(np.clip(corners.max(axis=0) + 1, (left + 1, top + 1), (width, height))).astype(int)
    part = photo[top:bottom, left:right]
    # Photo px per view px along each axis of the photo: a crop's aspect may shrink one more than the other.
    shrink_x, shrink_y = (
        max(1.0, SHRINK_SHARE * np.linalg.norm(homography[axis, :2]) / homography[2, 2]) for axis in (0, 1)
    )
    small_width, small_height = (
        max(1, round(part.shape[1] / shrink_x)),
        max(1, round(part.shape[0] / shrink_y)),
    )
    scale_x, scale_y = small_width / part.shape[1], small_height / part.shape[0]
    if shrink_x > 1 or shrink_y > 1:
        part = cv2.resize(part, (small_width, small_height), interpolation=cv2.INTER_AREA)
    to_part = np.array([[scale_x, 0, -left * scale_x], [0, scale_y, -top * scale_y], [0, 0, 1]])
    # OpenCV counts from pixel centres, the homography from corners.
    centre, corner = _shift(-0.5), _shift(0.5)
    return cv2.warpPerspective(
        part,
        centre @ to_part @ homography @ corner,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _shift(by: float) -> np.ndarray:
    return np.array([[1, 0, by], [0, 1, by], [0, 0, 1.0]])


def _colour(picture: np.ndarray, step: ColourStep) -> np.ndarray:
    name, amount = step
    if name == "brightness":
        return cv2.convertScaleAbs(picture, alpha=amount)
    if name == "contrast":
        mean = float(np.dot(cv2.mean(picture)[:3], LUMINANCE))
        return _blend(picture, np.full_like(picture, round(mean)), amount)
    if name == "saturation":
        return _blend(picture, _grey(picture), amount)
    if name == "hue":
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
        hsv[..., 0] += np.uint8(round(amount * 256) % 256)  # a full turn is 256: uint8 wraps around
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    if name == "grey":
        return _grey(picture)
    raise ValueError(f"there is no colour step {name!r}")


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _blend(picture: np.ndarray, towards: np.ndarray, amount: float) -> np.ndarray:
    """`amount` of the picture and the rest of `towards`; above 1 it moves away. Clamped to 0..255."""
    return cv2.addWeighted(picture, amount, towards, 1 - amount, 0)
