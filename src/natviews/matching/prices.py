"""What they ask for the items that we sell too."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from natviews.matching.decision import Decision, counted, table_of
from natviews.matching.side import Side
from natviews.types import NatviewsError

PRICES = pa.schema(
    {
        "query_product": pa.string(),
        "match_product": pa.string(),
        "query_title": pa.string(),
        "match_title": pa.string(),
        "our_price": pa.float64(),
        "their_price": pa.float64(),
        "difference": pa.float64(),
        "ratio": pa.float64(),
        "robust_z": pa.float32(),
        "outlier": pa.bool_(),
        "their_lowest": pa.float64(),
        "their_change": pa.float64(),
        "query": pa.string(),
        "match": pa.string(),
        "score": pa.float32(),
        "probability": pa.float32(),
    }
)
OUTLIER = 3.5
"""Robust z from which a price is an outlier: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993."""
MAD_TO_SD = 1.4826
"""The standard deviation of a normal distribution in median absolute deviations."""


@dataclass(frozen=True)
class History:
    """Earlier prices of their products: by product id the `lowest`, and the last one's `change` as a share of the
    first."""

    lowest: dict[str, float]
    change: dict[str, float]


def price_comparison(matches: Decision, ours: Side, theirs: Side, *, history: History | None = None) -> Decision:
    """The accepted matches with both prices, the dearest of ours (by ratio) first; columns as `PRICES` says.

    `difference` is ours - theirs, `ratio` ours / theirs, `robust_z` how far the logarithm of the ratio lies
    from the median of all, in robust standard deviations. Matches of which a price is missing or not positive
    come last, without figures. Raises NatviewsError where a side has no column `price`.
    """
    for side in (ours, theirs):
        if not side.has("price"):
            raise NatviewsError(f"The catalogue of {side.name} has no column 'price'; prices cannot be compared.")
    table = matches.table.filter(matches.table.column("accepted"))
    names = {name: np.array(table.column(name).to_pylist(), object) for name in ("query_product", "match_product")}
    our_price = ours.numbers("price")[np.searchsorted(ours.products, names["query_product"].astype(str))]
    their_price = theirs.numbers("price")[np.searchsorted(theirs.products, names["match_product"].astype(str))]
    given = (our_price > 0) & (their_price > 0)
    our_price, their_price = np.where(given, our_price, np.nan), np.where(given, their_price, np.nan)
    z = robust_z(np.log(our_price / their_price))
    past = history or History({}, {})
    their_names = names["match_product"].tolist()
    columns = {name: table.column(name).to_pylist() for name in table.column_names if name in PRICES.names}
    columns |= {
        "our_price": our_price,
        "their_price": their_price,
        "difference": our_price - their_price,
        "ratio": our_price / their_price,
        "robust_z": z,
        "outlier": np.abs(z) > OUTLIER,
        "their_lowest": [past.lowest.get(name, np.nan) for name in their_names],
        "their_change": [past.change.get(name, np.nan) for name in their_names],
    }
    order = np.lexsort((names["query_product"].astype(str), -np.nan_to_num(our_price / their_price, nan=-1.0)))
    table = table_of(columns, PRICES).take(pa.array(order, pa.int64()))
    return Decision(table, matches.promise, _sentences(our_price / their_price, np.abs(z) > OUTLIER))


def _sentences(ratio: np.ndarray, outlier: np.ndarray) -> tuple[str, ...]:
    known = ratio[np.isfinite(ratio)]
    if not len(known):
        return ("No item that both sell has both prices.",)
    dearer, share = int((known > 1).sum()), float(np.median(known)) - 1
    middle = f"{abs(share):.0%} {'above' if share > 0 else 'below'} theirs" if round(share, 2) else "theirs"
    return (
        f"Of {counted(len(known), 'item')} that both sell we are dearer on {dearer:,}; our middle price is "
        f"{middle}, and {counted(int(outlier.sum()), 'price')} should be looked at.",
    )


def robust_z(values: np.ndarray) -> np.ndarray:
    """(N,) each value's distance from the median in robust standard deviations; NaN stays NaN.

    Where more than half of the values are equal, their mean absolute deviation stands in; where all are, z is 0.
    """
    there = values[np.isfinite(values)]
    if not len(there):
        return np.full(len(values), np.nan)
    away = np.abs(there - np.median(there))
    spread = MAD_TO_SD * np.median(away) or 1.2533 * away.mean()  # both estimate the same standard deviation
    return np.where(np.isfinite(values), (values - np.median(there)) / (spread or 1.0), np.nan)


def read_history(path: str | Path) -> History:
    """Their earlier prices from a CSV with the columns `product_id`, `date` (2026-01-31, or with a time), `price`.

    Rows whose price cannot be read are left out. Raises NatviewsError where a date is written otherwise.
    """
    path = Path(path)
    if not path.is_file():
        raise NatviewsError(f"There is no price history at {path}.")
    columns = ("product_id", "date", "price")
    try:
        table = pa.csv.read_csv(
            path, convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()))
        )
    except pa.ArrowException as error:
        raise NatviewsError(f"{path} cannot be read as CSV: {' '.join(str(error).split())}") from None
    for name in columns:
        if name not in table.column_names:
            raise NatviewsError(
                f"{path} has no column {name!r}; a price history needs product_id, date and price."
            )
    lowest, first, last = dict[str, float](), dict[str, float](), dict[str, float]()
    products, dates, prices = (table.column(name).to_pylist() for name in columns)
    days = [_moment(said, path, row) for row, said in enumerate(dates, start=2)]
    for product, _, text in sorted(zip(products, days, prices, strict=True)):
        try:
            price = float(text)
        except (TypeError, ValueError):
            continue
        if price > 0 and np.isfinite(price):
            lowest[product] = min(price, lowest.get(product, price))
            first.setdefault(product, price)
            last[product] = price
    return History(lowest, {product: last[product] / first[product] - 1 for product in first})


def _moment(said: str, path: Path, row: int) -> datetime:
    try:
        moment = datetime.fromisoformat(said.strip())
    except ValueError:
        raise NatviewsError(
            f"{path}, row {row}: the date {said[:40]!r} cannot be told from others; write dates as 2026-01-31."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
