"""The view engine beside lightly, torchvision, albumentations and kornia, all on one core of one process.

    python benchmarks/views.py [--quick] [--out runs/bench/views.json]

Prints medians, ratios with their lowest and highest round, and whether each target is met; the JSON holds every
round. About ten minutes; `--quick` takes half a minute, shows that all of it works, and measures badly.

Photos are generated at 600 px (the real ones at hand have at most 256 px) and decoded before anything is timed,
each library taking the form it works on. Drawing of parameters is timed, and so is what a pipeline ends with:
normalised float32 tensors under 'float32', 8-bit pictures under 'uint8', which is how natviews trains (it
normalises on the device). What cannot be made equal is listed in `UNLIKE` and printed.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # torch and OpenBLAS read it when they are imported
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks the network for a newer version

import argparse
import json
import math
import platform
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional
from views_peers import MEAN, STD, UNLIKE, Contender, Ending, peers

from natviews.catalog import Catalog, PackedPhotos, generate_catalog, pack, read_photo
from natviews.views import Policy, Shape, View, Window, policy, render, render_into
from natviews.views.cpu import Normal
from natviews.views.foreground import Foreground, foreground
from natviews.views.generated import drawn
from natviews.views.ops import Blur, Perspective, Rotate
from natviews.views.ops.covering import GROUNDS, MARKS
from natviews.views.pictures import Picture
from natviews.views.view import Drawn

SIZE, STORED = 600, 384
PHOTOS = 24
OURS, CACHED = "natviews", "natviews, cached pyramid"
LIBRARIES = ("albumentations", "kornia", "lightly", "numba", "numpy", "opencv-python-headless", "pillow", "torch",
             "torchvision")  # fmt: skip
RACES = {
    "DINO, float32": Ending(tilted=False, floats=True),
    "DINO, uint8": Ending(tilted=False, floats=False),
    "DINO with rotation and perspective, float32": Ending(tilted=True, floats=True),
    "DINO with rotation and perspective, uint8": Ending(tilted=True, floats=False),
}
PLAIN, _, TILTED, _ = RACES


class Target(NamedTuple):
    race: str
    peer: str
    ours: str
    goal: float


TARGETS = (
    Target(PLAIN, "lightly", OURS, 15),
    Target(PLAIN, "lightly", CACHED, 30),
    Target(PLAIN, "albumentations", OURS, 2.5),
    Target(PLAIN, "albumentations", CACHED, 4.5),
    Target(TILTED, "torchvision", OURS, 35),
    Target(TILTED, "albumentations", OURS, 5),
    Target("reading", "Pillow shrunk to 384 px", "packed", 50),  # the same pixels
    Target("reading", "cv2 shrunk to 384 px", "packed", 50),
)
MOST_WAITING = 0.05


@dataclass(frozen=True)
class Timing:
    """How often a contender has its turn, and how long at least: so many seconds and so many sets of views, which
    differ in what is drawn."""

    rounds: int
    seconds: float
    sets: int


@dataclass(frozen=True)
class Ratio:
    """How many times as long one contender takes as another: over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.1f} [{self.low:.1f}..{self.high:.1f}]"


@dataclass(frozen=True)
class Race:
    """The seconds per item of every contender in every round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return float(np.median(self.seconds[name]))

    def ratio(self, peer: str, ours: str) -> Ratio:
        each = np.divide(self.seconds[peer], self.seconds[ours])
        return Ratio(float(np.median(each)), float(each.min()), float(each.max()))

    def fastest(self, library: str) -> str:
        return min((name for name in self.seconds if name.split(",")[0] == library), key=self.median)

    def to_json(self, *ours: str) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "median": {name: self.median(name) for name in self.seconds},
            "ratios": {one: {peer: vars(self.ratio(peer, one)) for peer in self.seconds} for one in ours},
        }


def race(contenders: Sequence[Contender], timing: Timing) -> Race:
    """Every contender has its turn in every round, so that noise hits all alike."""
    for contender in contenders:
        timed(contender, replace(timing, sets=1))  # compiles, and fills caches
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(timing.rounds):
        for contender in contenders:
            seconds[contender.name].append(timed(contender, timing))
    return Race(seconds)


def timed(contender: Contender, timing: Timing) -> float:
    """Seconds per item, over one turn."""
    made, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < timing.seconds or made < timing.sets:
        contender.make()
        made += contender.items
    return taken / made


def dino(tilted: bool) -> Policy:
    """Our DINO policy with the peers' blur for local views, which is wider than our own."""
    ours = policy("dino", size=224, locals=6)
    wide = Blur(sigma=(0.1 * 224 / 96, 2.0 * 224 / 96), p=0.5)  # the op scales it down again
    tilts = (Rotate(degrees=30, p=1.0), Perspective(distortion=0.4, p=1.0)) if tilted else ()
    return replace(ours, every=(*tilts, *ours.every), per_local=(wide,))


