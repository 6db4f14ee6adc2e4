"""The page holds what the report holds, and whatever a user's file says can break neither it nor a reader."""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from natviews.catalog import Quarantined, Statistics
from natviews.report import drawing as drawn
from natviews.report import plots
from natviews.report import quadrants as quadrant_figure
from natviews.report.page import page, write_report
from natviews.report.report import Cluster, EmbeddingMap, Example, Quadrants, Report, Saliency, Shown
from natviews.report.tables import photos_per_product, product_types
from natviews.report.words import HEADLINES
from natviews.types import Metric

NOTHING = Statistics(0, 0, {}, 0.0, {}, {})
HOSTILE = "\"'><script>alert(1)</script><img src=http://evil.example onerror=alert(1)>&amp;"
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


def test_a_full_report_has_every_section_and_an_empty_one_only_the_catalogue() -> None:
    sections = {"figures", "slices", "curves", "quadrants", "map", "best", "middle", "worst", "clusters"}
    sections |= {"saliency", "robustness", "catalogue", "bad", "facts"}
    assert Parsed(page(full())).sections() == sections
    assert Parsed(page(Report("Nothing", [], NOTHING))).sections() == {"catalogue"}


@pytest.mark.parametrize(
    ("section", "without"),
    [
        ("figures", {"metrics": []}),
        ("slices", {"metrics": metrics()}),
        ("curves", {"curves": [{"step": 1, "lr": 0.1}]}),
        ("quadrants", {"quadrants": None}),
        ("map", {"map": None}),
        ("best", {"best": []}),
        ("middle", {"middle": []}),
        ("clusters", {"clusters": []}),
        ("saliency", {"saliency": []}),
        ("robustness", {"robustness": []}),
        ("robustness", {"robustness": disturbed()[:1]}),
        ("worst", {"worst": []}),
        ("bad", {"quarantine": []}),
        ("facts", {"facts": {}}),
    ],
)
def test_a_section_goes_with_its_data(section: str, without: dict) -> None:
    assert section not in Parsed(page(replace(full(), **without))).sections()


def test_what_files_say_never_becomes_markup() -> None:
    hostile = Example(shown(HOSTILE, HOSTILE), [shown(HOSTILE, HOSTILE)], [True], [0.5], 1.0)
    rows = [replace(m, row=m.row.replace("histogram", HOSTILE), slice=HOSTILE) for m in metrics()]
    report = Report(
        HOSTILE,
        [*metrics(), *rows, Metric("trained", HOSTILE, "all", 0.5, 0.4, 0.6, 9)],
        Statistics(1, 1, {1: 1}, 0.0, {HOSTILE: 1}, {HOSTILE: 1}),
        [Quarantined(HOSTILE, HOSTILE, HOSTILE)],
        [],
        replace(quadrants(HOSTILE), before_row=HOSTILE),
        [hostile],
        [hostile],
        {HOSTILE: HOSTILE, "long": HOSTILE * 9},
        middle=[hostile],
        map=drawn_map(HOSTILE, (HOSTILE, "a", "</script>")),
        clusters=[Cluster(9, [shown(HOSTILE, HOSTILE)], {HOSTILE: 4, "red": 1}, {HOSTILE: 2})],
        saliency=[saliency(HOSTILE)],
        robustness=disturbed(HOSTILE),
    )
    elements = Parsed(page(report)).elements
    assert [tag for tag, _ in elements].count("script") == 1
    assert page(report).count("</script>") == 1
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert {tag for tag, _ in elements} <= {tag for tag, _ in Parsed(page(full())).elements}
    assert HOSTILE in Parsed(page(report)).text


