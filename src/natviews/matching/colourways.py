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
from natviews.matching.promises import recall_threshold
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


def colourway_pairs(side: Side, *, share: float = SHARE) -> Decision:
    """Pairs of products that are one design in two colours; columns as `COLOURWAYS` says, the likeliest first.

    The same design: the design head's cosine (or the one head's, where there is no column `design`) is what a
    `share` of held-out products' own halves reach. Another colour: the attribute `colour` differs where the
    catalogue has it; else, with two heads, the identity head's cosine is below what a share 0.95 of halves
    reach; else histograms of the two most similar photos differ. `by` says which it was. No precision is
    promised: which products share a design nobody has said.
    """
    design = _design_side(side)
    found = candidates(design, design, how="set")
    promise = recall_threshold(_halves(design), share, "photos")
    alike = found.take(found.image >= promise.score).once()
    by, score, differs = _other_colour(side, alike, two_heads=design is not side)
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


def _design_side(side: Side) -> Side:
    if DESIGN not in side.embeddings.extra:
        return side
    return replace(side, embeddings=side.embeddings.use(DESIGN))


def _halves(side: Side) -> np.ndarray:
    one, other, numbers = halves(side, side.held_out, np.random.default_rng(0))
    pairs = np.arange(len(numbers))
    return compared(one, other, pairs, pairs, how="set").image


def _other_colour(side: Side, pairs: Candidates, *, two_heads: bool) -> tuple[str, np.ndarray, np.ndarray]:
    """What colours were told by, how alike they are (M,; NaN for an attribute), and whether they differ (M,)."""
    colours = side.text("colour")
    if any(colours.tolist()):
        one, other = colours[pairs.query], colours[pairs.match]
        return "attribute", np.full(len(pairs), np.nan), (one != other) & (one != "") & (other != "")
    if two_heads:
        score = pair_scores(side, side, pairs.query, pairs.match, how="set").score
        return "identity head", score, score < recall_threshold(_halves(side), 0.95, "photos").score
    score = _histogram_scores(side, pairs)
    return "histogram", score, score < SAME_COLOUR


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
