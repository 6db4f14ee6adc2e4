"""SkiLL's study: does it learn design rather than colour, and which of its parts is it owed to?

After "SkiLL" (Verma et al.): BYOL and SimCLR and DINO on augmented views, SkiLL on natural ones, and SkiLL without
local augmentation, without preparation and with weak colour; the paper's tables 2, 3 and 4, its figure 7.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from natviews.catalog import Catalog
from natviews.config import choose
from natviews.encoders import Architecture
from natviews.studies.answers import FEATURES, Kind
from natviews.studies.arms import UNTRAINED, Arm, Judging, blocks, cells_of
from natviews.studies.asked import NETWORKS, OWN, Asked
from natviews.studies.cells import PROBED, Cell
from natviews.studies.design import Design, Drawing, Table, carry_out, ready
from natviews.studies.expected import Expected, Side, over
from natviews.studies.methods import ENCODER, SKILL_VIEWS, TRANSFORMER, settings
from natviews.studies.reading import CLUSTERS, VARIANTS, tasks_of

EPOCHS, PRODUCTS = 40, 600
PREPARED = {"text_cards": "drop", "crop": "foreground", "margin": 0.1, "pad": "square"}
FULL, NO_LOCAL, NO_PREPARATION, WEAK = "skill", "skill, no local", "skill, no preparation", "skill, weak colour"
COMPARED = ("byol", "simclr", "dino", FULL)
ABLATED = (FULL, NO_LOCAL, NO_PREPARATION)
PROBES = {"linear": "linear", "mlp": "non-linear"}
AT = {"accuracy": "Acc", "recall@90": "R@90", "recall@95": "R@95"}
ENTROPY, STYLE = (CLUSTERS, "colour_entropy_weighted"), (CLUSTERS, "style_information")
COLOUR: Kind = ("linear colour", "accuracy")


def arms(photos: int, networks: str, *, by_type: bool) -> list[Arm]:
    """The four methods and SkiLL's ablations; `by_type`: the catalogue says what types products are of."""
    own = settings(photos)
    network = TRANSFORMER if networks == OWN else ENCODER
    prepared = {**network, "preparation": PREPARED}
    within = {"within": "product_type"} if by_type else {}

    def skill(views: str, encoder: dict[str, Any]) -> dict[str, Any]:
        shown = {**SKILL_VIEWS, "name": views}
        training = {**own["dino"]["training"], **within}
        return blocks("dino", {**own["dino"], "views": shown, "encoder": encoder, "training": training})

    return [
        Arm("byol", blocks("byol", own["byol"], pairing="augmented")),
        Arm("simclr", blocks("simclr", own["simclr"], pairing="augmented")),
        Arm("dino", blocks("dino", {**own["dino"], "encoder": network}, pairing="augmented")),
        Arm(FULL, skill("skill", prepared)),
        Arm(NO_LOCAL, skill("skill-no-local", prepared)),
        Arm(NO_PREPARATION, skill("skill", network)),
        Arm(WEAK, skill("skill-weak-colour", prepared)),
    ]


def study_skill(catalog: Catalog, out: Path, asked: Asked | None = None) -> Path:
    """Trains and judges every cell and writes `skill.md`, `.csv`, `.json` and figures into `out`.

    Run again it continues. Raises NatviewsError where a split has no product with two photos.
    """
    asked = asked or Asked()
    choose(asked.networks, {name: name for name in NETWORKS}, "choice of networks")
    catalog = ready(catalog, asked)
    photos = int((catalog.splits == "train").sum())
    looks = ("probes", "clusters") if catalog.has("colour") and catalog.has("pattern") else ("probes",)
    every = arms(photos, asked.networks, by_type=catalog.has("product_type"))
    cells = cells_of(every, Judging(looks, tuple(asked.attributes)), asked, EPOCHS)
    return carry_out(_design(cells, catalog, asked), catalog, out, asked).write(out)


def _design(cells: list[Cell], catalog: Catalog, asked: Asked) -> Design:
    tasks = [task.name for task, _ in tasks_of(catalog, asked.attributes or PROBED)]
    untrained = {c.made_by.name: c.row for c in cells if isinstance(c.made_by, Architecture)}
    full = [c.architecture.name for c in cells if c.row == FULL and c.architecture]
    own = untrained.get(full[0], UNTRAINED) if full else UNTRAINED  # where it is not there, the page says so
    return Design(
        "skill", "Design without colour (after SkiLL)", _said(catalog, asked), cells,
        _tables(tasks, untrained), _drawings(own), _expected(tasks, own),
    )  # fmt: skip


def _said(catalog: Catalog, asked: Asked) -> str:
    trained, test = catalog.part("train"), catalog.part("test")
    own = "each method on its paper's own kind of network, a convolutional one or a transformer"
    networks = own if asked.networks == OWN else "all on one network"
    return (
        f"Trained on {len(trained)} photos of {len(trained.products)} products, judged on {len(test)} photos of "
        f"{len(test.products)} others, {networks}. BYOL, SimCLR and DINO see augmented views of single photos, as "
        "published; SkiLL natural ones, prepared, colour-agnostic, in batches of one product type. All "
        "are asked about the same photos, text cards too."
    )


