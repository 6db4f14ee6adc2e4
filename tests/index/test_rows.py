"""Rows in memory: which of them a photo's name means."""

import time

import numpy as np

from natviews.index.rows import Rows
from natviews.types import Embeddings, Provenance


def rows_of(count):
    names = np.array([f"photo {i}" for i in range(count)])
    return Rows(Embeddings(names, names, np.ones((count, 1), np.float32), Provenance("made up")))


def test_a_name_means_its_living_row():
    rows = rows_of(4)
    rows.delete(np.array(["photo 1"]))
    again = np.array(["photo 2"])
    rows.add(Embeddings(again, again, np.ones((1, 1), np.float32), rows.made_by))
    asked = np.array(["photo 2", "photo 1", "photo 0", "another"])
    assert rows.row_of(asked).tolist() == [4, -1, 0, -1]
    assert rows_of(0).row_of(asked).tolist() == [-1] * 4


def test_names_are_read_once_and_not_for_every_search():
    rows, asked = rows_of(100_000), np.array(["photo 77"])

    def seconds(times):
        begun = time.perf_counter()
        for _ in range(times):
            rows.row_of(asked)
        return time.perf_counter() - begun

    assert seconds(1) > seconds(20)
