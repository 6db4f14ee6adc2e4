"""SEA's study: does MoCo on photos that shops spoil find what a siamese network on labelled pairs misses?

After SEA's e-commerce page: the siamese baseline; MoCo plain, with each of the four augmentations alone and with
all; three benchmarks (across marketplaces, offline, at full scale); additional recall under each disturbance, with
pictures; how hard negatives are; the memory of a step beside SimCLR's.
"""

from pathlib import Path
from typing import Any

import numpy as np

from natviews.catalog import Catalog, PackedPhotos
from natviews.encoders import Encoder
from natviews.evaluation import Retrieval, additional_recall
from natviews.report.robustness import Judged as JudgedPhotos
from natviews.report.robustness import Network, judge_robustness
from natviews.report.robustness_page import write_robustness
from natviews.studies.answers import FEATURES, HEAD, Answers, Judged, Kind
from natviews.studies.arms import Arm, Judging, blocks, cells_of
from natviews.studies.asked import Asked
from natviews.studies.cells import Cell, shown_to
from natviews.studies.design import Design, Drawing, Found, Table, carry_out, ready
from natviews.studies.expected import Expected, Rows, Side, Verdict, over
from natviews.studies.looks import ACROSS, CLEAN, CROWDED, SHOP_DISTURBANCES, TRAINING, shop_disturbances
from natviews.studies.memory import bytes_of_step
from natviews.studies.methods import MOCO_VIEWS, settings
from natviews.studies.tables import table
from natviews.training import Run
from natviews.types import Metric, NatviewsError

EPOCHS, PRODUCTS = 40, 600
AREA = {"count": 2, "area": [0.3, 1.0]}
AUGMENTATIONS: dict[str, dict[str, list[Any]]] = {
    "perspective": {
        "every": [{"perspective": {"distortion": 0.4, "p": 0.5}}, {"rotate": {"degrees": 30, "p": 0.3}}]
    },
    "watermark": {"every": [{"watermark": {"p": 0.3}}]},
    "colour": {
        "every": [{"jitter": {"brightness": 0.6, "contrast": 0.4, "saturation": 0.8, "hue": 0.1, "p": 0.8}}]
    },
    "collage": {"one_side": [{"collage": {"p": 0.1}}]},
}
"""SEA's four, each by itself, with the strengths of the policy `sea`."""
TROUBLES = {
    "perspective": ("perspective 0.6", "rotation 30°"),
    "watermark": ("watermark 15% at 0.8",),
    "colour": ("saturation 3.0x", "hue 0.1"),
    "collage": ("collage 4 cells",),
}
"""What each is to help against."""
SIAMESE, PLAIN, ALL, BOTH = "siamese", "moco, plain", "moco, all four", "moco, all four over siamese"
PRECISION = 0.9
KEYS, BATCH = 1024, 64
"""Negatives of a step whose memory is counted, and MoCo's batch."""
FAR_LESS = 0.5


def arms(photos: int) -> list[Arm]:
    """The baseline, MoCo without SEA's augmentations, with each and with all; `photos` are those to learn from."""
    own = settings(photos)
    moco = own["mocov2"]

    def spoilt(values: dict[str, list[Any]]) -> dict[str, Any]:
        views = {"name": "own", "globals": AREA, **values, "every": ["flip", *values.get("every", [])]}
        return blocks("mocov2", {**moco, "views": views})

    return [
        Arm(SIAMESE, blocks("siamese", {**own["siamese"], "views": MOCO_VIEWS})),
        Arm(PLAIN, spoilt({})),
        *(Arm(f"moco, {name}", spoilt(values)) for name, values in AUGMENTATIONS.items()),
        Arm(ALL, blocks("mocov2", {**moco, "views": {"name": "sea", "area": AREA["area"]}})),
    ]


def study_sea(catalog: Catalog, out: Path, asked: Asked | None = None) -> Path:
    """Trains and judges every cell and writes `sea.md`, `.csv`, `.json`, figures and galleries into `out`.

    With the columns `marketplace` and `item` (what listings of several marketplaces share) photos are also looked
    for across marketplaces. Run again it continues. Raises NatviewsError where a split has no product with two
    photos, and where no more vectors are asked for than `test` has photos.
    """
    asked = asked or Asked()
    catalog = ready(catalog, asked)
    if asked.vectors <= (judged := int((catalog.splits == "test").sum())):
        raise NatviewsError(
            f"--vectors {asked.vectors} leaves no crowd beside the {judged} photos of the split test; give at "
            f"least {judged + 1}, or leave it out for {Asked().vectors:,}."
        )
    photos = int((catalog.splits == "train").sum())
    judging = Judging(("disturbed", "across", "crowd", "taught"), tuple(asked.attributes), asked.vectors)
    cells = cells_of(arms(photos), judging, asked, EPOCHS)
    found = carry_out(_design(cells, catalog, asked), catalog, out, asked)
    _memory(found)
    compared = {cell.row: cell for cell in cells if cell.seed == 0 and cell.row in (ALL, SIAMESE)}
    if len(compared) == 2 and all(0 in found.judged.get(row, {}) for row in compared):
        _galleries(found, compared, catalog, out)
    return found.write(out)


