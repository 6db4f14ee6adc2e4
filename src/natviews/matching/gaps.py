"""What they sell and we do not, and which of that is wanted most."""

import numpy as np
import pyarrow as pa

from natviews.matching.comparison import Comparison
from natviews.matching.decision import Decision, counted, table_of
from natviews.matching.promises import Threshold
from natviews.matching.side import Side

GAPS = pa.schema(
    {
        "product": pa.string(),
        "title": pa.string(),
        "product_type": pa.string(),
        "price": pa.float64(),
        "nearest": pa.string(),
        "score": pa.float32(),
        "probability": pa.float32(),
        "photo": pa.string(),
        "nearest_photo": pa.string(),
        "nearest_title": pa.string(),
    }
)
OPPORTUNITIES = pa.schema(
    [
        pa.field("rank", pa.int32()),
        pa.field("demand", pa.float32()),
        *GAPS,
        pa.field("sales", pa.float64()),
        pa.field("sellers", pa.float64()),
        pa.field("growth", pa.float64()),
        pa.field("price_band", pa.string()),
        pa.field("ours_near", pa.int32()),
        pa.field("ours_in_band", pa.int32()),
    ]
)
DEMAND = ("sales", "sellers", "growth")
"""Columns that say what is wanted; each counts as much as the others, by a product's rank in it."""
BANDS = ("low", "middle", "high")


def gap_items(comparison: Comparison, recall: float = 0.95) -> Decision:
    """Products of theirs without a match among ours; columns as `GAPS` says, the surest gap first.

    `comparison` asks their products among ours (`compare(theirs, ours)`). A product is a gap where nothing of ours
    reaches the score that a share `recall` of true matches reaches: of what we do have, at most 1 - `recall` is
    wrongly listed. That promise rests on photos of one product (see `docs/decisions.md`); where too few products
    are held out for it, nothing is listed.
    """
    promise = comparison.recall(recall)
    table = _gaps(comparison, promise)
    return Decision(table, promise, _sentences(comparison, len(table), promise))


def _sentences(comparison: Comparison, count: int, promise: Threshold) -> tuple[str, ...]:
    if not promise.kept:
        return (
            f"No gap can be promised at {promise.target:.0%}: {counted(promise.n, 'held-out product')} with two "
            f"photos or more {'is' if promise.n == 1 else 'are'} too few, by about {promise.missing:,}.",
        )
    return (
        f"{count:,} of their {counted(len(comparison.ours), 'product')} look like nothing of ours.",
        f"Of what we do have, at most {1 - promise.target:.0%} is wrongly among them (learnt from {promise.n:,} "
        "products' own photos), as long as their photos differ from ours like ours do among themselves.",
    )


def _gaps(comparison: Comparison, promise: Threshold) -> pa.Table:
    theirs, ours, pairs = comparison.ours, comparison.theirs, comparison.pairs
    best = np.full(len(theirs), -np.inf)
    row = np.full(len(theirs), -1)
    first = np.flatnonzero(pairs.first)
    best[pairs.query[first]], row[pairs.query[first]] = pairs.score[first], first
    missing = np.flatnonzero(best < promise.score) if promise.kept else np.empty(0, np.int64)
    missing = missing[np.lexsort((missing, best[missing]))]
    rows = row[missing]
    found = rows >= 0
    at = rows[found]
    columns = {
        "product": theirs.products[missing],
        "title": theirs.text("title")[missing],
        "product_type": theirs.types[missing],
        "price": theirs.numbers("price")[missing],
        "nearest": _filled(found, ours.products[pairs.match[at]]),
        "score": np.where(found, best[missing], np.nan),
        "probability": np.where(found, comparison.probability(best[missing]), 0.0),
        "photo": _filled(found, theirs.embeddings.ids[pairs.query_photo[at]]),
        "nearest_photo": _filled(found, ours.embeddings.ids[pairs.match_photo[at]]),
        "nearest_title": _filled(found, ours.text("title")[pairs.match[at]]),
    }
    return table_of(columns, GAPS)


def _filled(found: np.ndarray, values: np.ndarray) -> np.ndarray:
    filled = np.full(len(found), "", object)
    filled[found] = values
    return filled


