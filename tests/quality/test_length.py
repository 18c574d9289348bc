import pytest
from hooks import frame_of, judge, judge_values

from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark


def test_characters_are_counted_not_bytes(spark):
    values = ["", "a", "éé", "漢字", "😀😀", "abc", "e\u0301e\u0301", None]
    expected = [value is not None and not 1 <= len(value) <= 2 for value in values]
    assert judge_values(spark, {"length": {"low": 1, "high": 2}}, "string", values) == expected


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("array<int>", [[], [1], [1, None, 3], None]),
        ("map<string,int>", [{}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, None]),
        ("binary", [b"", b"\xff", b"abc", None]),
    ],
)
def test_elements_and_bytes_are_counted(spark, type_, values):
    expected = [value is not None and not 1 <= len(value) <= 2 for value in values]
    assert judge_values(spark, {"length": {"low": 1, "high": 2}}, type_, values) == expected


def test_either_bound_can_be_left_out_and_numbers_are_taken_as_text(spark):
    assert judge_values(spark, {"length": {"low": 3}}, "int", [12, 123, 1234, None]) == [
        True,
        False,
        False,
        False,
    ]
    assert judge_values(spark, {"length": {"high": 3}}, "int", [12, 123, 1234, -123]) == [
        False,
        False,
        True,
        True,
    ]


def test_an_odd_column_name_is_no_obstacle(spark):
    assert judge({"length": {"high": 1}}, frame_of(spark, "`a.b``c` string", [("x",), ("xy",)]), "a.b`c") == [
        False,
        True,
    ]


@pytest.mark.parametrize("bounds", [{}, {"low": 2, "high": 1}, {"low": -1}])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(ValueError, match=r"length|low"):
        parse({"length": bounds}, RowCheck, column="v")


def test_the_stage_quarantines_by_length(check_day, raw_day):
    rule = {"length": {"low": 2, "high": 3}, "on_bad": "quarantine"}
    day = check_day({"v": "string"}, raw_day(["v", "x", "xy", "xyz", "wxyz"]), columns={"v": [rule]})
    assert [row["_line"] for row in day.clean] == [3, 4]
