"""Training beside lightly's example loop: SimCLR, and DINO with multi-crop, ResNet-18 at 96 px on the same JPEGs.

    python benchmarks/training.py [CATALOG] [--quick] [--photo-size 256] [--out runs/bench/training.json]

Without a catalogue one is generated, its photos of `--photo-size` px. natviews trains with its own loop (photos
packed, threads for views, Fabric, the precision that it times), and takes the same steps once more on views in
memory: pure compute. lightly trains as its example does (Pillow transforms, 8 workers, float32), and tuned:
bfloat16, channels_last, and as many workers as do best in a first turn.

Every contender is a process of its own that trains without end. One at a time runs; the others stand still, with
their workers (SIGSTOP), so that nobody fetches ahead while another is timed. An image is a photo with all its
views. Prints medians over rounds, ratios with their lowest and highest round, and peak memory; about seven minutes
on two cores. `--quick` takes two, with batches of 8, shows that all of it works, and measures badly.
"""

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SIZE, LOCAL, LOCALS = 96, 40, 6
HIDDEN, BOTTLENECK, OUT, PROTOTYPES = 512, 64, 128, 2048
"""The heads of lightly's examples: SimCLR's 512 to 128, DINO's 512 to 64 to 2,048."""
EXAMPLE_WORKERS, TUNED_WORKERS = 8, (1, 2, 4)
OURS, IN_MEMORY, SHIPPED, TUNED = "natviews", "natviews, views in memory", "lightly, as shipped", "lightly, tuned"
GOALS = {"simclr": {SHIPPED: 2.0, TUNED: 1.2}, "dino": {SHIPPED: 2.5, TUNED: 1.5}}
PURE = 0.95
"""The share of pure compute that the loop with its views is to reach."""
LEAST_STEPS = 3
"""Of a turn."""
LIBRARIES = ("lightly", "lightning", "numba", "numpy", "pillow", "timm", "torch", "torchvision")
UNLIKE = (
    "lightly's loops call the network once for each view, natviews once for all views of a size.",
    "lightly decodes a JPEG each time it is seen; natviews packs pixels once, before anything is timed.",
    "natviews checks every loss and gradient and writes a log; lightly's example prints a mean at an epoch's end.",
    "natviews keeps freed memory (mallopt) and fuses AdamW; lightly's example leaves both as they come.",
    "natviews computes convolutions over maps of a few pixels as dense layers; lightly's network is as it comes.",
    "Nobody writes checkpoints, and an epoch of lightly's never ends: its workers are started once.",
)

Step = Callable[[], None]
"""Called at the end of each step."""


# The contenders. Each trains until it is killed.


def natviews_loop(catalog: Path, method: str, batch: int, folder: Path, ended: Step, *, in_memory: bool) -> None:
    from natviews.catalog import Catalog, pack, with_split
    from natviews.encoders import Encoder, stored_size
    from natviews.methods import Progress
    from natviews.training import Recipe, loop
    from natviews.training.collapse import Watch
    from natviews.training.processes import launched

    views: dict[str, Any] = {"name": method, "size": SIZE} | ({"locals": LOCALS} if method == "dino" else {})
    heads: dict[str, Any] = {"simclr": {"hidden": HIDDEN, "out": OUT}}.get(
        method, {"hidden": HIDDEN, "bottleneck": BOTTLENECK, "prototypes": PROTOTYPES}
    )
    recipe = Recipe.of(
        {
            "pairing": "augmented",
            "views": views,
            "method": {"name": method, **heads},
            "encoder": {"name": "resnet18", "size": SIZE},
            "training": {
                "batch": batch,
                "epochs": 1e6,
                "optimiser": "sgd" if method == "simclr" else "adamw",
                "lr": 1e-3,
                "measures": 1,
                "threads": cores(),
            },
        }
    )
    packed = with_split(pack(Catalog.open(catalog), stored_size(SIZE)))
    start = Encoder.create(recipe.encoder)
    recipe, fabric = recipe.with_precision(loop.fastest_precision(start, size=SIZE)), launched()
    if not in_memory:
        plain = loop.step_once
        loop.CHECKPOINT_SECONDS = math.inf

        def announced(*given: Any) -> dict[str, float]:
            ended()  # of the step before, its log included
            return plain(*given)

        loop.step_once = announced
        loop.fit(fabric, recipe, start, packed, None, folder)
    sampler = loop.sampler_of(recipe, packed.catalog)
    kept = list(loop.batches_of(fabric, recipe, packed, sampler, start=0, stop=4))
    wrapped, optimiser = loop.set_up(fabric, recipe, start)
    watch = Watch(1_000_000)
    for step, views_of_batch in enumerate(cycle(kept)):
        now = Progress(step, 1_000_000, 0.0)
        loop.step_once(fabric, wrapped, optimiser, recipe, views_of_batch, now, watch)
        ended()


