"""From a cosine to the probability that two photos show the same product, without labels.

Photos of one held-out product are known matches and photos of different ones almost surely none; so the
nearest neighbours of held-out photos, right and wrong, say what a score is worth.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from natviews.index import ExactIndex
from natviews.types import Embeddings, NatviewsError


@dataclass(frozen=True)
class Calibration:
    """P(same product | cosine) = 1 / (1 + exp(-(slope * cosine + intercept))): Platt scaling.

    Holds for candidates found in a gallery about as large as the one it was learnt on; a larger gallery
    brings more wrong candidates at the same score.
    """

    slope: float
    intercept: float
    pairs: int
    """How many candidate pairs it was learnt from."""

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores of any shape; 0 for the -inf of an empty place."""
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-(self.slope * scores.astype(float) + self.intercept)))


def calibrate(held_out: Embeddings, *, k: int = 10) -> Calibration:
    """Learnt from the `k` nearest neighbours of every held-out photo.

    Raises NatviewsError where these are all right or all wrong, so that nothing can be learnt.
    """
    matches = ExactIndex(held_out).search(held_out.vectors, k, query_ids=held_out.ids)
    product_of = dict(zip(held_out.ids.tolist(), held_out.product_ids.tolist(), strict=True))
    found = matches.ids != ""
    own = np.broadcast_to(held_out.product_ids[:, None], matches.ids.shape)[found]
    right = np.array([product_of[photo] for photo in matches.ids[found].tolist()]) == own
    if right.all() or not right.any():
        raise NatviewsError(
            f"Probabilities cannot be learnt from {len(held_out)} held-out photos: "
            f"all their neighbours are {'right' if right.all() else 'wrong'}."
        )
    model = LogisticRegression(C=1e6).fit(matches.scores[found].reshape(-1, 1), right)
    return Calibration(float(model.coef_[0, 0]), float(model.intercept_[0]), int(found.sum()))