def ours(name: str, photos: Sequence[np.ndarray | Picture], ending: Ending) -> Contender:
    """A batch for each of the two sizes, as our loader makes them: (n, S, S, 3), or normalised (n, 3, S, S)."""
    turn, chosen, rng = cycle(photos), dino(ending.tilted), random.Random(0)
    normal = Normal(MEAN, STD) if ending.floats else None

    def make() -> list[Tensor]:
        views = chosen.draw([(SIZE, SIZE)], "dress", rng)
        batches = [empty(count, size, ending.floats) for count, size in ((2, 224), (6, 96))]
        render_into([next(turn)], views, [out for batch in batches for out in batch.numpy()], normal)
        return batches

    return Contender(name, make)


def empty(count: int, size: int, floats: bool) -> Tensor:
    """A batch to be filled in."""
    if floats:
        return torch.empty((count, 3, size, size), dtype=torch.float32)
    return torch.empty((count, size, size, 3), dtype=torch.uint8)


def contenders(photos: Sequence[np.ndarray], ending: Ending) -> Iterator[Contender]:
    """The peers, then natviews with pyramids made for every set, and with those of the set before."""
    yield from peers(photos, ending)
    yield ours(OURS, photos, ending)
    yield ours(CACHED, [Picture(photo) for photo in photos], ending)


POLICIES = {
    "skill": policy("skill", size=224, locals=6),
    "sea": policy("sea", size=224),
    "simclr": policy("simclr", size=224),
    "moco": policy("moco", size=224),
    "byol": policy("byol", size=224),
    "dino": policy("dino", size=224, locals=6),
    "identity": policy("identity", size=224),
}
DRAWING = "drawing alone"


def in_policies(photos: Sequence[np.ndarray]) -> Iterator[Contender]:
    """Our policies, pyramids made for every set, and the drawing of two of them without rendering."""
    # As our loader does, which looks for a photo's product once in all epochs.
    products = [foreground(photo, busy="keep") for photo in photos]
    for name, chosen in POLICIES.items():
        yield in_policy(name, chosen, photos, products, rendered=True)
    for name in ("skill", "dino"):
        yield in_policy(f"{name}, {DRAWING}", POLICIES[name], photos, products, rendered=False)


def in_policy(
    name: str, chosen: Policy, photos: Sequence[np.ndarray], products: Sequence[Foreground], rendered: bool
) -> Contender:
    """Sets of one photo and, for collages, the photos that follow it."""
    kinds, rng = cycle(("dress", "shirt", "sofa", "shoes")), random.Random(0)
    turn, size = cycle(range(len(photos))), Shape(SIZE, SIZE)

    def make() -> object:
        first = next(turn)
        product = products[first]
        anchor = size._replace(foreground=product.box if product.found else None)
        views = chosen.draw([anchor], next(kinds), rng, others=[size] * chosen.companions)
        others = [photos[(first + 1 + i) % len(photos)] for i in range(chosen.companions)]
        return render([Picture(photos[first], product), *others], views) if rendered else views

    return Contender(name, make)


def draw_all() -> None:
    """Draws every ground and mark. They are kept, so that training has all of them after some thousand sets."""
    for number in range(GROUNDS):
        drawn(Drawn("ground", number))
    for number in range(MARKS):
        drawn(Drawn("train mark", number))


