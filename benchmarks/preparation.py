"""Text cards and foregrounds on the generated catalogue, whose truth is known, and on real photos.

    python benchmarks/preparation.py [PRODUCTS] [REAL]

Draws PRODUCTS (150) products at 256 px with seed 0 and prints, with 95 % intervals over products: recall (on
size charts) and false alarms of text cards; the overlap (IoU) of the foreground's matte and box with the product
as it was drawn, beside that of the whole photo, for every background. Where the folder REAL (../shared/data) is
there, prints what was taken for a card in each shop; nobody has marked those photos: look at them.
"""

import csv
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from natviews.catalog import generate_catalog, read_photo
from natviews.catalog.generated import generate
from natviews.catalog.generated import photo as drawing
from natviews.catalog.generated.marks import OUR_SHOPS, draw_size_chart
from natviews.evaluation.intervals import means_with_intervals
from natviews.views.foreground import foreground
from natviews.views.text_cards import is_text_card

CHARTS = 300  # drawn besides: the catalogue has few


def drawn_with_masks(folder: Path, products: int) -> list[tuple[dict[str, str], np.ndarray | None]]:
    """The rows of a new catalogue, each with the (H, W) bool mask of its product, None where none is shown."""
    masks: dict[str, list[np.ndarray | None]] = defaultdict(list)
    layers: list[np.ndarray] = []
    cover_over, render_photo = drawing.cover_over, drawing.render_photo

    def covering(pixels, layer):
        layers.append(layer[..., 3] > 127)
        cover_over(pixels, layer)

    def rendering(pictures, shot, size):
        layers.clear()
        photo = render_photo(pictures, shot, size)
        # Each photo ends with the product itself, after what stands beside it.
        masks[pictures.product.product_id].append(None if shot.view_kind in ("box", "size_chart") else layers[-1])
        return photo

    with patch.object(drawing, "cover_over", covering), patch.object(generate, "render_photo", rendering):
        table = generate_catalog(folder, products=products, seed=0, workers=1)
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return [(row, masks[row["product_id"]][int(Path(row["image"]).stem.split("_")[1])]) for row in rows]


def drawn_charts() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    pages = [draw_size_chart(OUR_SHOPS[i % 8], 256, rng).astype(np.uint8) for i in range(CHARTS)]
    files = [cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(58, 93))])[1] for p in pages]
    return [cv2.imdecode(file, cv2.IMREAD_COLOR) for file in files]


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def boxed(mask: np.ndarray) -> np.ndarray:
    return np.outer(mask.any(axis=1), mask.any(axis=0))


def timed(photo: np.ndarray) -> tuple[bool, float]:
    start = time.perf_counter()
    found = is_text_card(photo)
    return found, 1e3 * (time.perf_counter() - start)


def foreground_figures(photo: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    start = time.perf_counter()
    found = foreground(photo)
    ms = 1e3 * (time.perf_counter() - start)
    box = np.zeros_like(truth)
    box[found.box.top : found.box.bottom, found.box.left : found.box.right] = True
    return {
        "mask IoU": overlap(found.matte > 127, truth),
        "whole photo's mask IoU": float(truth.mean()),
        "box IoU": overlap(box, boxed(truth)),
        "whole photo's box IoU": float(boxed(truth).mean()),
        "told apart": float(found.found),
        "ms": ms,
    }


def print_means(what: str, figures: Sequence[dict[str, float]], products: Sequence[str]) -> None:
    values = {name: np.array([figure[name] for figure in figures]) for name in figures[0]}
    metrics = means_with_intervals(values, np.array(products), row=what)
    print(f"{what}, n {len(figures)}: " + "; ".join(f"{m.name} {m}" for m in metrics), flush=True)


def on_generated(products: int) -> None:
    by_background = defaultdict(list)
    cards = [(f"chart {number}", True, *timed(chart)) for number, chart in enumerate(drawn_charts())]
    with tempfile.TemporaryDirectory() as folder:
        for row, mask in drawn_with_masks(Path(folder), products):
            photo = read_photo(Path(folder) / row["image"])
            cards.append((row["product_id"], row["view_kind"] == "size_chart", *timed(photo)))
            if mask is not None and mask.any():
                kind = "detail shots" if row["view_kind"] == "detail" else row["background"]
                by_background[kind].append((foreground_figures(photo, mask), row["product_id"]))
    for name, truth in (("recall", True), ("false alarms", False)):
        chosen = [
            ({name: float(found), "ms": ms}, product) for product, is_card, found, ms in cards if is_card is truth
        ]
        print_means(f"text cards, {name}", *zip(*chosen, strict=True))
    by_background["all"] = [entry for entries in by_background.values() for entry in entries]
    for kind, entries in by_background.items():
        print_means(f"foreground, {kind}", *zip(*entries, strict=True))


def on_real(folder: Path) -> None:
    for table in sorted(folder.glob("*/catalog.csv")):
        cards, ms = [], []
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
            found, took = timed(read_photo(table.parent / row["image"], 384))
            ms.append(took)
            cards += [Path(row["image"]).stem] if found else []
        print(f"{table.parent.name}: {len(cards)} cards of {len(ms)}, {np.mean(ms):.1f} ms: {' '.join(cards)}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    on_generated(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
    on_real(Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[2] / "shared" / "data")
