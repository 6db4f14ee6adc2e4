"""The colour histogram: what any learned encoder must beat before it has earned its training."""

import cv2
import numpy as np

BINS = (12, 4, 4)
"""Hue, saturation, value: 192 bins."""
LONGEST = 128


def colour_histogram(photo: np.ndarray) -> np.ndarray:
    """The square-rooted HSV histogram of a photo (H, W, 3) uint8 RGB: (192,) float32 of length 1.

    The cosine of two such vectors is their Bhattacharyya coefficient.
    """
    scale = LONGEST / max(photo.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2HSV_FULL)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, BINS, [0, 256, 0, 256, 0, 256]).ravel()
    return np.sqrt(counts / counts.sum()).astype(np.float32)
