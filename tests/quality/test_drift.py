"""Drift of one column: against what, by how much, and what the sentence says."""

import datetime
from itertools import pairwise

import numpy as np
import pytest
from days import DATE, day, judge, past
from scipy.spatial import distance
from scipy.stats import ks_2samp

from lsml_spark.core.config import validate
from lsml_spark.quality.run import Config

RNG = np.random.default_rng(5)
CALM = {"c": ["a"] * 600 + ["b"] * 300 + ["d"] * 100, "x": RNG.normal(size=1000).tolist()}
MOVED = {"c": ["a"] * 300 + ["b"] * 300 + ["e"] * 400, "x": (RNG.normal(size=1000) + 1).tolist()}
ALL = [
    ("c", "linf"),
    ("c", "js"),
    ("c", "psi"),
    ("c", "zipf"),
    ("x", "psi"),
    ("x", "js"),
    ("x", "linf"),
    ("x", "ks"),
    ("x", "wasserstein"),
]


@pytest.mark.parametrize(("column", "distance_"), ALL)
@pytest.mark.parametrize("against", ["last", "window"])
def test_a_shift_is_found_by_every_distance_and_no_shift_by_none(column, distance_, against):
    item = {"drift": {"column": column, "distance": distance_, "below": 0.05, "against": against}}
    calm, moved = judge(item, day(CALM, CALM, CALM)), judge(item, day(MOVED, CALM, CALM))
    assert calm.problem is None
    assert calm.value == pytest.approx(0, abs=1e-9)
    assert moved.value > 0.05
    assert moved.problem.startswith(f"{column}: ")


def test_the_value_is_that_of_scipy_and_the_sentence_names_both_figures_what_moved_and_what_is_new():
    said = judge({"drift": {"column": "c", "below": 0.1}}, day(MOVED, CALM))
    assert said.value == pytest.approx(
        distance.jensenshannon([0.6, 0.3, 0.1, 0], [0.3, 0.3, 0, 0.4], base=2) ** 2
    )
    assert said.problem == (
        f"c: Jensen–Shannon divergence {said.value:.3g} from 2011-01-31, at most 0.1 allowed and 0.0059 for "
        "chance; "
        "moved most: 'e' 40.0% (was 0.0%), 'a' 30.0% (was 60.0%), 'd' 0.0% (was 10.0%); new: 'e'"
    )
    ks = judge({"drift": {"column": "x", "distance": "ks", "below": 0.1}}, day(MOVED, CALM))
    assert ks.value == pytest.approx(ks_2samp(MOVED["x"], CALM["x"]).statistic, abs=1 / 256)
    assert "moved most: q" in ks.problem


def test_a_window_is_the_mixture_of_its_nights_weighted_by_their_rows():
    a, b = {"c": ["a"] * 100}, {"c": ["b"] * 300}
    mixed = day({"c": ["a"] * 25 + ["b"] * 75}, {"c": ["z"] * 500}, a, b)
    item = {"drift": {"column": "c", "distance": "linf", "below": 0.0, "against": "window", "window": 2}}
    assert judge(item, mixed).value == pytest.approx(0)
    assert judge(
        {"drift": {"column": "c", "distance": "linf", "against": "last"}}, mixed
    ).value == pytest.approx(0.25)


def test_a_small_day_raises_no_alarm_for_being_small():
    draws = [np.random.default_rng(seed).choice(list("abcdefgh"), 30).tolist() for seed in range(40)]
    found = [
        judge({"drift": {"column": "c", "below": 0.0}}, day({"c": now}, {"c": then}))
        for then, now in pairwise(draws)
    ]
    assert all(one.problem is None for one in found)
    assert max(one.value for one in found) > 0.1


