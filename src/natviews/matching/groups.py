"""Listings of one catalogue that show the same item, and photos that turn up in a second listing."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from natviews.matching.candidates import Candidates, Comparing, candidates, pair_scores
from natviews.matching.decision import Decision, counted, precision_sentence, table_of
from natviews.matching.presumed import NEAR_IDENTICAL, NonMatches, TypeScale, non_matches, type_scale
from natviews.matching.promises import Threshold, precision_without_labels
from natviews.matching.scoring import NO_TITLES, Scoring, find_within
from natviews.matching.side import Side

GROUPS = pa.schema(
    {
        "group": pa.int32(),
        "product": pa.string(),
        "title": pa.string(),
        "size": pa.int32(),
        "weakest": pa.float32(),
        "weakest_one": pa.string(),
        "weakest_other": pa.string(),
        "photo": pa.string(),
    }
)
COPIES = pa.schema(
    {
        "photo": pa.string(),
        "copy": pa.string(),
        "product": pa.string(),
        "copy_product": pa.string(),
        "seller": pa.string(),
        "copy_seller": pa.string(),
        "kind": pa.string(),
        "score": pa.float32(),
    }
)
LARGEST = 1500
"""Products whose pairs are all compared at once; larger crowds are parted at a higher score first."""
COPIED = 0.98
"""The cosine from which two photos count as one picture, re-encoded, resized or cropped a little."""
SELLERS = ("seller", "shop", "merchant")


def same_item_groups(side: Side, precision: float = 0.95, *, scoring: Scoring | None = None) -> Decision:
    """Groups of listings that all show the same item; a row for each product in one, columns as `GROUPS` says.

    Complete linkage: every pair in a group reaches the threshold, so nothing is chained, and `weakest` is the
    least score within it. The threshold promises that of the linked listings a share `precision` is linked
    rightly. How often wrong ones reach a score is told by held-out products' *second* candidates: an item
    listed twice has its other listing first, and with a rate of L wrong ones a product the second is there with
    1 - exp(-L) (1 + L).
    """
    scoring = scoring or Scoring(titles=NO_TITLES)
    found, usual = find_within(side, scoring)
    nothing = non_matches(side, found)
    scale = type_scale(nothing)
    pairs = found.scored(scale.standardised(found.score, side.types[found.query]))
    wrong = nothing.rescored(scale.standardised(nothing.scores, nothing.types))
    first = pairs.take(pairs.first)

    def events(thresholds: np.ndarray) -> np.ndarray:
        return len(wrong.scores) * first_from_second(_share_of_second(wrong, thresholds))

    promise = precision_without_labels(first.score, len(side), events, len(wrong.scores), 1.0, precision)
    links = pairs.take((pairs.score >= promise.score) | (pairs.image >= NEAR_IDENTICAL))
    groups = _groups(_Linked(side, scoring.how, usual, scale, promise.score), links)
    return Decision(_table(side, groups), promise, _sentences(side, groups, promise))


def _sentences(side: Side, groups: "list[_Group]", promise: Threshold) -> tuple[str, ...]:
    products = sum(len(group.products) for group in groups)
    first = f"{products:,} of {counted(len(side), 'product')} lie in {counted(len(groups), 'group')} of one item."
    if promise.kept:
        return (first, precision_sentence(promise))
    return (f"{first} Only listings with the same photo are among them.", precision_sentence(promise))


@dataclass(frozen=True)
class _Linked:
    """How any pair of a side's products scores, and from which score on it is linked."""

    side: Side
    how: Comparing
    usual: np.ndarray
    scale: TypeScale
    least: float

    def scores(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of all n (n - 1) / 2 pairs of `members` (n,) the scores, +inf where they share a photo, and cosines."""
        one, other = (members[places] for places in np.triu_indices(len(members), 1))
        cosine = pair_scores(self.side, self.side, one, other, how=self.how).score
        score = cosine - (self.usual[one] + self.usual[other]) / 2
        ends = [self.scale.standardised(score, self.side.types[products]) for products in (one, other)]
        return np.where(cosine >= NEAR_IDENTICAL, np.inf, np.maximum(*ends)), cosine  # linked from either end


def _share_of_second(nothing: NonMatches, thresholds: np.ndarray) -> np.ndarray:
    if nothing.scores.shape[1] < 2:
        return np.zeros(len(thresholds))
    second = np.sort(nothing.scores[:, 1])
    return 1 - np.searchsorted(second, thresholds, side="left") / max(1, len(second))


def first_from_second(share: np.ndarray) -> np.ndarray:
    """(T,) how likely one event is or more, where two or more are with the probability `share` (T,): Poisson.

    Where products differ in their rates this is too high rather than too low.
    """
    rates = np.geomspace(1e-6, 50, 4000)
    two = 1 - np.exp(-rates) * (1 + rates)
    rate = np.interp(share, np.append(0.0, two), np.append(0.0, rates))
    return 1 - np.exp(-rate)


@dataclass(frozen=True)
class _Group:
    products: np.ndarray
    weakest: float
    pair: tuple[int, int]


def _groups(linked: _Linked, links: Candidates) -> list[_Group]:
    """Of linked products the groups of complete linkage, the largest first."""
    groups: list[_Group] = []
    for members in _crowds(len(linked.side), links):
        scores, cosine = linked.scores(members)
        top = np.max(scores[np.isfinite(scores)], initial=0.0) + 1
        tree = linkage(np.where(np.isinf(scores), 0, top - scores), "complete")
        labels = fcluster(tree, max(0.0, top - linked.least), "distance")
        whole = squareform(cosine, checks=False)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            if len(rows) > 1:
                inside = whole[np.ix_(rows, rows)]
                np.fill_diagonal(inside, np.inf)
                a, b = np.unravel_index(int(np.argmin(inside)), inside.shape)
                ends = int(members[rows[a]]), int(members[rows[b]])
                groups.append(_Group(members[rows], float(inside[a, b]), ends))
    return sorted(groups, key=lambda group: (-len(group.products), -group.weakest, int(group.products[0])))


def _crowds(products: int, links: Candidates) -> list[np.ndarray]:
    """The products that hang together by links, each crowd's numbers; none is larger than `LARGEST`. A crowd whose
    links are all alike, such as listings with one placeholder for a photo, is cut."""
    crowds: list[np.ndarray] = []
    waiting = [links]
    while waiting:
        some = waiting.pop()
        if not len(some):
            continue
        graph = coo_matrix((np.ones(len(some)), (some.query, some.match)), [products] * 2)
        crowd = connected_components(graph, directed=False)[1]
        order = np.argsort(crowd[some.query], kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(crowd[some.query][order])) + 1):
            members = np.unique(np.concatenate([some.query[rows], some.match[rows]]))
            score = some.score[rows]
            if len(members) > LARGEST and np.ptp(score) > 0:
                waiting.append(some.take(rows[score > np.median(score)]))
            else:
                crowds += np.array_split(members, math.ceil(len(members) / LARGEST))
    return crowds


def _table(side: Side, groups: list[_Group]) -> pa.Table:
    titles = side.text("title")
    rows = [
        (number, group, product) for number, group in enumerate(groups, 1) for product in group.products.tolist()
    ]
    columns = {
        "group": [number for number, _, _ in rows],
        "product": [str(side.products[product]) for _, _, product in rows],
        "title": [str(titles[product]) for _, _, product in rows],
        "size": [len(group.products) for _, group, _ in rows],
        "weakest": [group.weakest for _, group, _ in rows],
        "weakest_one": [str(side.products[group.pair[0]]) for _, group, _ in rows],
        "weakest_other": [str(side.products[group.pair[1]]) for _, group, _ in rows],
        "photo": [str(side.embeddings.ids[side.photo_rows[side.starts[product]]]) for _, _, product in rows],
    }
    return table_of(columns, GROUPS)


def copied_photos(side: Side, *, least: float = COPIED) -> Decision:
    """Photos that stand in two listings, columns as `COPIES` says, the most alike first.

    `kind` is `other seller` (a stolen or a manufacturer's photo), `same seller` (a listing put up again), or
    `unknown` where the catalogue has no column `seller`, `shop` or `merchant`.
    """
    column = next((name for name in SELLERS if side.has(name)), "")
    sellers = side.text(column)
    pairs = candidates(side, side, how="best")
    pairs = pairs.take(pairs.image >= least).once()
    one, other = sellers[pairs.query], sellers[pairs.match]
    known = (one != "") & (other != "")
    kind = np.where(known, np.where(one == other, "same seller", "other seller"), "unknown")
    columns = {
        "photo": side.embeddings.ids[pairs.query_photo],
        "copy": side.embeddings.ids[pairs.match_photo],
        "product": side.products[pairs.query],
        "copy_product": side.products[pairs.match],
        "seller": one,
        "copy_seller": other,
        "kind": kind,
        "score": pairs.image,
    }
    stolen = int((kind == "other seller").sum())
    said = f"{counted(len(pairs), 'photo')} stand in two listings, {stolen:,} of them with another seller."
    return Decision(table_of(columns, COPIES), None, (said,))
