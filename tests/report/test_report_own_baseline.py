"""A baseline of the user's own stands in every table, chart, verdict and screen, by the title that its class
brings.
"""

import datetime
import io

import pytest
from report_nights import PIPELINE, full, report, rewritten
from rich.console import Console
from test_report_night import words

from lsml_spark.flow import screens
from lsml_spark.flow.layout import Runs
from lsml_spark.report.site import publish

NAME, TITLE, SHORT = "shop.rules.Yesterday", "Same as yesterday", "yest’day"
DATE = "2011-02-25"


@pytest.fixture
def runs(tmp_path):
    """A night whose model loses to it by both figures."""
    sources = full(tmp_path, DATE)
    metrics = sources["evaluate"].json("metrics.json")
    best = metrics["systems"]["model"]
    metrics["systems"][NAME] = {**best, "recall": 0.777, "log_loss": 1.234}
    metrics["titles"] = {NAME: [TITLE, SHORT]}
    rewritten(sources["evaluate"], "metrics.json", metrics)
    report(tmp_path, DATE, sources)
    return tmp_path


def test_it_stands_on_the_page_of_the_night_and_in_its_verdict(runs):
    page = (runs / PIPELINE / DATE / "report" / "night.html").read_bytes()
    shown = words(page)
    headline, _, below = shown.partition("Metrics on the held-out day")
    assert (
        f"Not better than ‘{TITLE}’: recall@20 25.6 % against 77.7 %, log loss 6.687 against 1.234."
        in headline
    )
    assert headline.count(TITLE) >= 3  # the verdict, a bar of each figure
    assert below.count(TITLE) >= 2  # a column of each table
    assert page.decode().count(f'"name":"{TITLE}"') == 2  # a line of each chart


def test_it_stands_in_the_index_and_in_its_trends(runs):
    index = publish(runs, PIPELINE).read_text()
    assert f"<small>{SHORT} <b" in index
    assert TITLE in index


def test_it_stands_on_the_screen_of_results(runs):
    console = Console(width=200, record=True, file=io.StringIO())
    screens.results(console, Runs(runs, PIPELINE), [datetime.date.fromisoformat(DATE)])
    text = console.export_text()
    assert SHORT in text
    assert "77.7%" in text
