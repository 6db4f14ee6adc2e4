"""Nearest neighbours without looking at every vector: FAISS finds candidates, the vectors themselves order
them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from natviews.config import did_you_mean
from natviews.index.base import Index, checked_mask, checked_queries, ended
from natviews.index.exact import nearest
from natviews.index.files import Kept, read_kept, write_kept
from natviews.index.forms import FORMS, faiss_module, faisss_own
from natviews.index.rows import Rows
from natviews.progress import progress
from natviews.types import Embeddings, Matches, NatviewsError

SCANNED = 20_000
"""So few allowed photos are looked at one by one: exact, and quicker than a search that meets few of them."""
DEAD = 0.25
"""The share of dead rows at which the index is built anew."""
GROWN = 4
"""How many times as large as when its cells were learnt an index may grow before it is built anew."""
MEASURED = 256
"""Queries that recall is measured with; as many others choose how hard to look."""
AT = 10
CHUNK_NUMBERS = 2**24
"""Numbers of candidates' vectors held at a time (64 MB)."""


@dataclass(frozen=True)
class Recall:
    """What share of the `AT` truly nearest photos is found: `share` of `queries` sampled photos, at that
    effort."""

    share: float
    queries: int
    effort: int

    def __str__(self) -> str:
        return f"recall@{AT} {self.share:.4f} on {self.queries} photos"


