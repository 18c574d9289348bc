import pytest
from days import day, judge

ROWS = {"a": [1.0, 1.0, None], "b": ["x", "y", "x"], "c": [None, None, None], "d": ["k", "k", "k"]}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("constant", "columns with one value only: 'a' (1.0), 'd' (k); without any value: 'c'"),
        ({"constant": {"except_empty": True}}, "columns with one value only: 'a' (1.0), 'd' (k)"),
        ({"constant": ["b", "d"]}, "column with one value only: 'd' (k)"),
        ({"constant": {}, "column": "c"}, "without any value: 'c'"),
        ({"constant": {"skip": ["a", "c", "d"]}}, None),
        ({"constant": {"at_least": 4}}, None),
        ({"constant": ["z"]}, "column 'z' is not in the day's profile (known: a, b, c, d)"),
    ],
)
def test_columns_with_one_value_or_none_are_named(item, said):
    assert judge(item, day(ROWS)).problem == said


def test_the_value_is_their_number_and_no_rows_do_not_pass():
    assert judge("constant", day(ROWS)).value == 3
    assert judge("constant", day({"a": []})).problem == "the day has no rows to judge"
