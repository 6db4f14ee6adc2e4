"""Mercari's study: are natural views better than augmented ones, how much data do they need, and what for?

After "Self-supervised learning with natural views" (Mercari): MoBY, and SimSiam, SimCLR and BYOL beside it, with
natural, with augmented and with both kinds of pairs; more and fewer products; pretrained weights against none,
with the time; attributes from neighbours; labels, where there are some; exact search against FAISS.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog
from natviews.encoders import Encoder
from natviews.evaluation import Labelled, with_share
from natviews.progress import progress
from natviews.report import write_report
from natviews.studies.answers import FEATURES, PROBE, Answers, Judged, Kind
from natviews.studies.arms import Arm, Judging, blocks, cells_of, chosen
from natviews.studies.asked import Asked
from natviews.studies.cells import Cell, can_be_probed, shown_to
from natviews.studies.crowd import searching
from natviews.studies.design import Design, Drawing, Found, Table, carry_out, ready
from natviews.studies.drawn import drawn_shop
from natviews.studies.expected import Expected, Side, over
from natviews.studies.looks import UNLIKE
from natviews.studies.methods import settings
from natviews.studies.reading import FEW, NEIGHBOURS
from natviews.studies.tables import table
from natviews.training import Recipe, Run, features_of, from_scratch, train, train_supervised

EPOCHS, PRODUCTS = 40, 600
METHODS = ("moby", "simsiam", "simclr", "byol")
SPOKEN = {"moby": "MoBY", "simsiam": "SimSiam", "simclr": "SimCLR", "byol": "BYOL"}
PAIRINGS = ("natural", "augmented", "both")
READ = ("pattern", "sleeve", "colour", "product_type")
QUARTER, HALF = "moby, a quarter of the products", "moby, half of the products"
SHARES = {QUARTER: 0.25, HALF: 0.5}
MAIN, ALONE, BEGUN, SHORT, LABELS = (
    "moby, natural", "moby, natural alone", "moby, pretrained", "moby, pretrained, a third of the time", "labels",
)  # fmt: skip
PLAIN = {"name": "own", "globals": {"count": 2, "area": [1.0, 1.0]}, "every": ["flip"]}
"""Natural views as they are: the ruling's arm without augmentation but a flip."""
MAP, AUC, GAP = ((FEATURES, name) for name in ("map@r", "auc", "gap"))


@dataclass(frozen=True, eq=False)
class OnLabels(Cell):
    """The same network trained on an attribute's labels instead: on all, and on one in a hundred products'."""

    def judge(self, catalog: Catalog, folder: Path) -> Judged:
        assert isinstance(self.made_by, Recipe)
        packed, [attribute, *_] = shown_to(self, catalog), self.probed(catalog)
        answers: dict[Kind, Answers] = {}
        known, took, began = packed.catalog, 0.0, time.monotonic()
        learn = np.flatnonzero(known.splits == "train")
        labelled = Labelled(learn[:, None], known.column(attribute)[learn], known.product_ids[learn])
        few = with_share(labelled.known(), 0.01, np.random.default_rng(self.seed)).features[:, 0]
        test = np.flatnonzero(known.splits == "test")
        for kind, rows in ((PROBE, None), (FEW, few)):
            start = from_scratch(self.made_by)
            said = train_supervised(start, self.made_by, packed, attribute, rows=rows).answers
            asked = test[said.rows]
            answers[kind, attribute] = Answers(known.ids[asked], known.product_ids[asked], said.correct)
            took = took or time.monotonic() - began  # that with all labels
        return Judged(answers, took, 1.0)


def arms(photos: int, weights: str) -> list[Arm]:
    """Every way of training; `photos` are those of the training split, `weights` the pretrained ones."""
    own = settings(photos)
    made = [
        Arm(f"{method}, {pairing}", blocks(method, own[method], pairing=pairing))
        for method in METHODS
        for pairing in PAIRINGS
    ]
    moby = blocks("moby", own["moby"])
    begun = {**moby, "weights": weights}
    return [
        *made,
        Arm(ALONE, {**moby, "views": {"size": moby["views"]["size"], **PLAIN}}),
        *(
            Arm(row, blocks("moby", settings(round(share * photos))["moby"]), 1 / share, share)  # a queue to match
            for row, share in SHARES.items()
        ),
        Arm(BEGUN, begun),
        Arm(SHORT, begun, 1 / 3),
    ]


