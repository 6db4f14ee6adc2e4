"""How the colours of a cluster share out, as stretches of a bar."""

from collections.abc import Sequence
from dataclasses import dataclass

from natviews.report.report import Cluster

PAINTS = {
    "black": "#1c1c1c", "white": "#fafafa", "grey": "#8f8f8f", "gray": "#8f8f8f", "silver": "#bfc3c7",
    "red": "#cc2f2f", "maroon": "#7a1f2b", "burgundy": "#7a1f2b", "orange": "#e8822a", "yellow": "#e9c62f",
    "gold": "#c9a43a", "green": "#3a8f4c", "olive": "#77773a", "teal": "#1f8a8a", "turquoise": "#3fb9b5",
    "blue": "#2f62c9", "navy": "#1f2c55", "purple": "#7b46a8", "violet": "#7b46a8", "pink": "#e58fb2",
    "brown": "#7a5233", "tan": "#c7a57a", "beige": "#ded0b4", "cream": "#f2ead3",
}  # fmt: skip
"""Colours that have a paint of their own on the page, by the last known word of their name."""
PLAIN = ("#5b6b8c", "#8c6b5b", "#6b8c5b", "#8c5b7d", "#5b8a8c", "#8c855b")
SHARES = 8
"""Colours of a bar; the others share its end."""


@dataclass(frozen=True)
class Share:
    """A stretch of a cluster's bar: `share` of the photos whose colour is known, in a `paint` ('': several)."""

    name: str
    count: int
    share: float
    paint: str


def shares_of(cluster: Cluster, order: Sequence[str]) -> list[Share]:
    """The bar of a cluster: its colours by falling count. `order` are all colours; a name without a paint takes
    one by its place there, so that it is the same in every bar."""
    total = sum(cluster.colours.values())
    counts = list(cluster.colours.items())
    most = counts if len(counts) <= SHARES + 1 else counts[:SHARES]
    shares = [Share(name, count, count / total, _paint(name, order)) for name, count in most]
    if rest := total - sum(share.count for share in shares):
        shares.append(Share(f"{len(counts) - len(most)} others", rest, rest / total, ""))
    return shares


def _paint(name: str, order: Sequence[str]) -> str:
    known = [PAINTS[word] for word in name.lower().replace("-", " ").split() if word in PAINTS]
    return known[-1] if known else PLAIN[order.index(name) % len(PLAIN)]
