"""The generator plants what it says; a few defects are found. All of them at several rates:
benchmarks/planted_defects.py.
"""

import datetime

import pytest
from defects import DEFECTS, Raw, named
from planted import Bench, checks_of, days_of, roles_of, without_named

DATE = datetime.date(2011, 2, 24)


@pytest.fixture(scope="module")
def days(retail):
    return days_of(retail, "retail")


@pytest.fixture(scope="module")
def roles(days):
    return roles_of("retail", days[datetime.date(2011, 2, 23)])


@pytest.fixture(scope="module")
def day(days):
    return Raw(days[DATE].header, days[DATE].rows[:600])


def test_there_are_more_than_forty_and_each_has_a_name_of_its_own():
    assert len(DEFECTS) >= 40
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)


@pytest.mark.parametrize(
    "defect", [defect for defect in DEFECTS if defect.kind != "day"], ids=lambda defect: defect.name
)
def test_the_lines_that_are_said_to_be_wrong_are_those_that_differ(defect, day, roles):
    clean = day.text().encode().splitlines()
    wrong = defect.plant(day, roles, 0.01)
    lines = wrong.data.splitlines()
    assert wrong.lines
    assert len(wrong.lines) == 6
    if len(lines) == len(clean):
        assert {
            number for number, pair in enumerate(zip(lines, clean, strict=True), 1) if pair[0] != pair[1]
        } == wrong.lines
    else:  # lines were added: without them the day is as it was
        assert [line for number, line in enumerate(lines, 1) if number not in wrong.lines] == clean


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_seed_decides_alone(defect, day, roles):
    assert defect.plant(day, roles, 0.02, seed=1) == defect.plant(day, roles, 0.02, seed=1)
    assert defect.plant(day, roles, 0.02).data != day.text().encode()


def test_a_part_that_is_not_cast_leaves_defects_out(roles, day):
    taxi = roles_of("taxi", day)
    assert all(defect.fits(roles) for defect in DEFECTS)
    assert 40 <= sum(defect.fits(taxi) for defect in DEFECTS) < len(DEFECTS)


FEW_CHECKS = {
    "contract": {
        "InvoiceNo": "string",
        "StockCode": "string",
        "Description": "string",
        "Quantity": "int",
        "InvoiceDate": "timestamp",
        "UnitPrice": "double",
        "CustomerID": "string",
        "Country": "string",
    },
    "columns": {"Description": ["readable"], "InvoiceDate": ["monotone"]},
    "rows": ["distinct_row"],
    "table": [{"fresh": {"within": "24h"}, "column": "InvoiceDate"}],
}


@pytest.mark.spark
def test_planted_lines_and_a_stale_day_are_found(spark, tmp_path, roles, day):
    bench = Bench(spark, tmp_path, FEW_CHECKS)
    usual = bench.judge(DATE, day.text().encode())
    assert usual.failed is None
    day = without_named(day, usual)
    for name in ("clock set back", "line twice", "truncated line"):
        truth = named(name).plant(day, roles, 0.02)
        found = bench.judge(DATE, truth.data)
        # a clock that was set back may set the next line forward
        assert found.lines.keys() <= truth.lines | {number + 1 for number in truth.lines}
        assert found.recall(truth) == 1
    assert bench.judge(DATE, named("stale day").plant(day, roles, 1.0).data).news(usual)


@pytest.mark.spark
@pytest.mark.slow
def test_clean_days_pass_the_checks_of_the_benchmark(spark, tmp_path, days):
    known = tmp_path / "known.csv"
    shown = [date for date in days if date < DATE]
    known.write_text(
        Raw(["StockCode", "Country"], [[row[1], row[7]] for date in shown for row in days[date].rows]).text()
    )
    bench = Bench(spark, tmp_path, checks_of("retail", known))
    assert [bench.remember(date, days[date].text().encode()).failed for date in shown[-3:]] == [None] * 3
