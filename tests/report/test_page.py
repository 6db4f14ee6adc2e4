"""The page holds what the report holds, and whatever a user's file says can break neither it nor a reader."""

import json
import re
from dataclasses import replace

import pytest
from made_reports import (
    METRIC_NAMES,
    NOTHING,
    Parsed,
    disturbed,
    drawn_map,
    example,
    full,
    metrics,
    quadrants,
    saliency,
    shown,
)

from natviews.catalog import Quarantined, Statistics
from natviews.report.page import page, write_report
from natviews.report.report import Cluster, Example, Report
from natviews.report.tables import photos_per_product, product_types
from natviews.report.words import HEADLINES
from natviews.types import Metric

HOSTILE = "\"'><script>alert(1)</script><img src=http://evil.example onerror=alert(1)>&amp;"


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