def test_the_page_asks_for_nothing() -> None:
    text = page(full())
    fetched = [
        value or ""
        for _, attributes in Parsed(text).elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster")
    ]
    # Three examples of three photos, ten photos in each of two drawings, the map's sheet, a cluster's photo, and
    # the three pictures of a pair.
    assert len(fetched) == 9 + 20 + 1 + 1 + 3
    assert all(address.startswith("data:image/jpeg;base64,") for address in fetched)
    assert not re.search(r"https?:|url\(|@import|<link|<script [^>]|fetch\(|XMLHttp|import\(|innerHTML|eval", text)
    assert "<script" not in page(replace(full(), map=None))


def test_every_picture_and_control_says_what_it_is() -> None:
    for tag, attributes in Parsed(page(full())).elements:
        if tag == "img":
            assert attributes["alt"] or attributes.get("data-columns"), (
                attributes
            )  # the map says its photo in words
        if attributes.get("role") == "img" and tag != "svg":
            assert (attributes["aria-label"] or "").startswith("Colours: ")
        if attributes.get("tabindex"):
            assert attributes["aria-label"] and attributes["aria-describedby"] == "map-note"


def test_the_map_says_how_it_was_made_and_of_how_many() -> None:
    text = " ".join(Parsed(page(full())).text.split())
    assert "3 of 900 photos, drawn by chance. Made by t-SNE" in text and "Colours are the catalogue's" in text
    few = replace(drawn_map(types=("", "")), made="principal components", total=2)
    text = " ".join(Parsed(page(replace(full(), map=few))).text.split())
    assert "Made by principal components: the two directions" in text
    assert "drawn by chance. Made" not in text and "Colours are the catalogue's" not in text


def test_robustness_is_drawn_kind_by_kind_on_one_scale_with_the_photos_that_asked() -> None:
    text = page(full())
    section = text[text.index('<section id="robustness"') :]
    titles = re.findall(r'<text class="title"[^>]*>([^<]+)<', section)
    assert titles == ["rotation", "blur (not trained on)"] and "77 photos asked" in section
    trained = re.findall(r'<polyline class="curve r1 emphasised" points="([^"]+)"', section)
    assert [len(points.split()) for points in trained] == [2, 3, 2]  # the key's, then the panels'
    ends = [[float(point.split(",")[1]) for point in points.split()] for points in trained[1:]]
    assert ends[0][0] == ends[1][0] and ends[0] == sorted(ends[0]) and ends[1][1] > ends[0][2]


def test_saliency_and_clusters_say_their_figures() -> None:
    text = " ".join(Parsed(page(full())).text.split())
    assert "similarity 0.71; covering a part changes it by -0.20 to +0.10" in text
    assert "All photos 9 photos; most often knit, 100 %" in text
    assert "red 62 % blue 38 %" in text and "Cluster 1 4 photos red 100 %" in text


def test_the_figures_shown_are_the_metrics() -> None:
    report = full()
    parsed = Parsed(page(report))
    for row in ("histogram", "trained"):
        measured = [report.metric(row, name) for name in METRIC_NAMES]
        wanted = [f"{m.value:.3f} {m.low:.3f}–{m.high:.3f}" for m in measured if m]
        assert [" ".join(cell.split()) for cell in parsed.row(row)[1:]] == [*wanted, "120 to 125"]
    assert "120 to 125" not in parsed.row("histogram", 1)
    assert parsed.row("histogram", 1)[1].split() == ["▲", "+0.100", "+0.070", "to", "+0.140"]
    assert "41.0\N{NO-BREAK SPACE}% of the photos" in parsed.text


