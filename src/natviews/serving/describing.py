"""Vectors of new photos: the store's encoder, loaded in the background, with photos that come together described
together."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from natviews.serving.batching import Batcher
from natviews.serving.problems import Busy, Unable
from natviews.types import Embeddings, NatviewsError, Provenance

if TYPE_CHECKING:
    from concurrent.futures import Future

WAIT = 0.004
"""Seconds in which photos that come after the first are described with it."""
MOST = 8
"""Photos that are described together; others are decoded, and their answers written, meanwhile."""


@dataclass(frozen=True)
class Described:
    """A photo's unit vectors: `vector` (D,) and `extra` further ones by name."""

    vector: np.ndarray
    extra: dict[str, np.ndarray]

    def embeddings(self, photo: str, product_id: str, made_by: Provenance) -> Embeddings:
        """As the embeddings of one photo."""
        extra = {name: vector[None] for name, vector in self.extra.items()}
        return Embeddings(np.array([photo]), np.array([product_id]), self.vector[None], made_by, extra)


class _Asked(NamedTuple):
    """A photo (H, W, 3) uint8 RGB to be described."""

    photo: np.ndarray
    is_prepared: bool = False


class Describer:
    """The encoder in a folder. It must be the one that the store was made with: `wanted` is its digest.

    `problem` is None once it can be used, and else one sentence. `measured` hears the size of each batch.
    """

    def __init__(self, folder: Path | None, wanted: str, measured: Any = None, threads: int | None = None) -> None:
        self._folder, self._wanted, self._measured, self._threads = folder, wanted, measured, threads
        self._encoder: Any = None
        self._batcher: Batcher[_Asked, Described] | None = None
        self.ready = threading.Event()
        self.problem: str | None = "The encoder is being loaded; ask again in a moment."
        if folder is None:
            self._end("The server knows no encoder to describe photos with; start it with --encoder RUN.")
        else:
            threading.Thread(target=self._load, name="loading the encoder", daemon=True).start()

    def _end(self, problem: str | None) -> None:
        self.problem = problem
        self.ready.set()

    def _load(self) -> None:
        try:
            import torch

            from natviews.encoders import Encoder, describer
            from natviews.encoders.describing import WORTH

            if self._threads:
                torch.set_num_threads(self._threads)

            assert self._folder is not None
            encoder = Encoder.load(self._folder)
            if self._wanted and encoder.digest() != self._wanted:
                raise NatviewsError(
                    f"The encoder in {self._folder} is another one than the store was made with; embed again."
                )
            self._encoder, self._describe = encoder, describer(encoder, WORTH)
            blank = _Asked(np.zeros((64, 64, 3), np.uint8), is_prepared=True)
            self._described([blank])  # what is compiled at first use is compiled now
            self._batcher = Batcher(self._described, most=MOST, wait=WAIT, name="describing", threads=2)
            self._end(None)
        except NatviewsError as error:
            self._end(str(error))
        except Exception as error:
            self._end(f"The encoder in {self._folder} cannot be loaded: {type(error).__name__}.")
            raise

    @property
    def longest(self) -> int:
        """Pixels of the longest side at which photos are wanted."""
        from natviews.catalog.prepared import ROOM
        from natviews.encoders import stored_size

        self._check()
        architecture = self._encoder.architecture
        return stored_size(max(architecture.sizes)) * (1 if architecture.preparation is None else ROOM)

    @property
    def crop(self) -> float:
        """The share of a photo's shorter side that the encoder sees."""
        self._check()
        return float(self._encoder.architecture.crop)

    def submit(self, photo: np.ndarray, *, is_prepared: bool = False) -> "Future[Described]":
        """The vectors to come of a photo (H, W, 3) uint8 RGB, which is prepared first as the encoder wants it.
        Raises NatviewsError where there is no encoder."""
        self._check()
        assert self._batcher is not None
        return self._batcher.submit(_Asked(photo, is_prepared))

    def prepared(self, photo: np.ndarray) -> np.ndarray:
        """The photo as the encoder is shown it. Raises BadPhoto where it cannot be."""
        from natviews.catalog.prepared import prepared
        from natviews.encoders import stored_size

        self._check()
        architecture = self._encoder.architecture
        way = architecture.prepared_by()
        return photo if way is None else prepared(photo, stored_size(max(architecture.sizes)), way)

    def _check(self) -> None:
        if self.problem is not None:
            raise Unable(self.problem) if self.ready.is_set() else Busy(self.problem)

    def _described(self, photos: "list[_Asked]") -> list[Described | Exception]:
        from natviews.catalog import BadPhoto

        encoder, bad = self._encoder, dict[int, Exception]()
        fit = []
        for place, asked in enumerate(photos):
            try:
                fit.append(asked.photo if asked.is_prepared else self.prepared(asked.photo))
            except BadPhoto as reason:
                bad[place] = reason
        if self._measured:
            self._measured(len(fit))
        batches = list(encoder.features(fit, describe=self._describe))
        features = np.concatenate(batches) if batches else np.empty((0, encoder.width), np.float32)
        vectors, further = encoder.through_head(features), encoder.further_vectors(features)
        rows = iter(range(len(features)))
        return [
            bad[place] if place in bad else self._row(vectors, further, next(rows)) for place in range(len(photos))
        ]

    @staticmethod
    def _row(vectors: np.ndarray, further: dict[str, np.ndarray], row: int) -> Described:
        return Described(vectors[row], {name: kept[row] for name, kept in further.items()})

    def close(self) -> None:
        """Finishes what was submitted."""
        if self._batcher is not None:
            self._batcher.close()
