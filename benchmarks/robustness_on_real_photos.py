"""Robustness, colour variants, real watermarks and sets of photos, on real photos.

    python benchmarks/robustness_on_real_photos.py SHOPS_FOLDER OUT (--weights FILE | --encoder RUN) [--only
    PART...]

Instamart's photos under each disturbance; luma's and instamart's designs in other colours; the marks that
instamart, pimcore and pulsar set on their photos, covered or cropped away, beside a place of the same size that
bears none; and half of a product's photos finding the other half. Everything on the test split. With --weights (a
timm MobileNetV2) the rows are the frozen network and the same with its closed-form head, fitted on the shop's
training photos and chosen on its validation photos; with --encoder a run's own rows. Ten minutes on two cores.
Writes OUT/robustness.md, what `natviews robustness` writes (with photos in its galleries: keep those to yourself),
and OUT/tables.md."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from natviews.catalog import Catalog, PackedPhotos, pack, with_split
from natviews.encoders import Architecture, Encoder, stored_size
from natviews.evaluation import Retrieval, retrieval, variants_judging
from natviews.evaluation.sets import POOLS, set_retrieval
from natviews.report.disturbing import DISTURBANCES
from natviews.report.robustness import Judged, Network, judge_robustness, networks_of, rows_of
from natviews.report.robustness_page import write_robustness
from natviews.training import Run, features_of, judging_of
from natviews.training.measuring import Known, choose_head
from natviews.training.pooling import train_pooling
from natviews.types import Metric

SHOWN = ("recall@1", "recall@5", "map@r")
HEADLINES = ("recall@1", "map@r")
PARTS = ("disturbances", "variants", "watermarks", "sets")
Change = Callable[[np.ndarray], np.ndarray]


def shop_photos(folder: Path, encoder: Encoder) -> PackedPhotos:
    size = stored_size(max(encoder.architecture.sizes))
    return with_split(pack(Catalog.open(folder / "catalog.csv"), size, encoder.architecture.prepared_by()))


def part(packed: PackedPhotos, split: str) -> PackedPhotos:
    return packed.take(packed.catalog.splits == split)


def networks_for(packed: PackedPhotos, options: argparse.Namespace) -> list[Network]:
    """The networks of a run, or the frozen one with a head of this shop's own."""
    if options.encoder:
        return networks_of(Run(options.encoder), Encoder.load(options.encoder))
    encoder = frozen(options)
    known = [
        Known(photos.catalog, features_of(encoder, photos, f"features, {split}"))
        for split in ("train", "val")
        for photos in [part(packed, split)]
    ]
    encoder.head = choose_head(*known).head
    return [Network(encoder, "frozen", "frozen+whitening")]


def frozen(options: argparse.Namespace) -> Encoder:
    if options.encoder:
        return Encoder.load(options.encoder)
    architecture = Architecture(
        name="mobilenetv2_100", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), options={"pad_type": "same"}
    )
    return Encoder.create(architecture, weights=str(options.weights))


def vectors_of(judged: Judged, networks: list[Network], change: Change | None = None) -> dict[str, np.ndarray]:
    """Row -> vectors of the photos, each changed if wished."""

    return rows_of((change(photo) if change else photo for photo in judged.clean()), networks)


def covered(left: float, top: float, right: float, bottom: float) -> Change:
    """A box, in shares of the photo's sides, in the median colour of the photo's border."""

    def change(photo: np.ndarray) -> np.ndarray:
        height, width = photo.shape[:2]
        border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]])
        new = photo.copy()
        box = slice(round(top * height), round(bottom * height)), slice(round(left * width), round(right * width))
        new[box] = np.median(border, axis=0)
        return new

    return change


def cropped(across: float, down: float) -> Change:
    """Without so large a share of its sides at either edge."""

    def change(photo: np.ndarray) -> np.ndarray:
        height, width = photo.shape[:2]
        x, y = round(across * width), round(down * height)
        return np.ascontiguousarray(photo[y : height - y, x : width - x])

    return change


MARKS: dict[str, tuple[Change, Change, str]] = {
    "instamart": (
        covered(0, 0.92, 0.45, 1),
        covered(0.55, 0.92, 1, 1),
        "the seller's number at the bottom left, covered; beside it the bottom right",
    ),
    "pimcore": (
        covered(0.5, 0.82, 1, 1),
        covered(0, 0.82, 0.5, 1),
        "the shop's name at the bottom right, covered; beside it the bottom left",
    ),
    "pulsar": (
        cropped(0, 0.16),
        cropped(0.16, 0),
        "frame, brand and badges above and below, cropped away; beside it the same at the left and right",
    ),
}
"""Shop -> the change that takes its marks away, the same of a place without a mark, and both in words."""


