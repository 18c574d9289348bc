import datetime
import math
import random

import pytest
from hooks import frame_of, judge, judge_values

pytestmark = pytest.mark.spark


def falls(values, strictly=False):
    """Brute force: each value against the last one before it that is there."""
    before, found = None, []
    for value in values:
        there = value is not None and not (isinstance(value, float) and math.isnan(value))
        found.append(bool(there and before is not None and (value <= before if strictly else value < before)))
        before = value if there else before
    return found


@pytest.mark.parametrize("strictly", [False, True])
def test_it_finds_the_lines_that_a_loop_finds(spark, strictly):
    draw = random.Random(5)
    values = [draw.choice([None, math.nan, float(draw.randrange(4))]) for _ in range(60)]
    assert judge_values(spark, {"monotone": {"strictly": strictly}}, "double", values) == falls(
        values, strictly
    )


def test_only_the_line_that_falls_is_named(spark):
    times = [datetime.datetime(2011, 2, 1, hour) for hour in (8, 9, 7, 10, 10, 11)]
    assert judge_values(spark, "monotone", "timestamp", times) == [False, False, True, False, False, False]


def test_each_file_and_each_group_starts_anew(spark):
    rows = [("a", 1), ("b", 9), ("a", 2), ("b", 8), ("a", 3)]
    assert judge({"monotone": {"by": ["g"]}}, frame_of(spark, "g string, v int", rows)) == [
        False,
        False,
        False,
        True,
        False,
    ]
    lines = [("1.csv", 2, None), ("1.csv", 3, None), ("2.csv", 2, None)]
    assert judge("monotone", frame_of(spark, "v int", [(5,), (6,), (1,)], lines)) == [False, False, False]


def test_malformed_lines_and_rows_of_no_concern_are_skipped(spark):
    lines = [("1.csv", 2, None), ("1.csv", 3, "9,surplus"), ("1.csv", 4, None)]
    assert judge("monotone", frame_of(spark, "v int", [(5,), (9,), (6,)], lines)) == [False, False, False]
    rows = [(5, True), (9, False), (6, True), (4, True)]
    assert judge({"monotone": True, "where": "w"}, frame_of(spark, "v int, w boolean", rows)) == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("values", [[], [None], [3.0]])
def test_nothing_and_one_row_hold(spark, values):
    assert judge_values(spark, "monotone", "double", values) == [False] * len(values)