def test_units_count_instead_of_rows_where_rows_come_in_groups():
    def rows(shift):
        return {
            "c": ["a"] * (500 + shift) + ["b"] * (500 - shift),
            "invoice": [str(i // 100) for i in range(1000)],
        }

    item = {"column": "c", "distance": "linf", "below": 0.05}
    assert judge({"drift": item}, day(rows(150), rows(0))).problem
    assert judge({"drift": item | {"unit": "invoice"}}, day(rows(150), rows(0))).problem is None


def test_the_first_night_has_nothing_to_be_compared_with():
    first = judge({"drift": {"column": "c"}}, day(CALM))
    assert (first.problem, first.value) == (None, None)


@pytest.mark.parametrize(
    ("column", "distance_", "now", "then", "words"),
    [
        ("z", "js", CALM, CALM, "not in the day's profile"),
        ("c", "js", CALM, {"x": CALM["x"]}, "was not there on 2011-01-31"),
        ("c", "ks", CALM, CALM, "ks needs numbers or times"),
        ("x", "zipf", CALM, CALM, "zipf needs a list of values"),
        ("c", "js", {"c": [None] * 5}, CALM, "has no values, other than"),
        ("c", "js", CALM, {"c": [None] * 5}, "has its first values, other than"),
        ("c", "js", {"c": []}, CALM, "no rows"),
    ],
)
def test_what_cannot_be_compared_is_a_problem_that_says_so(column, distance_, now, then, words):
    assert words in judge({"drift": {"column": column, "distance": distance_}}, day(now, then)).problem


def test_empty_then_and_now_is_no_drift():
    assert judge({"drift": {"column": "c"}}, day({"c": [None] * 5}, {"c": [None] * 4})).value == 0


def test_keys_that_came_and_went_and_the_slope_are_named():
    then = {"k": [f"k{i}" for i in range(1, 40) for _ in range(1000 // i)]}
    now = {"k": [key.replace("k1", "n1") for key in then["k"]]}
    said = judge({"drift": {"column": "k", "distance": "zipf", "below": 0.1}}, day(now, then))
    assert "keys that came hold" in said.problem
    assert "slope of log count on log rank" in said.problem
    came = sum(name.startswith("n") for name in now["k"]) / len(now["k"])
    assert said.value == pytest.approx(came)


def test_label_shift_is_drift_of_the_label():
    item = {"label_shift": {"column": "c", "below": 0.1}}
    assert judge({"label_shift": "c"}, day(CALM, CALM)).problem is None
    found = judge(item, day(MOVED, CALM, CALM))
    assert found == judge(
        {"drift": {"column": "c", "below": 0.1, "against": "window"}}, day(MOVED, CALM, CALM)
    )
    assert "2011-01-30 to 2011-01-31" in found.problem


def test_an_unknown_distance_is_a_config_error_that_names_those_there_are():
    with pytest.raises(Exception, match=r"linf.*js.*psi"):
        validate(
            Config,
            {"contract": {"c": "string"}, "table": [{"drift": {"column": "c", "distance": "l1"}}]},
            "night.yaml: quality",
        )


@pytest.mark.spark
def test_two_real_trading_days_through_the_stage(check_day, night, retail, retail_sections):
    sections = retail_sections["quality"]
    contract, before, today = sections["contract"], retail / "2011-01-31.csv.gz", retail / "2011-02-01.csv.gz"
    last = check_day.finish(night.on("2011-01-31").work("quality", raw=(before,)), contract)
    table = [
        {"drift": {"column": "Country", "below": 0.1, "unit": "InvoiceNo"}, "name": "country"},
        {"drift": {"column": "UnitPrice", "distance": "ks", "below": 0.0}, "name": "price"},
        {"drift": {"column": "StockCode", "distance": "zipf", "below": 0.3}, "name": "key"},
        {"label_shift": {"column": "StockCode"}, "name": "label"},
        {"unit_change": "UnitPrice", "name": "unit"},
        {"new_labels": "StockCode", "at_most": 0.4, "name": "new"},
        {"no_leakage": True, "name": "leak"},
        {"rows": {"within": 0.8}, "name": "rows"},
        {"fresh": "36h", "name": "fresh"},
        {"schema": True, "name": "schema"},
        {"filled": True, "name": "filled"},
        {"constant": True, "name": "constant"},
        {"correlated": 0.99, "name": "correlated"},
        {"duplicate_columns": True, "name": "duplicates"},
        {"anomaly": {"every": True}, "name": "anomaly"},
        {"balance": {"column": "Country", "largest": 0.99}, "name": "balance"},
        {"label_errors": True, "name": "errors"},
    ]
    found = check_day(contract, today, inputs={"history/2011-01-31": last}, table=table)
    broken = {
        finding["check"]: finding["message"] for finding in found.metrics["findings"] if not finding["ok"]
    }
    assert set(broken) <= {"price"}, broken
    assert {
        name: found.finding(name)["value"] for name in ("leak", "schema", "constant", "duplicates")
    } == dict.fromkeys(("leak", "schema", "constant", "duplicates"), 0)
    prices = [[float(row["UnitPrice"]) for row in pairs] for pairs in (read(before), read(today))]
    assert found.finding("price")["value"] == pytest.approx(ks_2samp(*prices).statistic, abs=1 / 256)
    codes = [{row["StockCode"] for row in read(path)} for path in (before, today)]
    new = sum(row["StockCode"] in codes[1] - codes[0] for row in read(today))
    assert found.finding("new")["rows"] == pytest.approx(new, abs=0.02 * new)  # of clean rows


def read(path):
    import csv
    import gzip

    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


def test_history_is_read_only_as_far_back_as_the_window():
    asked = []

    def counted(columns, date):
        known = past(columns, date)
        return type(known)(
            date, lambda: asked.append(date) or known.profile, lambda: known.metrics, known.load_clean
        )

    history = [counted(CALM, DATE - datetime.timedelta(days=back)) for back in range(30, 0, -1)]
    judge({"drift": {"column": "c", "against": "window", "window": 3}}, day(CALM, history=history))
    assert len(asked) == 3
