import datetime

import pyarrow as pa
import pytest

from lsml_spark.quality.check import TableCheck, parse
from lsml_spark.quality.day import Day


def problem(item, rows: int, clean: int) -> str | None:
    return (
        parse(item, TableCheck).judge(Day(datetime.date(2011, 2, 1), rows, clean, {}, pa.table({}))).problem
    )


@pytest.mark.parametrize(
    ("rows", "clean", "holds"), [(10, 10, True), (10, 5, True), (10, 4, False), (10, 0, False), (0, 0, False)]
)
def test_a_share_of_the_rows_is_fit_to_keep(rows, clean, holds):
    assert (problem({"kept": 0.5}, rows, clean) is None) == holds


def test_the_problem_says_how_many_were_kept():
    assert problem({"kept": 0.9}, 200, 20) == "20 of 200 rows kept (10.0%), at least 90% wanted"


@pytest.mark.spark
def test_a_day_of_which_nine_tenths_are_rejected_fails_with_every_row_in_quarantine(check_day, raw_day):
    path = raw_day(["v", *["bad"] * 90, *map(str, range(10))])
    day = check_day({"v": "int"}, path, table=[{"kept": 0.5, "on_bad": "fail"}])
    assert day.failed == "day.csv: 10 of 100 rows kept (10.0%), at least 50% wanted"
    assert day.metrics["verdict"] == "failed"
    assert (day.ledger.rows_in, day.ledger.rows_out, day.ledger.quarantined) == (100, 10, {"v: not int": 90})
    assert len(day.quarantine) == 90
