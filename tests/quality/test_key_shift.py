"""Key shares of days with too many keys for a list, against counts in pandas."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lsml_spark.quality.check import TableCheck, parse
from lsml_spark.quality.day import Day, Past

pytestmark = pytest.mark.spark


def draw(seed: int, rows: int = 3000, prefix: str = "") -> list[str]:
    """Keys by Zipf's law: most of them seen once."""
    return [f"{prefix}k{key}" for key in np.random.default_rng(seed).zipf(1.5, rows).clip(max=10**9)]


def judged(spark, before: list, today: list, below: float = 0.3):
    def profile(keys):
        return {
            "rows": len(keys),
            "sampled": len(keys),
            "columns": {"key": {"kind": "text", "metrics": {"missing": 0}, "top": [], "others": len(keys)}},
        }

    def frame(keys):
        return spark.createDataFrame(pd.DataFrame({"key": keys}), "key string")

    past = Past(datetime.date(2011, 1, 31), lambda: profile(before), dict, lambda: frame(before))
    day = Day(
        datetime.date(2011, 2, 1),
        len(today),
        len(today),
        profile(today),
        pa.table({}),
        [past],
        clean_rows=lambda: frame(today),
    )
    return parse({"drift": {"column": "key", "distance": "zipf", "below": below}}, TableCheck).judge(day)


def test_the_distance_is_half_the_sum_of_differences_of_shares_and_one_law_raises_no_alarm(spark):
    before, today = draw(1), draw(2)
    shares = [pd.Series(keys).value_counts(normalize=True) for keys in (before, today)]
    expected = shares[0].sub(shares[1], fill_value=0).abs().sum() / 2
    found = judged(spark, before, today, below=0.02)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.problem is None


def test_keys_that_were_all_renamed_are_an_alarm_that_says_so(spark):
    found = judged(spark, draw(1), draw(2, prefix="new-"))
    assert found.value == pytest.approx(1.0)
    assert "keys that came hold 100.0% of the rows" in found.problem


def test_keys_that_are_null_do_not_count(spark):
    found = judged(spark, [*draw(1), None, None], [*draw(1), *[None] * 500])
    assert found.value == pytest.approx(0.0, abs=1e-12)
