"""Why two photos are alike: the parts of each that their similarity hangs on."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from natviews.evaluation import Covering, covering
from natviews.serving.describing import Described, Describer
from natviews.serving.parts import DESIGN
from natviews.serving.problems import Busy, Unable


class Explained(NamedTuple):
    """A photo as the encoder is shown it, (H, W, 3) uint8, and what its similarity to the other one hangs on."""

    picture: np.ndarray
    parts: Covering


class Explainer:
    """Describes a hundred covered photos for every pair, so one pair at a time."""

    def __init__(self, describer: Describer) -> None:
        self._describer, self._turn = describer, threading.Lock()

    def explain(self, photos: tuple[np.ndarray, np.ndarray], *, design: bool) -> tuple[Explained, Explained]:
        """Each of two photos (H, W, 3) uint8 RGB towards the other.

        Raises Busy while another pair is explained, Unable without an encoder or where the design is asked for and
        it has no such head, BadPhoto where the encoder cannot be shown a photo.
        """
        if not self._turn.acquire(blocking=False):
            raise Busy("Another pair is being explained; ask again in a moment.")
        try:
            shown = [self._describer.prepared(photo) for photo in photos]
            vectors = self._vectors(shown, design)
            one, other = (
                Explained(
                    photo, covering(photo, target, lambda part: self._vectors(part, design), self._describer.crop)
                )
                for photo, target in zip(shown, vectors[::-1], strict=True)
            )
            return one, other
        finally:
            self._turn.release()

    def _vectors(self, photos: Iterable[np.ndarray], design: bool) -> np.ndarray:
        """(N, D) unit vectors of photos that are prepared."""
        waiting = [self._describer.submit(photo, is_prepared=True) for photo in photos]
        return np.stack([_chosen(future.result(), design) for future in waiting])


def _chosen(described: Described, design: bool) -> np.ndarray:
    if not design:
        return described.vector
    if DESIGN not in described.extra:
        raise Unable("The encoder has no vectors of designs; ask why they are the same item.")
    return described.extra[DESIGN]
