"""natviews: learn what products look like from a shop's own photos, and find the same item again.

The public names below are loaded when first used, so that importing the package does nothing else:
`natviews search` and `natviews evaluate` must start at once, and torch alone takes seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Catalog": "natviews.catalog",
    "Embeddings": "natviews.types",
    "Encoder": "natviews.encoders",
    "ExactIndex": "natviews.index",
    "Matches": "natviews.types",
    "Method": "natviews.methods",
    "Metric": "natviews.types",
    "NatviewsError": "natviews.types",
    "Photo": "natviews.types",
    "Policy": "natviews.views",
    "Provenance": "natviews.types",
    "Recipe": "natviews.training",
    "Report": "natviews.report",
    "View": "natviews.views",
    "generate_catalog": "natviews.catalog",
    "render": "natviews.views",
    "retrieval": "natviews.evaluation",
    "train": "natviews.training",
}
__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from natviews.catalog import Catalog, generate_catalog
    from natviews.encoders import Encoder
    from natviews.evaluation import retrieval
    from natviews.index import ExactIndex
    from natviews.methods import Method
    from natviews.report import Report
    from natviews.training import Recipe, train
    from natviews.types import Embeddings, Matches, Metric, NatviewsError, Photo, Provenance
    from natviews.views import Policy, View, render


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'natviews' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
