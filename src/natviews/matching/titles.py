"""What titles say: the cosine of two products' titles, by the runs of letters they share or by a text encoder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from natviews.matching.side import Side
from natviews.progress import progress
from natviews.types import NatviewsError

LETTERS = (2, 5)
"""Runs of 2 to 5 letters within words: sellers misspell and join words, and letters survive that."""
CHUNK = 512


@dataclass(frozen=True)
class Titles:
    """Unit rows (P, D), dense or sparse, of two sides' titles; a product without a title has a row of zeros."""

    ours: Any
    theirs: Any

    def cosine(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(M,) the cosine of pairs of products; NaN where one of them has no title."""
        return _cosines(self.ours, self.theirs, ours, theirs)

    def turned(self) -> "Titles":
        """The same seen from the other side."""
        return Titles(self.theirs, self.ours)

    def within(self) -> "Titles":
        """Our side beside itself."""
        return Titles(self.ours, self.ours)

    def likeliest(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Each of our products with the `k` of theirs whose titles are nearest: numbers (M,) and (M,).

        A product with no title, or with no letters in common, finds none.
        """
        found = [np.empty((2, 0), np.int64)]
        k = min(k, self.theirs.shape[0])
        with progress("comparing titles", self.ours.shape[0]) as advance:
            for start in range(0, self.ours.shape[0] if k else 0, CHUNK):
                scores = self.ours[start : start + CHUNK] @ self.theirs.T
                scores = np.asarray(scores.todense() if scipy.sparse.issparse(scores) else scores)
                best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
                value = np.take_along_axis(scores, best, axis=1)
                row, place = np.nonzero(value > 0)
                found.append(np.stack([row + start, best[row, place]]))
                advance(len(scores))
        query, match = np.concatenate(found, axis=1)
        return query, match


def letters_of(ours: Side, theirs: Side) -> Titles | None:
    """TF-IDF of runs of letters, learnt from both sides' titles; None where a side has no titles at all."""
    one, other = ours.text("title"), theirs.text("title")
    if not (any(one.tolist()) and any(other.tolist())):
        return None
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=LETTERS, sublinear_tf=True, dtype=np.float32)
    try:
        words.fit([*one.tolist(), *other.tolist()])
    except ValueError:  # titles of no letters
        return None
    return Titles(words.transform(one.tolist()).tocsr(), words.transform(other.tolist()).tocsr())


def sentences_of(ours: Side, theirs: Side, folder: str | Path) -> Titles:
    """Titles by a sentence-transformers model in a folder on this machine; nothing is fetched.

    Raises NatviewsError where the package or the folder is absent.
    """
    if not Path(folder).is_dir():
        raise NatviewsError(
            f"There is no text encoder's folder at {folder}; models are read from this machine only."
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise NatviewsError(
            "Text encoders need the package sentence-transformers; install it, or give --titles letters."
        ) from None
    model = SentenceTransformer(str(folder), local_files_only=True, device="cpu")
    with progress("describing titles"):
        rows = [_described(model, side.text("title")) for side in (ours, theirs)]
    return Titles(*rows)


def _described(model: Any, titles: np.ndarray) -> np.ndarray:
    rows = np.asarray(model.encode(titles.tolist(), normalize_embeddings=True), np.float32)
    rows[titles == ""] = 0
    return rows


def _cosines(one: Any, other: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cosine = np.full(len(first), np.nan)
    for start in range(0, len(first), CHUNK * 64):
        part = slice(start, start + CHUNK * 64)
        a, b = one[first[part]], other[second[part]]
        if scipy.sparse.issparse(a):
            value = np.asarray(a.multiply(b).sum(axis=1)).ravel()
            given = (np.diff(a.indptr) > 0) & (np.diff(b.indptr) > 0)
        else:
            value = np.einsum("nd,nd->n", a, b)
            given = a.any(axis=1) & b.any(axis=1)
        cosine[part] = np.where(given, value, np.nan)
    return cosine