def opportunities(comparison: Comparison, recall: float = 0.95) -> Decision:
    """The gaps ranked by demand, columns as `OPPORTUNITIES` says; `comparison` as for `gap_items`.

    `demand` (0 to 1) is the mean of a product's rank, among all of theirs, in each of `sales`, `sellers` and
    `growth` that the catalogue has (a missing value counts as the middle); without any of them the order is
    that of `gap_items`. `price_band` is the third of their type's prices it lies in, `ours_in_band` how many of
    our products of that type lie between the same prices, `ours_near` how many of ours are among its likeliest
    candidates at half the way to a match.
    """
    gaps = gap_items(comparison, recall)
    theirs, ours = comparison.ours, comparison.theirs
    number = np.searchsorted(theirs.products, np.array(gaps.table.column("product").to_pylist(), str))
    band, low, high = _price_bands(theirs)
    demand = demand_of(theirs)
    order = np.lexsort((np.arange(len(number)), -demand[number]))
    number = number[order]
    columns = {name: gaps.table.column(name).take(pa.array(order, pa.int64())).to_pylist() for name in GAPS.names}
    columns |= {name: theirs.numbers(name)[number] for name in DEMAND}
    columns |= {
        "rank": np.arange(1, len(number) + 1),
        "demand": demand[number],
        "price_band": band[number],
        "ours_near": _near(comparison)[number],
        "ours_in_band": _in_band(theirs.types[number], low[number], high[number], ours),
    }
    table = table_of(columns, OPPORTUNITIES)
    best = f"The most wanted is {columns['title'][0] or columns['product'][0]!r}." if len(table) else ""
    return Decision(table, gaps.promise, tuple(filter(None, (*gaps.sentences, best))))


def demand_of(side: Side) -> np.ndarray:
    """(P,) from 0 to 1: the mean rank of each product in `sales`, `sellers` and `growth`, as far as given."""
    ranks = []
    for name in DEMAND:
        values = side.numbers(name)
        there = np.isfinite(values)
        if there.any():
            ordered = np.sort(values[there])
            middle = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2
            ranks.append(np.where(there, middle / len(ordered), 0.5))
    return np.mean(ranks, axis=0) if ranks else np.full(len(side), 0.5)


def _price_bands(side: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) each product's band within its type ('' without a price), and the lowest and highest price of it."""
    price = side.numbers("price")
    band, low, high = np.full(len(side), "", object), np.full(len(side), np.nan), np.full(len(side), np.nan)
    for name in np.unique(side.types).tolist():
        own = np.flatnonzero((side.types == name) & np.isfinite(price))
        if not len(own):
            continue
        cuts = np.quantile(price[own], [1 / 3, 2 / 3])
        edges = np.array([-np.inf, *cuts, np.inf])
        place = np.searchsorted(cuts, price[own], side="right")
        band[own] = np.array(BANDS, object)[place]
        low[own], high[own] = edges[place], edges[place + 1]
    return band.astype(str), low, high


def _in_band(types: np.ndarray, low: np.ndarray, high: np.ndarray, ours: Side) -> np.ndarray:
    price = ours.numbers("price")
    counts = np.zeros(len(types), np.int64)
    for name in np.unique(types).tolist():
        own = np.sort(price[(ours.types == name) & np.isfinite(price)])
        rows = np.flatnonzero(types == name)
        counts[rows] = np.searchsorted(own, high[rows], "left") - np.searchsorted(own, low[rows], "left")
    return np.where(np.isnan(low), 0, counts)


def _near(comparison: Comparison) -> np.ndarray:
    """(P,) how many of ours score above the middle between a usual non-match and a usual match."""
    wrong, matched, pairs = comparison.nothing.scores, comparison.matched, comparison.pairs
    if not np.isfinite(wrong).any() or not len(matched):
        return np.zeros(len(comparison.ours), np.int64)
    middle = (np.median(wrong[np.isfinite(wrong)]) + np.median(matched)) / 2
    return np.bincount(pairs.query[pairs.score >= middle], minlength=len(comparison.ours))
