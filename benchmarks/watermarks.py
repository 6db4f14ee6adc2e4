"""How well watermarks are found and taken away: on the generated catalogue, and counts on real photos.

    python benchmarks/watermarks.py [SHARED]

Generates 480 products (seed 11), finds every shop's mark, searches single photos for text, and pastes marks of
the pool 'test' where the true mask is known. Intervals resample products. SHARED (default ../shared/data) may
hold folders of real photos; of those only counts are printed. About a minute on one core.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from natviews.catalog import Catalog, generate_catalog, read_photo
from natviews.catalog.generated.marks import OUR_SHOPS, stamp, watermark_cover
from natviews.evaluation.intervals import means_with_intervals
from natviews.views.marks import mark
from natviews.views.watermarks import Align, detect_mark, find_shared_mark, photos_with, remove

ALIGNS: tuple[Align, ...] = ("stretch", "top", "bottom")
FOLDERS = ("instamart", "luma", "madison", "pimcore", "pulsar", "unicom", "starwars", "grocery", "myntra")
TRUE = 0.05  # how much a mark has to cover of a pixel to belong to the true mask


def report(name: str, truth: np.ndarray, found: np.ndarray, products: np.ndarray) -> None:
    for figure, of, hit in (("precision", found, truth), ("recall", truth, found)):
        metric = means_with_intervals({figure: hit[of].astype(float)}, products[of], row=name)[0]
        print(f"  {name}: {figure} {metric} of {metric.n}")


def quality(photo: np.ndarray, clean: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM (Wang et al., 2004, on luminance) over the pixels `where`."""
    error = (photo[where].astype(float) - clean[where]) ** 2
    x, y = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(float) for p in (photo, clean))
    mx, my, xx, yy, xy = (cv2.GaussianBlur(p, (11, 11), 1.5) for p in (x, y, x * x, y * y, x * y))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    alike /= (mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2)
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-3))), float(alike[where].mean())


def repairs(name: str, clean: np.ndarray, marked: np.ndarray, true: np.ndarray, found: np.ndarray) -> None:
    """The mean quality of (N, H, W, 3) photos under their true masks, marked and mended with either mask."""
    cells = []
    for how, masks in (("as it is", None), ("true mask", true), ("found mask", found)):
        mended = marked if masks is None else [remove(p, m) for p, m in zip(marked, masks, strict=True)]
        db, ssim = np.mean([quality(*three) for three in zip(mended, clean, true, strict=True)], axis=0)
        cells.append(f"{how} {db:.1f} dB, SSIM {ssim:.2f}")
    print(f"  {name}, {len(clean)} photos, under the mark: {'; '.join(cells)}")


def pasted(photo: np.ndarray, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The photo under a mark of the pool 'test', and its true mask."""
    (height, width), picture = photo.shape[:2], mark(number, "test")
    scale = min(rng.uniform(0.25, 0.7) * width / 256, 0.9 * height / picture.shape[0])
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(float)
    tall, wide = picture.shape[:2]
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    cover, ink = np.zeros((height, width, 1)), np.zeros(photo.shape)
    cover[top : top + tall, left : left + wide] = picture[..., 3:] / 255 * rng.uniform(0.35, 0.9)
    ink[top : top + tall, left : left + wide] = picture[..., :3]
    return np.round(photo * (1 - cover) + ink * cover).astype(np.uint8), cover[..., 0] > TRUE


def generated(catalog: Catalog) -> None:
    photos = np.stack([read_photo(photo.path) for photo in catalog.photos])
    truth, bearing = catalog.column("watermark") != "", np.zeros(len(photos), bool)
    for shop in OUR_SHOPS:
        own = catalog.column("shop") == shop.name
        mask, unmarked = find_shared_mark(photos[own]), find_shared_mark(photos[own & ~truth])
        print(f"{shop.name} ({shop.place}), {truth[own].sum()} of {own.sum()} photos marked:", end=" ")
        print("not" if mask is None else "", "found;", "none" if unmarked is None else "one", "on the others")
        if mask is None:
            continue
        bearing[own] = photos_with(mask, photos[own])
        true = watermark_cover(shop, 256)[..., 0] > TRUE
        true[1:, 1:] |= true[:-1, :-1]  # its rim
        clean = photos[own & ~truth][:20]
        marked = np.stack([stamp(photo, shop) for photo in clean])  # a grey mark: RGB or BGR is all one
        print(f"  mask IoU {(mask & true).sum() / (mask | true).sum():.2f}")
        repairs(shop.name, clean, marked, np.stack([true] * len(clean)), np.stack([mask] * len(clean)))
    report("shared mark, photos that bear it", truth, bearing, catalog.product_ids)
    alone = np.array([detect_mark(photo).found for photo in photos])
    report("one photo alone, shops' marks", truth, alone, catalog.product_ids)
    rng = np.random.default_rng(11)
    rows = rng.choice(np.flatnonzero(~truth), 400, replace=False)
    marked, true = map(
        np.stack, zip(*(pasted(photos[row], n, rng) for n, row in enumerate(rows[:200])), strict=True)
    )
    seen = [detect_mark(photo) for photo in (*marked, *photos[rows[200:]])]
    found, masks = np.array([d.found for d in seen]), np.stack([d.mask for d in seen[:200]])
    report("one photo alone, pasted marks", np.arange(400) < 200, found, catalog.product_ids[rows])
    good = found[:200]
    shared, either = (both[good].sum(axis=(1, 2)) for both in (masks & true, masks | true))
    print(f"  mask IoU where found: {np.mean(shared / either):.2f}")
    repairs("one photo alone, where found", photos[rows[:200]][good], marked[good], true[good], masks[good])


def real(folder: Path) -> None:
    catalog = Catalog.open(folder / "catalog.csv")
    firsts = np.sort([rows[0] for rows in catalog.products.values()])
    rows = np.random.default_rng(0).permutation(firsts)[:150]
    photos = [read_photo(catalog.photos[row].path) for row in rows]
    masks = {align: find_shared_mark(photos, align) for align in ALIGNS}
    counts = [f"{a} {0 if m is None else photos_with(m, photos, a).sum()}" for a, m in masks.items()]
    alone = sum(detect_mark(photo).found for photo in photos)
    print(f"{folder.name}: {len(photos)} photos; bear a shared mark: {', '.join(counts)}; text alone: {alone}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as work:
        generated(Catalog.open(generate_catalog(Path(work), products=480, seed=11)))
    shared = Path((*sys.argv[1:], "../shared/data")[0])
    for path in filter(Path.is_dir, (shared / name for name in FOLDERS)):
        real(path)