def study_mercari(catalog: Catalog, out: Path, asked: Asked | None = None) -> Path:
    """Trains and judges every cell and writes `mercari.md`, `.csv`, `.json`, figures and a report into `out`.

    Run again it continues. Raises NatviewsError where a split has no product with two photos.
    """
    asked = asked or Asked()
    catalog = ready(catalog, asked)
    read = tuple(asked.attributes) or tuple(name for name in READ if can_be_probed(catalog, name))
    photos = int((catalog.splits == "train").sum())
    every = arms(photos, "")
    if any(arm.name == "moby" for arm in chosen(every, asked)):
        every = arms(photos, asked.weights or _elsewhere(out, catalog, asked))
    cells = cells_of_study(every, read, asked, photos)
    found = carry_out(_design(cells, read, catalog), catalog, out, asked)
    main = next((cell for cell in cells if (cell.row, cell.seed) == (MAIN, 0)), None)
    if main and main.row in found.judged and 0 in found.judged[main.row]:
        _search(found, main, catalog, out)
        _report(found, Run(out / main.folder), catalog, out)
    return found.write(out)


def cells_of_study(every: list[Arm], read: tuple[str, ...], asked: Asked, photos: int) -> list[Cell]:
    """Those of the arms, and where there are labels to `read` the network that is trained on them."""
    cells = cells_of(every, Judging(("gap", "neighbours", "few labels"), read), asked, EPOCHS)
    simclr = blocks("simclr", settings(photos)["simclr"])
    for seed in range(asked.seeds if read else 0):
        cells.append(OnLabels(LABELS, seed, asked.recipe(simclr, seed, asked.epochs or EPOCHS), (), read))
    return cells


def _elsewhere(out: Path, catalog: Catalog, asked: Asked) -> str:
    """The encoder that stands for pretrained weights: SimCLR on augmented views of another, generated shop."""
    count = max(40, min(900, len(catalog.products)))
    drawn = drawn_shop(out / f"elsewhere-{count}", count, seed=1)
    simclr = blocks("simclr", settings(len(catalog))["simclr"], pairing="augmented")
    run = train(Catalog.open(drawn), asked.recipe(simclr, 0, asked.epochs or EPOCHS), out / "elsewhere")
    return str(run.encoder)


def _design(cells: list[Cell], read: tuple[str, ...], catalog: Catalog) -> Design:
    trained, test = catalog.part("train"), catalog.part("test")
    said = (
        f"Trained on {len(trained)} photos of {len(trained.products)} products, judged on {len(test)} photos of "
        f"{len(test.products)} others. *natural*: a pair is two photos of a product; *augmented*: one photo "
        "twice; *both*: either; *natural alone*: two photos without augmentation but a flip. Fewer products are "
        "passed over more often, so that steps are equal; a queue holds at most a tenth of the photos learnt "
        "from, or one batch. *pretrained* begins from `--weights` or, without, from SimCLR on augmented views "
        "of another, generated shop. *labels*: the same network trained "
        f"on the labels of {read[0] if read else 'an attribute'}. Features are those before any head."
    )
    retrieved = {"MAP@R": MAP, "Recall@1": (FEATURES, "recall@1"), "AUC": AUC, "gap": GAP}
    retrieved |= {"AUC, unlike photos": (UNLIKE, "auc")}
    tables = [
        Table("Natural views: the other photos of a product", UNLIKE_SAID, retrieved),
        Table("Linear probes: accuracy", "", {name: (PROBE, name) for name in read}),
        Table("Attributes inferred from neighbours: accuracy", "", {name: (NEIGHBOURS, name) for name in read}),
        Table("Linear probes from one in a hundred labels", "", {name: (FEW, name) for name in read[:1]}),
    ]
    return Design(
        "mercari", "Natural views (after Mercari)", said, cells, tables, _drawings(), _expected(read[:1])
    )