def lightly_loop(catalog: Path, method: str, batch: int, ended: Step, *, tuned: bool, workers: int) -> None:
    import torch
    import torchvision
    from lightly.transforms import DINOTransform, SimCLRTransform
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    from natviews.catalog import Catalog

    paths = [photo.path for photo in Catalog.open(catalog).photos]
    dino = DINOTransform(global_crop_size=SIZE, local_crop_size=LOCAL, n_local_views=LOCALS)
    transform = dino if method == "dino" else SimCLRTransform(input_size=SIZE)

    class Photos(Dataset):
        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: int) -> Any:
            with Image.open(paths[index % len(paths)]) as photo:
                return transform(photo.convert("RGB")), 0

    layout = torch.channels_last if tuned else torch.contiguous_format
    backbone = nn.Sequential(*list(torchvision.models.resnet18().children())[:-1]).to(memory_format=layout)
    trained = (lightly_dino if method == "dino" else lightly_simclr)(backbone)
    loader = DataLoader(Photos(), batch_size=batch, shuffle=True, drop_last=True, num_workers=workers)
    for views, _ in loader:
        views = [view.to(memory_format=layout) for view in views]
        trained(views, torch.autocast("cpu", torch.bfloat16, enabled=tuned))
        ended()


def lightly_simclr(backbone: Any) -> Callable[[list[Any], Any], None]:
    import torch
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    head, criterion = SimCLRProjectionHead(512, HIDDEN, OUT), NTXentLoss()
    optimiser = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.06)

    def step(views: list[Any], precision: Any) -> None:
        with precision:
            z0, z1 = (head(backbone(view).flatten(start_dim=1)) for view in views)
            loss = criterion(z0, z1)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def lightly_dino(backbone: Any) -> Callable[[list[Any], Any], None]:
    import copy

    import torch
    from lightly.loss import DINOLoss
    from lightly.models.modules import DINOProjectionHead
    from lightly.models.utils import deactivate_requires_grad, update_momentum

    head = DINOProjectionHead(512, HIDDEN, BOTTLENECK, PROTOTYPES, freeze_last_layer=1)
    teachers = copy.deepcopy(backbone), DINOProjectionHead(512, HIDDEN, BOTTLENECK, PROTOTYPES)
    for module in teachers:
        deactivate_requires_grad(module)
    criterion = DINOLoss(output_dim=PROTOTYPES, warmup_teacher_temp_epochs=5)
    optimiser = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=0.001)

    def step(views: list[Any], precision: Any) -> None:
        for student, teacher in zip((backbone, head), teachers, strict=True):
            update_momentum(student, teacher, m=0.996)
        with precision:
            taught = [teachers[1](teachers[0](view).flatten(start_dim=1)) for view in views[:2]]
            learnt = [head(backbone(view).flatten(start_dim=1)) for view in views]
            loss = criterion(taught, learnt, epoch=1)
        loss.backward()
        head.cancel_last_layer_gradients(current_epoch=1)
        optimiser.step()
        optimiser.zero_grad()

    return step


def contend(name: str, method: str, catalog: Path, batch: int) -> None:
    """Trains as one of the contenders and writes the time at the end of each step, a line each."""
    import torch

    torch.set_num_threads(cores())
    torch.manual_seed(0)
    said = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no time

    def ended() -> None:
        said.write(f"{time.monotonic()}\n")

    if name in (OURS, IN_MEMORY):
        with tempfile.TemporaryDirectory() as folder:
            natviews_loop(catalog, method, batch, Path(folder), ended, in_memory=name == IN_MEMORY)
    _, _, workers = name.partition(f"{TUNED}, ")
    count = int(workers.split()[0]) if workers else EXAMPLE_WORKERS
    lightly_loop(catalog, method, batch, ended, tuned=bool(workers), workers=count)


# The race.


class Timing(NamedTuple):
    """`seconds` are a turn's, `workers` what the tuned peer is tried with."""

    rounds: int
    seconds: float
    batch: int
    workers: tuple[int, ...]


