"""Reports made by hand, and a page taken apart: what tests of pages and drawings share."""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np

from natviews.catalog import Quarantined, Statistics
from natviews.report.report import Cluster, EmbeddingMap, Example, Quadrants, Report, Saliency, Shown
from natviews.types import Metric

NOTHING = Statistics(0, 0, {}, 0.0, {}, {})
METRIC_NAMES = ("recall@1", "recall@5", "map@r", "auc", "within", "between")


class Parsed(HTMLParser):
    """A page's elements (tag, attributes), ids, text, and tables as rows of cells' texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += f" {data.strip()}"

    def sections(self) -> set[str]:
        return {attributes["id"] or "" for tag, attributes in self.elements if tag == "section"}

    def row(self, name: str, nth: int = 0) -> list[str]:
        """The cells of the nth row whose first cell begins with the word."""
        return [row for row in self.rows if row and row[0].split()[:1] == [name]][nth]


def shown(name: str, product: str, colour: tuple[int, int, int] = (200, 30, 30)) -> Shown:
    return Shown(name, product, np.full((40, 30, 3), colour, np.uint8))


def metrics(slice: str = "all", gain: float = 0.1, baselines: tuple[str, ...] = ("histogram",)) -> list[Metric]:
    found = []
    for place, row in enumerate((*baselines, "trained")):
        for i, name in enumerate(METRIC_NAMES):
            value = 0.31 + 0.017 * i + (gain if row == "trained" else 0.05 * place)
            found.append(Metric(row, name, slice, value, value - 0.021, value + 0.013, 120 + i))
    for row in baselines:
        found += [Metric(f"trained-{row}", n, slice, gain, gain - 0.03, gain + 0.04, 120) for n in METRIC_NAMES]
    return found


def quadrants(name: str = "p", sizes: tuple[int, ...] = (2, 3, 1, 4)) -> Quadrants:
    photos = [shown(f"{p}-{i}.jpg", f"{name}{p}") for p, size in enumerate(sizes) for i in range(size)]
    same = np.array([[a.product_id == b.product_id for a in photos] for b in photos])
    return Quadrants(photos, np.where(same, 2.1, 1.4), np.where(same, 4.6, 0.2), "frozen")


def example(precision: float = 0.25) -> Example:
    found = [shown("b.jpg", "other"), shown("c.jpg", "asked")]
    return Example(shown("a.jpg", "asked"), found, [False, True], [0.91, 0.64], precision)


def full() -> Report:
    curves = [{"step": i, "epoch": i / 10, "loss": 3.0 - i / 100} for i in range(100)]
    curves += [{"step": i, "held_out_map@r": 0.2, "held_out_recall@1": 0.4} for i in (0, 50)]
    statistics = Statistics(9, 4, {1: 1, 2: 2, 4: 1}, 0.75, {"shirt": 6, "": 3}, {"train": 5, "test": 4})
    bad = [Quarantined("bad.jpg", "p1", "the file ends too early")]
    facts = {"encoder": "runs/a", "recipe": "method: simclr\n" * 3}
    both = metrics() + metrics("type=shirt", gain=0.0)
    return Report(
        "A report",
        both,
        statistics,
        bad,
        curves,
        quadrants(),
        [example(1.0)],
        [example()],
        facts,
        middle=[example(0.5)],
        map=drawn_map(),
        clusters=[
            Cluster(9, [], {"red": 5, "blue": 3}, {"knit": 4}),
            Cluster(4, [shown("d.jpg", "p")], {"red": 4}),
        ],
        saliency=[saliency()],
        robustness=disturbed(),
    )


def drawn_map(name: str = "p", types: tuple[str, ...] = ("shirt", "mug", "")) -> EmbeddingMap:
    photos = [shown(f"{name}-{i}.jpg", name) for i in range(len(types))]
    return EmbeddingMap(np.linspace((0, 0), (1, 1), len(types)), photos, list(types), "t-SNE", 900)


def saliency(name: str = "p") -> Saliency:
    fall = np.array([[0.2, -0.1], [0.0, 0.05]])
    return Saliency(shown("a.jpg", name), shown("b.jpg", name), 0.71, fall, (0.1, 0.0, 0.9, 1.0))


def disturbed(row: str = "trained") -> list[Metric]:
    """Two rows under two kinds of disturbance, and one of which only the clean figure is known."""
    slices = ("clean", "rotation 15°", "rotation 30°", "blur 1.0 px")
    return [
        Metric("frozen", "recall@1", "clean", 0.5, 0.3, 0.6, 77),
        *(
            Metric(each, "recall@1", slice, 0.5 - i / 10, 0.3 - i / 10, 0.6 - i / 10, 77)
            for each in ("histogram", row)
            for i, slice in enumerate(slices)
        ),
    ]


def drawings(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
