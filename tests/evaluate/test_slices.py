"""Slices of the test rows against pandas, and what is no slice."""

import pandas as pd
import pyarrow as pa
import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate import slices

ROWS = pd.DataFrame(
    {
        "country": ["UK", "FR", None, "UK", "DE", "FR"] * 10,
        "hour": [None if i % 7 == 0 else i % 24 for i in range(60)],
        "price": [i * 0.25 for i in range(60)],
    }
)
TEST = pa.table(
    {
        "country": ROWS.country,
        "hour": pa.array(ROWS.hour, pa.int64(), from_pandas=True),
        "price": ROWS.price,
        "bag": [["x"]] * 60,
    }
)


@pytest.mark.parametrize(
    ("slice_", "wanted"),
    [
        ("hour < 9", ROWS.hour < 9),
        ("hour>=9", ROWS.hour >= 9),
        ("price <= 3.5", ROWS.price <= 3.5),
        ("hour = 5", ROWS.hour == 5),
        ("country != 'UK'", (ROWS.country != "UK") & ROWS.country.notna()),
        ("country == FR", ROWS.country == "FR"),
    ],
)
def test_a_comparison_is_pandas_own_and_holds_for_no_null(slice_, wanted):
    assert slices.masks(TEST, [slice_])[slice_].tolist() == wanted.tolist()


def test_a_column_gives_a_slice_a_value_the_null_too():
    found = slices.masks(TEST, ["country"])
    assert {name: int(rows.sum()) for name, rows in found.items()} == {
        "country = FR": 20, "country = UK": 20, "country = DE": 10, "country = NULL": 10
    }  # fmt: skip


@pytest.mark.parametrize(
    ("slice_", "said"),
    [
        ("contry", "gives no column 'contry' .did you mean 'country'"),
        ("hour < noon", "'noon' is no value of a column of int64"),
        ("bag", "a list has no value to slice by"),
    ],
)
def test_what_is_no_slice_is_named(slice_, said):
    with pytest.raises(ConfigError, match=said):
        slices.masks(TEST, [slice_])
