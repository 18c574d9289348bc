import datetime
import math

import pytest

from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark


def test_null_and_nan_are_missing_and_zero_is_not(violated):
    assert violated("complete", "double", [1.5, 0.0, None, math.nan, math.inf]) == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_text_is_missing_only_where_it_is_null(violated):
    assert violated("complete", "string", ["x", "", "12", None]) == [False, False, False, True]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("date", datetime.date(2011, 2, 1)),
        ("timestamp", datetime.datetime(2011, 2, 1)),
        ("boolean", False),
        ("bigint", 0),
        ("array<int>", []),
    ],
)
def test_values_of_every_type_can_be_there_or_missing(violated, type_, value):
    assert violated("complete", type_, [value, None]) == [False, True]


@pytest.mark.parametrize("share", [1.0, 0.95, 0.9, 0.7, 0.6, 0.5, 0.1, 0.0])
def test_a_share_of_values_tolerates_exactly_the_rest(share):
    check = parse({"complete": share}, RowCheck, column="v")
    rows = 1000
    assert round((1 - share) * rows) / rows <= check.at_most < (round((1 - share) * rows) + 1) / rows


def test_at_least_can_be_written_out_and_nothing_means_all(violated):
    assert parse({"complete": {"at_least": 0.75}}, RowCheck).at_most == 0.25
    assert parse("complete", RowCheck).at_most == 0.0


def test_the_finding_says_how_many_are_missing_and_how_many_may_be(check_day, raw_day):
    path = raw_day(["v,w", *["1,1"] * 9, ",1"])
    day = check_day(
        {"v": "int", "w": "int"}, path, columns={"v": [{"complete": 0.9}], "w": [{"complete": 1.0}]}
    )
    assert day.finding("v: missing")["ok"]
    assert day.finding("v: missing")["rows"] == 1
    assert day.metrics["verdict"] == "ok"
    strict = check_day({"v": "int", "w": "int"}, path, columns={"v": [{"complete": 0.91}]})
    assert not strict.finding("v: missing")["ok"]
    assert strict.metrics["verdict"] == "warn"
