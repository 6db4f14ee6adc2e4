"""What a score is worth in this store: learnt from the photos of products that the encoder was not trained on."""

import threading

import numpy as np

from natviews.matching import Calibration, calibrate
from natviews.matching.side import held_out_from
from natviews.serving.snapshot import Snapshot
from natviews.types import NatviewsError

ASKED = 400
"""Held-out products that ask."""
FOUND = 10


class Worth:
    """P(same product | score) for the best photos that a photo finds, once it is learnt; None before, and where it
    cannot be."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.calibration: Calibration | None = None
        self.asked = 0
        self.done = threading.Event()
        threading.Thread(target=self._learn, args=(snapshot,), name="calibration", daemon=True).start()

    def _learn(self, snapshot: Snapshot) -> None:
        try:
            self.calibration, self.asked = learnt(snapshot)
        except NatviewsError:  # such as a catalogue with one photo of each product
            pass
        finally:
            self.done.set()

    def probability(self, score: float) -> float | None:
        """Of a score, None where nothing is learnt."""
        if self.calibration is None:
            return None
        return float(self.calibration.probability(np.array([score]))[0])


def learnt(snapshot: Snapshot) -> tuple[Calibration, int]:
    """The calibration, and how many products asked. Raises NatviewsError where too few have two photos."""
    part = snapshot.main
    products = np.array(list(part.rows_of), str)
    several = np.array([len(rows) > 1 for rows in part.rows_of.values()], bool)
    if "split" in part.known.column_names:
        split = np.array(part.known.column("split").take(part.first_rows).to_pylist(), object)
        held = split == "val"
        held = held if (held & several).any() else held_out_from(part.embeddings.made_by, products)
    else:
        held = held_out_from(part.embeddings.made_by, products)
    asking = products[several & held]
    if len(asking) > ASKED:
        asking = np.random.default_rng(0).choice(asking, ASKED, replace=False)
    rows = np.array([part.rows_of[product][0] for product in asking.tolist()], np.int64)
    if not len(rows):
        raise NatviewsError("No held-out product has two photos.")
    found, scores = part.look(part.vectors(rows.tolist(), design=False), FOUND + 1, where=None, design=False)
    others = (found >= 0) & (found != rows[:, None])
    right = part.embeddings.product_ids[found] == part.embeddings.product_ids[rows][:, None]
    owner = np.broadcast_to(np.arange(len(rows))[:, None], found.shape)
    kept = np.where(others)
    return calibrate(scores[kept].astype(float), right[kept], np.ones(len(kept[0])), owner[kept]), len(rows)
