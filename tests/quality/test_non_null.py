import math

import pytest

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("double", [0.0, math.nan, math.inf]),
        ("string", ["", " ", "NULL"]),
        ("array<int>", [[], [None]]),
        ("binary", [b""]),
    ],
)
def test_null_alone_is_missing(violated, type_, values):
    assert violated("non_null", type_, [*values, None]) == [False] * len(values) + [True]
