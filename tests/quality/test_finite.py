import datetime
import math
from decimal import Decimal

import numpy as np
import pytest

pytestmark = pytest.mark.spark


def test_it_says_what_numpy_says_of_floats(violated):
    values = [0.0, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, None]
    expected = [value is not None and not np.isfinite(value) for value in values]
    assert violated("finite", "double", values) == expected
    with np.errstate(over="ignore"):
        floats = [None if value is None else float(np.float32(value)) for value in values]
    assert violated("finite", "float", floats) == [
        value is not None and not np.isfinite(value) for value in floats
    ]


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("int", [0, -1]),
        ("decimal(10,2)", [Decimal("1.50")]),
        ("date", [datetime.date(2011, 2, 1)]),
        ("boolean", [True]),
        ("string", ["", "Infinity pool", "NaNs"]),
    ],
)
def test_other_types_have_nothing_infinite(violated, type_, values):
    assert violated("finite", type_, [*values, None]) == [False] * (len(values) + 1)


def test_numbers_read_as_text_and_numbers_in_lists_count(violated):
    assert violated("finite", "string", ["NaN", "-Infinity", "inf", "1.5"]) == [True, True, True, False]
    lists = [[1.0, math.nan], [math.inf], [-math.inf, 2.0], [1.0, 2.0], [], None]
    assert violated("finite", "array<double>", lists) == [True, True, True, False, False, False]