UNLIKE_SAID = (
    "*Gap*: mean cosine within products less that between them. *Unlike photos*: the quarter of the queries whose "
    "colours are least like those of their product's other photos, such as zooms."
)


def _drawings() -> list[Drawing]:
    pairings = {
        name: {SPOKEN[m]: {p: Side(f"{m}, {p}", kind) for p in PAIRINGS} for m in METHODS}
        for name, kind in (("MAP@R", MAP), ("within less between", GAP))
    }
    places = {"1/4": QUARTER, "1/2": HALF, "all": MAIN}
    scaling = {"MAP@R": {"MoBY": {place: Side(row, MAP) for place, row in places.items()}}}
    return [
        Drawing("pairings", "Natural, augmented and both", pairings),
        Drawing("scaling", "MoBY on a share of the products", scaling),
    ]


def _expected(labels: tuple[str, ...]) -> list[Expected]:
    made = []
    for method in METHODS:
        spoken, natural, other = SPOKEN[method], f"{method}, natural", f"{method}, augmented"
        made += [
            over(f"{spoken}: natural views beat augmented ones (MAP@R)", "high", natural, other, MAP),
            over(f"{spoken}: natural views part products further (AUC)", "high", natural, other, AUC),
            over(f"{spoken}: trained beats untrained (MAP@R)", "high", natural, "untrained", MAP),
        ]
    kind = (UNLIKE, "auc")
    made += [
        over("MoBY beats SimSiam (MAP@R)", "medium", MAIN, "simsiam, natural", MAP),
        over("Augmentation adds to natural views (MAP@R)", "claimed", MAIN, ALONE, MAP),
        Expected(
            "After training, unlike photos of a product are nearer than other products (AUC above half)",
            "claimed", (Side(MAIN, kind),), margin=0.5,
        ),
        over("Training brings unlike photos of a product together (AUC)", "claimed", MAIN, "untrained", kind),
        over("More products are better (all over a quarter, MAP@R)", "claimed", MAIN, QUARTER, MAP),
        over("Pretrained beats scratch in equal time (MAP@R)", "high", BEGUN, MAIN, MAP),
        over("Pretrained in a third of the time is no worse (MAP@R)", "claimed", SHORT, MAIN, MAP, -0.02),
    ]  # fmt: skip
    for name in labels:
        made += [
            over(f"All labels beat a probe of features without any ({name})", "high", LABELS, MAIN, (PROBE, name)),
            over(
                f"With 1 % of the labels features beat training on them ({name})",
                "high",
                MAIN,
                LABELS,
                (FEW, name),
            ),
        ]
    return made


def _search(found: Found, cell: Cell, catalog: Catalog, out: Path) -> None:
    """Exact search against FAISS, in vectors of the main arm's first seed."""
    packed = shown_to(cell, catalog)
    features = features_of(Encoder.load(Run(out / cell.folder).encoder), packed, "features")
    with progress("searching, exactly and with FAISS"):
        said = searching(features, found.asked.vectors, out / "searching.json", cell.key(catalog))
    found.measured["searching"] = vars(said)
    lines = [
        ["", "ms a query, median", "recall@10"],
        ["exact", f"{said.exact_ms:.2f}", "1"],
        [f"FAISS, {said.form}", f"{said.approximate_ms:.2f}", f"{said.recall:.3f}"],
    ]
    note = (
        f"{said.vectors:,} vectors of {said.width} numbers, those beyond the photos made up between neighbours; "
    )
    note += f"one query at a time; the index took {said.build_seconds:.1f} s."
    found.notes += ["## Exact search against FAISS", note, table(lines)]


def _report(found: Found, run: Run, catalog: Catalog, out: Path) -> None:
    """Mercari's figure of four products, before and after, in the main arm's report."""
    from natviews.report.judge import report_on_run

    if report := report_on_run(run, catalog):
        write_report(report, out / "report")
        said = "Four products before and after training, within and between: [report](report/report.html)."
        found.notes += ["## Within and between products", said]
