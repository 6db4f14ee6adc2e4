"""From scores to decisions: what is the same, what it costs elsewhere, what is missing, what to call it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from typer import Argument, Option

from natviews.verbs.arguments import Encoding, Out

if TYPE_CHECKING:
    from natviews.matching import Comparison, Decision, Side

SIDE_HELP = "Embeddings (Parquet), a store, or a catalogue with --encoder."
Ours: TypeAlias = Annotated[Path, Argument(metavar="OURS", help=f"What we sell. {SIDE_HELP}")]
Theirs: TypeAlias = Annotated[Path, Argument(metavar="THEIRS", help=f"What they sell. {SIDE_HELP}")]
One: TypeAlias = Annotated[Path, Argument(metavar="SIDE", help=SIDE_HELP)]
Encoder: TypeAlias = Annotated[
    Path | None, Option(metavar="RUN", help="Describes what is given as a catalogue, beside --out.")
]
OurCatalog: TypeAlias = Annotated[
    Path | None, Option("--catalog", help="The (first) side's catalogue, where it lies elsewhere by now.")
]
TheirCatalog: TypeAlias = Annotated[Path | None, Option(help="Their catalogue, where it lies elsewhere by now.")]
Precision: TypeAlias = Annotated[float, Option(help="The share that is to be right, promised in 9 of 10 uses.")]
Recall: TypeAlias = Annotated[float, Option(help="Of what we do have, the share that must not be listed.")]
Photos: TypeAlias = Annotated[str, Option(help="How photos make one score: `mean`, `set` or `best`.")]
Titles: TypeAlias = Annotated[
    str, Option(help="Titles beside photos: `letters`, `none`, or a sentence-transformers folder.")
]
Rule: TypeAlias = Annotated[str, Option(help="Which pairs: `mutual`, `one-to-one` or `best`.")]
Judged: TypeAlias = Annotated[
    Path | None, Option("--labels", metavar="CSV", help="Pairs you judged: columns ours, theirs, same.")
]
Unseen: TypeAlias = Annotated[
    bool, Option("--unseen", help="The encoder was trained on neither side: all products teach, not `val` alone.")
]


def match(
    ours: Ours,
    theirs: Theirs,
    out: Out = Path("matches.parquet"),
    precision: Precision = 0.95,
    rule: Rule = "mutual",
    photos: Photos = "mean",
    titles: Titles = "letters",
    labels: Judged = None,
    conformal: Annotated[bool, Option(help="Bound the expected share of wrong ones instead.")] = False,
    ranks: Annotated[int, Option(min=1, max=10, help="Above 1: also list likely pairs to judge.")] = 1,
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    their_catalog: TheirCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Say which of their products are the same items as ours, to a promised precision (Parquet and CSV)."""
    from natviews.matching import Choosing, Scoring, match_sides, read_labels

    scoring = Scoring(how=cast(Any, photos), titles=titles)
    choosing = Choosing(precision, cast(Any, rule), conformal, ranks)  # refused before anything long
    judged = read_labels(labels) if labels else None
    sides = _sides(ours, theirs, (catalog, their_catalog), encoder, out, encoding, unseen)
    tell_decision(match_sides(*sides, scoring, choosing, labels=judged), out)


