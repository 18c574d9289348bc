import pytest
from days import day, judge

LABELS = {
    "y": ["a"] * 90 + ["b"] * 9 + ["c"] + [None] * 20,
    "x": [1.0 + i for i in range(120)],
    "t": [[i] for i in range(120)],
}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, None),
        ({"largest": 0.8}, "y: class 'a' has 90.0% of the rows, at most 80.0% wanted"),
        ({"smallest": 0.05}, "y: classes below 5.0%: 'c' 1.0%"),
        ({"smallest": 0.1}, "y: classes below 10.0%: 'c' 1.0%, 'b' 9.0%"),
        ({"smallest": 0.01, "classes": 3}, None),
        ({"classes": 4}, "y: 3 classes, 4 expected"),
    ],
)
def test_shares_of_the_rows_with_a_label_lie_within_the_bounds(fields, said):
    found = judge({"balance": {"column": "y", **fields}}, day(LABELS))
    assert (found.problem, found.value) == (said, 0.9)


def test_classes_that_the_profile_does_not_list_are_judged_by_their_mean():
    many = {"y": [f"c{i}" for i in range(50)] + ["big"] * 50}
    assert (
        "48 rarer classes share 48.0% of the rows"
        in judge({"balance": {"column": "y", "smallest": 0.02}}, day(many, listed=3)).problem
    )
    assert judge({"balance": {"column": "y", "smallest": 0.005}}, day(many, listed=3)).problem is None


def test_what_has_no_classes_is_a_problem():
    assert "labels are text" in judge({"balance": "t"}, day(LABELS)).problem
    assert judge({"balance": "y"}, day({"y": [None] * 4})).problem == "column 'y' has no labels"
    assert judge({"balance": "y"}, day({"y": []})).problem == "the day has no rows to judge"
    assert "say which column" in judge("balance", day(LABELS)).problem
