"""Bodies of revolution, as a lathe or a potter's wheel makes them."""

import numpy as np

from natviews.catalog.generated.drawing import Part, Spot, mirrored, path, spline


def lathe(profile: list[Spot], sag: float) -> Part:
    """A turned body from its profile, (radius, y) pairs from top to bottom; `sag` rounds its foot."""
    half = spline([(0.5 + radius, y) for radius, y in profile])
    low = profile[-1][1] + sag
    start, end = (
        np.array([[0.5, profile[0][1]]], np.float32),
        path(tuple(half[-1]), ((0.5 + 0.6 * profile[-1][0], low), (0.5, low))),
    )
    return Part(mirrored(np.concatenate([start, half, end])), form="round", gloss=0.5)