def prices(
    ours: Ours,
    theirs: Theirs,
    out: Out = Path("prices.parquet"),
    precision: Precision = 0.95,
    history: Annotated[
        Path | None, Option(metavar="CSV", help="Their earlier prices: product_id, date (2026-01-31), price.")
    ] = None,
    titles: Titles = "letters",
    labels: Judged = None,
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    their_catalog: TheirCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Compare prices of the same items, the dearest of ours first, with outliers marked (Parquet and CSV)."""
    from natviews.matching import Choosing, Scoring, match_sides, price_comparison, read_history, read_labels

    judged, past = read_labels(labels) if labels else None, read_history(history) if history else None
    sides = _sides(ours, theirs, (catalog, their_catalog), encoder, out, encoding, unseen)
    matches = match_sides(*sides, Scoring(titles=titles), Choosing(precision), labels=judged)
    tell_decision(price_comparison(matches, *sides, history=past), out)


def gaps(
    ours: Ours,
    theirs: Theirs,
    out: Out = Path("gaps.parquet"),
    recall: Recall = 0.95,
    titles: Titles = "letters",
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    their_catalog: TheirCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """List what they sell and we do not, the surest first (Parquet and CSV)."""
    from natviews.matching import gap_items

    sides = _sides(ours, theirs, (catalog, their_catalog), encoder, out, encoding, unseen)
    tell_decision(gap_items(_asked_by_them(*sides, titles), recall), out)


def opportunities(
    ours: Ours,
    theirs: Theirs,
    out: Out = Path("opportunities.parquet"),
    recall: Recall = 0.95,
    titles: Titles = "letters",
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    their_catalog: TheirCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Rank what they sell and we do not by demand: sales, sellers, growth (Parquet and CSV)."""
    from natviews.matching import opportunities as ranked

    sides = _sides(ours, theirs, (catalog, their_catalog), encoder, out, encoding, unseen)
    tell_decision(ranked(_asked_by_them(*sides, titles), recall), out)


def groups(
    side: One,
    out: Out = Path("groups.parquet"),
    precision: Precision = 0.95,
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Group listings of one item within a catalogue, and list photos that stand in two (Parquet and CSV)."""
    from natviews.matching import copied_photos, same_item_groups

    opened = _side(side, catalog, encoder, out, encoding, unseen)
    tell_decision(copied_photos(opened), out.with_name(f"{out.stem}-copies.parquet"))
    tell_decision(same_item_groups(opened, precision), out)


def colourways(
    side: One,
    out: Out = Path("colourways.parquet"),
    share: Annotated[float, Option(help="The share of known same designs that the threshold lets through.")] = 0.5,
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Find products that are one design in other colours (Parquet and CSV)."""
    from natviews.matching import colourway_pairs

    tell_decision(colourway_pairs(_side(side, catalog, encoder, out, encoding, unseen), share=share), out)


def attributes(
    side: One,
    columns: Annotated[list[str], Option("--column", help="The column to fill; may be repeated.")],
    out: Out = Path("attributes.parquet"),
    kind: Annotated[str, Option(help="How it is read: `category`, `tags`, `words` or `band`.")] = "category",
    precision: Precision = 0.9,
    encoder: Encoder = None,
    catalog: OurCatalog = None,
    unseen: Unseen = False,
    encoding: Encoding = "utf-8",
) -> None:
    """Fill in what is not written of a product from those that look most like it (Parquet and CSV)."""
    from natviews.matching import inferred_attributes

    opened = _side(side, catalog, encoder, out, encoding, unseen)
    tell_decision(inferred_attributes(opened, columns, kind=kind, precision=precision), out)


def tell_decision(decision: "Decision", out: Path) -> None:
    """Writes a decision and says what it says; the last line is what a merchandiser wants to know."""
    from natviews.matching import write_decision

    print(write_decision(decision, out))
    print(" ".join(decision.sentences))


def _side(
    place: Path, catalog: Path | None, encoder: Path | None, out: Path, encoding: str, unseen: bool
) -> "Side":
    from natviews.matching import open_side

    return open_side(place, catalog=catalog, encoder=encoder, beside=out.parent, encoding=encoding, unseen=unseen)


def _sides(
    ours: Path,
    theirs: Path,
    catalogs: tuple[Path | None, Path | None],
    encoder: Path | None,
    out: Path,
    encoding: str,
    unseen: bool,
) -> "tuple[Side, Side]":
    one, other = (
        _side(place, catalog, encoder, out, encoding, unseen)
        for place, catalog in zip((ours, theirs), catalogs, strict=True)
    )
    return one, other


def _asked_by_them(ours: "Side", theirs: "Side", titles: str) -> "Comparison":
    from natviews.matching import Scoring, compare

    return compare(theirs, ours, Scoring(titles=titles))
