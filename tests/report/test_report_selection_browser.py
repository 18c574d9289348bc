"""The page on keys and selection in Chromium, from disk: it draws in silence, fits a telephone, prints, and
runs nothing of the data.
"""

import pytest
from chromium import BROWSER, chromium
from report_nights import before, full, report

from lsml_spark.report.page import script_name
from lsml_spark.report.site import publish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no chromium or google-chrome on the PATH (apt install chromium)"
    ),
]
DATES = ("2011-02-24", "2011-02-25")  # the second is hostile
CHARTS = [
    "chart-law",
    "chart-coverage",
    "chart-growth",
    "chart-kept",
    "chart-rates",
    "chart-weights",
    "chart-pilot",
]


def test_it_draws_every_chart_without_a_word_at_any_width(tmp_path):
    last = full(tmp_path, "2011-02-24")
    report(tmp_path, "2011-02-24", last)
    report(tmp_path, "2011-02-25", {**full(tmp_path, "2011-02-25", hostile=True), **before(last)})
    site = publish(tmp_path, "retail").parent
    with chromium(tmp_path / "profile") as browser:
        for date in DATES:
            page = site / f"{date}.selection.html"
            for width, dark in ((390, True), (1280, False)):
                browser.open(page, width, dark=dark)
                drawn = browser.eval(
                    "[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.dataset.chart)"
                )
                assert drawn == CHARTS
                for step in (
                    "1",
                    "document.querySelectorAll('details').forEach(details => { details.open = true })",
                ):
                    browser.eval(step)
                    assert browser.eval("document.documentElement.scrollWidth") <= width, (date, width, step)
            assert set(browser.asked) == {page.as_uri(), (site / script_name()).as_uri()}
        assert browser.said == []
        assert browser.eval("document.title").endswith("keys and selection")
        assert browser.eval("document.querySelectorAll('main img, main script').length") == 0
        browser.paper(tmp_path / "page.pdf")
        assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
