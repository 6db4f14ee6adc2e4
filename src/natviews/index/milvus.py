"""Milvus, for what outgrows a machine: a collection on a server, or a local file that milvus-lite keeps.

milvus://host:port/collection          milvus://user:password@host:port/collection          FILE.db
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa

from natviews.index.base import Index, check_alike, checked_mask, checked_queries, ended
from natviews.index.exact import nearest
from natviews.index.parquet import PREFIX
from natviews.types import Embeddings, Matches, NatviewsError, Provenance

SCHEME = "milvus://"
LONGEST = 1024
"""Bytes of an id, or of a product's."""
AT_ONCE = 1000
"""Rows that are sent or asked for at a time."""
SCANNED = 20_000
"""So few allowed photos are fetched and looked at one by one: exact."""
MOST_QUERIES = 64
MOST_FOUND = 16_384
"""What Milvus gives for one query at most."""


class MilvusIndex(Index):
    """A Milvus collection. `place` is `milvus://...` or the path of a local `.db`; it must be there unless
    embeddings are added to `create`. Reads see what was acknowledged (strong consistency)."""

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        self._client, self._name = _connected(self.place)
        if not self._asked(lambda: self._client.has_collection(self._name)):
            raise NatviewsError(
                f"There is no collection {self._name!r} at {_shown(place)}; `natviews index` makes one."
            )
        said = self._asked(lambda: self._client.describe_collection(self._name))
        self.width = next(int(f["params"]["dim"]) for f in said["fields"] if f["name"] == "vector")
        kept = said.get("properties", {})
        self.made_by = Provenance(**{f.name: kept.get(PREFIX + f.name, "") for f in fields(Provenance)})
        self._known: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def create(cls, place: str | Path, embeddings: Embeddings) -> "MilvusIndex":
        """A new collection of some embeddings; their further vectors stay behind. Raises NatviewsError where it is
        there already."""
        client, name = _connected(str(place))
        from pymilvus import DataType, MilvusClient

        if client.has_collection(name):
            raise NatviewsError(f"There is a collection {name!r} at {_shown(place)} already; name another.")
        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, max_length=LONGEST, is_primary=True)
        schema.add_field("product_id", DataType.VARCHAR, max_length=LONGEST)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=embeddings.vectors.shape[1])
        indices = client.prepare_index_params()
        indices.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
        said = {PREFIX + key: value for key, value in asdict(embeddings.made_by).items()}
        client.create_collection(
            name, schema=schema, index_params=indices, consistency_level="Strong", properties=said
        )
        client.close()
        index = cls(place)
        index.add(embeddings)
        return index

    @classmethod
    def open_or_create(cls, place: str | Path, embeddings: Embeddings) -> "MilvusIndex":
        """The collection at a place with these embeddings taken in."""
        client, name = _connected(str(place))
        there = client.has_collection(name)
        client.close()
        if not there:
            return cls.create(place, embeddings)
        index = cls(place)
        index.add(embeddings)
        return index

    @classmethod
    def load(cls, path: Path) -> "MilvusIndex":
        return cls(path)

    def save(self, path: Path) -> None:
        raise NatviewsError(
            f"{_shown(self.place)} is kept by Milvus, whatever is added to it; it is not saved to {path}."
        )

    def _asked(self, work: Any) -> Any:
        """What Milvus answers. Raises NatviewsError with its own words where it does not."""
        from pymilvus.exceptions import MilvusException

        try:
            return work()
        except MilvusException as error:
            raise NatviewsError(f"Milvus at {_shown(self.place)}: {' '.join(str(error).split())[:200]}") from None

    @property
    def ids(self) -> np.ndarray:
        return self._listed()[0]

    def __len__(self) -> int:
        return len(self.ids)

    def refresh(self) -> None:
        """Sees what others have written."""
        self._known = None

    def _listed(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids and products, by id, as they were when they were first asked for or last written to here."""
        if self._known is None:
            rows = sorted((row["id"], row["product_id"]) for row in self._rows(["id", "product_id"]))
            columns = zip(*rows, strict=True) if rows else ((), ())
            ids, products = (np.array(list(column), str) for column in columns)
            self._known = ids, products
        return self._known

    def _rows(self, fields: list[str]) -> Iterator[dict[str, Any]]:
        client, name = self._client, self._name
        found = self._asked(lambda: client.query_iterator(name, batch_size=AT_ONCE, output_fields=fields))
        while rows := self._asked(found.next):
            yield from rows
        found.close()

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        where: np.ndarray | None = None,
        query_ids: np.ndarray | None = None,
    ) -> Matches:
        """As Milvus's own index finds them; few allowed photos are fetched and looked at one by one, which is
        exact."""
        names = checked_queries(queries, k, self.width, query_ids)
        if where is not None:
            allowed = self.ids[checked_mask(where, len(self))]
            if len(allowed) <= SCANNED:
                return self._scanned(queries, k, names, allowed, query_ids is not None)
        else:
            allowed = None
        if k + 1 > MOST_FOUND:
            raise NatviewsError(f"Milvus finds at most {MOST_FOUND - 1} photos of a query, and {k} are asked for.")
        ids, scores = [], []
        for start in range(0, len(queries), MOST_QUERIES):
            part = slice(start, start + MOST_QUERIES)
            for name, hits in zip(names[part], self._hits(queries[part], k + 1, allowed), strict=True):
                kept = [hit for hit in hits if query_ids is None or hit["id"] != name][:k]
                ids.append([hit["id"] for hit in kept] + [""] * (k - len(kept)))
                scores.append([hit["distance"] for hit in kept] + [-np.inf] * (k - len(kept)))
        shape = (len(queries), k)
        return ended(names, np.array(ids, str).reshape(shape), np.array(scores, np.float32).reshape(shape), k)

    def _hits(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> Any:
        filtered = {} if allowed is None else {"filter": _among(allowed.tolist())}
        return self._asked(
            lambda: self._client.search(
                self._name, data=queries.tolist(), limit=k, consistency_level="Strong", **filtered
            )
        )

    def _scanned(
        self, queries: np.ndarray, k: int, names: np.ndarray, allowed: np.ndarray, named: bool
    ) -> Matches:
        vectors = self.vectors_of(allowed)
        shuffle = np.random.default_rng(0).permutation(len(allowed))
        own = np.array([{n: i for i, n in enumerate(allowed)}.get(name, -1) for name in names]) if named else None
        rows, scores = nearest(queries, vectors, k, shuffle, own)
        return ended(names, allowed[rows] if len(allowed) else np.empty(rows.shape, "<U1"), scores, k)

    def add(self, embeddings: Embeddings) -> None:
        check_alike(self.made_by, self.width, embeddings)
        for texts in (embeddings.ids, embeddings.product_ids):
            long = [text for text in texts.tolist() if len(text.encode()) > LONGEST]
            if long:
                raise NatviewsError(
                    f"Milvus takes ids of at most {LONGEST} bytes, and {long[0][:40]!r}... is longer."
                )
        columns = embeddings.ids.tolist(), embeddings.product_ids.tolist(), embeddings.vectors
        rows = [{"id": i, "product_id": p, "vector": v} for i, p, v in zip(*columns, strict=True)]
        for start in range(0, len(rows), AT_ONCE):
            part = rows[start : start + AT_ONCE]
            self._asked(lambda part=part: self._client.upsert(self._name, part))
        self.refresh()

    def delete(self, ids: np.ndarray) -> int:
        there = sorted({str(name) for name in ids} & set(self.ids.tolist()))
        for start in range(0, len(there), AT_ONCE):
            part = there[start : start + AT_ONCE]
            self._asked(lambda part=part: self._client.delete(self._name, filter=_among(part)))
        self.refresh()
        return len(there)

    def vectors_of(self, ids: np.ndarray) -> np.ndarray:
        wanted = [str(name) for name in ids]
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            rows = self._asked(
                lambda part=part: self._client.query(
                    self._name, filter=_among(part), output_fields=["id", "vector"], consistency_level="Strong"
                )
            )
            found |= {row["id"]: row["vector"] for row in rows}
        absent = [name for name in wanted if name not in found]
        if absent:
            raise NatviewsError(f"There is no photo {absent[0]!r} at {_shown(self.place)}.")
        return np.array([found[name] for name in wanted], np.float32).reshape(len(wanted), self.width)

    def photos(self) -> pa.Table:
        columns = zip(("id", "product_id"), self._listed(), strict=True)
        return pa.table({name: pa.array(column.tolist(), pa.string()) for name, column in columns})

    @property
    def embeddings(self) -> Embeddings:
        """All photos with their vectors."""
        ids, products = self._listed()
        return Embeddings(ids, products, self.vectors_of(ids), self.made_by)

    def close(self) -> None:
        """Lets go of the server or the file."""
        self._client.close()


def _among(ids: list[str]) -> str:
    """Milvus's expression for these photos, every id a quoted text in which nothing can end it: its client quotes
    none of them."""
    return f"id in {json.dumps(ids, ensure_ascii=False)}"


def _connected(place: str) -> tuple[Any, str]:
    """A client of a place, and the collection's name."""
    try:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException
    except ImportError:
        raise NatviewsError("Milvus needs its client; pip install 'natviews[milvus]'.") from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs whatever it raises
    if not place.startswith(SCHEME):
        return MilvusClient(str(Path(place).resolve())), "photos"
    parts = urlsplit(place)
    name = parts.path.strip("/")
    if not parts.hostname or not name:
        raise NatviewsError(f"{_shown(place)} names no collection; write milvus://host:port/collection.")
    token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    try:
        return MilvusClient(f"http://{parts.hostname}:{parts.port or 19530}", token=token, timeout=10), name
    except MilvusException as error:
        raise NatviewsError(
            f"No Milvus answers at {_shown(place)}: {' '.join(str(error).split())[:120]}"
        ) from None


def _shown(place: str | Path) -> str:
    """A place without its password."""
    parts = urlsplit(str(place))
    return (
        str(place).replace(f":{parts.password}@", ":...@")
        if parts.scheme == "milvus" and parts.password
        else str(place)
    )
