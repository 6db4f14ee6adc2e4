"""Everything behind the addresses: one object for each server, made before it answers and closed after."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.catalog import BadPhoto
from natviews.config import did_you_mean
from natviews.index.forms import threads
from natviews.matching.side import drawn_by_name
from natviews.serving.answers import Answers
from natviews.serving.describing import Described, Describer
from natviews.serving.explaining import Explained, Explainer
from natviews.serving.fetching import Fetcher
from natviews.serving.gallery import Gallery, open_gallery
from natviews.serving.knowing import Worth
from natviews.serving.map import Maps
from natviews.serving.observing import Figures, log
from natviews.serving.parts import DESIGN, Part, facts_of
from natviews.serving.pictures import KEPT, Pictures
from natviews.serving.problems import Absent
from natviews.serving.reviewing import Pair, Review, listed_pairs
from natviews.serving.settings import Settings
from natviews.serving.snapshot import ASKING, Neighbour, Query, search
from natviews.serving.tables import Tables
from natviews.serving.uploads import Crop, Decoders
from natviews.types import NatviewsError

REVIEWED = 400
"""Products whose likeliest other product is asked about where there are no matches to judge."""
WORDS = 8


@dataclass(frozen=True)
class Asked:
    """How many products are wanted, which, and whether colours count."""

    k: int = 24
    conditions: tuple[str, ...] = ()
    design: bool = False


@dataclass(frozen=True)
class Listed:
    """A product by one of its photos."""

    product_id: str
    photo: str
    facts: dict[str, str]


class Service:
    """What the API and the pages share."""

    def __init__(self, settings: Settings, figures: Figures) -> None:
        self.settings, self.figures, limits = settings, figures, settings.limits
        self.gallery: Gallery = open_gallery(settings.store)
        self.decoders = Decoders(limits, limits.decoders)
        self.fetcher = Fetcher(settings.fetch_from, limits)
        made_by = self.gallery.made_by
        folder = settings.photos or _folder_of(getattr(made_by, "source", ""))
        folders = tuple(place for place in (folder, settings.their_photos) if place is not None)
        self.pictures = Pictures(settings.folder, folders, self.decoders)
        encoder = settings.encoder or (Path(made_by.location) if made_by.location else None)
        self.describer = Describer(encoder, made_by.encoder, figures.batch.observe, settings.threads)
        self._explainer = Explainer(self.describer)
        self.tables = Tables(settings.tables or settings.store.parent, self.gallery, folder)
        self.worth = Worth(self.gallery.snapshot)
        self.maps = Maps(lambda: self.gallery.snapshot)
        self.answers = Answers(settings.folder / "answers.jsonl")
        self._review: tuple[object, frozenset[str], Review] | None = None
        self._cores = threading.BoundedSemaphore(settings.threads or threads())
        figures.photos.set_function(lambda: len(self.gallery.snapshot))

    @property
    def ready(self) -> bool:
        """Whether everything that is loaded at the start has been."""
        return self.describer.ready.is_set()

    async def described(self, data: bytes, crop: Crop | None = None) -> Described:
        """The vectors of a photo's file, decoded as a catalogue's are. Raises BadPhoto or NatviewsError."""
        pixels = await self._pixels(data, self.describer.longest, crop)
        return await asyncio.wrap_future(self.describer.submit(pixels))

    async def fetched(self, url: str) -> bytes:
        """A photo's file from a URL. Raises BadPhoto, Busy or Forbidden."""
        try:
            return await self.fetcher.fetched(url)
        except BadPhoto as reason:
            self.figures.refused.inc()
            log(fetch=str(reason))
            raise

    async def _pixels(self, data: bytes, longest: int, crop: Crop | None = None) -> np.ndarray:
        try:
            return await asyncio.wrap_future(self.decoders.submit(data, longest, crop))
        except BadPhoto:
            self.figures.refused.inc()
            raise

    def near_vector(self, vector: Described, asked: Asked) -> list[Neighbour]:
        """The products nearest to a photo."""
        if asked.design:
            self.gallery.snapshot.check_designs()
        chosen = vector.extra[DESIGN] if asked.design else vector.vector
        return self._search(chosen[None], asked)

    def near_product(self, product_id: str, asked: Asked) -> list[Neighbour]:
        """The products nearest to one of the store. Raises Absent where it is not there."""
        if asked.design:
            self.gallery.snapshot.check_designs()
        places = self.gallery.snapshot.photos_of(product_id)[:ASKING]
        if not places:
            raise Absent(f"There is no product {product_id!r} in the store.")
        vectors = np.concatenate([part.vectors([row], design=asked.design) for part, row in places])
        return self._search(vectors, asked, product_id)

    def _search(self, vectors: np.ndarray, asked: Asked, without: str = "") -> list[Neighbour]:
        query = Query(vectors, asked.k, asked.conditions, asked.design, without)
        with self._cores:  # more searches at once than cores only wait for each other, and for Python's lock
            return search(self.gallery.snapshot, query)

    async def why(
        self, query: bytes | str, match: str, crop: Crop | None = None, *, design: bool = False
    ) -> tuple[Explained, Explained]:
        """Which parts of a photo, its file or its id in the store, and of one of the store make them alike. Raises
        Absent, BadPhoto, Busy or Unable."""
        longest = self.describer.longest
        asking = self._stored(query, longest) if isinstance(query, str) else self._pixels(query, longest, crop)
        photos = await asking, await self._stored(match, longest)
        return await asyncio.to_thread(self._explainer.explain, photos, design=design)

    def nearest_photo(self, product_id: str, match: str, *, design: bool = False) -> str:
        """The id of the product's photo that is most like a photo of the store. Raises Absent or Unable."""
        snapshot = self.gallery.snapshot
        if design:
            snapshot.check_designs()
        target, places = snapshot.place(match), snapshot.photos_of(product_id)[:ASKING]
        if target is None or not places:
            raise Absent(f"There is no product {product_id!r} or no photo {match!r} in the store.")
        vectors = [part.vectors([row], design=design)[0] for part, row in [target, *places]]
        part, row = places[int(np.argmax(np.stack(vectors[1:]) @ vectors[0]))]
        return str(part.embeddings.ids[row])

    async def _stored(self, photo: str, longest: int) -> np.ndarray:
        if self.gallery.snapshot.place(photo) is None:
            raise Absent(f"There is no photo {photo!r} in the store.")
        return await asyncio.to_thread(self.pictures.pixels, photo, longest)

    def product(self, product_id: str) -> list[Listed]:
        """A product's photos. Raises Absent where it is not there."""
        places = self.gallery.snapshot.photos_of(product_id)
        if not places:
            raise Absent(f"There is no product {product_id!r} in the store.")
        return _listed(places)

    def named(self, text: str, start: int, count: int) -> tuple[list[Listed], int]:
        """Products whose title or id holds the words of `text`, those with most of them first, and how many do."""
        words = [word for word in text.split() if word][:WORDS]
        found: list[tuple[int, int, int]] = []
        firsts = self.gallery.snapshot.first_photos
        for number, (part, rows) in enumerate(firsts):
            hits = _hits(part.known.take(pa.array(rows)), words)
            kept = np.flatnonzero(hits > 0) if words else np.arange(len(rows))
            found += [(-int(hits[row]), number, int(rows[row])) for row in kept.tolist()]
        found.sort()
        shown = [(firsts[number][0], row) for _, number, row in found[start : start + count]]
        return _listed(shown), len(found)

    async def upsert(self, photo: str, product_id: str, data: bytes, facts: dict[str, str]) -> None:
        """Takes a photo in; returns when it is safely in the store. Raises NatviewsError."""
        self.gallery.check_writable()
        for name in facts:
            if name not in self.gallery.snapshot.columns:
                hint = did_you_mean(name, self.gallery.snapshot.columns)
                raise NatviewsError(f"The store has no column {name!r}; {hint}")
        described = await self.described(data)
        embeddings = described.embeddings(photo, product_id, self.gallery.made_by)
        given = {"id": [photo], "product_id": [product_id]} | {name: [value] for name, value in facts.items()}
        known = pa.table({name: pa.array(values, pa.string()) for name, values in given.items()})
        shown = await self._pixels(data, KEPT)
        await asyncio.wrap_future(self.gallery.upsert(embeddings, known, lambda: self.pictures.keep(photo, shown)))

    async def delete(self, photos: Sequence[str]) -> int:
        """Takes photos out; how many there were."""

        def drop() -> None:
            for photo in photos:
                self.pictures.drop(photo)

        return await asyncio.wrap_future(self.gallery.delete(photos, drop))

    def review(self) -> Review:
        """The pairs to be judged: matches that were written, or else each product's likeliest other one."""
        table = self.tables.table("matches") if self.tables.is_written("matches") else None
        snapshot = self.gallery.snapshot
        source, gone = (snapshot.main, snapshot.gone) if table is None else (table, frozenset[str]())
        if self._review is None or self._review[0] is not source or self._review[1] != gone:
            pairs = self._own_pairs() if table is None else listed_pairs(table)
            self._review = source, gone, Review(pairs, self.answers)
        return self._review[2]

    def _own_pairs(self) -> list[Pair]:
        pairs = dict[frozenset[str], Pair]()
        places = [(part, row) for part, rows in self.gallery.snapshot.first_photos for row in rows.tolist()]
        # By chance, and the same ones whatever else comes and goes: what was judged still counts.
        places = sorted(places, key=lambda place: drawn_by_name(place[0].product(place[1])))[:REVIEWED]
        for (part, row), facts in zip(places, facts_of(places), strict=True):
            own, photo = part.product(row), str(part.embeddings.ids[row])
            for other in self._search(part.vectors([row], design=False), Asked(k=1), own):
                titles = facts.get("title", ""), other.facts.get("title", "")
                pair = Pair(own, other.product_id, photo, other.photo, other.score, *titles)
                pairs.setdefault(frozenset((own, other.product_id)), pair)
        return list(pairs.values())

    def close(self) -> None:
        """Finishes what is being written and ends all processes."""
        self.describer.close()
        self.gallery.close()
        self.decoders.close()
        self.fetcher.close()


def _listed(places: Sequence[tuple[Part, int]]) -> list[Listed]:
    return [
        Listed(str(part.embeddings.product_ids[row]), str(part.embeddings.ids[row]), facts)
        for (part, row), facts in zip(places, facts_of(places), strict=True)
    ]


def _hits(known: pa.Table, words: list[str]) -> np.ndarray:
    """(N,) how many of the words stand in each row's title or product id."""
    hits = np.zeros(len(known), np.int64)
    columns = [name for name in ("title", "product_id") if name in known.column_names]
    for word in words:
        held = np.zeros(len(known), bool)
        for name in columns:
            text = known.column(name).cast(pa.string())
            found = pa.compute.match_substring(text, word, ignore_case=True).fill_null(False)
            held |= found.to_numpy(zero_copy_only=False)
        hits += held
    return hits


def _folder_of(catalog: str) -> Path | None:
    """The folder that a catalogue's photos are relative to, where it is still there."""
    if not catalog or not Path(catalog).exists():
        return None
    return Path(catalog) if Path(catalog).is_dir() else Path(catalog).parent
