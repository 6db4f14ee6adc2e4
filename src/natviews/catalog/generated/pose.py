"""Pose: where a flat picture of a product lands in a photo, and how it bends on the way."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from natviews.catalog.generated.pixels import Picture, Plane, spread


@dataclass(frozen=True)
class Pose:
    """How the product is held before the camera.

    `fill` is the share of the frame that its longer side takes, `x` and `y` (0..1) the place of its middle,
    `angle` a turn in degrees, `squeeze` (0..1] its width when turned away, `lean_x` and `lean_y` the
    perspective (0 none, 0.4 strong), `wave` the bending of cloth in shares of the frame.
    """

    fill: float
    x: float = 0.5
    y: float = 0.5
    angle: float = 0.0
    squeeze: float = 1.0
    lean_x: float = 0.0
    lean_y: float = 0.0
    wave: float = 0.0
    mirrored: bool = False

    def matrix(
        self, picture: Picture, size: int, *, ground: float | None = None, rail: float | None = None
    ) -> npt.NDArray[np.float64]:
        """The homography, shape (3, 3), from picture pixels to photo pixels.

        With a `ground` (0..1) the product's foot is put at that height, with a `rail` its top.
        """
        left, top, width, height = cv2.boundingRect(picture[:, :, 3])
        scale = 1 / max(width, height, 1)
        centre = np.array([[1, 0, -left - width / 2], [0, 1, -top - height / 2], [0, 0, 1]])
        squeeze = np.diag([scale * self.squeeze * (-1 if self.mirrored else 1), scale, 1.0])
        lean = np.array([[1, 0, 0], [0, 1, 0], [self.lean_x, self.lean_y, 1]])
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1 / (self.fill * size)]])
        matrix = turn @ lean @ squeeze @ centre
        right, low = left + width, top + height
        corners = np.array([[[left, top], [right, top], [left, low], [right, low]]], np.float32)
        placed = cv2.perspectiveTransform(corners, matrix)[0]
        down = self.y * size
        if ground is not None:
            down = ground * size - placed[:, 1].max()
        elif rail is not None:
            down = rail * size - placed[:, 1].min()
        return np.array([[1, 0, self.x * size], [0, 1, down], [0, 0, 1]]) @ matrix


def aimed(
    matrix: npt.NDArray[np.float64], picture: Picture, size: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """The homography moved so that a spot well inside the product comes to the middle of the photo."""
    coarse = cv2.resize(picture[:, :, 3], (48, 48), interpolation=cv2.INTER_AREA)
    inside = cv2.blur(coarse, (7, 7), borderType=cv2.BORDER_CONSTANT)
    spots = np.argwhere(coarse > 200)
    tries = spots[rng.integers(len(spots), size=4)]
    row, column = max(tries.tolist(), key=lambda spot: inside[spot[0], spot[1]])
    spot = np.array([(column + 0.5) / 48, (row + 0.5) / 48, 0]) * picture.shape[0] + [0, 0, 1]
    x, y, scale = matrix @ spot
    return np.array([[1, 0, size / 2 - x / scale], [0, 1, size / 2 - y / scale], [0, 0, 1]]) @ matrix


def place(picture: Picture, matrix: npt.NDArray[np.float64], size: int, bend: Plane | None = None) -> Plane:
    """The picture in the photo, float32 (size, size, 4), premultiplied.

    `bend`, (2, size, size), moves it by pixels to the right and downwards.
    """
    shrink = np.sqrt(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2])))
    if shrink < 0.6:  # halve first, lest fine patterns flicker
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([2.0, 2.0, 1.0])
    if bend is None:
        flat = cv2.warpPerspective(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)
        return flat.astype(np.float32)
    inverse = np.linalg.inv(matrix)
    x = np.arange(size, dtype=np.float32)[None, :] + bend[0]
    y = np.arange(size, dtype=np.float32)[:, None] + bend[1]
    rows = [np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in inverse]
    moved = cv2.remap(picture, rows[0] / rows[2], rows[1] / rows[2], cv2.INTER_LINEAR)
    return moved.astype(np.float32)


def creases(rng: np.random.Generator, size: int, angle: float) -> Plane:
    """A height field of folds `angle` degrees off the vertical, (size, size), about -1..1."""
    fine = rng.standard_normal((5, 11), dtype=np.float32)
    coarse = rng.standard_normal((4, 5), dtype=np.float32)
    side = int(size * 1.5)
    field = 0.6 * cv2.resize(fine, (side, side), interpolation=cv2.INTER_CUBIC)
    field += 0.6 * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    matrix: Plane = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    matrix[:, 2] -= (side - size) / 2
    return cv2.warpAffine(field, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)


def slopes(field: Plane) -> Plane:
    """How steeply a height field rises towards the light at the upper left, about -1..1 for `creases`."""
    size = field.shape[0]
    step = np.array([[1, 0, size / 128], [0, 1, size / 200]], np.float32)
    shifted = cv2.warpAffine(field, step, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.clip((field - shifted) * np.float32(6), -1.3, 1.3)


def cover_over(pixels: Plane, layer: Plane) -> None:
    """Lay a placed picture, (n, n, 4) premultiplied, over a scene's pixels, (n, n, 3), in place."""
    blue, green, red, cover = cv2.split(layer)
    pixels *= spread(1 - cover / np.float32(255))
    pixels += cv2.merge([blue, green, red])
