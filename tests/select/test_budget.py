"""Budgets: rows, shares and times, and what a time is worth at the speed of the last training."""

import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.select.budget import Speed, Time, parse, rows
from lsml_spark.select.run import Config


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (0.5, 0.5),
        (200_000, 200_000.0),
        ("90min", Time(5400, None)),
        ("45 s", Time(45, None)),
        ("2h on 8 workers", Time(7200, 8)),
        ("1.5h on 1 worker", Time(5400, 1)),
    ],
)
def test_budgets_are_read_as_they_are_written(said, meant):
    assert parse(said) == meant


@pytest.mark.parametrize(
    "said", ["", "2", "2 days", "0h", "-1h", "2h on workers", "2h on 8", 0, -3, float("nan")]
)
def test_what_is_no_budget_is_one_line_that_names_it(said):
    with pytest.raises(ConfigError, match=r"select\.budget") as caught:
        validate(Config, {"policy": "zipf", "budget": said}, "night.yaml: select")
    assert len(str(caught.value).splitlines()) == 1


def test_a_time_buys_the_rows_that_all_epochs_can_read_in_it():
    speed = Speed(rows_per_second=1000, workers=2, epochs=5)
    assert rows(parse("60s"), 10**9, speed) == 60 * 1000 / 5
    assert rows(parse("60s on 8 workers"), 10**9, speed) == 4 * 60 * 1000 / 5
    assert rows(parse("60s"), 700, speed) == 700


def test_a_time_without_a_measured_speed_says_how_to_begin():
    with pytest.raises(ConfigError, match=r"--set select\.budget=0\.1"):
        rows(parse("1h"), 100, None)
    assert Speed.of({}, {"epochs": 5}, {"world": 2}) is None


def test_shares_and_rows_stop_at_what_there_is():
    assert rows(0.25, 1000, None) == 250
    assert rows(1.0, 1000, None) == rows(5000.0, 1000, None) == 1000
