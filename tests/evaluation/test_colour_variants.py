"""Colour variants: who may be found, by hand."""

import numpy as np
import pytest

from natviews.evaluation import Judging, retrieval, variants_judging
from natviews.types import Embeddings, NatviewsError, Provenance


def on_circle(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


PRODUCTS = np.array(["p1", "p1", "p2", "p3", "p4", "p5"])
DESIGNS = np.array(["shirt", "shirt", "shirt", "shirt", "hat", ""])
COLOURS = np.array(["red", "red", "blue", "red", "red", "red"])
PHOTOS = Embeddings(np.arange(6).astype(str), PRODUCTS, on_circle(0, 1, 30, 2, 20, 10), Provenance("x"))


def found(designs=DESIGNS, colours=COLOURS, **judged):
    everyone = Judging.everyone(PRODUCTS)
    answer = retrieval(PHOTOS, variants_judging(Judging(**(vars(everyone) | judged)), designs, colours))
    return {
        row: [n for n in near if n >= 0]
        for row, near in zip(answer.rows.tolist(), answer.neighbours.tolist(), strict=True)
    }, answer


def test_a_photo_finds_its_design_in_other_colours_and_its_own_colour_is_not_there():
    near, answer = found()
    # Rows 1 (own product) and 3 (another product in the same colour) are neither right nor wrong for row 0.
    assert near[0] == [5, 4, 2] and near[2] == [4, 5, 3, 1, 0]
    assert sorted(near) == [0, 1, 2, 3]  # a lone design and no design do not ask
    assert dict(zip(answer.rows.tolist(), answer.values["recall@1"], strict=True)) == {0: 0, 1: 0, 2: 0, 3: 0}
    assert answer.values["auc"].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_without_colours_the_products_of_a_design_are_its_variants():
    near, answer = found(colours=None)
    assert near[0] == [3, 5, 4, 2]
    assert answer.values["r_precision"][0] == pytest.approx(1 / 2)


def test_what_is_unknown_neither_asks_nor_answers_for_its_design():
    near, _ = found(colours=np.array(["red", "red", "blue", "", "red", "red"]))
    assert sorted(near) == [0, 1, 2] and near[2] == [4, 5, 1, 0]


def test_near_identical_photos_of_one_design_stay_and_of_another_go():
    near, _ = found(groups=np.array(["g", "g", "g", "g", "g", "own"]))
    assert near[0] == [5, 2]  # row 2 is of the group and of the design, row 4 of another design


def test_where_no_design_has_two_colours_there_is_nothing_to_judge():
    with pytest.raises(NatviewsError, match="two colours"):
        found(colours=np.full(6, "red"))
