"""Colour-variant retrieval: does a photo find its design in other colours?

The second figure of colour: unlike colour entropy it cannot be had by vectors that say nothing. It is natural-view
retrieval with designs for products, from which the photos in the query's own colour are left out.
"""

import numpy as np

from natviews.evaluation.natural_views import Judging
from natviews.types import NatviewsError

VARIANTS_SLICE = "colour variants"


def variants_judging(judging: Judging, designs: np.ndarray, colours: np.ndarray | None = None) -> Judging:
    """How colour variants are judged where natural views are judged by `judging`; both of N photos.

    Photos of one of `designs` (N,), text, are right for each other where their `colours` (N,), text, differ;
    without colours, where their products do. A photo of the design in the query's colour is neither right nor
    wrong, its own product's photos among them, and so is one whose colour is '', unknown. A photo without a design
    does not ask, and is wrong for those that do. Near-identical products of one design stay: recolourings are what
    is looked for. Raises NatviewsError where no design has two colours."""
    apart = judging.products if colours is None else colours
    known = designs != ""
    # What has no design must not share one: its product stands for it.
    names = np.where(known, np.char.add("design ", designs), np.char.add("product ", judging.products))
    asking, answering = known & (apart != ""), ~known | (apart != "")
    pairs = np.unique(np.stack([names, apart])[:, asking], axis=1)
    if not (np.unique(pairs[0], return_counts=True)[1] > 1).any():
        raise NatviewsError("No design to judge comes in two colours; name the column that says which is which.")
    queries, gallery = judging.queries & asking, judging.gallery & answering
    return Judging(names, judging.groups, queries, gallery, judging.within, apart)
