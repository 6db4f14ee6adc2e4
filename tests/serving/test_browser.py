"""The pages in a real browser: every page and main path; by mouse, by keys, on a telephone, read aloud."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

api = pytest.importorskip("playwright.sync_api", reason="no Playwright; pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = [Path(os.environ.get("NATVIEWS_AXE", "")), Path(sys.prefix) / "axe/node_modules/axe-core/axe.min.js"]
PAGES = (
    "/",
    "/review",
    "/groups",
    "/map",
    "/tables/gaps",
    "/tables/prices",
    "/report",
    "/bad-photos",
    "/api",
    "/nowhere",
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; `apt-get install chromium`")


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


def opened(browser, served, **options):
    context = browser.new_context(base_url=served[0], viewport={"width": 1280, "height": 850}, **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


@pytest.fixture
def page(browser, served):
    made = opened(browser, served)
    yield made
    assert not made.faults, "nothing was refused by the content policy, no script failed"
    made.context.close()


def results(page):
    return [a.get_attribute("href") for a in page.locator("#results .tile, .results .tile").all()]


def test_a_photo_that_is_dropped_finds_its_item_and_a_box_narrows_it(page, catalog):
    photo = Path(catalog.photos[0].path)
    page.goto("/")
    page.evaluate(
        """async (bytes) => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
            const dropped = new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true });
            document.getElementById("drop").dispatchEvent(dropped);
        }""",
        list(photo.read_bytes()),
    )
    page.wait_for_selector("#results .tile")
    assert f"product={catalog.product_ids[0]}&" in results(page)[0]
    score = page.locator("#results .scores b").first.inner_text()
    assert float(score) > 0.99
    frame = page.locator("#crop-canvas").bounding_box()
    page.mouse.move(frame["x"] + 20, frame["y"] + 20)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2, steps=4)
    with page.expect_response(lambda answer: answer.url.endswith("/search")):
        page.mouse.up()
    left, top, right, bottom = map(float, page.locator("#crop").input_value().split(","))
    assert 0 < left < 0.2 and 0.4 < right < 0.6 and 0 < top < bottom < 0.6
    page.wait_for_function("text => document.querySelector('#results .scores b')?.textContent !== text", arg=score)
    page.get_by_role("button", name="Whole photo").click()
    page.wait_for_function("text => document.querySelector('#results .scores b')?.textContent === text", arg=score)


def test_a_found_photo_says_why_it_is_alike(page, catalog):
    page.goto("/")
    page.set_input_files("#photo", catalog.photos[0].path)
    page.wait_for_selector("#results .why-link:visible")
    page.locator("#results .why-link").nth(1).click()
    page.wait_for_selector("#why-dialog[open] svg rect.holds")
    assert page.locator("#why-dialog svg").count() == 2
    page.get_by_role("button", name="Close").click()
    assert not page.locator("#why-dialog").is_visible()
    page.goto(f"/search?product={catalog.product_ids[0]}")
    page.locator(".why-link").first.click()
    page.wait_for_url("**/why?product=*")
    assert page.locator("svg rect.holds").count() > 0


def test_the_box_on_one_photo_is_not_kept_for_the_next(page, catalog, tmp_path):
    with Image.open(catalog.photos[0].path) as photo:
        photo.save(tmp_path / "next.tiff")  # which the browser cannot show
    page.goto("/")
    page.set_input_files("#photo", catalog.photos[0].path)
    page.wait_for_selector("#results .tile")
    page.focus("#crop-canvas")
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#crop")
    with page.expect_response(lambda answer: answer.url.endswith("/search")):
        page.set_input_files("#photo", tmp_path / "next.tiff")
    assert page.input_value("#crop") == "" and page.locator("#cropping").is_hidden()


def test_a_bad_file_is_one_sentence_on_the_page(page, tmp_path):
    (tmp_path / "text.jpg").write_text("this is no photo")
    page.goto("/")
    page.set_input_files("#photo", tmp_path / "text.jpg")
    page.wait_for_selector("#results .notice")
    assert "cannot be used: no image format known here" in page.inner_text("#results .notice")


def test_a_product_is_picked_by_its_title_and_filtered(page, catalog):
    page.goto("/")
    page.get_by_label("Words of its title").fill(str(catalog.product_ids[5]))
    page.get_by_role("button", name="Look up").click()
    page.locator("section .tile").first.click()
    page.wait_for_url("**/search?product=*")
    page.get_by_label("Only where").fill("product_type=mug")
    with page.expect_navigation():
        page.get_by_role("button", name="Search").click()
    kinds = dict(zip(catalog.product_ids.tolist(), catalog.column("product_type").tolist(), strict=True))
    found = [re.search(r"product=(\w+)", address)[1] for address in results(page)]
    assert found and {kinds[product] for product in found} == {"mug"}
    page.get_by_label("Only where").fill("colr=red")
    with page.expect_navigation():
        page.get_by_role("button", name="Search").click()
    assert "did you mean" in page.inner_text(".notice")


def test_ten_pairs_are_judged_by_keys_and_the_calibration_changes(page, served):
    page.goto("/review?target=0.8")
    assert page.inner_text("#low") == "0 %" and page.locator("#curve path").count() == 0
    seen = []
    for number in range(10):
        names = [page.inner_text("#our-name"), page.inner_text("#their-name")]
        seen.append(tuple(names))
        same = names[0].removeprefix("Title ") == names[1]
        with page.expect_response(lambda answer: "/v1/match" in answer.url and answer.request.method == "GET"):
            page.keyboard.press("u" if number == 3 else "y" if same else "n")
        page.wait_for_function("text => document.getElementById('our-name').textContent !== text", arg=names[0])
    assert len(set(seen)) == 10
    counts = [int(page.inner_text(f"#{name}")) for name in ("yes", "no", "unsure")]
    assert sum(counts) == 10 and counts[2] == 1 and counts[0] > 0 and counts[1] > 0
    low = int(page.inner_text("#low").removesuffix(" %"))
    assert low > 10 and page.locator("#curve path").count() == 1
    before = page.locator("#curve path").get_attribute("d")
    page.reload()
    assert page.locator("#curve path").get_attribute("d") == before, "the server keeps the answers"
    assert len((served[1] / "store/serving/answers.jsonl").read_text().splitlines()) == 10
    page.get_by_role("button", name="Yes").click()
    page.wait_for_function("low => document.getElementById('low').textContent !== low", arg=f"{low} %")
    page.keyboard.press("b")
    with page.expect_response(lambda answer: "/v1/match" in answer.url and answer.request.method == "POST"):
        page.keyboard.press("n")
    page.wait_for_function("no => document.getElementById('no').textContent == no", arg=str(counts[1] + 1))


def test_a_key_that_is_held_down_answers_one_pair(page):
    page.goto("/review?target=0.8")
    before = int(page.inner_text("#unsure"))
    for _ in range(5):  # the second and later ones are the keyboard's repetition
        page.keyboard.down("u")
        page.wait_for_timeout(200)
    page.keyboard.up("u")
    assert int(page.inner_text("#unsure")) == before + 1


def test_two_people_are_shown_different_pairs(page):
    people = [page, page.context.new_page()]
    for person, number in zip(people, (0.0, 0.5), strict=True):
        person.add_init_script(f"Math.random = () => {number}")
        person.goto("/review?target=0.8")
    for person in people:
        with person.expect_response(lambda answer: "/v1/match" in answer.url and answer.request.method == "GET"):
            person.keyboard.press("u")
    page.wait_for_timeout(200)
    first, second = (person.inner_text("#our-name") for person in people)
    assert first != second
    people[1].close()


def test_the_last_answer_too_can_be_taken_back(page):
    page.goto("/review?target=0.8")
    name = page.inner_text("#our-name")
    page.route(
        "**/v1/match?target=0.8*",
        lambda route: (
            route.fulfill(json={"standing": route.fetch().json()["standing"], "pairs": []})
            if route.request.method == "GET"
            else route.continue_()
        ),
    )
    page.keyboard.press("y")
    page.wait_for_selector("#pair .notice")
    assert (
        not page.locator("#pair img").first.is_visible()
        and not page.get_by_role("button", name="Yes").is_visible()
    )
    before = int(page.inner_text("#no"))
    page.get_by_role("button", name="Back").click()
    assert page.inner_text("#our-name") == name and page.locator("#pair .notice").count() == 0
    page.keyboard.press("n")
    page.wait_for_function("no => document.getElementById('no').textContent == no", arg=str(before + 1))
    page.keyboard.press("b")
    assert page.inner_text("#our-name") == name and page.get_by_role("button", name="Yes").is_visible()


def test_a_lasso_on_the_map_selects_what_lies_in_it(page):
    page.goto("/map")
    page.wait_for_function("() => document.getElementById('made').textContent.includes('t-SNE')")
    page.get_by_label("Colours by").select_option("product_type")
    page.wait_for_selector("#legend li")
    frame = page.locator("#map").bounding_box()
    corners = [(0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98)]
    page.mouse.move(frame["x"] + 0.02 * frame["width"], frame["y"] + 0.02 * frame["height"])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"], steps=5)
    page.mouse.up()
    held = page.evaluate("fetch('/v1/map').then((answer) => answer.json())")
    scale = (900 - 48) / 900
    within = sum(0.02 < 24 / 900 + x * scale < 0.5 for x in held["x"])
    selected = int(page.inner_text("#selected").split()[0])
    assert 0 < within < len(held["x"]) and abs(selected - within) <= 1
    assert page.locator("#tiles .tile").count() == min(60, selected)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "product_id,photo" and len(lines) == selected + 1


def test_the_map_by_keys_alone(page):
    page.goto("/map")
    page.wait_for_function("() => document.getElementById('made').textContent.includes('products')")
    page.focus("#map")
    for keys in (
        ["ArrowLeft"] * 19 + ["ArrowUp"] * 14,
        ["ArrowRight"] * 38,
        ["ArrowDown"] * 28,
        ["ArrowLeft"] * 38,
    ):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert page.inner_text("#selected").startswith("90 products")
    page.keyboard.press("Escape")
    assert page.inner_text("#selected") == "Nothing is selected."


def test_gaps_are_sorted_and_saved(page):
    page.goto("/tables/gaps")
    page.get_by_role("link", name="Price", exact=True).click()
    page.get_by_role("link", name="Price", exact=True).click()
    page.wait_for_selector("th[aria-sort=descending]")
    column = [th.inner_text() for th in page.locator("th").all()].index("Price ↓")
    shown = [float(td.inner_text()) for td in page.locator(f"td:nth-child({column + 1})").all()]
    assert len(shown) == 50 and shown == sorted(shown, reverse=True)
    page.get_by_role("link", name="Next").click()
    assert "51 to 90 of 90" in page.inner_text(".pager")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 91 and download.value.suggested_filename == "gaps.csv"


def test_everything_is_reached_and_used_by_keys_alone(page, catalog):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto("/")
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href') ?? document.activeElement.name"))
    assert {"/review", "/map", "/tables/gaps", "/report", "photo", "mode", "where", "text"} <= reached
    page.focus("input[name=text]")
    page.keyboard.type(str(catalog.product_ids[3]))
    page.keyboard.press("Enter")
    page.wait_for_url("**text=*")
    page.set_input_files("#photo", catalog.photos[3].path)
    page.wait_for_selector("#results .tile")
    page.focus("#crop-canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    with page.expect_response(lambda answer: answer.url.endswith("/search")):
        page.keyboard.press("Enter")
    assert page.input_value("#crop") == "0.1900,0.1500,0.8500,0.8500"


@pytest.mark.parametrize("address", PAGES)
def test_no_page_is_wider_than_a_telephone(browser, served, address):
    page = opened(browser, served, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """[...document.querySelectorAll("button, input:not([type=hidden]), select")].filter((one) => {
            const box = one.getBoundingClientRect();
            return box.width && one.type !== "radio" && one.type !== "file" && box.height < 40;
        }).length"""
    )
    assert not small, "what is pressed is large enough for a finger"
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found_by_axe(browser, served, catalog, scheme):
    axe = next((path for path in AXE if path.is_file()), None)
    if axe is None:
        pytest.skip("no axe-core here; npm install --prefix .venv/axe axe-core")
    page = opened(browser, served, color_scheme=scheme)
    first, other = catalog.product_ids[0], catalog.ids[-1]
    for address in (*PAGES, f"/search?product={first}", f"/why?product={first}&match={other}", "/login"):
        page.goto(address)
        page.evaluate(axe.read_text(encoding="utf-8"))
        found = page.evaluate(
            "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'], iframes: false })"
        )
        serious = [
            (one["id"], node["html"][:150], node.get("failureSummary", "")[:300])
            for one in found["violations"]
            for node in one["nodes"]
            if one["impact"] in ("serious", "critical")
        ]
        assert not serious, f"{address}: {serious}"
    page.context.close()


def test_without_a_script_photos_are_found_and_pairs_judged(browser, served, catalog):
    page = opened(browser, served, java_script_enabled=False)
    page.goto("/")
    page.set_input_files("#photo", catalog.photos[9].path)
    page.get_by_role("button", name="Search").click()
    page.wait_for_selector(".results .tile")
    assert f"product={catalog.product_ids[9]}&" in results(page)[0]
    page.goto("/review?target=0.9")
    before = page.inner_text("#unsure")
    with page.expect_navigation():
        page.get_by_role("button", name="Unsure").click()
    assert int(page.inner_text("#unsure")) == int(before) + 1
    page.context.close()


def test_the_report_is_shown_in_a_frame_that_runs_nothing(page):
    page.goto("/report")
    assert "The report." in page.frame_locator("iframe").locator("body").inner_text()
