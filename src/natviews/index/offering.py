"""Keeping the best of many scores, compiled: what is left of a search once a matrix product has made the
scores."""

from typing import Any

import numpy as np
from numba import njit

BLOCK = 32
"""Scores that are passed over at once where none of them is high enough."""


def _compiled(function: Any) -> Any:
    return njit(nogil=True, cache=True, error_model="numpy")(function)


@_compiled
def _put(best: np.ndarray, found: np.ndarray, row: int, column: int, score: float) -> None:
    """Puts a column into the falling list of a row, unless it stands there or the list has risen meanwhile."""
    k = best.shape[1]
    if score <= best[row, k - 1]:
        return
    for place in range(k):
        if found[row, place] == column:
            return
    place = k - 1
    while place > 0 and best[row, place - 1] < score:
        best[row, place], found[row, place] = best[row, place - 1], found[row, place - 1]
        place -= 1
    best[row, place], found[row, place] = score, column


@_compiled
def offer(
    scores: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    own: np.ndarray,
    best: np.ndarray,
    found: np.ndarray,
    mutual: bool,
) -> None:
    """Offers every score (Q, M) to the list of its row: `best` (R, K) falling, `found` (R, K) the columns' names.

    `rows` (Q,) are places in those lists, `columns` (M,) names; `own` (R,) the name that a row does not take.
    Where `mutual`, rows are names as well, and a score is offered to the column's list too.
    """
    last = best.shape[1] - 1
    lows = np.full(len(columns), np.inf, np.float32)
    if mutual:
        for j in range(len(columns)):
            lows[j] = best[columns[j], last]
    for i in range(scores.shape[0]):
        row = rows[i]
        low = best[row, last]
        for start in range(0, len(columns), BLOCK):
            end = min(start + BLOCK, len(columns))
            passed, least = scores[i, start:end], lows[start:end]
            high = 0
            for j in range(len(passed)):  # from 0 on a slice: the compiler then compares sixteen at a time
                high += (passed[j] > low) | (passed[j] > least[j])
            if high == 0:
                continue
            for j in range(start, end):
                score, column = scores[i, j], columns[j]
                if column == own[row]:
                    continue
                if score > low:
                    _put(best, found, row, column, score)
                    low = best[row, last]
                if score > lows[j]:
                    _put(best, found, column, row, score)
                    lows[j] = best[column, last]
