from importlib import import_module
from typing import TYPE_CHECKING, Any

from natviews.index.approximate import ApproximateIndex
from natviews.index.base import Index
from natviews.index.choosing import index_for
from natviews.index.conditions import Condition, allowed
from natviews.index.exact import ExactIndex
from natviews.index.forms import FORMS
from natviews.index.parquet import embeddings_table, read_embeddings, write_embeddings
from natviews.index.places import open_index, stored_embeddings, stored_photos

if TYPE_CHECKING:
    from natviews.index.joining import Joined, JoinPlan, join, plan_join
    from natviews.index.lance import Store, Upserted
    from natviews.index.milvus import MilvusIndex

__all__ = [
    "FORMS",
    "ApproximateIndex",
    "Condition",
    "ExactIndex",
    "Index",
    "JoinPlan",
    "Joined",
    "MilvusIndex",
    "Store",
    "Upserted",
    "allowed",
    "embeddings_table",
    "index_for",
    "join",
    "open_index",
    "plan_join",
    "read_embeddings",
    "stored_embeddings",
    "stored_photos",
    "write_embeddings",
]

_LATER = {
    "joining": ("join", "Joined", "JoinPlan", "plan_join"),
    "lance": ("Store", "Upserted"),
    "milvus": ("MilvusIndex",),
}
"""What is loaded when it is first used, by its module."""


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"natviews.index.{module}"), name)
    raise AttributeError(f"module 'natviews.index' has no attribute {name!r}")
