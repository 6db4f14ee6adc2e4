"""The same design in other colours."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from natviews.catalog import BadPhoto, read_photo
from natviews.catalog.places import place_of
from natviews.evaluation import colour_histogram
from natviews.matching.candidates import Candidates, candidates, compared, pair_scores
from natviews.matching.decision import Decision, counted, table_of
from natviews.matching.presumed import halves
from natviews.matching.promises import Threshold, recall_threshold
from natviews.matching.side import Side
from natviews.progress import progress

COLOURWAYS = pa.schema(
    {
        "product": pa.string(),
        "colourway": pa.string(),
        "design_score": pa.float32(),
        "colour_score": pa.float32(),
        "by": pa.string(),
        "photo": pa.string(),
        "colourway_photo": pa.string(),
        "colour": pa.string(),
        "colourway_colour": pa.string(),
    }
)
DESIGN = "design"
SAME_COLOUR = 0.8
"""Histograms of two photos with such a cosine or more show the same colours."""
SHARE = 0.5
SAME_ITEM = 0.95
"""The share of halves of one product that the identity head's cosine must be below, to be of two colours."""
ATTRIBUTE, IDENTITY, HISTOGRAM = "attribute", "identity head", "histogram"


def colourway_pairs(side: Side, *, share: float = SHARE) -> Decision:
    """Pairs of products that are one design in two colours; columns as `COLOURWAYS` says, the likeliest first.

    The same design: the design head's cosine (or the one head's, where there is no column `design`) is what a
    `share` of held-out products' own halves reach. Another colour: the attribute `colour` differs where the
    catalogue has it; else, with two heads, the identity head's cosine is below what a share 0.95 of halves
    reach; else histograms of the two most similar photos differ. `by` says which it was. No precision is
    promised: which products share a design nobody has said. Where too few products are held out to learn from,
    nothing is listed.
    """
    design = _design_side(side)
    by = _told_by(side, two_heads=design is not side)
    promise = recall_threshold(_halves(design), share, "photos")
    unlike = recall_threshold(_halves(side), SAME_ITEM, "photos") if by == IDENTITY else promise
    for learnt in (promise, unlike):
        if not learnt.kept:
            return Decision(
                table_of({name: [] for name in COLOURWAYS.names}, COLOURWAYS), learnt, _too_few(learnt)
            )
    alike = candidates(design, design, how="set")
    alike = alike.take(alike.image >= promise.score).once()
    score, differs = _other_colour(side, alike, by, unlike.score)
    pairs, score = alike.take(differs), score[differs]
    colours = side.text("colour")
    columns = {
        "product": side.products[pairs.query],
        "colourway": side.products[pairs.match],
        "design_score": pairs.image,
        "colour_score": score,
        "by": [by] * len(pairs),
        "photo": side.embeddings.ids[pairs.query_photo],
        "colourway_photo": side.embeddings.ids[pairs.match_photo],
        "colour": colours[pairs.query],
        "colourway_colour": colours[pairs.match],
    }
    said = f"{counted(len(pairs), 'pair')} of products look like one design in two colours, told by {by}."
    return Decision(table_of(columns, COLOURWAYS), promise, (said,))


def _too_few(learnt: Threshold) -> tuple[str, ...]:
    return (
        f"No colourways can be told: {counted(learnt.n, 'held-out product')} with two photos or more "
        f"{'is' if learnt.n == 1 else 'are'} too few, by about {learnt.missing:,}.",
    )


def _design_side(side: Side) -> Side:
    if DESIGN not in side.embeddings.extra:
        return side
    return replace(side, embeddings=side.embeddings.use(DESIGN))


def _halves(side: Side) -> np.ndarray:
    one, other, numbers = halves(side, side.held_out, np.random.default_rng(0))
    pairs = np.arange(len(numbers))
    return compared(one, other, pairs, pairs, how="set").image


def _told_by(side: Side, *, two_heads: bool) -> str:
    """What tells colours apart: the first of these that there is."""
    if any(side.text("colour").tolist()):
        return ATTRIBUTE
    return IDENTITY if two_heads else HISTOGRAM


def _other_colour(side: Side, pairs: Candidates, by: str, unlike: float) -> tuple[np.ndarray, np.ndarray]:
    """How alike the pairs' colours are (M,; NaN for an attribute), and whether they differ (M,): `unlike` is the
    identity head's cosine below which they do."""
    if by == ATTRIBUTE:
        colours = side.text("colour")
        one, other = colours[pairs.query], colours[pairs.match]
        return np.full(len(pairs), np.nan), (one != other) & (one != "") & (other != "")
    if by == IDENTITY:
        score = pair_scores(side, side, pairs.query, pairs.match, how="set").score
        return score, score < unlike
    score = _histogram_scores(side, pairs)
    return score, score < SAME_COLOUR


def _histogram_scores(side: Side, pairs: Candidates) -> np.ndarray:
    """(M,) how alike the colours of the two most similar photos are; NaN where a photo cannot be read."""
    rows, place = np.unique(np.concatenate([pairs.query_photo, pairs.match_photo]), return_inverse=True)
    histograms = np.full((len(rows), 192), np.nan, np.float32)
    with progress("reading colours", len(rows)) as advance:
        for number, row in enumerate(rows.tolist()):
            try:
                where = place_of(str(side.embeddings.ids[row]), side.folder)
                histograms[number] = colour_histogram(read_photo(where, 128))
            except BadPhoto:
                pass
            advance()
    one, other = histograms[place[: len(pairs)]], histograms[place[len(pairs) :]]
    return np.einsum("nd,nd->n", one, other)
