import pytest
from hooks import frame_of, judge

pytestmark = pytest.mark.spark
RULE = {"distinct_row": True, "on_bad": "quarantine"}


def repeats(rows):
    """Brute force: whether the row was seen before."""
    return [row in rows[:i] for i, row in enumerate(rows)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_every_row_after_the_first_of_equals_is_found(spark, partitions):
    rows = [
        ("x", 1.0),
        ("x", None),
        ("y", 1.0),
        ("x", 1.0),
        ("x", None),
        (None, None),
        (None, None),
        ("", None),
        ("x", 1.0),
    ]
    assert judge(
        "distinct_row", frame_of(spark, "`a.b` string, v double", rows, partitions=partitions)
    ) == repeats(rows)


def test_no_rows_and_one_row_hold(spark):
    assert judge("distinct_row", frame_of(spark, "a int", [])) == []
    assert judge("distinct_row", frame_of(spark, "a int", [(1,)])) == [False]


def test_files_are_compared_in_the_order_of_their_names_and_malformed_lines_with_nothing(spark):
    lines = [("1.csv", 2, None), ("1.csv", 3, "x,surplus"), ("2.csv", 2, None), ("2.csv", 3, None)]
    assert judge("distinct_row", frame_of(spark, "a string", [("x",), ("y",), ("x",), ("y",)], lines)) == [
        False,
        False,
        True,
        False,
    ]


def test_text_is_compared_as_found_even_where_it_is_no_number(check_day, raw_day):
    path = raw_day(["a,b", "x,1", "x,1.0", "x,oops", "x,eek", "x,1", "x,oops"])
    day = check_day({"a": "string", "b": "double"}, path, rows=[RULE])
    assert [row["_line"] for row in day.clean] == [2, 3]
    assert [row["_line"] for row in day.quarantine if "the same as an earlier line" in row["reasons"]] == [
        6,
        7,
    ]
