"""The quality page in Chromium, from disk: it is found, opened, read and printed by keyboard, at any width,
without a network.
"""

import json
from pathlib import Path

import pytest
from chromium import BROWSER, chromium
from report_nights import EVIL, before, full, history, quality, report

from lsml_spark.report.site import publish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no chromium or google-chrome on the PATH (apt install chromium)"
    ),
]
DAYS = [f"2011-02-{day:02}" for day in range(1, 21)]
ROWS = "[...document.querySelectorAll('.columns > tbody > tr[id^=row]')].filter(row => !row.hidden)"
SHOWN = f"{ROWS}.map(row => row.querySelector('a').textContent)"
PANEL = "(document.querySelector('.detail')?.previousElementSibling.querySelector('a').textContent ?? null)"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    past = history(runs, DAYS)
    last = full(runs, "2011-02-24")
    report(runs, "2011-02-25", {**full(runs, "2011-02-25", warn=True), **before(last), **past})
    hostile = full(runs, "2011-02-24", hostile=True)
    report(runs, "2011-02-26", {**full(runs, "2011-02-26", hostile=True), **before(hostile), **past})
    report(
        runs,
        "2011-02-27",
        {"quality": quality(runs, "2011-02-27", failed="92.2 % of the rows were rejected"), **past},
    )
    report(runs, "2011-02-28", {"quality": quality(runs, "2011-02-28", profiled=False)})
    return publish(runs, "retail").parent


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def names(browser):
    return json.loads(browser.eval(f"JSON.stringify({SHOWN})"))


def test_every_quality_page_draws_in_silence_and_asks_for_nothing_but_itself(site, browser):
    for page in sorted(site.glob("*.quality.html")):
        browser.said.clear()
        browser.open(page)
        assert browser.said == [], page.name
        assert browser.asked == [page.as_uri()]
        assert (
            browser.eval("document.querySelectorAll('#columns .place-of > *, #checks .place-of > *').length")
            > 1
        )


def test_the_policy_lets_no_other_script_run(site, browser):
    browser.open(site / "2011-02-25.quality.html")
    browser.said.clear()
    browser.eval(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; "
        "document.body.append(s) })()"
    )
    assert browser.eval("window.ran ?? 0") == 0
    assert any("Content Security Policy" in said for said in browser.said)
    browser.said.clear()


def test_no_script_of_the_data_runs_and_its_text_is_shown(site, browser):
    browser.open(site / "2011-02-26.quality.html")
    for index in range(browser.eval("document.querySelectorAll('.columns > tbody > tr').length")):
        browser.eval(f"location.hash = 'column-{index}'")
        browser.eval("new Promise(done => setTimeout(done, 20))")
        assert browser.eval("document.querySelectorAll('.detail .panel').length") == 1
    assert browser.eval("document.title").endswith("data quality")
    assert browser.eval("document.querySelectorAll('main img, main script').length") == 0
    text = browser.eval("document.body.textContent")
    assert EVIL in text
    assert "⟨U+202E⟩" in text
    assert "\u202e" not in text
    assert browser.said == []


@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_its_window_with_any_column_open(site, browser, width):
    for name in ("2011-02-25", "2011-02-26", "2011-02-27", "2011-02-28"):
        browser.open(site / f"{name}.html", width)
        assert browser.eval("document.documentElement.scrollWidth") <= width, name
        browser.open(site / f"{name}.quality.html", width)
        for index in range(browser.eval("document.querySelectorAll('.columns > tbody > tr').length")):
            browser.eval(f"location.hash = 'column-{index}'")
            browser.eval("new Promise(done => setTimeout(done, 20))")
            assert browser.eval("document.documentElement.scrollWidth") <= width, (name, index)


def test_the_search_is_reached_and_answered_by_keyboard_alone(site, browser):
    browser.open(site / "2011-02-25.quality.html")
    everything = names(browser)
    browser.press("/")
    assert browser.eval("document.activeElement.id") == "query"
    browser.type("price")
    assert names(browser) == ["UnitPrice"]
    said = browser.eval("document.getElementById('hits').textContent")
    assert said.startswith("1 column, 1 check, 0 keys")
    assert browser.eval("document.getElementById('hits').getAttribute('aria-live')") == "polite"
    browser.press("Enter")
    assert browser.eval(PANEL) == "UnitPrice"
    assert browser.eval("document.activeElement.textContent") == "UnitPrice"
    browser.press("Escape")
    assert browser.eval(PANEL) is None
    browser.press("/")
    browser.press("Escape")
    assert names(browser) == everything
    assert browser.eval("document.getElementById('hits').textContent") == ""


