import csv
import datetime

import pytest
from days import day, judge, past


def filled(*shares: float):
    """Nights with these shares of filled rows, tonight last."""
    nights = [{"v": [1.0] * round(1000 * share) + [None] * (1000 - round(1000 * share))} for share in shares]
    return day(nights[-1], *nights[:-1])


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0, 0, 0.35), "all missing until 2011-01-31, 35.0% filled since 2011-02-01"),
        (
            (0, 0, 0.35, 1),
            "all missing until 2011-01-30, 35.0% filled on 2011-01-31, always filled since 2011-02-01",
        ),
        ((1, 1, 1, 0), "always filled until 2011-01-31, all missing since 2011-02-01"),
        ((1, 1, 0.9), "always filled until 2011-01-31, 90.0% filled since 2011-02-01"),
    ],
)
def test_a_column_that_begins_or_ceases_to_be_filled_is_found_and_dated(shares, said):
    assert judge("filled", filled(*shares)).problem == f"column 'v' was {said}"


@pytest.mark.parametrize(
    "shares",
    [
        (1, 1, 1),
        (0, 0),
        (1, 0.999, 1),
        (0.5, 0.52),
        (0.5, 0.9, 0.97, 0.5, 1.0),
        (0, 1, 1, 1),
        (1.0,),
        (1, 0.985),
    ],
)
def test_what_stays_or_flickers_is_none(shares):
    assert judge("filled", filled(*shares)).problem is None


def test_a_column_that_vanishes_is_found_though_it_was_empty_long_ago():
    assert judge("filled", filled(0, 0, *[1] * 8, 0)).problem is not None


def test_one_column_can_be_named_and_several_are_told_the_largest_first():
    now, then = {"a": [None] * 10, "b": [1.0] * 5 + [None] * 5}, {"a": [1.0] * 10, "b": [1.0] * 10}
    assert judge("filled", day(now, then)).problem.startswith("column 'a' was always filled until")
    assert judge({"filled": {"column": "b"}}, day(now, then)).problem.startswith("column 'b' was")
    assert judge({"filled": {"column": "z"}}, day(now, then)).problem.startswith("column 'z' is not")


def test_no_rows_do_not_pass():
    assert judge("filled", day({"a": []})).problem == "the day has no rows to judge"


def test_the_taxi_months_surcharge_is_found_and_dated(shared_data):
    files = sorted((shared_data / "taxi").glob("*.csv"))
    if not files:
        pytest.skip("the taxi months are not beside the checkout")
    months = {}
    for file in files:
        with file.open() as lines:
            rows = list(csv.DictReader(lines))
        names = ("congestion_surcharge", "extra", "tolls_amount")
        months[datetime.date.fromisoformat(f"{file.stem[-7:]}-01")] = {
            name: [row[name] or None for row in rows] for name in names
        }
    found, history = {}, []
    for date, columns in months.items():
        found[str(date)] = judge("filled", day(columns, date=date, history=list(history))).problem
        history.append(past(columns, date))
    assert {date: said for date, said in found.items() if said} == {
        "2019-01-01": "column 'congestion_surcharge' was all missing until 2018-12-01, 36.7% filled since "
        "2019-01-01",
        "2019-02-01": "column 'congestion_surcharge' was all missing until 2018-12-01, 36.7% filled on "
        "2019-01-01, "
        "always filled since 2019-02-01",
    }