def test_differences_say_whether_they_leave_out_zero() -> None:
    open_, worse = metrics(gain=0.0), metrics(gain=-0.2)
    assert [cell.split()[0] for cell in Parsed(page(Report("", open_, NOTHING))).row("histogram", 1)[1:]] == (
        ["○"] * 6
    )
    # Similarities have no better or worse of their own.
    assert [cell.split()[0] for cell in Parsed(page(Report("", worse, NOTHING))).row("histogram", 1)[1:]] == (
        ["▼"] * 4 + ["◆"] * 2
    )


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        ("won", metrics(gain=0.2)),
        ("lost", metrics(gain=-0.2)),
        ("unclear", metrics(gain=0.0)),
        ("none", metrics(baselines=())),
        ("none", []),
        ("mixed", [*metrics(gain=0.2)[:-6], *metrics(gain=-0.2)[-6:-5], *metrics(gain=0.2)[-5:]]),
    ],
)
def test_the_verdict_is_in_the_box_and_colours_it(outcome: str, found: list[Metric]) -> None:
    report = Report("", found, NOTHING)
    parsed = Parsed(page(report))
    assert ("div", {"class": f"verdict {outcome}"}) in parsed.elements
    assert HEADLINES[outcome] in parsed.text
    assert report.verdict() in parsed.text


def test_each_further_slice_has_its_verdict_and_its_folded_table() -> None:
    parsed = Parsed(page(full()))
    assert "No difference can be told" in parsed.row("type=shirt")[1]
    assert parsed.text.count("What training changed") == 2


def test_every_drawing_is_well_formed_and_named() -> None:
    found = drawings(page(full()))
    assert len(found) == 3 + 2 + 2 + 1 + 1 + 1 + 3  # and the map, a pair, a key and two kinds
    for drawing in found:
        assert drawing[0].tag == "title" and drawing[0].text
        assert drawing.get("role") == "img"


def test_a_dot_lies_within_its_interval_and_further_right_when_larger() -> None:
    drawing = ElementTree.fromstring(plots.interval_plot("Recall@1", metrics()[:2] + metrics()[6:8]))
    dots = []
    for group in drawing.iter("g"):
        ends = [float(line.get(end, "")) for line in group.iter("line") for end in ("x1", "x2")]
        dot = next(group.iter("circle"))
        dots.append(float(dot.get("cx", "")))
        assert min(ends) < dots[-1] < max(ends)
    assert dots == sorted(dots) and len(set(dots)) == 4


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.34), (-0.2, 0.9), (0, 5999), (0.5, 0.5), (0, 0)])
def test_ticks_enclose_the_data_evenly(low: float, high: float) -> None:
    for most in (3, 4, 5, 6):
        found = drawn.ticks(low, high, most)
        assert found[0] <= low and high <= found[-1]
        assert 2 <= len(found) <= most + 1
        assert np.allclose(np.diff(found), found[1] - found[0])


def test_long_curves_are_thinned_to_means_and_gaps_left_out() -> None:
    points = [(float(i), float(i % 2)) for i in range(4000)]
    thin = plots.thinned(points)
    assert len(thin) == 400 and {y for _, y in thin} == {0.5}
    assert plots.thinned(points[:400]) == points[:400]
    curves = [{"epoch": i, "loss": float("nan") if i == 2 else 1.0} for i in range(5)]
    text = page(Report("", [], NOTHING, curves=curves))
    assert "nan" not in text and text.count('class="dot s0"') == 4


def test_a_single_measurement_makes_a_chart() -> None:
    assert drawings(page(Report("", [], NOTHING, curves=[{"step": 0, "held_out_map@r": 0.3}])))


def test_quadrants_link_photos_by_one_scale() -> None:
    before, after = (
        [line.get("class") for line in ElementTree.fromstring(text).iter("line")]
        for text in (
            quadrant_figure.quadrants_figure("before", quadrants().photos, quadrants().before),
            quadrant_figure.quadrants_figure("after", quadrants().photos, quadrants().after),
        )
    )
    within = 1 + 3 + 0 + 6
    assert before == ["link b4"] * within + ["link b2"] * 6
    assert after == ["link b9"] * within + ["link b0"] * 6
    assert quadrant_figure.means(quadrants().photos, quadrants().after) == pytest.approx((4.6, 0.2))


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2,), (5, 9), (1, 2, 3, 4)])
def test_any_number_of_products_and_photos_can_be_drawn(sizes: tuple[int, ...]) -> None:
    text = page(Report("", [], NOTHING, quadrants=quadrants(sizes=sizes)))
    assert "After training" in text
    assert ("within products 4.6" in text) == (max(sizes) > 1)
    assert ("between products 0.2" in text) == (len(sizes) > 1)


