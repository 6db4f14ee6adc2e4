"""What is sewn onto clothes: buttons and pockets."""

import numpy as np

from natviews.catalog.generated.drawing import (
    Drawing,
    Paint,
    Part,
    Seam,
    block,
    oval,
    path,
)


def buttons(
    count: int, top: float, bottom: float, x: float = 0.5, radius: float = 0.008, paint: Paint = "light"
) -> Drawing:
    """A column of buttons between two heights."""
    layers: Drawing = []
    for y in np.linspace(top, bottom, count).tolist():
        layers += [Part(oval(x, y, radius, radius), paint), Seam(oval(x, y, radius, radius), 0.002, 0.5)]
    return layers


def pocket(left: float, top: float, width: float, height: float, flap: bool) -> Drawing:
    """A patch pocket, with a pointed flap perhaps."""
    outline = block(left, top, left + width, top + height, 0.012)
    layers: Drawing = [Part(outline, tone=0.98), Seam(outline, 0.003, 0.4)]
    if flap:
        lid = path(
            (left - 0.004, top),
            (left + width + 0.004, top),
            (left + width + 0.004, top + height * 0.25),
            (left + width / 2, top + height * 0.42),
            (left - 0.004, top + height * 0.25),
        )
        layers += [Part(lid, "second"), Seam(lid, 0.003, 0.35)]
    return layers