class ApproximateIndex(Index):
    """An index of one of `FORMS`, built to a recall and measured against looking at every vector.

    Scores are exact: the candidates' own vectors give them. A deleted photo's row dies at once and goes when the
    index is built anew. Where few photos are allowed they are looked at one by one, so that a filter costs no
    recall.
    """

    def __init__(
        self, embeddings: Embeddings, form: str = "ivf-sq8", *, recall: float = 0.99, reason: str = ""
    ) -> None:
        if form not in FORMS:
            raise NatviewsError(f"There is no index {form!r}; {did_you_mean(form, list(FORMS))}")
        self._start(Rows(embeddings), form, recall, reason or f"{form} was asked for")
        self._build()

    def _start(self, rows: Rows, form: str, target: float, reason: str) -> None:
        self._rows, self.form, self.target, self.reason = rows, FORMS[form], target, reason
        self.made_by, self.width = rows.made_by, rows.width

    @property
    def embeddings(self) -> Embeddings:
        """What is searched."""
        return self._rows.embeddings()

    @property
    def ids(self) -> np.ndarray:
        return self._rows.living_ids

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        where: np.ndarray | None = None,
        query_ids: np.ndarray | None = None,
    ) -> Matches:
        names = checked_queries(queries, k, self.width, query_ids)
        rows = self._rows.living if where is None else self._rows.living[checked_mask(where, len(self))]
        own = None if query_ids is None else self._rows.row_of(names)
        found, scores = self._searched(np.ascontiguousarray(queries, np.float32), k, rows, own)
        return ended(names, self._rows.named(found), scores, k)

    def _searched(
        self, queries: np.ndarray, k: int, rows: np.ndarray, own: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores, both (Q, min(k, rows))."""
        k = min(k, len(rows))
        if len(rows) <= max(SCANNED, self.form.scanned * len(self._rows)):
            return nearest(queries, self._rows.vectors, k, rows, own)
        found, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        wanted = self.form.widening * k + 16
        step = max(1, CHUNK_NUMBERS // (wanted * self.width))
        parameters = self._parameters(rows)
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            candidates = faisss_own(self._faiss, "search")(queries[part], wanted, params=parameters.now)[1]
            found[part], scores[part] = self._refined(
                queries[part], candidates, k, None if own is None else own[part]
            )
        short = np.flatnonzero(np.isneginf(scores).any(axis=1))  # fewer came back than are allowed
        if len(short):
            own = None if own is None else own[short]
            found[short], scores[short] = nearest(queries[short], self._rows.vectors, k, rows, own)
        return found, scores

    def _refined(
        self, queries: np.ndarray, candidates: np.ndarray, k: int, own: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best of some candidates (Q, C), -1 for none, by their own vectors; equals in a fixed shuffle."""
        shuffle = np.argsort((candidates * 2_654_435_761) & 0xFFFFFFFF, axis=1)
        candidates = np.take_along_axis(candidates, shuffle, axis=1)
        scores = np.einsum("qcd,qd->qc", self._rows.vectors[candidates], queries, optimize=False)
        scores[candidates < 0] = -np.inf
        if own is not None:
            scores[candidates == own[:, None]] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(candidates, best, axis=1), np.take_along_axis(scores, best, axis=1)

    def _parameters(self, rows: np.ndarray) -> "_Parameters":
        """How FAISS searches: as hard as recall needs, harder in proportion where a filter leaves fewer photos."""
        faiss = faiss_module()
        share = len(rows) / max(1, len(self._rows))
        selector, kept = None, None
        if share < 1:
            allowed = np.zeros(len(self._rows), bool)
            allowed[rows] = True
            kept = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(kept)
        effort = int(np.ceil(self._effort / share))
        return _Parameters(_search_parameters(faiss, self._faiss, effort, selector), (selector, kept))

    def add(self, embeddings: Embeddings) -> None:
        self._rows.add(embeddings)
        self._faiss.add(np.ascontiguousarray(embeddings.vectors))
        self._rebuild_if_worn()

    def delete(self, ids: np.ndarray) -> int:
        deleted = self._rows.delete(ids)
        self._rebuild_if_worn()
        return deleted

    def _rebuild_if_worn(self) -> None:
        rows = self._rows
        if len(rows) - len(rows.living) > DEAD * len(rows) or len(rows) > GROWN * self._built:
            self._rows = Rows(rows.embeddings())
            self._build()

    def _build(self) -> None:
        vectors = self._rows.vectors
        self._built = max(1000, len(vectors))
        with progress(f"building the index ({self.form.name})", len(vectors)) as advance:
            self._faiss = self.form.build(vectors) if len(vectors) else faiss_module().IndexFlatIP(self.width)
            for start in range(0, len(vectors), 2**16):
                part = np.ascontiguousarray(vectors[start : start + 2**16])
                self._faiss.add(part)
                advance(len(part))
        self._effort, self.recall = 1, Recall(1.0, 0, 1)
        if len(vectors) > 1:
            self.recall = self._measured()

    def _measured(self) -> Recall:
        """Looks as hard as the recall that is wanted needs, and measures it with other photos."""
        drawn = np.random.default_rng(1).choice(len(self._rows), min(2 * MEASURED, len(self._rows)), replace=False)
        vectors, rows = self._rows.vectors, self._rows.living
        truth = nearest(vectors[drawn], vectors, AT, rows, drawn)[1]
        choosing, measuring = np.arange(0, len(drawn), 2), np.arange(1, len(drawn), 2)
        for effort in self.form.efforts(self._faiss):
            self._effort = effort
            if self._share_found(drawn[choosing], truth[choosing]) >= self.target:
                break
        share = self._share_found(drawn[measuring], truth[measuring])
        return Recall(share, len(measuring), self._effort)

    def _share_found(self, drawn: np.ndarray, truth: np.ndarray) -> float:
        """Of the truly nearest photos of some rows, the share with as high a score in what FAISS finds."""
        queries, parameters = self._rows.vectors[drawn], self._parameters(self._rows.living)
        wanted = self.form.widening * AT + 16
        candidates = faisss_own(self._faiss, "search")(queries, wanted, params=parameters.now)[1]
        scores = self._refined(queries, candidates, truth.shape[1], drawn)[1]
        return float((scores >= truth[:, -1:] - 1e-6).mean())

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        return self._rows.vectors_of(ids)

    def photos(self) -> pa.Table:
        return self._rows.photos()

    def save(self, path: Path) -> None:
        """Writes one file with checksums: FAISS's index, the vectors, the ids and the measured recall."""
        said = {"form": self.form.name, "target": self.target, "reason": self.reason, "effort": self._effort,
                "recall": self.recall.share, "queries": self.recall.queries, "built": self._built}  # fmt: skip
        write_kept(Kept(self._rows, faiss_module().serialize_index(self._faiss), said), path)

    @classmethod
    def load(cls, path: Path) -> "ApproximateIndex":
        kept = read_kept(path)
        said, index = kept.said, cls.__new__(cls)
        index._start(kept.rows, said["form"], said["target"], said["reason"])
        index._faiss = faiss_module().deserialize_index(kept.faiss)
        index._effort, index._built = said["effort"], said["built"]
        index.recall = Recall(said["recall"], said["queries"], said["effort"])
        return index


@dataclass(frozen=True)
class _Parameters:
    """FAISS's search parameters, and what must live as long as they do."""

    now: Any
    kept: tuple[Any, ...]


def _search_parameters(faiss: Any, index: Any, effort: int, selector: Any) -> Any:
    chosen: dict[str, Any] = {} if selector is None else {"sel": selector}
    if hasattr(index, "hnsw"):
        return faiss.SearchParametersHNSW(efSearch=effort, **chosen)
    if hasattr(index, "nlist"):
        kind = faiss.IVFPQSearchParameters if hasattr(index, "pq") else faiss.SearchParametersIVF
        return kind(nprobe=min(effort, index.nlist), **chosen)
    return faiss.SearchParameters(**chosen)