def _tables(tasks: list[str], untrained: Mapping[str, str]) -> list[Table]:
    def columns(probe: str, wanted: list[str]) -> dict[str, Kind]:
        return {f"{task}: {AT[name]}": (f"{probe} {task}", name) for task in wanted for name in AT}

    compared = [*COMPARED, *untrained.values(), "histogram"]
    ablated = [task for task in tasks if task == "dress pattern"]
    made = []
    for probe, spoken in PROBES.items():
        made.append(Table(f"As tables 2 and 3: {spoken} probes", TABLES_SAID, columns(probe, tasks), compared))
    for probe, spoken in PROBES.items():
        made.append(Table(f"As table 4: {spoken} probes", "", columns(probe, ablated), ABLATED))
    colour = {
        "colour entropy": ENTROPY,
        "mean over large clusters": (CLUSTERS, "colour_entropy"),
        "normalised": (CLUSTERS, "colour_entropy_normalised"),
        "style information": STYLE,
        "colour probe": COLOUR,
        "other colours found (MAP@R)": (VARIANTS, "map@r"),
    }
    retrieved = {"MAP@R": (FEATURES, "map@r"), "AUC": (FEATURES, "auc")}
    return [
        *made,
        Table("As figure 7: colour", COLOUR_SAID, colour),
        Table("Natural views: the other photos of a product", "", retrieved),
    ]


TABLES_SAID = (
    "R@90 and R@95: recall at 90 and 95 % precision, class by class, weighted by support, thresholds from `val`."
)
COLOUR_SAID = (
    "Entropy of colours within clusters in nats, beside what clusters tell of pattern: vectors that say nothing "
    "have the highest entropy and no style. Colour probe: a linear one's accuracy, low where colour is not seen."
)


def _drawings(untrained: str) -> list[Drawing]:
    rows = {
        "BYOL": "byol",
        "SimCLR": "simclr",
        "DINO": "dino",
        "SkiLL": FULL,
        "SkiLL weak": WEAK,
        "no training": untrained,
    }
    lines = {
        name: {place: Side(row, kind) for place, row in rows.items()}
        for name, kind in (("colour entropy", ENTROPY), ("style information", STYLE))
    }
    return [Drawing("colour", "What clusters know, in nats", {"figure 7": lines})]


def _expected(tasks: list[str], untrained: str) -> list[Expected]:
    made = [
        over("Colour changes raise colour entropy (full over weak)", "high", FULL, WEAK, ENTROPY),
        over("Colour changes hide colour (probe: weak over full)", "high", WEAK, FULL, COLOUR),
        over("SkiLL has the highest colour entropy: over DINO", "claimed", FULL, "dino", ENTROPY),
        over("... and no less style information than DINO", "claimed", FULL, "dino", STYLE, -0.05),
        over("SkiLL finds products better than untrained (MAP@R)", "high", FULL, untrained, (FEATURES, "map@r")),
    ]
    for task in tasks:
        linear, mlp = f"linear {task}", f"mlp {task}"
        accuracy, at90, at95 = ((mlp, name) for name in AT)
        made += [
            over(f"{task}: SkiLL beats DINO (non-linear, Acc)", "medium", FULL, "dino", accuracy),
            Expected(
                f"{task}: non-linear beats linear (SkiLL, Acc)", "high",
                (Side(FULL, accuracy),), (Side(FULL, (linear, "accuracy")),),
            ),
            Expected(
                f"{task}: recall falls from 90 to 95 % precision (SkiLL, non-linear)", "high",
                (Side(FULL, at90),), (Side(FULL, at95),),
            ),
            Expected(
                f"{task}: recall at 90 % is at most about accuracy (SkiLL, non-linear)", "high",
                (Side(FULL, accuracy),), (Side(FULL, at90),), -0.02,
            ),
            Expected(
                f"{task}: SkiLL's lead over DINO widens from Acc to R@95 (non-linear)", "high",
                (Side(FULL, at95), Side("dino", accuracy)), (Side("dino", at95), Side(FULL, accuracy)),
            ),
            over(f"{task}: SimCLR beats BYOL (linear, Acc)", "low", "simclr", "byol", (linear, "accuracy")),
            over(f"{task}: DINO beats SimCLR (linear, Acc)", "low", "dino", "simclr", (linear, "accuracy")),
        ]  # fmt: skip
    dress = ("mlp dress pattern", "accuracy")
    if "dress pattern" in tasks:
        made += [
            over("Preparation helps (dress pattern, non-linear)", "medium", FULL, NO_PREPARATION, dress),
            over("Local augmentation helps (dress pattern, non-linear)", "medium", FULL, NO_LOCAL, dress),
            over("Preparation helps more than local augmentation", "medium", NO_LOCAL, NO_PREPARATION, dress),
        ]
    return made