def watermarks(shops: Path, options: argparse.Namespace) -> tuple[str, list[Metric]]:
    """Each row as it is, without the mark, and without as large a place that bears none, paired."""
    lines = [
        "| shop | row | queries | as it is | without the mark, difference | without another place, difference |"
    ]
    lines.append("|---" * 6 + "|")
    found = []
    for shop, (mark, control, _) in MARKS.items():
        packed = shop_photos(shops / shop, frozen(options))
        networks, test = networks_for(packed, options), part(packed, "test")
        judged = Judged(test, test)
        changes = {"": None, "mark": mark, "control": control}
        ways = {name: vectors_of(judged, networks, change) for name, change in changes.items()}
        for row in ways[""]:
            answers = {
                name: retrieval(judged.under(vectors[row]), judged.judging, row=f"{row} {name}".strip())
                for name, vectors in ways.items()
            }
            whole = _metrics(answers[""], shop)
            without = [_metrics(answers[name].minus(answers[""]), shop) for name in ("mark", "control")]
            cells = [" / ".join(str(whole[name]) for name in HEADLINES)]
            cells += [" / ".join(_said(way[name], True) for name in HEADLINES) for way in without]
            found += [metric for way in (whole, *without) for metric in way.values()]
            lines.append(f"| {shop} | {row} | {len(answers[''].rows)} | {' | '.join(cells)} |")
    return "\n".join(lines), found


def variants(shops: Path, options: argparse.Namespace) -> tuple[str, list[Metric]]:
    """A photo finds its design in other colours."""
    lines = ["| shop | row | queries | Recall@1 | Recall@5 | MAP@R | AUC |", "|---" * 7 + "|"]
    found = []
    for shop, design, colour in (("luma", "style_id", "color"), ("instamart", "design_group", None)):
        packed = shop_photos(shops / shop, frozen(options))
        networks, test = networks_for(packed, options), part(packed, "test")
        judged, catalog = Judged(test, test), test.catalog
        judging = variants_judging(
            judging_of(catalog), catalog.column(design), catalog.column(colour) if colour else None
        )
        for row, vectors in vectors_of(judged, networks).items():
            figures = _metrics(retrieval(judged.under(vectors), judging, row=row), f"{shop} variants")
            found += figures.values()
            cells = [str(figures[name]) for name in (*SHOWN, "auc")]
            lines.append(f"| {shop} | {row} | {figures['auc'].n} | {' | '.join(cells)} |")
    return "\n".join(lines), found


def sets(shops: Path, options: argparse.Namespace) -> tuple[str, list[Metric]]:
    """Half of a product's photos finds the other half: mean, medoid and attention, on instamart."""
    lines = ["| vectors | pooling | halves | Recall@1 | Recall@5 | minus the mean, Recall@1 |", "|---" * 6 + "|"]
    found = []
    packed = shop_photos(shops / "instamart", frozen(options))
    networks = networks_for(packed, options)
    train, test = (Judged(part(packed, name), part(packed, name)) for name in ("train", "test"))
    learnt, told = vectors_of(train, networks), vectors_of(test, networks)
    fresh = train.judging.queries
    for row in told:
        attention = train_pooling(learnt[row][fresh], train.judging.products[fresh])
        pools = POOLS | {"attention": attention.pool}
        answers = {n: set_retrieval(told[row], test.judging, pool, row=f"{row}, {n}") for n, pool in pools.items()}
        for name, answer in answers.items():
            figures = _metrics(answer, "sets")
            difference = _metrics(answer.minus(answers["mean"]), "sets")["recall@1"]
            found += [*figures.values(), difference]
            cells = [str(figures[f]) for f in ("recall@1", "recall@5")] + [_said(difference, True)]
            lines.append(f"| {row} | {name} | {len(answer.rows)} | {' | '.join(cells)} |")
    return "\n".join(lines), found


def disturbances(shops: Path, options: argparse.Namespace) -> tuple[str, list[Metric]]:
    """Instamart's photos under each disturbance."""
    packed = shop_photos(shops / "instamart", frozen(options))
    networks, test = networks_for(packed, options), part(packed, "test")
    judged = Judged(test, test, frozen(options).architecture.prepared_by())
    ours = {} if options.encoder else {"ours": "frozen+whitening", "baseline": "frozen"}
    strongest = {disturbance.kind: disturbance for disturbance in DISTURBANCES}  # each kind's last
    chosen = list(strongest.values()) if options.strongest else DISTURBANCES
    found = judge_robustness(judged, networks, chosen, title="Instamart, test", **ours)
    page = write_robustness(found, judged, options.out)
    return page.read_text(encoding="utf-8"), found.metrics


def _metrics(answer: Retrieval, slice: str) -> dict[str, Metric]:
    return {metric.name: metric for metric in answer.metrics(slice)}


def _said(metric: Metric, is_difference: bool) -> str:
    sign = "+" if is_difference else ""
    return f"{metric.value:{sign}.3f} [{metric.low:{sign}.3f}, {metric.high:{sign}.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shops", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--strongest", action="store_true", help="only the last strength of each kind")
    options = parser.parse_args()
    if bool(options.weights) == bool(options.encoder):
        parser.error("give --weights or --encoder")
    options.out.mkdir(parents=True, exist_ok=True)
    made = {"disturbances": disturbances, "variants": variants, "watermarks": watermarks, "sets": sets}
    for name in options.only:
        table, metrics = made[name](options.shops, options)
        (options.out / f"{name}.md").write_text(table + "\n", encoding="utf-8")
        entries = [asdict(metric) for metric in metrics]
        (options.out / f"{name}.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
        print(f"\n## {name}\n\n{table}", flush=True)


if __name__ == "__main__":
    main()