def _design(cells: list[Cell], catalog: Catalog, asked: Asked) -> Design:
    trained, test = catalog.part("train"), catalog.part("test")
    said = (
        f"Trained on {len(trained)} photos of {len(trained.products)} products, judged on {len(test)} photos of "
        f"{len(test.products)} others, all on natural views. *siamese* takes the product of a photo for its "
        "label; *plain* is MoCo with crops and flips alone. Disturbances are drawn anew, watermarks from a pool "
        "that none has seen; what is looked for is the product's other photos, undisturbed, through the "
        "closed-form head."
    )
    benchmarks: dict[str, Kind] = {
        "across marketplaces, Recall@1": (ACROSS, "recall@1"),
        "MAP@R": (ACROSS, "map@r"),
        "offline, Recall@1": (HEAD, "recall@1"),
        f"among {asked.vectors:,} vectors, Recall@1": (CROWDED, "recall@1"),
    }
    disturbed: dict[str, Kind] = {name: (name, "recall@1") for name in (CLEAN, *SHOP_DISTURBANCES)}
    gained: dict[str, Kind] = {name: (name, "additional_recall") for name in (CLEAN, *SHOP_DISTURBANCES)}
    lost: dict[str, Kind] = {name: (name, "missed_recall") for name in (CLEAN, *SHOP_DISTURBANCES)}
    tables = [
        Table("Three benchmarks, ever more real", CROWD_SAID, benchmarks),
        Table("Disturbed photos: Recall@1", "", disturbed),
        Table("Additional recall at 90 % precision", ADDITIONAL_SAID, gained),
        Table("What is lost against the baseline", "", lost),
        Table("Negatives that taught nothing", EASY_SAID, {"share": (TRAINING, "easy_negatives")}),
    ]
    return Design(
        "sea", "What shops do to photos (after SEA)", said, cells, tables, _drawings(), _expected(), _additional
    )


CROWD_SAID = (
    "Offline: among the photos of `test`. At full scale: among all photos and made-up vectors between them."
)
ADDITIONAL_SAID = (
    "Share of queries whose first match is right and accepted by the one and not by the other, each at a score at "
    "which it is right nine times in ten on the other half of the products."
)
EASY_SAID = (
    "In the last quarter of training: of the siamese network's random negatives those beyond the margin, which "
    "have no gradient; of MoCo's photos those whose positive is nearer than every key of the queue."
)


def _drawings() -> list[Drawing]:
    panels = {}
    for name, troubles in TROUBLES.items():
        rows = {
            "siamese": SIAMESE,
            "MoCo plain": PLAIN,
            "MoCo, that alone": f"moco, {name}",
            "MoCo, all four": ALL,
        }
        panels[name] = {
            line: {place: Side(row, (place, "recall@1")) for place in (CLEAN, *troubles)}
            for line, row in rows.items()
        }
    return [Drawing("disturbed", "Recall@1 of disturbed photos", panels)]


def _expected() -> list[Expected]:
    made = []
    for name, troubles in TROUBLES.items():
        row = f"moco, {name}"
        for trouble in troubles:
            kind = (trouble, "recall@1")
            made += [
                over(f"{name} alone helps against {trouble}", "high", row, PLAIN, kind),
                over(f"All four together help against {trouble}", "high", ALL, PLAIN, kind),
                Expected(
                    f"MoCo with all four finds more than the baseline under {trouble}, at equal precision",
                    "claimed",
                    (Side(BOTH, (trouble, "additional_recall")),), (Side(BOTH, (trouble, "missed_recall")),),
                ),
            ]  # fmt: skip
        made.append(
            over(f"{name} alone costs little on clean photos", "high", row, PLAIN, (CLEAN, "recall@1"), -0.02)
        )
    return [
        *made,
        over("All four beat the baseline across marketplaces", "claimed", ALL, SIAMESE, (ACROSS, "recall@1")),
        over("All four beat the baseline at full scale", "claimed", ALL, SIAMESE, (CROWDED, "recall@1")),
        over("Trained beats untrained (MAP@R)", "high", ALL, "untrained", (FEATURES, "map@r")),
        Expected(
            "Most of the baseline's negatives are too easy", "claimed",
            (Side(SIAMESE, (TRAINING, "easy_negatives")),), margin=0.5,
        ),
        over("A queue's negatives are harder", "claimed", SIAMESE, ALL, (TRAINING, "easy_negatives")),
    ]  # fmt: skip


