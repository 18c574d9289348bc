import datetime

import pytest
from days import day, judge

from lsml_spark.quality.check import TableCheck, parse

END = datetime.datetime(2011, 2, 2)


def times(*hours_before_the_end: float) -> list[datetime.datetime]:
    return [END - datetime.timedelta(hours=hours) for hours in hours_before_the_end]


@pytest.mark.parametrize(
    ("hours", "holds"), [(0, True), (35.9, True), (36.1, False), (-35.9, True), (-36.1, False)]
)
def test_the_newest_value_lies_near_the_end_of_the_day(hours, holds):
    found = judge({"fresh": {"within": "36h", "column": "t"}}, day({"t": times(hours, 100)}))
    assert (found.problem is None) == holds
    assert found.value == pytest.approx(hours)


def test_the_sentence_says_how_old_and_on_which_side():
    said = judge({"fresh": "90m"}, day({"t": times(3, 50), "n": [1, 2]})).problem
    assert said == "newest t is 2011-02-01 21:00:00, 3.0 hours older than the end of 2011-02-01; 90m allowed"
    assert "20.0 hours later than" in judge({"fresh": "2h"}, day({"t": times(-20)})).problem


def test_the_only_time_column_needs_no_name_and_two_do():
    assert judge({"fresh": "36h"}, day({"t": times(1), "n": [1]})).problem is None
    both = day({"t": times(1), "u": times(2)})
    assert judge({"fresh": "36h"}, both).problem.endswith("found t, u")
    assert judge({"fresh": "36h"}, day({"n": [1]})).problem.endswith("found none")


def test_no_value_no_rows_or_no_time_is_a_problem():
    assert (
        "no value"
        in judge({"fresh": {"column": "t"}}, day({"t": [*times(1), None]}, profile=_emptied())).problem
    )
    assert "no rows" in judge({"fresh": {}}, day({"t": []})).problem
    assert "of kind number" in judge({"fresh": {"column": "n"}}, day({"n": [1]})).problem


def _emptied():
    return {
        "rows": 2,
        "sampled": 2,
        "metrics": {},
        "columns": {"t": {"type": "timestamp", "kind": "time", "metrics": {"missing": 2}}},
    }


@pytest.mark.parametrize("text", ["36", "h", "1w", "-2d", 36, ""])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="minutes, hours or days"):
        parse({"fresh": {"within": text}}, TableCheck)
