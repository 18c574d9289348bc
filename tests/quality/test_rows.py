import datetime

import pyarrow as pa
import pytest
from days import DATE, day, judge

from lsml_spark.quality.check import TableCheck, parse
from lsml_spark.quality.day import Day


def problem(item, rows: int, clean: int) -> str | None:
    return (
        parse(item, TableCheck).judge(Day(datetime.date(2011, 2, 1), rows, clean, {}, pa.table({}))).problem
    )


@pytest.mark.parametrize(("rows", "holds"), [(100, True), (99, False), (0, False)])
def test_the_day_has_at_least_so_many_records(rows, holds):
    said = problem({"rows": 100}, rows, 0)
    assert (said is None) == holds
    assert holds or said == f"{rows} rows, at least 100 wanted"


def test_at_least_can_be_written_out_and_one_row_is_the_default():
    assert problem({"rows": {"at_least": 3}}, 3, 3) is None
    assert problem("rows", 0, 0) is not None


@pytest.mark.spark
def test_too_few_rows_stop_the_night_only_where_the_yaml_says_so(check_day, raw_day):
    path = raw_day(["v", "1"])
    assert (
        check_day({"v": "int"}, path, table=[{"rows": 2, "on_bad": "fail"}]).failed
        == "day.csv: 1 rows, at least 2 wanted"
    )
    warned = check_day({"v": "int"}, path, table=[{"rows": 2}])
    assert (warned.failed, warned.metrics["verdict"]) == (None, "warn")


def test_a_number_of_rows_near_the_median_of_the_nights_before_holds():
    nights = [{"v": [1] * rows} for rows in (100, 90, 110, 1000, 95)]
    item = {"rows": {"within": 0.5, "of": "trailing_median"}}
    assert [
        judge(item, day({"v": [1] * rows}, *nights)).problem is None for rows in (49, 50, 100, 150, 151)
    ] == [
        False,
        True,
        True,
        True,
        False,
    ]
    said = judge(item, day({"v": [1] * 30}, *nights)).problem
    assert said == "30 rows, -70% against 100, the median of the last 5 good nights; ±50% allowed"


def test_last_compares_with_one_night_and_a_first_night_with_none():
    item = {"rows": {"within": 0.1, "of": "last"}}
    assert judge(item, day({"v": [1] * 50})).problem is None
    assert (
        judge(item, day({"v": [1] * 50}, {"v": [1] * 50}, {"v": [1] * 99})).problem
        == "50 rows, -49% against 99, that of 2011-01-31; ±10% allowed"
    )


def test_more_rows_than_wanted_and_an_empty_day_are_problems():
    assert judge({"rows": {"no_more_than": 10}}, day({"v": [1] * 11})).problem == "11 rows, at most 10 wanted"
    assert judge({"rows": {"within": 0.5}}, day({"v": []})).problem == "0 rows, at least 1 wanted"


def test_the_same_weekday_is_compared_once_there_are_three_of_them():
    quiet = DATE.weekday()
    weeks = [
        {"v": [1] * (20 if (DATE - datetime.timedelta(days=back)).weekday() == quiet else 100)}
        for back in range(28, 0, -1)
    ]
    item = {"rows": {"within": 0.3, "same_weekday": True}}
    assert judge(item, day({"v": [1] * 21}, *weeks)).problem is None
    assert "4 good nights of the same weekday" in judge(item, day({"v": [1] * 100}, *weeks)).problem
    assert judge(item, day({"v": [1] * 100}, *weeks[-14:])).problem is None  # two Tuesdays are too few