def _additional(rows: Rows) -> dict[str, dict[int, Judged]]:
    """What MoCo with all four finds that the baseline misses, and the other way round, seed by seed."""
    made: dict[int, Judged] = {}
    for seed in sorted(set(rows.get(ALL, {})) & set(rows.get(SIAMESE, {}))):
        answers: dict[Kind, Answers] = {}
        for name in (CLEAN, *SHOP_DISTURBANCES):
            both = [_retrieval(row, rows[row][seed], name) for row in (ALL, SIAMESE)]
            found = additional_recall(both[0], both[1], both[0].products, precision=PRECISION)
            photos = rows[ALL][seed].answers[name, "recall@1"].photos
            for figure, values in (("additional_recall", found.gained), ("missed_recall", found.lost)):
                answers[name, figure] = Answers(photos, found.products, values.astype(float))
        made[seed] = Judged(answers)
    return {BOTH: made} if made else {}


def _retrieval(row: str, judged: Judged, name: str) -> Retrieval:
    """What a cell found under a disturbance, as far as it was kept."""
    right, scores = judged.answers[name, "recall@1"], judged.answers[name, "score"].values
    none = np.empty((len(scores), 0), np.int64)
    rows = np.arange(len(scores))
    return Retrieval(row, rows, right.products, {"recall@1": right.values}, none, scores[:, None])


def _memory(found: Found) -> None:
    """Bytes of a step with as many negatives in MoCo's queue and in SimCLR's batch."""
    own = settings(10 * KEYS)
    method = {**own["mocov2"]["method"], "queue": KEYS}
    moco = bytes_of_step(blocks("mocov2", {**own["mocov2"], "method": method}), BATCH)
    simclr = bytes_of_step(blocks("simclr", own["simclr"]), KEYS // 2 + 1)
    found.measured["memory"] = {"negatives": KEYS, "moco_bytes": moco, "simclr_bytes": simclr}
    said = f"MoCo's step takes less than half of SimCLR's memory with {KEYS:,} negatives (share saved)"
    saved = 1 - moco / simclr
    expected = Expected(said, "medium", (), margin=FAR_LESS)
    found.verdicts.append(Verdict(expected, Metric(said, "memory", "all", saved, saved, saved, 1), (saved,)))
    lines = [
        ["", "products a step", "MB"],
        ["MoCo", str(BATCH), f"{moco / 1e6:.0f}"],
        ["SimCLR", str(KEYS // 2 + 1), f"{simclr / 1e6:.0f}"],
    ]
    note = f"What a step keeps until its gradient is taken, weights and queue included, with {KEYS:,} negatives."
    found.notes += ["## Memory", note, table(lines)]


def _galleries(found: Found, compared: dict[str, Cell], catalog: Catalog, out: Path) -> None:
    """Pictures of what was gained and lost under each disturbance, at the first seed."""
    packed: PackedPhotos = shown_to(compared[ALL], catalog)
    packed = packed.take(np.flatnonzero(packed.catalog.splits == "test"))
    networks = []
    for row, cell in compared.items():
        encoder = Encoder.load(Run(out / cell.folder).encoder)
        networks.append(Network(encoder, row if encoder.head is None else f"{row}, no head", row))
    judged = JudgedPhotos(packed, packed)
    said = judge_robustness(
        judged, networks, shop_disturbances(), ours=ALL, baseline=SIAMESE, title=f"{ALL}, {SIAMESE}"
    )
    write_robustness(said, judged, out / "robustness")
    note = "Queries gained and lost at the first seed, and all figures: [robustness](robustness/robustness.md)."
    found.notes += ["## Pictures", note, *(f"![{p.stem}](robustness/gallery/{p.name})" for p in _pictures(out))]


def _pictures(out: Path) -> list[Path]:
    return sorted((out / "robustness" / "gallery").glob("*.png"))