def readers(packed: PackedPhotos, folder: Path) -> Iterator[Contender]:
    """The ways to a photo's pixels: from the pack, and from its JPEG file as it is or shrunk beforehand."""
    paths, rows = [photo.path for photo in packed.catalog.photos], cycle(range(len(packed)))
    yield Contender("packed", lambda: packed.pixels(next(rows)).copy())
    full = cycle(paths)
    yield Contender("Pillow", lambda: read_photo(next(full)))
    shrunk = cycle(paths)
    yield Contender(f"Pillow shrunk to {STORED} px", lambda: read_photo(next(shrunk), STORED))
    read = cycle([str(path) for path in paths])
    yield Contender("cv2", lambda: cv2.imread(next(read)))
    again = cycle([str(path) for path in paths])
    yield Contender(f"cv2 shrunk to {STORED} px", lambda: shrunk_by_cv2(cv2.imread(next(again))))
    small = cycle([shrunk_file(packed, row, folder) for row in range(len(packed))])
    yield Contender(f"cv2 from {STORED} px", lambda: cv2.imread(next(small)))


def shrunk_by_cv2(photo: np.ndarray) -> np.ndarray:
    """A photo as large as it is packed."""
    share = STORED / max(photo.shape[:2])
    size = round(photo.shape[1] * share), round(photo.shape[0] * share)
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def shrunk_file(packed: PackedPhotos, row: int, folder: Path) -> str:
    """A JPEG of the packed pixels: what somebody gains who shrinks the files themselves."""
    path = folder / f"{row}.jpg"
    cv2.imwrite(str(path), packed.pixels(row)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return str(path)


def difference(photos: Sequence[np.ndarray]) -> dict[str, float]:
    """Mean absolute difference, in grey levels, of our DINO views to torchvision's in float, parameters alike:
    over all views, and of the photo that fares worst."""
    rng, chosen = random.Random(0), dino(tilted=False)
    found = []
    for photo in photos:
        pairs = [snapped(view) for view in chosen.draw([photo.shape[:2]], "", rng)]
        rendered = render([photo], [view for view, _ in pairs])
        references = [reference(photo, view, box) for view, box in pairs]
        found.append([np.abs(one - two).mean() for one, two in zip(rendered, references, strict=True)])
    return {"mean": float(np.mean(found)), "worst_photo": float(np.mean(found, axis=1).max())}


def snapped(view: View) -> tuple[View, Window]:
    """A crop's nearest in whole pixels, which is what torchvision can make; mirrored where its left exceeds its
    right."""
    a, _, c, _, e, f, *_ = view.anchor.homography
    height, width = view.size
    box = Window(round(c), round(f), round(c + a * width), round(f + e * height))
    whole = View(0, (1, 1), steps=view.steps)
    whole.crop(box, view.size)
    return whole, box


def reference(photo: np.ndarray, view: View, box: Window) -> np.ndarray:
    """The same view as torchvision makes it in float, anti-aliased: (S, S, 3), 0 to 255."""
    left, right = sorted((box.left, box.right))
    picture = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
    sides = (box.bottom - box.top, right - left)
    picture = functional.resized_crop(picture, box.top, left, *sides, list(view.size), antialias=True)
    picture = functional.horizontal_flip(picture) if box.left > box.right else picture
    for name, amount in view.steps:
        picture = stepped(picture, str(name), float(amount))
    return (picture.clamp(0, 1) * 255).permute(1, 2, 0).numpy()


def stepped(picture: Tensor, name: str, amount: float) -> Tensor:
    """One of DINO's steps in float."""
    if name == "grey":
        return functional.rgb_to_grayscale(picture, 3)
    if name == "solarise":
        return functional.solarize(picture, amount / 255)
    if name == "blur":
        kernel = 2 * math.ceil(4 * amount) + 1
        return functional.gaussian_blur(picture, [kernel, kernel], [amount, amount])
    return getattr(functional, f"adjust_{name}")(picture, amount)


def waiting(quick: bool) -> dict[str, float]:
    """What `views_training.py` measures, on all cores and in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, str(Path(__file__).with_name("views_training.py")), *(["--quick"] if quick else [])]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(timing: Timing, quick: bool) -> tuple[dict[str, Race], dict[str, float]]:
    """Every race, and the difference to the reference."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NATVIEWS_CACHE"] = folder
        catalog = Catalog.open(generate_catalog(Path(folder), products=PHOTOS, size=SIZE))
        paths = [photo.path for photo in catalog.photos]
        photos = [read_photo(path).copy() for path in islice(paths, 0, None, len(paths) // PHOTOS)][:PHOTOS]
        races = {name: race(list(contenders(photos, ending)), timing) for name, ending in RACES.items()}
        if not quick:
            draw_all()
        races["policies"] = race(list(in_policies(photos)), timing)
        races["reading"] = race(list(readers(pack(catalog, STORED), Path(folder))), timing)
        return races, difference(photos)


def judged(races: dict[str, Race], waited: float) -> list[dict[str, Any]]:
    """Every target with what was reached."""
    found = []
    for race_name, library, one, goal in TARGETS:
        against = races[race_name].fastest(library)
        reached = races[race_name].ratio(against, one)
        what = f"{race_name}: {one} to {against}"
        found.append({"what": what, "goal": goal, **vars(reached), "ok": reached.median >= goal})
    share = {"median": waited, "low": waited, "high": waited}
    return [*found, {"what": "waiting for views", "goal": MOST_WAITING, **share, "ok": waited <= MOST_WAITING}]


def print_races(races: dict[str, Race]) -> None:
    """Medians, and how many times as long each contender takes as ours, over the rounds: median [low..high]."""
    for name in RACES:
        print(f"\n{name}: 2 x 224 + 6 x 96 from {SIZE} px")
        print(f"  {'':<28}{'ms/set':>8}{'sets/s':>9}   {'times natviews':<20}times natviews, cached")
        for one in races[name].seconds:
            ratios = [str(races[name].ratio(one, own)) for own in (OURS, CACHED)]
            print(f"{timing_of(races[name], one)}   {ratios[0]:<20}{ratios[1]}")
    print("\nOur policies at 224 px: 8-bit pictures, pyramids made for every set, grounds and marks drawn before")
    print(f"  {'':<28}{'ms/set':>8}{'sets/s':>9}")
    for one in races["policies"].seconds:
        print(timing_of(races["policies"], one))
    print(f"\nReading JPEG files of {SIZE} px, or {STORED} px from the pack; all of it in the page cache")
    print(f"  {'':<28}{'ms':>8}{'photos/s':>9}   times packed")
    for one in races["reading"].seconds:
        print(f"{timing_of(races['reading'], one)}   {races['reading'].ratio(one, 'packed')}")


def timing_of(found: Race, name: str) -> str:
    return f"  {name:<28}{1e3 * found.median(name):>8.3f}{1 / found.median(name):>9.0f}"


def print_result(result: dict[str, Any]) -> None:
    apart, waited = result["difference"], result["waiting"]
    print(f"\nDifference to torchvision in float: {apart['mean']:.2f} levels, {apart['worst_photo']:.2f} at worst")
    print(
        f"Training (skill, ResNet-18, 96 px, {waited['precision']}): waits {waited['share']:.1%} of its time, "
        f"{waited['images_per_second']:.0f} images/s, {waited['views_per_second']:.0f} views/s"
    )
    print("\nTargets")
    for target in result["targets"]:
        reached = f"{target['median']:.3g} [{target['low']:.3g}..{target['high']:.3g}]"
        print(f"  {'ok   ' if target['ok'] else 'SHORT'} {target['what']}: {reached}, goal {target['goal']:g}")
    print("\nUnlike one another:", *UNLIKE, sep="\n  ")


def machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = models[0].split(":")[1].strip() if models else platform.processor()
    versions = {library: version(library) for library in LIBRARIES}
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": versions,
    }


def on_one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - lightly draws from it
    warnings.filterwarnings("ignore", module="kornia|albumentations")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--out", type=Path, default=Path("runs/bench/views.json"))
    given = arguments.parse_args()
    result: dict[str, Any] = {"quick": given.quick, "machine": machine(), "unlike": UNLIKE}
    result["waiting"] = waiting(given.quick)  # first: a process keeps its parent's one core
    on_one_core()
    timing = Timing(2, 0.1, 1) if given.quick else Timing(8, 0.5, 2 * PHOTOS)
    races, result["difference"] = measured(timing, given.quick)
    for name, found in races.items():
        reading, policies = name == "reading", name == "policies"
        result[name] = found.to_json(*(["packed"] if reading else [] if policies else [OURS, CACHED]))
    result["targets"] = judged(races, result["waiting"]["share"])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_races(races)
    print_result(result)


if __name__ == "__main__":
    main()
