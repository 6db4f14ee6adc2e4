"""A view: the drawn parameters of one picture to be made from a photo. Numbers, not pixels."""

from dataclasses import dataclass, replace

import numpy as np

ColourStep = tuple[str, float]
"""('brightness' | 'contrast' | 'saturation', factor), ('hue', turns -0.5..0.5) or ('grey', 1.0)."""


@dataclass(frozen=True, eq=False)
class View:
    """How one output picture is made from a photo.

    `source` says which of the step's photos it shows; `size` is the output's side in px; `homography`
    (3, 3) maps output coordinates to the photo's, both in px with (0, 0) the outer corner of the first
    pixel; `colour` is applied in its order; `blur` is a Gaussian sigma in output px (0: none).
    """

    source: int
    size: int
    homography: np.ndarray
    colour: tuple[ColourStep, ...] = ()
    blur: float = 0.0
    names: tuple[str, ...] = ()
    """The operations that took part, for contact sheets."""

    def __eq__(self, other: object) -> bool:
        """Whether both make the same picture of the same photo; names do not matter."""
        if not isinstance(other, View):
            return NotImplemented
        ours = (self.source, self.size, self.colour, self.blur)
        theirs = (other.source, other.size, other.colour, other.blur)
        return ours == theirs and np.array_equal(self.homography, other.homography)

    def after(self, transform: np.ndarray, name: str) -> "View":
        """This view of the photo as `transform` (3, 3; output to output, in units of its size) leaves it."""
        scale = np.diag([self.size, self.size, 1.0])
        in_pixels = scale @ transform @ np.linalg.inv(scale)
        return replace(self, homography=self.homography @ in_pixels, names=(*self.names, name))

    def with_colour(self, steps: tuple[ColourStep, ...], name: str) -> "View":
        return replace(self, colour=self.colour + steps, names=(*self.names, name))

    def with_blur(self, sigma: float, name: str) -> "View":
        # Two Gaussian blurs in a row are one whose variances add.
        return replace(self, blur=float(np.hypot(self.blur, sigma)), names=(*self.names, name))
