"""The page on the training says where its time went and what to do about it, and leaves out what it does not
know.
"""

import html
import json
import re

import pytest
from chromium import BROWSER, chromium
from report_nights import EVIL, full, make_stage, report
from report_training import SECONDS, TIME

from lsml_spark.core.ledger import Ledger
from lsml_spark.report.site import publish
from lsml_spark.report.training import curves as steps
from lsml_spark.report.training import words as training

DATE = "2011-02-25"


def words(page):
    """The text of a page without styles, scripts and tags, blanks joined."""
    body = re.sub(r"<(style|script).*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def page_of(runs, **kind):
    return report(runs, DATE, full(runs, DATE, **kind)).with_name("training.html")


def described(tmp_path, records=(), metrics=None, config=None, **run):
    train = make_stage(tmp_path, DATE, "train", Ledger(1, 1), metrics, run=run, config=config)
    return training.describe(train, records)


def test_a_data_bound_training_says_so_and_what_to_do(tmp_path):
    shown = words(page_of(tmp_path).read_bytes())
    assert "Data-bound: it waited for data for 52.2 % of the time, 6,841 rows per second" in shown
    assert training.ADVICE["data-bound"] in shown
    assert (
        "Rank 1 came last in 98.1 % of the steps; the others waited for it for 51.5 % of the time." in shown
    )
    assert "waiting for data 19.2 52.2 %" in shown
    assert (
        "Its ranks were started again 2 times. It went on from step 120 (epoch 1) on 2 ranks. It went on "
        "from step 300 (epoch 2) on 1 rank." in shown
    )
    assert "1,024 rows in 1 row group could not be read and were left out." in shown
    assert "exchange.hook bf16 accumulate 4 stop.time 2h" in shown
    assert "Loss scale 1,024 to 1,024" in shown


def test_the_settings_of_a_night_whose_keys_lay_flat_are_shown_under_the_names_of_today(tmp_path):
    flat = {
        "hook": {"use": "fp16"},
        "precision": "bf16",
        "sync": "local",
        "lr_scaling": {"use": "sqrt"},
        "l1": 0.0,
        "accumulate": 1,
    }
    assert described(tmp_path, config=flat)["settings"] == [
        ("exchange.hook", "fp16"),
        ("precision.compute", "bf16"),
        ("exchange.use", "local"),
        ("schedule.scaling", "sqrt"),
    ]


@pytest.mark.parametrize(
    ("verdict", "phase", "begins"),
    [
        ("compute-bound", "compute", "Compute-bound: it computed for 90.0\u00a0% of the time"),
        (
            "network-bound",
            "all_reduce",
            "Network-bound: it waited for the exchange of gradients for 90.0\u00a0%",
        ),
        ("checkpoint-bound", "checkpoint", "Checkpoint-bound: it waited for checkpoints for 90.0\u00a0%"),
    ],
)
def test_every_verdict_has_its_words_and_its_advice(tmp_path, verdict, phase, begins):
    seconds = dict.fromkeys(SECONDS, 2.5) | {phase: 90.0}
    found = described(tmp_path, time={"steps": 5, "verdict": verdict, "seconds": seconds, "ranks": []})
    assert found["headline"].startswith(begins)
    assert found["advice"] == training.ADVICE[verdict]


def test_ranks_that_are_late_in_turn_are_not_named(tmp_path):
    even = {"steps": 10, "ranks": [rank | {"slowest": 5.0} for rank in TIME["ranks"]]}
    assert described(tmp_path, time=TIME | even)["uneven"] == ""
    assert described(tmp_path, time=TIME | {"ranks": TIME["ranks"][:1]})["uneven"] == ""


def test_a_night_from_before_there_were_such_figures_shows_its_curve(tmp_path):
    sources = full(tmp_path, DATE)
    sources["train"] = make_stage(
        tmp_path,
        DATE,
        "train",
        Ledger(10, 10),
        {"loss": 5.0},
        {"curve.json": {"steps": [{"step": 1, "epoch": 0, "loss": 5.0}]}},
    )
    shown = words(report(tmp_path, DATE, sources).with_name("training.html").read_bytes())
    assert "Loss at the end 5.0000" in shown
    assert "Where the time went" not in shown
    assert "Loss" in shown


def test_the_page_is_no_part_of_the_nights_identity(tmp_path):
    """Two runs of one night differ in their times alone."""
    identities = []
    for times in (1, 2):
        sources = full(tmp_path / str(times), DATE)
        sources["train"].manifest.run["rows_per_second"] *= times
        folder = report(tmp_path / str(times), DATE, sources).parent
        identities.append(
            (
                json.loads((folder / "manifest.json").read_bytes())["identity"],
                (folder / "training.html").read_bytes(),
            )
        )
    assert identities[0][0] == identities[1][0]
    assert identities[0][1] != identities[1][1]


def test_a_million_steps_make_a_small_page():
    records = [
        {
            "step": i,
            "epoch": 0,
            "loss": 1.0 + i % 2,
            "lr": 0.1,
            "rows": 10,
            "weight": 1.0,
            "seconds": {"compute": 0.01},
        }
        for i in range(100_000)
    ]
    charts = steps.charts(records, {})
    (loss,), (speed,) = charts["loss"]["data"], charts["speed"]["data"]
    assert len(loss["x"]) == steps.POINTS
    assert loss["x"][-1] == 99_999
    assert loss["y"] == pytest.approx([1.5] * steps.POINTS)
    assert speed["y"] == pytest.approx([1000.0] * steps.POINTS)
    assert charts["norm"] is None
    assert charts["scale"] is None


def test_nothing_of_the_run_becomes_markup(tmp_path):
    page = page_of(tmp_path, hostile=True).read_bytes()
    assert EVIL.encode() not in page
    assert page.count(b"<img") == 0


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH (apt install chromium)")
def test_it_draws_every_chart_without_a_word_at_any_width(tmp_path):
    page_of(tmp_path, hostile=True)
    site = publish(tmp_path, "retail").parent
    assert f'<a href="{DATE}.training.html">Training</a>' in (site / "index.html").read_text()
    with chromium(tmp_path / "profile") as browser:
        for width, dark in ((390, True), (1280, False)):
            browser.open(site / f"{DATE}.training.html", width, dark=dark)
            drawn = browser.eval(
                "[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.dataset.chart)"
            )
            assert drawn == [f"chart-{name}" for name in ("phases", "loss", "rate", "speed", "norm", "scale")]
            assert browser.eval("document.documentElement.scrollWidth") <= width
            browser.picture(tmp_path / f"training-{width}.png")
        assert browser.said == []
        assert browser.eval("document.title").endswith(": training")
        assert browser.eval("document.querySelectorAll('main img, main script').length") == 0