@pytest.mark.parametrize(
    ("similarity", "step"), [(-0.4, 0), (0.0, 0), (0.499, 0), (1.5, 3), (3.5, 7), (4.9, 9), (5.0, 9), (7, 9)]
)
def test_the_similarity_scale_is_fixed_from_nought_to_five(similarity: float, step: int) -> None:
    assert quadrant_figure.band(similarity) == step


def test_an_embedded_photo_is_small_and_keeps_its_colours() -> None:
    red = np.full((900, 300, 3), (220, 20, 20), np.uint8)
    head, data = drawn.data_uri(red).split(",")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert head == "data:image/jpeg;base64"
    assert decoded.shape == (192, 64, 3)
    assert np.abs(decoded[96, 32, ::-1].astype(int) - (220, 20, 20)).max() < 6


def test_examples_mark_right_and_wrong_and_fade_what_is_left_over() -> None:
    text = page(Report("", [], NOTHING, worst=[example()]))
    assert re.findall(r'<figure class="(\w+)"', text) == ["query", "wrong", "right"]
    assert re.findall(r"<span>(.)</span> ([\d.]+)", text) == [("✗", "0.91"), ("✓", "0.64")]
    assert 'title="other: b.jpg"' in text and "1 of 2 right" in text and "precision 0.25" in text
    complete = page(Report("", [], NOTHING, best=[example(1.0)]))
    assert 'class="example complete"' in complete and "all came first" in complete
    assert 'class="example complete"' not in text


def test_products_with_many_photos_are_counted_together() -> None:
    bars = photos_per_product(replace(NOTHING, photos_per_product={1: 5, 9: 10, 10: 2, 31: 1}))
    assert [(bar.name, bar.count, bar.share) for bar in bars] == [("1", 5, 0.5), ("9", 10, 1.0), ("10+", 3, 0.3)]


def test_the_most_frequent_types_are_shown_and_the_rest_counted() -> None:
    assert product_types(replace(NOTHING, types={"": 7})) == []
    types = {f"type {i}": 20 - i for i in range(15)}
    parsed = Parsed(page(Report("", [], replace(NOTHING, types=types))))
    assert "type 11" in parsed.text and "type 12" not in parsed.text and "and 3 more types" in parsed.text


def test_fifty_bad_photos_are_listed_and_the_rest_counted() -> None:
    bad = [Quarantined(f"photo-{i}.jpg", "p", "it is empty") for i in range(1062)]
    text = page(Report("", [], NOTHING, quarantine=bad))
    assert text.count("it is empty") == 50 and "and 1,012 more" in text and "photo-50.jpg" not in text
    assert "more</p>" not in page(Report("", [], NOTHING, quarantine=bad[:50]))


def test_long_facts_are_folded() -> None:
    text = page(Report("", [], NOTHING, facts={"short": "a", "lines": "a\nb", "long": "x" * 300}))
    assert text.count("<details>") == text.count("<pre>") == 2


def test_a_path_that_is_no_text_can_still_be_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    report = Report("", [], NOTHING, facts={"folder": b"/data/\xff".decode("utf-8", "surrogateescape")})
    assert "/data/?" in write_report(report, tmp_path).read_text(encoding="utf-8")


def test_a_report_is_written_as_a_page_and_as_figures(tmp_path) -> None:  # type: ignore[no-untyped-def]
    report = full()
    assert write_report(report, tmp_path).read_text(encoding="utf-8") == page(report)
    assert len(json.loads((tmp_path / "metrics.json").read_text())) == len(report.metrics)
