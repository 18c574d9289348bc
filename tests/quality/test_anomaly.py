import numpy as np
import pytest
from days import day, judge

from lsml_spark.quality.check import TableCheck, parse

RNG = np.random.default_rng(11)


def night(rows=1000, missing=0.1, mean=10.0, seed=None):
    rng = RNG if seed is None else np.random.default_rng(seed)
    values = rng.normal(mean, 2, rows).tolist()
    return {
        "v": [None if rng.random() < missing else value for value in values],
        "s": rng.choice(list("abc"), rows).tolist(),
    }


NIGHTS = [night(seed=seed) for seed in range(20)]


@pytest.mark.parametrize(
    ("tonight", "metric", "column"),
    [
        (night(missing=0.4), "missing_share", "v"),
        (night(mean=20), "median", "v"),
        (night(rows=100), "rows", ""),
        (night(missing=0.4), "missing", "v"),
    ],
)
def test_a_figure_far_from_its_history_is_found(tonight, metric, column):
    item = {"anomaly": {"metric": metric, "column": column, "above": 5}}
    found = judge(item, day(tonight, *NIGHTS))
    assert found.value > 5
    assert "robust standard deviations from its median" in found.problem
    calm = judge(item, day(night(seed=99), *NIGHTS))
    assert (calm.problem, calm.value < 5) == (None, True)


def test_every_names_the_worst_first_and_how_many_were_looked_at():
    found = judge({"anomaly": {"every": True}}, day(night(mean=40, missing=0.3), *NIGHTS))
    assert " of v is " in found.problem.split(";")[0]
    assert "figures looked at)" in found.problem
    only = judge({"anomaly": {"every": True, "skip": ["v"]}}, day(night(mean=40), *NIGHTS))
    assert only.problem is None


def test_every_raises_hardly_any_false_alarm_on_calm_nights():
    last = day(*[night(seed=100 + seed) for seed in range(60)])
    nights = [
        day(night(seed=200 + seed), history=last.history[:known])
        for seed, known in enumerate([7, 8, 10, 14, 20, 30, 59] * 6)
    ]
    assert [
        found.problem for one in nights if (found := judge({"anomaly": {"every": True}}, one)).problem
    ] == []


def test_a_constant_figure_that_moves_a_little_is_no_anomaly():
    full, gap = {"v": [1.0] * 1000}, {"v": [1.0] * 995 + [None] * 5}
    item = {"anomaly": {"metric": "missing_share", "column": "v"}}
    assert judge(item, day(gap, *[full] * 20)).problem is None
    assert judge(item, day({"v": [1.0] * 700 + [None] * 300}, *[full] * 20)).problem is not None


def test_counts_are_judged_as_shares_of_the_rows():
    nights = [night(rows=500 * (1 + i % 3), seed=i) for i in range(12)]
    assert (
        judge(
            {"anomaly": {"metric": "missing", "column": "v"}}, day(night(rows=3000, seed=50), *nights)
        ).problem
        is None
    )


@pytest.mark.parametrize("known", [0, 1, 6])
def test_fewer_than_seven_nights_are_not_judged(known):
    found = judge(
        {"anomaly": {"metric": "missing_share", "column": "v"}}, day(night(missing=1.0), *NIGHTS[:known])
    )
    assert (found.problem, found.value) == (None, None)


def test_the_same_weekday_alone_can_be_the_history():
    # 70 days before a Tuesday is a Tuesday
    weeks = [night(rows=100 if i % 7 == 0 else 1000, seed=i) for i in range(70)]
    item = {"metric": "rows", "window": 100}
    assert judge({"anomaly": {**item, "same_weekday": True}}, day(night(rows=100), *weeks)).problem is None
    assert (
        judge({"anomaly": {**item, "same_weekday": True}}, day(night(rows=1000), *weeks)).problem is not None
    )
    assert judge({"anomaly": item}, day(night(rows=100), *weeks)).problem is not None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "say which figure"),
        ({"metric": "median", "column": "s"}, "median of s is not among the figures"),
        ({"metric": "median", "column": "w"}, "not in the day's profile"),
    ],
)
def test_what_cannot_be_judged_is_a_problem_that_says_so(fields, words):
    assert words in judge({"anomaly": fields}, day(NIGHTS[0], *NIGHTS)).problem


def test_no_rows_do_not_pass():
    assert judge({"anomaly": {"every": True}}, day({"v": []})).problem == "the day has no rows to judge"
    assert parse({"anomaly": {"metric": "rows"}}, TableCheck).label.startswith("rows more than 5 robust")
