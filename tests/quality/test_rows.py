import datetime

import pyarrow as pa
import pytest

from lsml_spark.quality.check import TableCheck, parse
from lsml_spark.quality.day import Day


def problem(item, rows: int, clean: int) -> str | None:
    return parse(item, TableCheck).judge(Day(datetime.date(2011, 2, 1), rows, clean, {}, pa.table({}))).problem


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
    assert check_day({"v": "int"}, path, table=[{"rows": 2, "on_bad": "fail"}]).failed == "day.csv: 1 rows, at least 2 wanted"
    warned = check_day({"v": "int"}, path, table=[{"rows": 2}])
    assert (warned.failed, warned.metrics["verdict"]) == (None, "warn")
