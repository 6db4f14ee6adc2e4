"""Which index suits some vectors, by their number and the memory there is, and why."""

from natviews.index.approximate import ApproximateIndex
from natviews.index.base import Index
from natviews.index.exact import ExactIndex
from natviews.index.forms import FORMS, faiss_here
from natviews.types import Embeddings, NatviewsError

EXACT_UP_TO = 50_000
"""So many vectors are looked at one by one within some milliseconds a query."""
ORDER = ("ivf-sq8", "ivf-pq")
"""What is tried, the best first. HNSW is for those who ask for it: it takes ten times as long to build."""


def index_for(embeddings: Embeddings, *, recall: float = 0.99, memory: int | None = None) -> Index:
    """The index that suits some vectors; its `reason` says why.

    Up to 50,000 vectors, or where `recall` is 1, or without FAISS, every vector is looked at. Beyond, FAISS's
    cells with 8 bits of every number, and where `memory` (bytes for what the index adds to the vectors) is too
    small for those, with 8 bits of every eight numbers. Raises NatviewsError where not even that fits.
    """
    count, width = embeddings.vectors.shape
    if not 0 < recall <= 1:
        raise NatviewsError(f"A recall lies above 0 and is at most 1, and {recall} does not.")
    if count <= EXACT_UP_TO or recall == 1 or not faiss_here():
        return ExactIndex(embeddings)
    needs = {name: round(FORMS[name].bytes_per_vector(width) * count) for name in ORDER}
    fitting = [name for name in ORDER if memory is None or needs[name] <= memory]
    if not fitting:
        raise NatviewsError(
            f"An index of {count:,} vectors needs {needs[ORDER[-1]] / 1e6:,.0f} MB beside them and may take "
            f"{(memory or 0) / 1e6:,.0f}; give it more memory, or use `join`, which works in pieces."
        )
    name = fitting[0]
    said = "" if memory is None else f" of the {memory / 1e6:,.0f} MB there are"
    reason = (
        f"{name}: {count:,} vectors are too many to look at each, and it needs {needs[name] / 1e6:,.0f} MB{said}"
    )
    return ApproximateIndex(embeddings, name, recall=recall, reason=reason)
