"""JPEG there and back."""

import cv2
import numpy as np


def recompressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """A picture (h, w, 3) uint8 RGB as it is after being saved as a JPEG of a quality from 1 to 100."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