@dataclass
class Contender:
    """A process that trains, standing still but for its turns; `rates` are images a second, turn by turn."""

    name: str
    process: subprocess.Popen[str]
    batch: int
    rates: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """Runs for so long, or three steps where those take longer."""
        begun = time.monotonic()
        os.killpg(self.process.pid, signal.SIGCONT)
        ends: list[float] = []
        while len(ends) <= LEAST_STEPS or ends[-1] - ends[0] < seconds:
            end = self._next_end()
            ends += [end] if end > begun else []  # the others are of the turn before
        os.killpg(self.process.pid, signal.SIGSTOP)
        self.rates.append(self.batch * (len(ends) - 1) / (ends[-1] - ends[0]))

    def warm_up(self) -> None:
        """Until two steps are done: all is loaded, compiled, and workers are at work."""
        for _ in range(2):
            self._next_end()
        os.killpg(self.process.pid, signal.SIGSTOP)

    def _next_end(self) -> float:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"{self.name} ended with {self.process.wait()}.")
        return float(line)

    def megabytes(self) -> float:
        """The most that the process has held, and what its workers hold beside what they share with it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        own = kilobytes(Path(f"/proc/{self.process.pid}/status"), "VmHWM")
        return (own + sum(kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Private_") for pid in children)) / 1024


def kilobytes(path: Path, name: str) -> int:
    return sum(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))


@contextmanager
def started(name: str, method: str, catalog: Path, batch: int) -> Iterator[Contender]:
    """A contender, warm and standing still."""
    command = [sys.executable, __file__, str(catalog), "--batch", str(batch), "--as", name, method]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        contender = Contender(name, process, batch)
        contender.warm_up()
        yield contender
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def race(method: str, catalog: Path, timing: Timing) -> dict[str, Any]:
    """All contenders of a method in turns; the tuned peer is the fastest of its first turns."""
    with ExitStack() as running:
        tried = []
        for workers in timing.workers:
            with started(f"{TUNED}, {workers} workers", method, catalog, timing.batch) as one:
                one.turn(timing.seconds)
                tried.append((one.rates[0], one.name))
        fastest = max(tried)[1]
        names = {OURS: OURS, IN_MEMORY: IN_MEMORY, SHIPPED: SHIPPED, TUNED: fastest}
        contenders = {
            name: running.enter_context(started(called, method, catalog, timing.batch))
            for name, called in names.items()
        }
        for _ in range(timing.rounds):
            for contender in contenders.values():
                contender.turn(timing.seconds)
        return {
            "images_per_second": {name: contender.rates for name, contender in contenders.items()},
            "median": {name: float(np.median(contender.rates)) for name, contender in contenders.items()},
            "megabytes": {name: contender.megabytes() for name, contender in contenders.items()},
            "ratios": {
                OURS: {
                    name: ratio(contenders[OURS].rates, contender.rates) for name, contender in contenders.items()
                }
            },
            "tuned": {"chosen": fastest, "tried": {name: rate for rate, name in tried}},
        }


def ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """How many times as fast, round by round."""
    each = np.divide(ours, theirs)
    return {"median": float(np.median(each)), "low": float(each.min()), "high": float(each.max())}


def judged(races: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every target with what was reached."""
    found = []
    for method, result in races.items():
        for peer, goal in [*GOALS[method].items(), (IN_MEMORY, PURE)]:
            reached = result["ratios"][OURS][peer]
            what = f"{method}: {OURS} to {peer}"
            found.append({"what": what, "goal": goal, **reached, "ok": reached["median"] >= goal})
    return found


def print_result(races: dict[str, dict[str, Any]], targets: list[dict[str, Any]], batch: int) -> None:
    for method, result in races.items():
        crops = f" + {LOCALS} x {LOCAL}" if method == "dino" else ""
        print(f"\n{method}: ResNet-18, 2 x {SIZE}{crops} px, batches of {batch}, {cores()} cores")
        print(f"  {'':<28}{'images/s':>9}{'peak MB':>9}   natviews is so many times as fast")
        for name, rate in result["median"].items():
            times = result["ratios"][OURS][name]
            said = "" if name == OURS else f"{times['median']:.2f} [{times['low']:.2f}..{times['high']:.2f}]"
            print(f"  {name:<28}{rate:>9.1f}{result['megabytes'][name]:>9.0f}   {said}")
        tried = ", ".join(f"{name.split(', ')[-1]} {rate:.1f}" for name, rate in result["tuned"]["tried"].items())
        print(f"  tuned: {result['tuned']['chosen'].split(', ')[-1]} ({tried} images/s in a first turn)")
    print("\nTargets")
    for target in targets:
        reached = f"{target['median']:.3f} [{target['low']:.3f}..{target['high']:.3f}]"
        print(f"  {'ok   ' if target['ok'] else 'SHORT'} {target['what']}: {reached}, goal {target['goal']:g}")
    print("\nUnlike one another:", *UNLIKE, sep="\n  ")


def machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].split(":")[1].strip() if models else platform.processor(),
        "cores": cores(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": {library: version(library) for library in LIBRARIES},
    }


def cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("catalog", nargs="?", type=Path)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--photo-size", type=int, default=256, help="of generated photos, in px")
    arguments.add_argument("--out", type=Path, default=Path("runs/bench/training.json"))
    arguments.add_argument("--batch", type=int, default=64, help="photos a step")
    arguments.add_argument("--as", nargs=2, dest="name", help=argparse.SUPPRESS)  # what a contender is started by
    given = arguments.parse_args()
    if given.name:
        return contend(*given.name, given.catalog, given.batch)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no contender is left standing
    timing = Timing(2, 0.5, 8, TUNED_WORKERS[:1]) if given.quick else Timing(5, 7.0, given.batch, TUNED_WORKERS)
    result: dict[str, Any] = {"quick": given.quick, "machine": machine(), "unlike": UNLIKE}
    result["timing"] = timing._asdict()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NATVIEWS_CACHE"] = folder
        from natviews.catalog import generate_catalog

        drawn = given.catalog or generate_catalog(Path(folder), products=200, size=given.photo_size)
        races = {method: race(method, drawn, timing) for method in GOALS}
    result |= races | {"targets": judged(races)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_result(races, result["targets"], timing.batch)
    return None


if __name__ == "__main__":
    main()