def test_checks_keys_and_labels_are_found_too(site, browser):
    browser.open(site / "2011-02-25.quality.html")
    browser.eval(
        "(() => { const box = document.getElementById('query'); box.value = '22003'; box.dispatchEvent(new "
        "Event('input')) })()"
    )
    assert browser.eval("document.getElementById('hits').textContent").endswith("1 key")
    browser.eval(
        "(() => { const box = document.getElementById('query'); box.value = 'holds'; box.dispatchEvent(new "
        "Event('input')) })()"
    )
    assert "2 checks" in browser.eval("document.getElementById('hits').textContent")


def test_back_and_forward_go_from_column_to_column(site, browser):
    browser.open((site / "2011-02-25.quality.html").as_uri() + "#column-2")
    seen = [browser.eval(PANEL)]
    assert seen[0] is not None
    for step in (
        "location.hash = 'column-4'",
        "history.back()",
        "history.forward()",
        "location.hash = 'columns'",
    ):
        browser.eval(step)
        browser.eval("new Promise(done => setTimeout(done, 120))")
        seen.append(browser.eval(PANEL))
    assert seen == [seen[0], seen[1], seen[0], seen[1], None]
    assert seen[0] != seen[1]


def test_the_table_is_sorted_by_its_heads(site, browser):
    browser.open(site / "2011-02-25.quality.html")
    head = "document.querySelectorAll('.columns thead button')[0]"
    browser.eval(f"{head}.focus()")
    browser.press("Enter")
    assert names(browser) == sorted(names(browser), key=str.lower)
    assert browser.eval(f"{head}.parentNode.getAttribute('aria-sort')") == "ascending"
    browser.press("Enter")
    assert names(browser) == sorted(names(browser), key=str.lower, reverse=True)


def test_trends_have_their_band_and_tonight_stands_out(site, browser):
    browser.open((site / "2011-02-25.quality.html").as_uri())
    browser.eval(
        "location.hash = [...document.querySelectorAll('.columns a')].find(a => a.textContent === "
        "'UnitPrice').getAttribute('href')"
    )
    browser.eval("new Promise(done => setTimeout(done, 50))")
    assert browser.eval("document.querySelectorAll('.panel svg.trend').length") > 10
    assert browser.eval("document.querySelectorAll('.panel svg.trend .band').length") > 10
    assert browser.eval("document.querySelectorAll('.panel .tonight.outside').length") > 0
    assert browser.eval("document.querySelector('.panel svg.trend').getAttribute('aria-label')").startswith(
        "Trend: 21 nights"
    )
    assert browser.eval("document.querySelectorAll('.panel svg.big .now, .panel svg.big .last').length") == 2


def test_a_dark_screen_gets_a_dark_page(site, browser):
    lightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, "
        "part) => sum + Number(part), 0) / 765"
    )
    browser.open(site / "2011-02-25.quality.html")
    assert browser.eval(lightness) > 0.9
    browser.open(site / "2011-02-25.quality.html", dark=True)
    assert browser.eval(lightness) < 0.15


def test_on_paper_every_column_is_open(site, browser, tmp_path):
    browser.open(site / "2011-02-25.quality.html")
    browser.eval("window.dispatchEvent(new Event('beforeprint'))")
    columns = browser.eval("document.querySelectorAll('.columns > tbody > tr[id^=row]').length")
    assert browser.eval("document.querySelectorAll('.detail .panel').length") == columns
    browser.eval("window.dispatchEvent(new Event('afterprint'))")
    assert browser.eval("document.querySelectorAll('.detail').length") == 0
    browser.paper(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_links_of_the_night_lead_to_columns_of_the_quality_page(site, browser):
    page = site / "2011-02-25.html"
    browser.open(page)
    href = browser.eval("document.querySelector('.moved a').getAttribute('href')")
    name = browser.eval("document.querySelector('.moved a').textContent")
    browser.open(f"{Path(site).as_uri()}/{href}")
    assert browser.eval(PANEL) == name
